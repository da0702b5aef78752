//! Balancers: what is recorded, and how it is reached.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{FieldErrors, Result};
use super::id::BalancerId;
use super::incident::words;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BalancerKind {
    #[default]
    Haproxy,
}
words!(BalancerKind { Haproxy => "haproxy" / "HAProxy" });

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BalancerFields {
    pub name: String,
    pub kind: BalancerKind,
    /// Path of the config file on this machine; empty when only the state is read.
    pub config_path: String,
    /// Runtime socket (`/run/haproxy.sock`, `tcp://127.0.0.1:9999`) or stats page (`http://127.0.0.1:8404/stats`).
    pub state_address: String,
    /// Seconds between two polls.
    pub poll_seconds: i64,
    pub paused: bool,
}

impl Default for BalancerFields {
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: BalancerKind::Haproxy,
            config_path: String::new(),
            state_address: String::new(),
            poll_seconds: 5,
            paused: false,
        }
    }
}

impl BalancerFields {
    pub fn checked(mut self) -> Result<Self> {
        let mut errors = FieldErrors::default();
        self.name = errors.line("name", &self.name);
        self.config_path = errors.optional_line("config_path", &self.config_path);
        self.state_address = errors.optional_line("state_address", &self.state_address);
        if self.config_path.is_empty() && self.state_address.is_empty() && errors.of("state_address").is_none() {
            errors.push("state_address", "required", "name the config file, the runtime socket or stats address, or best both");
        }
        if !self.config_path.is_empty() && !self.config_path.starts_with('/') {
            errors.push("config_path", "not_absolute", "write the whole path, such as /etc/haproxy/haproxy.cfg");
        }
        if !self.state_address.is_empty()
            && let Err(detail) = StateAddress::parse(&self.state_address)
        {
            errors.push("state_address", "not_an_address", detail);
        }
        if !(1..=3600).contains(&self.poll_seconds) {
            errors.push("poll_seconds", "out_of_range", "between 1 and 3600 seconds");
        }
        errors.into_result()?;
        Ok(self)
    }
}

/// The password of an address, as people may see it.
const MASK: &str = "•••";

impl BalancerFields {
    /// The same with the password in the address hidden: what leaves the house.
    pub fn masked(&self) -> Self {
        Self { state_address: mask(&self.state_address), ..self.clone() }
    }

    /// Puts the password back that [`Self::masked`] hid, where the address was sent back unchanged.
    pub fn unmasked(mut self, stored: &Self) -> Self {
        if self.state_address == mask(&stored.state_address) {
            self.state_address.clone_from(&stored.state_address);
        }
        self
    }
}

fn mask(address: &str) -> String {
    let parts = address.split_once("://").and_then(|(scheme, rest)| {
        let host = rest.find('/').unwrap_or(rest.len());
        let at = rest[..host].rfind('@')?;
        let user = rest[..at].split(':').next().unwrap_or_default();
        Some(format!("{scheme}://{user}:{MASK}{}", &rest[at..]))
    });
    parts.unwrap_or_else(|| address.to_owned())
}

/// Where the run-time state is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateAddress {
    Unix(String),
    /// `host:port` of a runtime socket over TCP.
    Tcp(String),
    /// A statistics page; `;csv` is added when reading.
    Http(String),
}

impl StateAddress {
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const HELP: &str = "write a socket path (/run/haproxy.sock), tcp://host:port or http(s)://host:port/stats";
        if let Some(path) = text.strip_prefix("unix:").or_else(|| text.strip_prefix("unix@")) {
            return if path.starts_with('/') { Ok(Self::Unix(path.trim_start_matches("//").to_owned())) } else { Err(HELP) };
        }
        if text.starts_with('/') {
            return Ok(Self::Unix(text.to_owned()));
        }
        if let Some(address) = text.strip_prefix("tcp://") {
            return match address.rsplit_once(':') {
                Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0) => {
                    Ok(Self::Tcp(address.to_owned()))
                }
                _ => Err(HELP),
            };
        }
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        match rest {
            Some(rest) if !rest.is_empty() && !rest.starts_with('/') => Ok(Self::Http(text.to_owned())),
            _ => Err(HELP),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Balancer {
    pub id: BalancerId,
    #[serde(flatten)]
    pub fields: BalancerFields,
    pub created_at: DateTime<Utc>,
    pub version: i64,
    /// The last poll that got an answer.
    pub last_answer_at: Option<DateTime<Utc>>,
    /// What the last failing poll said, and since when polls fail; cleared by the next answer.
    pub failing_since: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_addresses_are_told_apart() {
        assert_eq!(StateAddress::parse("/run/h.sock"), Ok(StateAddress::Unix("/run/h.sock".into())));
        assert_eq!(StateAddress::parse("unix:/run/h.sock"), Ok(StateAddress::Unix("/run/h.sock".into())));
        assert_eq!(StateAddress::parse("tcp://127.0.0.1:9999"), Ok(StateAddress::Tcp("127.0.0.1:9999".into())));
        assert_eq!(
            StateAddress::parse("http://127.0.0.1:8404/stats"),
            Ok(StateAddress::Http("http://127.0.0.1:8404/stats".into()))
        );
        for wrong in ["", "haproxy.sock", "tcp://:1", "tcp://h:0", "ftp://x", "file:///etc/passwd", "http://", "http:///x"] {
            assert!(StateAddress::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn passwords_do_not_leave_and_come_back_unharmed() {
        let address = |text: &str| BalancerFields { state_address: text.into(), ..Default::default() };
        let stored = address("http://admin:p@ss:word@127.0.0.1:8404/stats");
        let shown = stored.masked();
        assert_eq!(shown.state_address, "http://admin:•••@127.0.0.1:8404/stats");
        assert_eq!(shown.unmasked(&stored), stored);
        assert_eq!(address("/run/h.sock").masked(), address("/run/h.sock"));
        assert_eq!(address("http://x/a@b").masked(), address("http://x/a@b"));
    }

    #[test]
    fn a_balancer_needs_a_name_and_a_way_to_it() {
        let Err(super::super::Error::Invalid(errors)) = BalancerFields::default().checked() else { panic!("accepted") };
        assert_eq!(errors.0.iter().map(|e| e.pointer.as_str()).collect::<Vec<_>>(), ["/name", "/state_address"]);
    }
}
