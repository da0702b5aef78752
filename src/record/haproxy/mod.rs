//! HAProxy's run-time state and counters, from its runtime socket or its statistics page.

mod page;
mod socket;
pub mod stat;
#[cfg(test)]
mod tests;

use super::{Live, ReadError};
use crate::domain::balancer::StateAddress;

/// Reads once; the caller holds the deadline. `place` is the address as it may be shown.
pub(super) async fn read(address: &StateAddress, place: &str, http: &reqwest::Client) -> Result<Live, ReadError> {
    let mut notices = Vec::new();
    let (rows, servers, info) = match address {
        StateAddress::Http(url) => (page::read(url, place, http).await?, None, None),
        StateAddress::Unix(_) | StateAddress::Tcp(_) => {
            let mut socket = socket::Socket::new(address, place);
            let answer = socket.ask("show stat").await?;
            let rows = stat::parse_stat(&answer).ok_or_else(|| ReadError::not_statistics(place, &answer))?;
            // Half an answer would look like servers that were removed.
            if !answer.ends_with("\n\n") {
                return Err(ReadError::Cut { place: place.to_owned() });
            }
            let servers = stat::parse_servers_state(&socket.ask("show servers state").await?);
            if servers.is_none() {
                notices.push(format!(
                    "{place} does not answer `show servers state`: drain and maintenance are taken from the status, configured \
                     weights are not known; check the socket's `level`"
                ));
            }
            (rows, servers, Some(stat::parse_info(&socket.ask("show info").await?)))
        }
    };
    let version = info.and_then(|info| info.version);
    let (state, samples) = stat::reading(&rows, servers.as_ref(), version);
    Ok(Live { state, samples, notices, ..Live::default() })
}
