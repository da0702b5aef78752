//! Reads balancers from outside: config files, run-time state, counters. Asks, never commands: nothing here
//! changes a balancer.
//!
//! One reading gives what could be had. A part that could not be read is a notice beside the other; only when
//! nothing could be read at all is it an error. Every error names the place and the remedy.

mod admin;
pub mod config_file;
mod disk;
mod error;
pub mod haproxy;
mod http;
mod program;
#[cfg(test)]
mod tests;
pub mod verdict;

use std::time::Duration;

use tokio::time::timeout;

use crate::balancer::state::State;
use crate::domain::balancer::{BalancerKind, StateAddress, mask};
use crate::signal::series::Sample;
pub use config_file::ADAPTED;
pub use disk::{STDIN, STDIN_NAME};
pub use error::ReadError;

/// The most that one answer or one config may hold: 16 MiB, some fifty times a large one.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;

const ADMIN_HELP: &str = "write the address of the admin API, such as http://127.0.0.1:9901";

/// What to read. Empty text for what is not recorded.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    pub kind: BalancerKind,
    /// A file, or a directory as [`config_file::load`] reads it.
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

/// What the state's side of a reading gave.
#[derive(Debug, Default)]
struct Live {
    /// The config that runs, where the balancer tells it and no file is named.
    config: Option<String>,
    state: State,
    samples: Vec<Sample>,
    notices: Vec<String>,
}

/// Reads config and state side by side, each within `deadline`. `http` must follow no redirects; it is used for
/// statistics pages alone.
pub async fn read(target: &Target<'_>, http: &reqwest::Client, deadline: Duration) -> Result<Reading, ReadError> {
    let config = async {
        match target.config_path {
            "" => None,
            path => Some(within(deadline, path, config_file::read(path, target.kind)).await),
        }
    };
    let state = async {
        match target.state_address {
            "" => None,
            address => {
                let place = mask(address);
                let reading = async {
                    match StateAddress::parse(address) {
                        Ok(address) if target.kind == BalancerKind::Haproxy => haproxy::read(&address, &place, http).await,
                        Ok(StateAddress::Http(url)) => {
                            let with_config = target.config_path.is_empty();
                            let told = admin::read(target.kind, &url, &place, with_config, http).await?;
                            Ok(Live { config: told.config, state: told.state, ..Live::default() })
                        }
                        Ok(_) => Err(ReadError::Address { place: place.clone(), help: ADMIN_HELP }),
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
            reading.config = reading.config.or(live.config);
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
