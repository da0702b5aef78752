//! What `nginx -t` refuses about single directives, as src/http/*.c and src/stream/*.c check them.
//!
//! Regular expressions are only looked over: whether PCRE takes one is known to PCRE alone.

use std::collections::HashSet;

use super::catalogue::{Contexts, MAIL_SERVER, STREAM, STREAM_SERVER};
use super::declared::{self, Declared};
use super::listen;
use super::load::Config;
use super::passes;
use super::tree::Directive;
use super::values;

/// Directives in whose arguments, from the given one on, variables are put in.
const INTERPOLATED: [(&str, usize); 36] = [
    ("proxy_set_header", 1),
    ("add_header", 1),
    ("add_trailer", 1),
    ("return", 0),
    ("rewrite", 1),
    ("set", 1),
    ("root", 0),
    ("alias", 0),
    ("proxy_pass", 0),
    ("fastcgi_pass", 0),
    ("uwsgi_pass", 0),
    ("scgi_pass", 0),
    ("grpc_pass", 0),
    ("memcached_pass", 0),
    ("error_page", 1),
    ("try_files", 0),
    ("hash", 0),
    ("log_format", 1),
    ("access_log", 0),
    ("fastcgi_param", 1),
    ("uwsgi_param", 1),
    ("scgi_param", 1),
    ("grpc_set_header", 1),
    ("auth_basic", 0),
    ("auth_basic_user_file", 0),
    ("limit_req_zone", 0),
    ("limit_conn_zone", 0),
    ("proxy_cache_key", 0),
    ("fastcgi_cache_key", 0),
    ("proxy_cache_bypass", 0),
    ("proxy_no_cache", 0),
    ("expires", 0),
    ("limit_rate", 0),
    ("proxy_ssl_name", 0),
    ("index", 0),
    ("proxy_bind", 0),
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

/// Checks a directive that stands where it may, with as many arguments as it takes.
pub fn check(config: &mut Config, declared: &Declared, directive: &Directive, context: Contexts) {
    let name = directive.name.text.as_str();
    if let Some((_, first)) = INTERPOLATED.iter().find(|(known, _)| *known == name) {
        for index in *first..directive.arguments.len() {
            variables(config, declared, directive, index);
        }
    }
    let refused = match name {
        "listen" if context != MAIL_SERVER => listen::parse(directive, context == STREAM_SERVER).err(),
        "return" if context & (STREAM | STREAM_SERVER) == 0 => return_code(directive),
        "rewrite" => rewrite(directive),
        "set" => destination(directive, 0),
        "if" => condition(config, declared, directive),
        "error_page" => error_page(directive),
        "try_files" => try_files(directive),
        "limit_req" | "limit_conn" => limit(declared, directive),
        "proxy_cache" | "fastcgi_cache" | "uwsgi_cache" | "scgi_cache" => cache(declared, directive),
        "access_log" => access_log(declared, directive, context),
        "error_log" => each(directive, 1, |text| LEVELS.contains(&text), "a level such as warn or error"),
        "allow" | "deny" => each(directive, 0, is_network, "all, an address or a network such as 10.0.0.0/8"),
        "expires" => expires(directive),
        "server_name" => each(directive, 0, is_server_name, "a name, .name, *.name, name.* or ~pattern"),
        "limit_except" => each(directive, 0, |text| METHODS.contains(&text), "a method in capitals, such as GET"),
        "add_header" | "add_trailer" => each(directive, 2, |text| text == "always", "always"),
        "keepalive_timeout" => each(directive, 0, |text| values::milliseconds(text).is_some(), "a time such as 75s"),
        "worker_processes" => each(directive, 0, |text| text == "auto" || values::number(text).is_some(), "auto or a number"),
        "worker_connections" => each(directive, 0, |text| values::number(text).is_some(), "a number"),
        "use" => each(
            directive,
            0,
            |text| ["epoll", "poll", "select", "kqueue", "eventport", "/dev/poll"].contains(&text),
            "a method such as epoll",
        ),
        "resolver" => {
            each(directive, 0, is_resolver, "addresses of name servers, valid=TIME, ipv4=on|off, ipv6=on|off, status_zone=NAME")
        }
        "proxy_redirect" | "scgi_redirect" => redirect(directive),
        "proxy_cache_valid" | "fastcgi_cache_valid" => cache_valid(directive),
        "map" | "split_clients" => destination(directive, 1),
        "geo" => destination(directive, directive.arguments.len() - 1),
        "root" | "alias" => each(directive, 0, |text| !is_own_root(text), "a path without $document_root and $realpath_root"),
        "limit_rate" | "limit_rate_after" => {
            each(directive, 0, |text| text.contains('$') || values::size(text, false).is_some(), "a size such as 1m")
        }
        "open_file_cache" => each(directive, 0, is_file_cache, "off, max=NUMBER and inactive=TIME"),
        "proxy_bind" | "fastcgi_bind" | "uwsgi_bind" | "scgi_bind" | "grpc_bind" | "memcached_bind" => bind(directive),
        "memcached_pass" if !declared.knows("memcached_key") => {
            Some((0, "memcached_pass needs set $memcached_key KEY;".to_owned()))
        }
        _ if passes::PASSES.contains(&name) => passes::refused(declared, directive, context),
        _ => None,
    };
    if let Some((index, text)) = refused {
        config.error_in(directive, index, text);
    }
    if matches!(name, "location" | "server_name" | "rewrite") {
        patterns(config, directive);
    }
}

/// An argument that nginx refuses, and why.
type Refused = Option<(usize, String)>;

/// Refuses the first argument from number `first` on that does not fit.
fn each(directive: &Directive, first: usize, fits: impl Fn(&str) -> bool, wanted: &str) -> Refused {
    let name = &directive.name.text;
    let (index, word) = directive.arguments.iter().enumerate().skip(first).find(|(_, word)| !fits(&word.text))?;
    Some((index, format!("{name} takes {wanted} here, not {:?}", word.text)))
}

fn variables(config: &mut Config, declared: &Declared, directive: &Directive, index: usize) {
    let text = directive.argument(index).unwrap_or_default();
    match declared::variables(text) {
        Err(_) => {
            config.error_in(directive, index, "a $ without the name of a variable: write the name after it, or take it away")
        }
        Ok(found) => {
            if let Some((_, name)) = found.into_iter().find(|(_, name)| !declared.knows(name)) {
                let text = format!("unknown variable ${name}: declare it with set or map, or correct its name");
                config.error_in(directive, index, text);
            }
        }
    }
}

/// A variable that a directive sets.
fn destination(directive: &Directive, index: usize) -> Refused {
    let text = directive.argument(index)?;
    let name = text.strip_prefix('$').filter(|name| !name.is_empty());
    match name {
        None => Some((index, format!("{text:?} is no variable: put a $ before its name"))),
        Some(name) if FIXED.contains(&name) => Some((index, format!("nginx sets ${name} itself: take another name"))),
        Some(_) => None,
    }
}

/// Common variables that no directive may set.
const FIXED: [&str; 20] = [
    "host",
    "uri",
    "document_uri",
    "request_uri",
    "remote_addr",
    "remote_port",
    "binary_remote_addr",
    "scheme",
    "https",
    "server_name",
    "server_addr",
    "server_port",
    "server_protocol",
    "request_method",
    "status",
    "request",
    "query_string",
    "is_args",
    "document_root",
    "hostname",
];

fn return_code(directive: &Directive) -> Refused {
    let text = directive.argument(0)?;
    let url = directive.arguments.len() == 1 && ["http://", "https://", "$scheme"].iter().any(|start| text.starts_with(start));
    let code = values::number(text).is_some_and(|code| code <= 999);
    (!code && !url).then(|| (0, format!("return takes a status such as 301 or a URL, not {text:?}")))
}

fn rewrite(directive: &Directive) -> Refused {
    if directive.argument(1) == Some("") {
        return Some((1, "rewrite has an empty replacement: write what the path becomes".to_owned()));
    }
    each(directive, 2, |flag| ["last", "break", "redirect", "permanent"].contains(&flag), "last, break, redirect or permanent")
}

/// ngx_http_rewrite_if_condition
fn condition(config: &mut Config, declared: &Declared, directive: &Directive) -> Refused {
    let wrong = |index: usize| {
        let text = "if takes a condition such as ($variable = text), ($variable ~ pattern), ($variable) or (-f path), with spaces around =";
        Some((index, text.to_owned()))
    };
    let mut words: Vec<(usize, &str)> = directive.arguments.iter().map(|word| word.text.as_str()).enumerate().collect();
    let Some(first) = words[0].1.strip_prefix('(') else { return wrong(0) };
    words[0].1 = first;
    let last = words.len() - 1;
    let Some(text) = words[last].1.strip_suffix(')') else { return wrong(last) };
    words[last].1 = text;
    // A parenthesis that stands alone is no word.
    if words.len() > 1 && words[0].1.is_empty() && directive.arguments[0].text == "(" {
        words.remove(0);
    }
    if words.len() > 1 && words[words.len() - 1].1.is_empty() && directive.arguments[last].text == ")" {
        words.pop();
    }
    let (index, subject) = words[0];
    let value = words.last().map_or((0, ""), |word| *word);
    if subject.len() > 1 && subject.starts_with('$') {
        if !declared.knows(&subject[1..]) {
            return Some((index, format!("unknown variable {subject}: declare it with set or map, or correct its name")));
        }
        return match words.as_slice() {
            [_] => None,
            [_, (_, "=" | "!="), _] => {
                variables(config, declared, directive, value.0);
                None
            }
            [_, (_, "~" | "~*" | "!~" | "!~*"), (index, pattern)] => pattern_fault(pattern).map(|why| (*index, why.to_owned())),
            [_, (index, operator), _] => {
                Some((*index, format!("unexpected {operator:?} in a condition: = != ~ ~* !~ !~* are there")))
            }
            _ => wrong(index),
        };
    }
    let file = ["-f", "-d", "-e", "-x", "!-f", "!-d", "!-e", "!-x"].contains(&subject);
    if file && words.len() == 2 { None } else { wrong(index) }
}

fn error_page(directive: &Directive) -> Refused {
    let codes = directive.arguments.len() - 1;
    for (index, word) in directive.arguments[..codes].iter().enumerate() {
        let text = word.text.as_str();
        let answer = index > 0 && index + 1 == codes && text.starts_with('=');
        let fits = if answer {
            text.len() == 1 || values::number(&text[1..]).is_some()
        } else {
            values::number(text).is_some_and(|code| (300..=599).contains(&code) && code != 499)
        };
        if !fits {
            return Some((
                index,
                format!("error_page takes statuses from 300 to 599 (not 499) and =STATUS before the page, not {text:?}"),
            ));
        }
    }
    None
}

fn try_files(directive: &Directive) -> Refused {
    let index = directive.arguments.len() - 1;
    let code = directive.argument(index)?.strip_prefix('=')?;
    let fits = values::number(code).is_some_and(|code| code <= 999);
    (!fits).then(|| (index, format!("try_files ends with a path or =STATUS, not \"={code}\"")))
}

fn limit(declared: &Declared, directive: &Directive) -> Refused {
    let requests = directive.is("limit_req");
    let mut zone = None;
    for (index, word) in directive.arguments.iter().enumerate() {
        let (name, value) = word.text.split_once('=').unwrap_or((&word.text, ""));
        let fits = match (requests, name) {
            (true, "zone") => {
                zone = Some((index, value));
                !value.is_empty()
            }
            (true, "burst") => values::number(value).is_some_and(|n| n > 0),
            (true, "delay") => values::number(value).is_some(),
            (true, other) => other == "nodelay" && word.text == other,
            (false, _) if index == 0 => {
                zone = Some((index, word.text.as_str()));
                true
            }
            (false, _) => values::number(&word.text).is_some_and(|n| (1..=65535).contains(&n)),
        };
        if !fits {
            return Some((index, format!("{} does not take {:?}", directive.name.text, word.text)));
        }
    }
    match zone {
        None => Some((0, format!("{} needs zone=NAME", directive.name.text))),
        Some((index, zone)) => unknown(&declared.zones, zone, directive, index),
    }
}

fn cache(declared: &Declared, directive: &Directive) -> Refused {
    let zone = directive.argument(0)?;
    if zone == "off" || zone.contains('$') { None } else { unknown(&declared.zones, zone, directive, 0) }
}

fn unknown(zones: &HashSet<String>, zone: &str, directive: &Directive, index: usize) -> Refused {
    (!zones.contains(zone)).then(|| {
        (
            index,
            format!("{} uses the zone {zone:?}, which is not declared: declare it at http or stream level", directive.name.text),
        )
    })
}

fn access_log(declared: &Declared, directive: &Directive, context: Contexts) -> Refused {
    let count = directive.arguments.len();
    if directive.argument(0) == Some("off") {
        return (count > 1).then(|| (1, "access_log off takes nothing more".to_owned()));
    }
    match directive.argument(1) {
        None if context & (STREAM | STREAM_SERVER) != 0 => {
            return Some((0, "access_log of stream needs the name of a log_format".to_owned()));
        }
        Some(format)
            if !declared.formats.contains(format) || (format == "combined" && context & (STREAM | STREAM_SERVER) != 0) =>
        {
            return Some((1, format!("unknown log format {format:?}: declare it with log_format")));
        }
        _ => {}
    }
    each(directive, 2, |text| is_log_option(text), "buffer=SIZE, gzip, gzip=1 to 9, flush=TIME or if=CONDITION")
}

fn is_log_option(text: &str) -> bool {
    match text.split_once('=') {
        Some(("buffer", size)) => values::size(size, false).is_some_and(|size| size > 0),
        Some(("gzip", level)) => values::number(level).is_some_and(|level| (1..=9).contains(&level)),
        Some(("flush", time)) => values::milliseconds(time).is_some_and(|time| time > 0),
        Some(("if", _)) => true,
        _ => text == "gzip",
    }
}

fn is_network(text: &str) -> bool {
    text == "all" || text == "unix:" || values::is_network(text)
}

fn expires(directive: &Directive) -> Refused {
    let modified = directive.argument(0) == Some("modified");
    let index = directive.arguments.len() - 1;
    let text = directive.argument(index)?;
    let time = text.strip_prefix(['+', '-', '@']).unwrap_or(text);
    let seconds = values::seconds(time);
    let fits = if index == 1 && !modified {
        false
    } else if text.starts_with('$') || (index == 0 && ["epoch", "max", "off"].contains(&text)) {
        true
    } else if text.starts_with('@') {
        index == 0 && seconds.is_some_and(|seconds| seconds < 86_400)
    } else {
        seconds.is_some()
    };
    (!fits).then(|| (index, format!("expires takes a time such as 1h, -1 or @15h, epoch, max or off, not {text:?}")))
}

fn is_server_name(text: &str) -> bool {
    !(text == "~" || text == "." || (text.starts_with('*') && (text.len() < 3 || !text.starts_with("*."))))
}

fn is_resolver(text: &str) -> bool {
    match text.split_once('=') {
        Some(("valid", time)) => values::seconds(time).is_some(),
        Some(("ipv4" | "ipv6", switch)) => switch == "on" || switch == "off",
        Some(("status_zone", zone)) => !zone.is_empty(),
        _ => values::Address::parse(text, false).is_ok(),
    }
}

/// Whether a path is made of the variables that it would set itself.
fn is_own_root(text: &str) -> bool {
    ["document_root", "realpath_root"]
        .iter()
        .any(|name| text.contains(&format!("${name}")) || text.contains(&format!("${{{name}}}")))
}

fn is_file_cache(text: &str) -> bool {
    match text.split_once('=') {
        Some(("max", number)) => values::number(number).is_some_and(|number| number > 0),
        Some(("inactive", time)) => values::seconds(time).is_some(),
        _ => text == "off",
    }
}

fn bind(directive: &Directive) -> Refused {
    let text = directive.argument(0)?;
    let address = values::Address::parse(text, false).is_ok_and(|address| address.literal && address.host != "*");
    if text != "off" && !text.contains('$') && !address {
        return Some((0, format!("{} takes an address of this machine or off, not {text:?}", directive.name.text)));
    }
    each(directive, 1, |word| word == "transparent", "transparent")
}

fn redirect(directive: &Directive) -> Refused {
    let only = directive.arguments.len() == 1;
    (only && !["off", "default", "false"].contains(&directive.argument(0)?))
        .then(|| (0, format!("{} takes off, default, or what to look for and what to put in its place", directive.name.text)))
}

fn cache_valid(directive: &Directive) -> Refused {
    let index = directive.arguments.len() - 1;
    let text = directive.argument(index)?;
    if values::seconds(text).is_none() {
        return Some((index, format!("{} ends with a time such as 10m, not {text:?}", directive.name.text)));
    }
    let code = |text: &str| text == "any" || values::number(text).is_some_and(|code| (100..=599).contains(&code));
    let (index, word) = directive.arguments[..index].iter().enumerate().find(|(_, word)| !code(&word.text))?;
    Some((index, format!("{} takes statuses or any before the time, not {:?}", directive.name.text, word.text)))
}

/// Looks a regular expression over for what PCRE surely refuses.
pub fn pattern_fault(pattern: &str) -> Option<&'static str> {
    let mut open = 0_usize;
    let mut chars = pattern.chars().peekable();
    let mut repeatable = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                if chars.next().is_none() {
                    return Some("the pattern ends with a backslash: write \\\\ for one, or take it away");
                }
                repeatable = true;
            }
            '[' => {
                chars.next_if_eq(&'^');
                // A bracket that comes first is a character like any other.
                chars.next_if_eq(&']');
                let mut closed = false;
                while let Some(c) = chars.next() {
                    if c == ']' {
                        closed = true;
                        break;
                    }
                    if c == '\\' {
                        chars.next();
                    }
                }
                if !closed {
                    return Some("the pattern has a [ without its ]");
                }
                repeatable = true;
            }
            '(' => {
                open += 1;
                chars.next_if_eq(&'?');
                repeatable = false;
            }
            ')' if open == 0 => return Some("the pattern has a ) without its ("),
            ')' => {
                open -= 1;
                repeatable = true;
            }
            '*' | '+' | '?' if !repeatable => return Some("the pattern repeats nothing: a *, + or ? needs something before it"),
            '|' | '^' => repeatable = false,
            _ => repeatable = true,
        }
    }
    (open > 0).then_some("the pattern has a ( without its )")
}

fn patterns(config: &mut Config, directive: &Directive) {
    let candidates: Vec<(usize, &str)> = match directive.name.text.as_str() {
        "rewrite" => vec![(0, directive.argument(0).unwrap_or_default())],
        "location" if directive.arguments.len() == 2 && directive.argument(0).is_some_and(|mark| mark.starts_with('~')) => {
            vec![(1, directive.argument(1).unwrap_or_default())]
        }
        "location" => directive
            .argument(0)
            .and_then(|text| text.strip_prefix('~'))
            .map(|text| (0, text.trim_start_matches('*')))
            .into_iter()
            .collect(),
        _ => directive
            .arguments
            .iter()
            .enumerate()
            .filter_map(|(index, word)| Some((index, word.text.strip_prefix('~')?)))
            .collect(),
    };
    for (index, pattern) in candidates {
        if let Some(why) = pattern_fault(pattern) {
            config.error_in(directive, index, why);
        }
    }
}
