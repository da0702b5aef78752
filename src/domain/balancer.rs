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
    Nginx,
    Envoy,
    Traefik,
    Caddy,
}
words!(BalancerKind { Haproxy => "haproxy" / "HAProxy", Nginx => "nginx" / "nginx", Envoy => "envoy" / "Envoy", Traefik => "traefik" / "Traefik", Caddy => "caddy" / "Caddy" });

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
    /// Ask the balancer's own program (`haproxy -c`, `nginx -t`, …) about each new config; it must be installed here.
    pub ask_program: bool,
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
            ask_program: false,
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
        if self.state_address.contains(MASK) {
            // The address changed, or `unmasked` would have put the password back.
            errors.push("state_address", "password_hidden", "the password is hidden here; write the password again");
        } else if !self.state_address.is_empty()
            && let Err(detail) = StateAddress::parse(&self.state_address)
        {
            errors.push("state_address", "not_an_address", detail);
        } else if self.kind != BalancerKind::Haproxy
            && !self.state_address.is_empty()
            && !matches!(StateAddress::parse(&self.state_address), Ok(StateAddress::Http(_)))
        {
            let detail = format!("write the address of {}'s admin API, such as http://127.0.0.1:9901", self.kind.said());
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

/// An address as people may see it: everything between the user's name and the last `@` hidden. It trusts no
/// grammar: also where a `/` or `?` inside the password ends what a strict reader takes for the host, nothing of the
/// password stays.
pub fn mask(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let Some((login, place)) = rest.rsplit_once('@') else { return address.to_owned() };
    // Without a colon the whole may be the secret.
    let user = login.split_once(':').map(|(user, _)| format!("{user}:")).unwrap_or_default();
    format!("{scheme}://{user}{MASK}@{place}")
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
        match text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")) {
            Some(rest) if is_authority_and_path(rest) => Ok(Self::Http(text.to_owned())),
            Some(rest) if rest.contains('@') => Err(LOGIN_HELP),
            _ => Err(HELP),
        }
    }
}

const LOGIN_HELP: &str = "write http(s)://user:password@host:port/stats, special characters of user and password in percent \
    encoding (/ is %2F, ? is %3F, # is %23, @ is %40, % is %25), and no other @ in it";

/// What follows `http://`: `[user[:password]@]host[:port]` and a path (RFC 3986, section 3.2), stricter in that no
/// second reading may exist. A raw `/` in a password would make its beginning the host that is asked.
fn is_authority_and_path(rest: &str) -> bool {
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (host, port) = match place.rfind(':').filter(|at| !place[*at..].contains(']')) {
        Some(at) => (&place[..at], Some(&place[at + 1..])),
        None => (place, None),
    };
    let is_host = match host.strip_prefix('[').and_then(|v6| v6.strip_suffix(']')) {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || "-._".contains(c)),
    };
    let is_port = port.is_none_or(|port| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|p| p > 0));
    is_host && is_port && is_encoded(login) && !path.contains('@')
}

/// Printable ASCII without what ends a login for some reader of addresses, and a `%` only before two hex digits. A `;`
/// would begin the options of the statistics page.
fn is_encoded(login: &str) -> bool {
    let hex = |part: &str| part.as_bytes().get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
    login.chars().all(|c| c.is_ascii_graphic() && !"/?#@\\;".contains(c)) && login.split('%').skip(1).all(hex)
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
        assert_eq!(address("http://h:8404/stats").masked(), address("http://h:8404/stats"));
    }

    #[test]
    fn a_hidden_password_is_not_taken_for_the_password() {
        let fields = |address: &str| BalancerFields { name: "edge".into(), state_address: address.into(), ..Default::default() };
        let stored = fields("http://admin:hunter2@h/stats");
        assert_eq!(stored.masked().unmasked(&stored).checked().expect("unchanged"), stored);
        for moved in ["http://admin:•••@other/stats", "http://mk:•••@h/stats", "tcp://admin:•••@h:1", "http://•••@h/stats"]
        {
            let Err(super::super::Error::Invalid(errors)) = fields(moved).unmasked(&stored).checked() else { panic!("{moved}") };
            assert_eq!(errors.of("state_address"), Some("the password is hidden here; write the password again"));
            assert_eq!(errors.0.len(), 1, "{moved}");
        }
    }

    #[test]
    fn no_character_of_a_password_ends_its_hiding() {
        for password in ["hunter2?x", "hun/ter2", "hunter2#", "hun@ter2", "hun:ter2", "12/hunter2", "hun\\ter2", "hunter2//:@/"] {
            for scheme in ["http", "https", "tcp"] {
                let shown = mask(&format!("{scheme}://admin:{password}@h:1/stats"));
                assert_eq!(shown, format!("{scheme}://admin:•••@h:1/stats"), "{password}");
            }
        }
        assert_eq!(mask("http://hunter2@h/stats"), "http://•••@h/stats");
    }

    #[test]
    fn a_login_must_be_percent_encoded() {
        for right in
            ["admin:hun%2Fter2@h", "admin:a:b@h:8404", "admin@h", "h.example:80/x?y#z", "[::1]:8404/stats", "[::1]", "1.2.3.4"]
        {
            let address = format!("http://{right}");
            assert_eq!(StateAddress::parse(&address), Ok(StateAddress::Http(address)), "{right}");
        }
        for login in [
            "hunter2?x",
            "hun/ter2",
            "hunter2#x",
            "hun@ter2",
            "12/hunter2",
            "hun\\ter2",
            "hun ter2",
            "hun;ter2",
            "50%off",
            "%4",
            "hünter2",
        ] {
            for scheme in ["http", "https"] {
                let help = StateAddress::parse(&format!("{scheme}://admin:{login}@h/stats")).expect_err(login);
                assert!(help.contains("percent") && !help.contains("ter2"), "{help}");
            }
        }
        for wrong in
            ["h:", "h:x", "h:0", "h:+80", "h:65536", "a:b@", "a:b@:80", "[::1", "[::x]", "::1", "h h", "admin:hunter2", "@"]
        {
            assert!(StateAddress::parse(&format!("http://{wrong}/stats")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_balancer_needs_a_name_and_a_way_to_it() {
        let Err(super::super::Error::Invalid(errors)) = BalancerFields::default().checked() else { panic!("accepted") };
        assert_eq!(errors.0.iter().map(|e| e.pointer.as_str()).collect::<Vec<_>>(), ["/name", "/state_address"]);
    }
}
