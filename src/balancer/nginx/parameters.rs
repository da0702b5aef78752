//! What single arguments have to look like, as a table.

use std::sync::LazyLock;

use super::tree::Directive;
use super::values::{self, Address};
use crate::balancer::maps::HashMap;

/// A row: the directive (`*` before the end of a name stands for `proxy`, `fastcgi`, …), the number of the first
/// argument that it speaks of, whether an argument fits, and what would.
type Row = (&'static str, usize, fn(&str) -> bool, &'static str);

const LEVELS: [&str; 15] = [
    "debug",
    "info",
    "notice",
    "warn",
    "error",
    "crit",
    "alert",
    "emerg",
    "debug_core",
    "debug_alloc",
    "debug_mutex",
    "debug_event",
    "debug_http",
    "debug_mail",
    "debug_stream",
];

const METHODS: [&str; 14] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "MKCOL",
    "COPY",
    "MOVE",
    "OPTIONS",
    "PROPFIND",
    "PROPPATCH",
    "LOCK",
    "UNLOCK",
    "PATCH",
];

const TABLE: [Row; 45] = [
    ("error_log", 1, |text| LEVELS.contains(&text), "a level such as warn or error"),
    ("limit_except", 0, |text| METHODS.contains(&text), "a method in capitals, such as GET"),
    ("allow", 0, is_network, "all, an address or a network such as 10.0.0.0/8"),
    ("deny", 0, is_network, "all, an address or a network such as 10.0.0.0/8"),
    ("server_name", 0, is_server_name, "a name, .name, *.name, name.* or ~pattern"),
    ("add_header", 2, |text| text == "always", "always"),
    ("add_trailer", 2, |text| text == "always", "always"),
    ("*_param", 2, |text| text == "if_not_empty", "if_not_empty"),
    ("keepalive_timeout", 0, |text| values::milliseconds(text).is_some(), "a time such as 75s"),
    ("worker_processes", 0, |text| text == "auto" || is_number(text), "auto or a number"),
    ("worker_connections", 0, is_number, "a number"),
    ("worker_priority", 0, |text| is_number(text.trim_start_matches(['-', '+'])), "a number from -20 to 20"),
    ("use", 0, |text| ["epoll", "poll", "select", "kqueue", "eventport", "/dev/poll"].contains(&text), "a method such as epoll"),
    ("resolver", 0, is_resolver, "addresses of name servers, valid=TIME, ipv4=on|off, ipv6=on|off, status_zone=NAME"),
    ("root", 0, |text| !is_own_root(text), "a path without $document_root and $realpath_root"),
    ("alias", 0, |text| !is_own_root(text), "a path without $document_root and $realpath_root"),
    ("limit_rate", 0, is_rate, "a size such as 1m"),
    ("limit_rate_after", 0, is_rate, "a size such as 1m"),
    ("*_limit_rate", 0, is_rate, "a size such as 1m"),
    ("proxy_upload_rate", 0, is_rate, "a size such as 1m"),
    ("proxy_download_rate", 0, is_rate, "a size such as 1m"),
    ("open_file_cache", 0, |text| text == "off" || is_given(text, &["max", "inactive"]), "off, max=NUMBER and inactive=TIME"),
    (
        "open_log_file_cache",
        0,
        |text| text == "off" || is_given(text, &["max", "inactive", "min_uses", "valid"]),
        "off, max=NUMBER, inactive=TIME, min_uses=NUMBER and valid=TIME",
    ),
    ("ssl_certificate_cache", 0, is_certificate_cache, "off, max=NUMBER, inactive=TIME and valid=TIME"),
    ("*_ssl_certificate_cache", 0, is_certificate_cache, "off, max=NUMBER, inactive=TIME and valid=TIME"),
    ("ssl_session_cache", 0, is_session_cache, "off, none, builtin or shared:NAME:SIZE"),
    ("disable_symlinks", 0, is_symlinks, "off, on or if_not_owner, and from=PATH"),
    ("directio", 0, |text| text == "off" || values::size(text, true).is_some(), "off or a size such as 4m"),
    (
        "worker_cpu_affinity",
        0,
        |text| text == "auto" || text.bytes().all(|b| matches!(b, b'0' | b'1' | b' ')),
        "auto, and masks of 0 and 1",
    ),
    ("aio", 0, |text| ["on", "off", "threads", "sendfile"].contains(&text) || text.starts_with("threads="), "on, off or threads"),
    ("thread_pool", 1, |text| is_given(text, &["threads", "max_queue"]), "threads=NUMBER and max_queue=NUMBER"),
    ("*_temp_path", 1, |text| values::number(text).is_some_and(|n| (1..=3).contains(&n)), "digits of folders from 1 to 3"),
    ("*_store_access", 0, is_access, "user:rw, group:r or all:r"),
    ("limit_req_zone", 1, |text| is_zone(text) || text == "sync" || is_request_rate(text), "zone=NAME:SIZE and rate=NUMBERr/s"),
    ("limit_conn_zone", 1, |text| is_zone(text) || text == "sync", "zone=NAME:SIZE"),
    ("*_cache_path", 1, is_cache_option, "levels=1:2, keys_zone=NAME:SIZE, inactive=TIME, max_size=SIZE and their like"),
    ("gzip_hash", 0, |text| is_power(text, 128), "512, 1k, 2k, 4k, 8k, 16k, 32k, 64k or 128k"),
    ("gzip_window", 0, |text| is_power(text, 32), "512, 1k, 2k, 4k, 8k, 16k or 32k"),
    ("connection_pool_size", 0, is_pool_size, "a size that is a multiple of 16"),
    ("request_pool_size", 0, is_pool_size, "a size that is a multiple of 16"),
    ("userid_mark", 0, |text| text == "off" || is_mark(text), "off, a letter, a digit or ="),
    (
        "userid_expires",
        0,
        |text| text == "off" || text == "max" || values::seconds(text).is_some(),
        "a time such as 365d, max or off",
    ),
    ("ssl_ocsp_cache", 0, |text| text == "off" || text.starts_with("shared:"), "off or shared:NAME:SIZE"),
    ("fastcgi_split_path_info", 0, |text| text.matches('(').count() >= 2, "a pattern with two groups"),
    ("*_bind", 0, |text| text == "transparent" || is_own_address(text), "an address of this machine, transparent, or off"),
];

const PROTOCOLS: [&str; 8] = ["proxy", "fastcgi", "uwsgi", "scgi", "grpc", "memcached", "tunnel", "client_body"];

/// The rows that speak of a directive; of most there are none.
static BY_NAME: LazyLock<HashMap<String, Vec<Row>>> = LazyLock::new(|| {
    let mut rows: HashMap<String, Vec<Row>> = HashMap::default();
    for row in TABLE {
        match row.0.strip_prefix('*') {
            Some(end) => PROTOCOLS.iter().for_each(|start| rows.entry(format!("{start}{end}")).or_default().push(row)),
            None => rows.entry(row.0.to_owned()).or_default().push(row),
        }
    }
    rows
});

/// The first argument that does not fit, and why.
pub fn refused(directive: &Directive) -> Option<(usize, String)> {
    let name = directive.name.text.as_str();
    BY_NAME.get(name)?.iter().find_map(|(_, first, fits, wanted)| {
        let (index, word) = directive.arguments.iter().enumerate().skip(*first).find(|(_, word)| !fits(&word.text))?;
        Some((index, format!("{name} takes {wanted} here, not {:?}", word.text)))
    })
}

fn is_number(text: &str) -> bool {
    values::number(text).is_some()
}

fn is_network(text: &str) -> bool {
    text == "all" || text == "unix:" || values::is_network(text)
}

fn is_server_name(text: &str) -> bool {
    !(text == "~" || text == "." || (text.starts_with('*') && (text.len() < 3 || !text.starts_with("*."))))
}

fn is_resolver(text: &str) -> bool {
    match text.split_once('=') {
        Some(("valid", time)) => values::seconds(time).is_some(),
        Some(("ipv4" | "ipv6", switch)) => switch == "on" || switch == "off",
        Some(("status_zone", zone)) => !zone.is_empty(),
        _ => Address::parse(text, false).is_ok(),
    }
}

/// Whether a path is made of the variables that it would set itself.
fn is_own_root(text: &str) -> bool {
    ["document_root", "realpath_root"]
        .iter()
        .any(|name| text.contains(&format!("${name}")) || text.contains(&format!("${{{name}}}")))
}

fn is_rate(text: &str) -> bool {
    text.contains('$') || values::size(text, false).is_some()
}

/// `name=value` of one of the names, a number or a time.
fn is_given(text: &str, names: &[&str]) -> bool {
    text.split_once('=').is_some_and(|(name, value)| {
        let count = matches!(name, "max" | "min_uses" | "threads" | "max_queue");
        let fits = if count { values::number(value).is_some_and(|n| n > 0) } else { values::seconds(value).is_some() };
        names.contains(&name) && fits
    })
}

fn is_certificate_cache(text: &str) -> bool {
    text == "off" || is_given(text, &["max", "inactive", "valid"])
}

fn is_session_cache(text: &str) -> bool {
    let shared = |rest: &str| {
        rest.split_once(':')
            .is_some_and(|(name, size)| !name.is_empty() && values::size(size, false).is_some_and(|n| n >= 32 << 10))
    };
    matches!(text, "off" | "none" | "builtin")
        || text.strip_prefix("builtin:").is_some_and(is_number)
        || text.strip_prefix("shared:").is_some_and(shared)
}

fn is_symlinks(text: &str) -> bool {
    matches!(text, "off" | "on" | "if_not_owner") || text.strip_prefix("from=").is_some_and(|path| !path.is_empty())
}

fn is_access(text: &str) -> bool {
    text.split_once(':').is_some_and(|(who, what)| matches!(who, "user" | "group" | "all") && matches!(what, "r" | "rw"))
}

fn is_zone(text: &str) -> bool {
    let zone = text.strip_prefix("zone=").and_then(|zone| zone.split_once(':'));
    zone.is_some_and(|(name, size)| !name.is_empty() && values::size(size, false).is_some_and(|size| size >= 32 << 10))
}

fn is_request_rate(text: &str) -> bool {
    let number = text.strip_prefix("rate=").and_then(|rate| rate.strip_suffix("r/s").or_else(|| rate.strip_suffix("r/m")));
    number.and_then(values::number).is_some_and(|rate| rate > 0)
}

fn is_cache_option(text: &str) -> bool {
    match text.split_once('=') {
        Some(("keys_zone", zone)) => is_zone(&format!("zone={zone}")),
        Some(("levels", levels)) => levels.split(':').all(|level| matches!(level, "1" | "2")) && levels.len() <= 5,
        Some(("use_temp_path" | "purger", switch)) => switch == "on" || switch == "off",
        Some(("inactive", time)) => values::seconds(time).is_some(),
        Some(("max_size" | "min_free", size)) => values::size(size, true).is_some(),
        Some(("loader_files" | "manager_files" | "purger_files", count)) => is_number(count),
        Some((name, time)) => {
            let known = ["loader", "manager", "purger"]
                .iter()
                .any(|start| name.strip_prefix(start).is_some_and(|end| matches!(end, "_sleep" | "_threshold")));
            known && values::milliseconds(time).is_some()
        }
        None => false,
    }
}

/// 512 or a power of two of kilobytes up to `most`.
fn is_power(text: &str, most: u64) -> bool {
    values::size(text, false).is_some_and(|size| size.is_power_of_two() && (512..=most << 10).contains(&size))
}

fn is_pool_size(text: &str) -> bool {
    values::size(text, false).is_some_and(|size| size % 16 == 0 && size > 0)
}

fn is_mark(text: &str) -> bool {
    text.len() == 1 && (text == "=" || text.chars().all(|c| c.is_ascii_alphanumeric()))
}

fn is_own_address(text: &str) -> bool {
    let address = Address::parse(text, false).is_ok_and(|address| address.literal && address.host != "*");
    text == "off" || text.contains('$') || address
}
