//! Why something outside could not be read: the place, what is wrong, and the remedy.

use super::MAX_BYTES;
use crate::domain::time::shorten;

/// Why nothing, or not everything, could be read. `place` is a path or an address with its password hidden.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("neither a config file nor an address for the state is set; name at least one")]
    NothingNamed,
    #[error("{place} cannot be read as an address: {help}")]
    Address { place: String, help: &'static str },
    #[error("{place} does not exist: check the path, and for a socket that the balancer runs and opens it (`stats socket`)")]
    Missing { place: String },
    #[error("{place} does not exist: check the path")]
    NoFile { place: String },
    #[error(
        "{place} may not be opened: give the user that runs Afterload the right to read it (for a socket: `mode` and `group`)"
    )]
    Denied { place: String },
    #[error("{place} holds no config ({wanted}): name the config file or its directory")]
    EmptyDirectory { place: String, wanted: String },
    #[error("{place} is neither a file nor a directory: name the config file")]
    NotAFile { place: String },
    #[error("{place} is not a config: {why}")]
    NotAConfig { place: String, why: String },
    #[error("{place} is {found}'s config, not {asked}'s: choose the balancer that it belongs to, or another file")]
    WrongKind { place: String, asked: &'static str, found: &'static str },
    #[error(
        "{place} leads out of the folders of the files that were named, so that it is not opened: name it as well, or give the \
         output of `nginx -T` instead"
    )]
    OutOfTree { place: String },
    #[error("{place} is not looked at: {why}; name the files themselves where what they include matters")]
    NotHere { place: String, why: String },
    #[error("more than {most} files belong to {place}: look for an include that reads itself")]
    TooMany { place: String, most: usize },
    #[error("{place} could not be understood with the help of {program}: {why}")]
    Program { place: String, program: &'static str, why: String },
    #[error("{place} holds more than {} MiB: name the config file itself, and look at what stands there", MAX_BYTES / 1024 / 1024)]
    TooLarge { place: String },
    #[error("{place} answers with more than {} MiB: check that HAProxy's statistics are what answers there", MAX_BYTES / 1024 / 1024)]
    Flood { place: String },
    #[error("nobody answers at {place} ({why}): check that the balancer runs and that the address is the one it opens")]
    Unreachable { place: String, why: String },
    #[error("{place} did not answer in full within {seconds:.1} s: check that the balancer is alive, or poll less often")]
    Slow { place: String, seconds: f64 },
    #[error("{place} answered, but not with statistics: “{head}”; name HAProxy's runtime socket or its statistics page")]
    NotStatistics { place: String, head: String },
    #[error("the answer of {place} breaks off in the middle: check whether the balancer was just stopped or reloaded")]
    Cut { place: String },
    #[error("{place} answered with HTTP status {status}: {remedy}")]
    Status { place: String, status: u16, remedy: &'static str },
    #[error("reading {place} failed ({why}); check it on the machine that runs Afterload")]
    Failed { place: String, why: String },
    #[error("{config}; {state}")]
    Both { config: Box<ReadError>, state: Box<ReadError> },
}

impl ReadError {
    pub(super) fn io(place: &str, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let place = place.to_owned();
        match error.kind() {
            ErrorKind::NotFound => Self::Missing { place },
            ErrorKind::PermissionDenied => Self::Denied { place },
            ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                Self::Unreachable { place, why: error.to_string() }
            }
            _ => Self::Failed { place, why: error.to_string() },
        }
    }

    pub(super) fn not_statistics(place: &str, answer: &str) -> Self {
        let printable: String = answer.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
        let head = printable.split_whitespace().collect::<Vec<_>>().join(" ");
        let head = if head.is_empty() { "nothing at all".to_owned() } else { shorten(&head, 80) };
        Self::NotStatistics { place: place.to_owned(), head }
    }
}
