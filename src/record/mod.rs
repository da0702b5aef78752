//! Reads balancers from outside: config files, run-time state, counters. Asks, never commands: nothing here
//! changes a balancer.
//!
//! One reading gives what could be had. A part that could not be read is a notice beside the other; only when
//! nothing could be read at all is it an error. Every error names the place and the remedy.

mod config_file;
pub mod haproxy;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::time::timeout;

use crate::balancer::state::State;
use crate::domain::balancer::{BalancerKind, StateAddress, mask};
use crate::domain::time::shorten;
use crate::signal::series::Sample;

/// The most that one answer or one config may hold: 16 MiB, some fifty times a large one.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;

/// What to read. Empty text for what is not recorded.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    pub kind: BalancerKind,
    /// A file, or a directory of `*.cfg` files.
    pub config_path: &'a str,
    /// As [`StateAddress`] reads it.
    pub state_address: &'a str,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// Raw text, **not yet redacted**: the caller redacts before it stores or shows anything.
    pub config: Option<String>,
    pub state: Option<State>,
    pub samples: Vec<Sample>,
    /// What could not be read or understood, one sentence each.
    pub notices: Vec<String>,
}

/// Why nothing, or not everything, could be read. `place` is a path or an address with its password hidden.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("neither a config file nor an address for the state is set; name at least one")]
    NothingNamed,
    #[error("{place} cannot be read as an address: {help}")]
    Address { place: String, help: &'static str },
    #[error("{place} does not exist: check the path, and for a socket that the balancer runs and opens it (`stats socket`)")]
    Missing { place: String },
    #[error(
        "{place} may not be opened: give the user that runs Afterload the right to read it (for a socket: `mode` and `group`)"
    )]
    Denied { place: String },
    #[error("{place} holds no *.cfg file: name the config file or its directory")]
    EmptyDirectory { place: String },
    #[error("{place} is neither a file nor a directory: name the config file")]
    NotAFile { place: String },
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
    fn io(place: &str, error: &std::io::Error) -> Self {
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

    fn not_statistics(place: &str, answer: &str) -> Self {
        let printable: String = answer.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
        let head = printable.split_whitespace().collect::<Vec<_>>().join(" ");
        let head = if head.is_empty() { "nothing at all".to_owned() } else { shorten(&head, 80) };
        Self::NotStatistics { place: place.to_owned(), head }
    }
}

/// What the state's side of a reading gave.
#[derive(Debug, Default)]
struct Live {
    state: State,
    samples: Vec<Sample>,
    notices: Vec<String>,
}

/// Reads config and state side by side, each within `deadline`. `http` must follow no redirects; it is used for
/// statistics pages alone.
pub async fn read(target: &Target<'_>, http: &reqwest::Client, deadline: Duration) -> Result<Reading, ReadError> {
    let BalancerKind::Haproxy = target.kind;
    let config = async {
        match target.config_path {
            "" => None,
            path => Some(within(deadline, path, config_file::read(path)).await),
        }
    };
    let state = async {
        match target.state_address {
            "" => None,
            address => {
                let place = mask(address);
                let reading = async {
                    match StateAddress::parse(address) {
                        Ok(address) => haproxy::read(&address, &place, http).await,
                        Err(help) => Err(ReadError::Address { place: place.clone(), help }),
                    }
                };
                Some(within(deadline, &place, reading).await)
            }
        }
    };
    let mut reading = Reading::default();
    let (config, state) = match tokio::join!(config, state) {
        (None, None) => return Err(ReadError::NothingNamed),
        (Some(Err(error)), None) | (None, Some(Err(error))) => return Err(error),
        (Some(Err(config)), Some(Err(state))) => {
            return Err(ReadError::Both { config: Box::new(config), state: Box::new(state) });
        }
        parts => parts,
    };
    match config {
        Some(Ok((text, notices))) => {
            reading.config = Some(text);
            reading.notices.extend(notices);
        }
        Some(Err(error)) => reading.notices.push(format!("config not read: {error}")),
        None => {}
    }
    match state {
        Some(Ok(live)) => {
            reading.state = Some(live.state);
            reading.samples = live.samples;
            reading.notices.extend(live.notices);
        }
        Some(Err(error)) => reading.notices.push(format!("state not read: {error}")),
        None => {}
    }
    Ok(reading)
}

async fn within<T>(deadline: Duration, place: &str, work: impl Future<Output = Result<T, ReadError>>) -> Result<T, ReadError> {
    let slow = |_| ReadError::Slow { place: place.to_owned(), seconds: deadline.as_secs_f64() };
    timeout(deadline, work).await.map_err(slow)?
}
