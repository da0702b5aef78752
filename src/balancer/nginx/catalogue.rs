//! The directives of nginx 1.31 and of its optional and commercial modules: where they may stand, how many
//! arguments they take, and what kind of value.
//!
//! Each line of `directives.txt` is `name contexts arguments [kind]`: contexts joined by commas; arguments as counts
//! that are allowed one digit each, `1+` and `2+` for at least so many, `*` for any, with `{` before where a block
//! follows; a kind of `once` for what may stand only once in a block. A name that several modules define has several lines.

use std::sync::LazyLock;

use super::values;
use crate::balancer::maps::HashMap;

/// A bit for each context.
pub type Contexts = u32;

/// Names of the contexts in `directives.txt`, in the order of their bits.
const CONTEXTS: [&str; 16] = [
    "main",
    "events",
    "http",
    "server",
    "location",
    "upstream",
    "server_if",
    "location_if",
    "limit_except",
    "stream",
    "stream_server",
    "stream_upstream",
    "mail",
    "mail_server",
    // Bodies of keys and values, and blocks that are not ours: nothing in the catalogue may stand there.
    "keys",
    "foreign",
];

/// The bit of a context's name.
pub const fn context(name: &str) -> Contexts {
    let mut at = 0;
    while at < CONTEXTS.len() {
        if same(CONTEXTS[at].as_bytes(), name.as_bytes()) {
            return 1 << at;
        }
        at += 1;
    }
    0
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    a.len() == b.len()
}

pub const MAIN: Contexts = context("main");
pub const HTTP: Contexts = context("http");
pub const SERVER: Contexts = context("server");
pub const LOCATION: Contexts = context("location");
pub const UPSTREAM: Contexts = context("upstream");
pub const SERVER_IF: Contexts = context("server_if");
pub const LOCATION_IF: Contexts = context("location_if");
pub const LIMIT_EXCEPT: Contexts = context("limit_except");
pub const STREAM: Contexts = context("stream");
pub const STREAM_SERVER: Contexts = context("stream_server");
pub const STREAM_UPSTREAM: Contexts = context("stream_upstream");
pub const MAIL_SERVER: Contexts = context("mail_server");
pub const KEYS: Contexts = context("keys");
pub const FOREIGN: Contexts = context("foreign");

/// People's word for a context.
pub fn context_said(context: Contexts) -> &'static str {
    match CONTEXTS.get(context.trailing_zeros() as usize) {
        Some(&"main") | None => "the top of the file",
        Some(&("server_if" | "location_if")) => "if",
        Some(&"stream_server") => "server of stream",
        Some(&"stream_upstream") => "upstream of stream",
        Some(name) => name,
    }
}

/// The context inside the block `name` that stands in `outer`.
pub fn inside(outer: Contexts, name: &str) -> Contexts {
    let inner = match (CONTEXTS[outer.trailing_zeros() as usize % CONTEXTS.len()], name) {
        ("main", "events" | "http" | "stream" | "mail") => name,
        ("http", "server" | "upstream") | ("server" | "location", "location") | ("location", "limit_except") => name,
        ("server", "if") => "server_if",
        ("location", "if") => "location_if",
        ("stream", "server") => "stream_server",
        ("stream", "upstream") => "stream_upstream",
        ("mail", "server") => "mail_server",
        (_, "map" | "geo" | "split_clients" | "types" | "charset_map" | "match") => "keys",
        _ => "foreign",
    };
    context(inner)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    Any,
    AtLeast(usize),
    /// A bit for each number.
    OneOf(u32),
}

/// What the arguments have to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Free,
    /// Not looked at here, but nginx takes the directive only once in a block.
    Once,
    Flag,
    Number {
        least: u64,
        most: u64,
    },
    Size {
        large: bool,
    },
    Milliseconds,
    Seconds,
    /// A number and a size.
    Buffers,
    /// One of the words, which are joined by `|`.
    Word(&'static str),
    /// Some of the words.
    Words(&'static str),
}

#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub contexts: Contexts,
    pub block: bool,
    count: Count,
    kind: Kind,
}

static CATALOGUE: LazyLock<HashMap<&'static str, Vec<Entry>>> = LazyLock::new(|| {
    let mut catalogue: HashMap<&'static str, Vec<Entry>> = HashMap::default();
    for line in include_str!("directives.txt").lines() {
        if let Some((name, entry)) = entry(line) {
            catalogue.entry(name).or_default().push(entry);
        }
    }
    catalogue
});

fn entry(line: &'static str) -> Option<(&'static str, Entry)> {
    let mut words = line.split(' ');
    let name = words.next()?;
    let contexts = words.next()?.split(',').fold(0, |bits, name| bits | context(name));
    let arguments = words.next()?;
    let (block, arguments) = arguments.strip_prefix('{').map_or((false, arguments), |rest| (true, rest));
    let count = match arguments {
        "*" => Count::Any,
        "1+" => Count::AtLeast(1),
        "2+" => Count::AtLeast(2),
        digits => Count::OneOf(digits.bytes().fold(0, |bits, digit| bits | 1 << (digit - b'0'))),
    };
    let (kind, detail) = words.next().map_or(("", ""), |kind| kind.split_once(':').unwrap_or((kind, "")));
    let kind = match kind {
        "flag" => Kind::Flag,
        "num" => {
            let (least, most) = detail.split_once('-').unwrap_or_default();
            Kind::Number { least: least.parse().unwrap_or(0), most: most.parse().unwrap_or(u64::MAX) }
        }
        "size" | "off" => Kind::Size { large: kind == "off" },
        "msec" => Kind::Milliseconds,
        "sec" => Kind::Seconds,
        "bufs" => Kind::Buffers,
        "enum" => Kind::Word(detail),
        "mask" => Kind::Words(detail),
        "str" | "once" => Kind::Once,
        _ => Kind::Free,
    };
    Some((name, Entry { contexts, block, count, kind }))
}

/// What is known of a directive; empty for a name that no module of nginx's own defines.
pub fn entries(name: &str) -> &'static [Entry] {
    CATALOGUE.get(name).map_or(&[], Vec::as_slice)
}

/// Beginnings of names that well-known modules of others bring along.
const FOREIGN_NAMES: [&str; 36] = [
    "lua_",
    "vhost_traffic_status",
    "stream_server_traffic_status",
    "brotli",
    "zstd",
    "modsecurity",
    "passenger_",
    "pagespeed",
    "geoip2",
    "more_",
    "echo",
    "otel_",
    "opentelemetry",
    "opentracing",
    "oidc",
    "auth_oidc",
    "auth_ldap",
    "auth_pam",
    "acme_",
    "naxsi",
    "upsync",
    "dyups",
    "dynamic_",
    "check",
    "session_sticky",
    "rtmp",
    "push_stream",
    "nchan_",
    "vod",
    "cache_purge",
    "fancyindex",
    "testcookie",
    "rds_",
    "drizzle",
    "redis2",
    "sysguard",
];

/// Whether a well-known module of somebody else defines the name.
pub fn is_foreign(name: &str) -> bool {
    name.contains("_by_lua")
        || FOREIGN_NAMES.iter().any(|start| name.starts_with(start))
        || matches!(name, "fair" | "consistent_hash" | "jvm_route")
}

impl Entry {
    pub fn takes(&self, count: usize) -> bool {
        match self.count {
            Count::Any => true,
            Count::AtLeast(least) => count >= least,
            Count::OneOf(bits) => count < 8 && bits >> count & 1 == 1,
        }
    }

    /// How many arguments it takes, for people.
    pub fn takes_said(&self) -> String {
        match self.count {
            Count::Any => "any number of".to_owned(),
            Count::AtLeast(least) => format!("at least {least}"),
            Count::OneOf(bits) => {
                let counts: Vec<_> = (0..8).filter(|n| bits >> n & 1 == 1).map(|n| n.to_string()).collect();
                counts.join(" or ")
            }
        }
    }

    /// Whether nginx refuses it twice in one block.
    pub fn once(&self) -> bool {
        !matches!(self.kind, Kind::Free | Kind::Words(_))
    }

    /// The first argument that is not of the directive's kind, with what it has to be.
    pub fn misfit<'a>(&self, mut arguments: impl Iterator<Item = &'a str>) -> Option<(usize, String)> {
        let first = arguments.next();
        let wanted = |fits: bool, what: &dyn Fn() -> String| (!fits).then(|| (0, what()));
        let text = first.unwrap_or_default();
        match self.kind {
            Kind::Free | Kind::Once => None,
            Kind::Flag => wanted(text.eq_ignore_ascii_case("on") || text.eq_ignore_ascii_case("off"), &|| "on or off".into()),
            Kind::Number { least, most } => {
                let fits = values::number(text).is_some_and(|n| (least..=most).contains(&n));
                let bounds = || if most == u64::MAX { String::new() } else { format!(" from {least} to {most}") };
                wanted(fits, &|| format!("a number{}", bounds()))
            }
            Kind::Size { large } => wanted(values::size(text, large).is_some(), &|| "a size such as 8k or 1m".into()),
            Kind::Milliseconds => wanted(values::milliseconds(text).is_some(), &|| "a time such as 500ms, 30s or 1m".into()),
            Kind::Seconds => wanted(values::seconds(text).is_some(), &|| "a time in whole seconds such as 30s or 1d".into()),
            Kind::Buffers => {
                let count = values::number(text).is_some_and(|n| n > 0);
                let size = arguments.next().and_then(|text| values::size(text, false)).is_some_and(|n| n > 0);
                wanted(count && size, &|| "a number and a size, such as 8 4k".into())
            }
            Kind::Word(words) => wanted(words.split('|').any(|word| word.eq_ignore_ascii_case(text)), &|| said(words)),
            Kind::Words(words) => {
                let known = |text: &str| words.split('|').any(|word| word.eq_ignore_ascii_case(text));
                first.into_iter().chain(arguments).position(|text| !known(text)).map(|at| (at, said(words)))
            }
        }
    }
}

fn said(words: &str) -> String {
    format!("one of {}", words.replace('|', ", "))
}
