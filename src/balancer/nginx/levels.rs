//! What holds in a block: its own directives, and those of the blocks around it where it has none of that name.

use super::load::Config;
use super::tree::{Body, Directive};
use super::values;
use crate::balancer::maps::HashMap;
use crate::balancer::model::{Own, Pool, Retry, Setting, Timeouts};
use crate::balancer::source::Place;

/// What nginx waits where nothing is written, in milliseconds: ngx_http_proxy_module.c, ngx_stream_proxy_module.c.
const WAITS_MS: u64 = 60_000;
const STREAM_SILENCE_MS: u64 = 600_000;

/// How long it waits for a server that says nothing, where nothing is written.
pub fn silence_ms(stream: bool) -> u64 {
    if stream { STREAM_SILENCE_MS } else { WAITS_MS }
}

/// The blocks that are open.
#[derive(Default)]
pub struct Levels<'a> {
    /// The outermost first.
    open: Vec<&'a [Directive]>,
    /// Their directives without blocks, by name, each with how many blocks are around its own.
    written: HashMap<&'a str, Vec<(usize, &'a Directive)>>,
}

impl<'a> Levels<'a> {
    pub fn enter(&mut self, directives: &'a [Directive]) {
        for directive in simple(directives) {
            self.written.entry(directive.name.text.as_str()).or_default().push((self.open.len(), directive));
        }
        self.open.push(directives);
    }

    pub fn leave(&mut self) {
        for directive in simple(self.open.pop().unwrap_or_default()) {
            self.written.get_mut(directive.name.text.as_str()).and_then(Vec::pop);
        }
    }

    /// Directives of the innermost block that has any of that name: inner ones replace outer ones.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &'a Directive> {
        let written = self.written.get(name).map_or(&[][..], Vec::as_slice);
        let depth = written.last().map(|(depth, _)| *depth);
        let outer = written.partition_point(|(at, _)| Some(*at) < depth);
        written[outer..].iter().map(|(_, directive)| *directive)
    }

    pub fn one(&self, name: &str) -> Option<&'a Directive> {
        self.all(name).next()
    }

    /// How many blocks are around the innermost one that has any of that name.
    fn depth(&self, name: &str) -> Option<usize> {
        Some(self.written.get(name)?.last()?.0)
    }

    pub fn is_on(&self, name: &str) -> Option<bool> {
        Some(self.one(name)?.argument(0)?.eq_ignore_ascii_case("on"))
    }

    /// A directive's first argument as a time in milliseconds.
    pub fn time(&self, config: &Config, name: &str) -> Option<Setting<u64>> {
        self.read(config, name, values::milliseconds)
    }

    fn read(&self, config: &Config, name: &str, read: impl Fn(&str) -> Option<u64>) -> Option<Setting<u64>> {
        let directive = self.one(name)?;
        Some(Setting::new(directive.argument(0).and_then(read)?, config.at(directive)))
    }

    /// What clients get.
    pub fn client(&self, config: &Config) -> Timeouts {
        Timeouts {
            client: self.time(config, "client_body_timeout"),
            headers: self.time(config, "client_header_timeout"),
            keepalive: self.time(config, "keepalive_timeout"),
            ..Timeouts::default()
        }
    }

    /// What servers get that are reached by `protocol` (`proxy`, `fastcgi`, …).
    pub fn server(&self, config: &Config, protocol: &str, stream: bool) -> Timeouts {
        let named = |what: &str| self.time(config, &[protocol, what].concat());
        Timeouts {
            connect: named("_connect_timeout"),
            server: named(if stream { "_timeout" } else { "_read_timeout" }),
            send: named("_send_timeout"),
            ..Timeouts::default()
        }
    }

    pub fn retry(&self, config: &Config, protocol: &str) -> Retry {
        let name = |what: &str| [protocol, "_next_upstream", what].concat();
        let written = self.one(&name(""));
        let on: Vec<String> =
            written.map(|directive| directive.arguments.iter().map(|word| word.text.clone()).collect()).unwrap_or_default();
        let tries = self.read(config, &name("_tries"), values::number);
        Retry {
            // 0 is as many as there are servers.
            count: tries.filter(|tries| tries.value > 0).map(|tries| Setting::new(tries.value - 1, tries.place)),
            within: self.time(config, &name("_timeout")),
            non_idempotent: on.iter().any(|word| word == "non_idempotent"),
            on,
            place: written.map(|directive| config.at(directive)).unwrap_or_default(),
            ..Retry::default()
        }
    }

    /// Whether only chosen addresses or people get in.
    pub fn guarded(&self) -> bool {
        // A block with either of them has none of what stands around it.
        let denies = self.depth("deny").is_some_and(|deny| Some(deny) >= self.depth("allow"));
        let asks = |name: &str| self.one(name).is_some_and(|directive| directive.argument(0) != Some("off"));
        denies || asks("auth_basic") || asks("auth_request") || asks("auth_jwt") || self.one("internal").is_some()
    }
}

/// Those without a block.
fn simple(directives: &[Directive]) -> impl Iterator<Item = &Directive> {
    directives.iter().filter(|directive| directive.body == Body::None)
}

/// Puts into `own` what holds at a place other than in its pool; what nothing is written for is its default.
pub fn differing(pool: &Pool, timeouts: Timeouts, retry: Retry, stream: bool, own: &mut Own) {
    let silence = silence_ms(stream);
    let pairs = [
        (&pool.timeouts.connect, timeouts.connect, &mut own.timeouts.connect, WAITS_MS),
        (&pool.timeouts.send, timeouts.send, &mut own.timeouts.send, WAITS_MS),
        (&pool.timeouts.server, timeouts.server, &mut own.timeouts.server, silence),
    ];
    for (known, here, own, default) in pairs {
        let here = here.unwrap_or_else(|| Setting::new(default, Place::default()));
        if known.as_ref().map_or(default, |known| known.value) != here.value {
            *own = Some(here);
        }
    }
    let laid = |retry: &Retry| {
        let mut on: Vec<String> = retry.on.clone();
        if on.is_empty() {
            on.extend(["error".to_owned(), "timeout".to_owned()]);
        }
        on.sort_unstable();
        on.dedup();
        let within = retry.within.clone().unwrap_or_default();
        Retry { on, within: Some(within), ..retry.clone() }
    };
    if laid(&pool.retry) != laid(&retry) {
        own.retry = Some(laid(&retry));
    }
}
