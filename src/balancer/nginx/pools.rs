//! From a `proxy_pass` or its like to pools: those of upstreams, and those made of addresses written in place, with
//! the timeouts and retries that hold there.

use super::levels;
use super::load::Config;
use super::passes;
use super::routes::{Walker, other};
use super::tree::Directive;
use super::upstream;
use super::values;
use crate::balancer::model::{
    Algorithm, Check, CheckKind, Family, Gravity, Mode, Own, Pool, Resolution, Server, Target, Timeouts,
};

impl<'a> Walker<'a> {
    /// Where a pass sends to; makes pools of addresses that are written in place.
    pub(super) fn target(&mut self, pass: &'a Directive) -> Target {
        let name = pass.name.text.as_str();
        let text = pass.argument(0).unwrap_or_default();
        self.own = Own::default();
        self.trust(pass, text);
        let scheme_end = text.find("://").map_or(0, |at| at + 3);
        let host = text[scheme_end..].split('/').next().unwrap_or_default();
        if !host.contains('$') {
            // Variables may follow in the path.
            let constant = if text.contains('$') { &text[..scheme_end + host.len()] } else { text };
            let Ok(url) = passes::read(name, constant, self.stream) else { return other(pass) };
            let index = self.pool(pass, &url, false);
            return Target::Pool { name: self.model.pools[index].name.clone() };
        }
        let mut candidates = Vec::new();
        for value in self.declared.expand(&text[..scheme_end + host.len()]).unwrap_or_default() {
            // The part before the variable may lack what the variable brings.
            let Ok(url) = passes::read(name, &value, self.stream) else { continue };
            let index = self.pool(pass, &url, true);
            let name = &self.model.pools[index].name;
            if !candidates.contains(name) {
                candidates.push(name.clone());
            }
        }
        Target::Dynamic { expression: text.to_owned(), candidates }
    }

    /// Refuses certificates that are to be verified by nothing.
    fn trust(&mut self, pass: &Directive, text: &str) {
        let protocol = pass.name.text.trim_end_matches("_pass");
        let tls = text.contains('$') || passes::scheme(&pass.name.text, text, self.stream).is_ok_and(|(tls, _)| tls);
        let tls = if self.stream { self.levels.is_on("proxy_ssl") == Some(true) } else { tls };
        let verify = || self.levels.is_on(&format!("{protocol}_ssl_verify")) == Some(true);
        if tls && verify() && self.config.complete && self.levels.one(&format!("{protocol}_ssl_trusted_certificate")).is_none() {
            let text = format!(
                "{protocol}_ssl_verify is on, but nothing says whom to trust: add {protocol}_ssl_trusted_certificate FILE;"
            );
            self.config.error(pass, text);
        }
    }

    /// The pool that an address names, made if it is none of the upstreams; with the limits that hold here.
    fn pool(&mut self, pass: &Directive, url: &passes::Url, dynamic: bool) -> usize {
        let key = self.key(&url.address.host);
        let index = self.pools.get(&key).copied().unwrap_or_else(|| {
            let said = if url.address.host.starts_with("unix:") { url.address.host.clone() } else { url.address.said() };
            let key = self.key(&said);
            let made = self.pools.get(&key).copied();
            made.unwrap_or_else(|| {
                let pool = self.implicit(pass, url, said, dynamic);
                self.model.pools.push(pool);
                self.pools.insert(key, self.model.pools.len() - 1);
                self.model.pools.len() - 1
            })
        });
        self.hold(pass, index, url.tls);
        index
    }

    /// Pools of `http` and of `stream` are apart.
    pub fn key(&self, name: &str) -> String {
        format!("{}{}", if self.stream { "stream " } else { "" }, name.to_ascii_lowercase())
    }

    fn implicit(&self, pass: &Directive, url: &passes::Url, name: String, dynamic: bool) -> Pool {
        let port = if url.tls { 443 } else { 80 };
        let place = self.config.at(pass);
        let resolution = match (url.address.literal, dynamic) {
            (true, _) => Resolution::Literal,
            (false, true) => Resolution::Followed,
            (false, false) => Resolution::AtStart,
        };
        let address = upstream::with_port(url.address.clone(), pass.is("proxy_pass").then_some(port).filter(|_| !self.stream));
        // A bare name is an upstream's that stands in what was not given, as far as one can tell.
        let elsewhere = !self.config.complete && !url.address.literal && url.address.port.is_none() && !name.contains('.');
        let server = Server { name: name.clone(), address, resolution, place: place.clone(), ..Server::default() };
        Pool {
            name,
            mode: if self.stream { Mode::Tcp } else { Mode::Http },
            algorithm: Algorithm { family: Family::RoundRobin, ..Algorithm::default() },
            all_backups: true,
            discovered: elsewhere,
            servers: if elsewhere { Vec::new() } else { vec![server] },
            place,
            ..Pool::default()
        }
    }

    /// Lays timeouts, retries and TLS of this place into the pool. What a second place says otherwise is its own.
    fn hold(&mut self, pass: &Directive, index: usize, tls: bool) {
        let protocol = pass.name.text.trim_end_matches("_pass");
        let timeouts = self.levels.server(self.config, protocol, self.stream);
        let retry = self.levels.retry(self.config, protocol);
        let tls = tls || (self.stream && self.levels.is_on("proxy_ssl") == Some(true));
        let again = !self.used.insert(index);
        let stream = self.stream;
        let inert = self.inert_keepalive(protocol);
        let pool = &mut self.model.pools[index];
        if again {
            levels::differing(pool, timeouts, retry, stream, &mut self.own);
        } else {
            pool.timeouts = Timeouts { keepalive: pool.timeouts.keepalive.take(), queue: pool.timeouts.queue.take(), ..timeouts };
            pool.retry = retry;
        }
        if tls {
            let verified = self.levels.is_on(&format!("{protocol}_ssl_verify"));
            for server in &mut pool.servers {
                server.tls = true;
                server.tls_verified = verified;
            }
        }
        pool.limits.keepalive_inert |= inert.is_some() && self.version.is_some();
        if let (Some(why), Some(keepalive)) = (inert, &pool.limits.keepalive) {
            let newer = self.version.is_some();
            let gravity = if newer { Gravity::Warning } else { Gravity::Note };
            let before = if newer { "" } else { "before nginx 1.29.7 " };
            let text =
                format!("{before}keepalive of {} does nothing where {} stands: {why}", pool.name, place_said(self.config, pass));
            self.config.tell(gravity, keepalive.place.clone(), text);
        }
    }

    /// What idle connections lack here to be used again; none for nothing, and from 1.29.7 on.
    fn inert_keepalive(&self, protocol: &str) -> Option<&'static str> {
        if self.stream || self.config.part || self.version.is_some_and(|version| version >= (1, 29, 7)) {
            return None;
        }
        match protocol {
            "proxy" => {
                let mut headers = self.levels.all("proxy_set_header");
                let connection =
                    headers.find(|header| header.argument(0).is_some_and(|name| name.eq_ignore_ascii_case("connection")));
                let cleared = connection
                    .is_some_and(|header| header.argument(1).is_some_and(|value| value.is_empty() || value.contains('$')));
                let version = self.levels.one("proxy_http_version").is_some_and(|directive| directive.argument(0) == Some("1.1"));
                (!cleared || !version).then_some("it needs proxy_http_version 1.1; and proxy_set_header Connection \"\";")
            }
            "fastcgi" => (self.levels.is_on("fastcgi_keep_conn") != Some(true)).then_some("it needs fastcgi_keep_conn on;"),
            _ => None,
        }
    }

    /// nginx Plus: `health_check` of a location or of a stream server, for the pool that it passes to.
    pub(super) fn health_check(&mut self, directive: &Directive, target: &Target) {
        let given = |name: &str| {
            directive
                .arguments
                .iter()
                .find_map(|word| word.text.split_once('=').filter(|(known, _)| *known == name))
                .map(|(_, value)| value)
        };
        let time = |name: &str| given(name).and_then(values::seconds).map(|seconds| seconds.saturating_mul(1000));
        let kind = match given("type") {
            Some("grpc") => CheckKind::Grpc,
            _ if self.stream && given("match").is_some() => CheckKind::Protocol,
            _ if self.stream => CheckKind::Tcp,
            _ => CheckKind::Http,
        };
        let timeout = if self.stream { self.levels.time(self.config, "health_check_timeout") } else { None };
        let check = Check {
            kind,
            request: given("uri").map(Into::into),
            expects: given("match").map(Into::into),
            interval_ms: time("interval"),
            timeout_ms: timeout.map(|timeout| timeout.value),
            fall: given("fails").and_then(values::number),
            rise: given("passes").and_then(values::number),
            place: self.config.at(directive),
        };
        self.checks.extend(target.pools().map(|name| (name.to_owned(), check.clone())));
    }
}

fn place_said(config: &Config, directive: &Directive) -> String {
    format!("{} of line {}", directive.name.text, config.at(directive).line())
}
