//! What `nginx -t` refuses about single directives, as src/http/*.c and src/stream/*.c check them.
//!
//! Regular expressions are only looked over: whether PCRE takes one is known to PCRE alone.

use std::sync::LazyLock;

use super::catalogue::{Contexts, MAIL_SERVER, STREAM, STREAM_SERVER, STREAM_UPSTREAM};
use super::declared::{self, Declared};
use super::listen;
use super::load::Config;
use super::parameters;
use super::passes;
use super::patterns;
use super::tree::Directive;
use super::values;
use crate::balancer::maps::HashMap;

/// Directives in whose arguments, from the given one on, variables are put in.
const INTERPOLATED: [(&str, usize); 35] = [
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

static INTERPOLATED_BY_NAME: LazyLock<HashMap<&str, usize>> = LazyLock::new(|| INTERPOLATED.into_iter().collect());

/// Checks a directive that stands where it may, with as many arguments as it takes.
pub fn check(config: &mut Config, declared: &Declared, directive: &Directive, context: Contexts) {
    let name = directive.name.text.as_str();
    let stream = context & (STREAM | STREAM_SERVER | STREAM_UPSTREAM) != 0;
    if let Some(first) = INTERPOLATED_BY_NAME.get(name) {
        for index in *first..directive.arguments.len() {
            variables(config, declared, directive, index, stream);
        }
    }
    let refused = match name {
        "listen" if context != MAIL_SERVER => listen::parse(directive, context == STREAM_SERVER).err(),
        "return" if context & (STREAM | STREAM_SERVER) == 0 => return_code(directive),
        "rewrite" => rewrite(directive),
        "set" => destination(directive, 0, stream),
        "if" => condition(config, declared, directive),
        "error_page" => error_page(directive),
        "try_files" => try_files(directive),
        "limit_req" | "limit_conn" => limit(declared, directive),
        "proxy_cache" | "fastcgi_cache" | "uwsgi_cache" | "scgi_cache" => cache(declared, directive),
        "access_log" => access_log(declared, directive, context),
        "expires" => expires(directive),
        "proxy_redirect" => only(directive, &["off", "default", "false"]),
        "proxy_cookie_domain" | "proxy_cookie_path" => only(directive, &["off"]),
        "proxy_cache_valid" | "fastcgi_cache_valid" | "uwsgi_cache_valid" | "scgi_cache_valid" => cache_valid(directive),
        "map" | "split_clients" => destination(directive, 1, stream),
        "geo" => destination(directive, directive.arguments.len() - 1, stream),
        "auth_request_set" => destination(directive, 0, stream),
        "thread_pool" => needs(directive, "threads="),
        "limit_req_zone" | "limit_conn_zone" => needs(directive, "zone="),
        _ if name.ends_with("_cache_path") => needs(directive, "keys_zone="),
        "memcached_pass" if !declared.knows("memcached_key", false) => {
            Some((0, "memcached_pass needs set $memcached_key KEY;".to_owned()))
        }
        _ if passes::PASSES.contains(&name) => passes::refused(declared, directive, context),
        _ => None,
    };
    if let Some((index, text)) = refused.or_else(|| parameters::refused(directive)) {
        config.error_in(directive, index, text);
    }
    if matches!(name, "location" | "server_name" | "rewrite") {
        patterns::check(config, directive);
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

fn variables(config: &mut Config, declared: &Declared, directive: &Directive, index: usize, stream: bool) {
    let text = directive.argument(index).unwrap_or_default();
    match declared::variables(text) {
        Err(_) => {
            config.error_in(directive, index, "a $ without the name of a variable: write the name after it, or take it away")
        }
        Ok(found) => {
            if let Some((_, name)) = found.into_iter().find(|(_, name)| !declared.knows(name, stream)) {
                let text = format!("unknown variable ${name}: declare it with set or map, or correct its name");
                config.error_in(directive, index, text);
            }
        }
    }
}

/// A variable that a directive sets.
fn destination(directive: &Directive, index: usize, stream: bool) -> Refused {
    let text = directive.argument(index)?;
    let name = text.strip_prefix('$').filter(|name| !name.is_empty());
    match name {
        None => Some((index, format!("{text:?} is no variable: put a $ before its name"))),
        Some(name) if !stream && FIXED.contains(&name) => Some((index, format!("nginx sets ${name} itself: take another name"))),
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
        if !declared.knows(&subject[1..], false) {
            return Some((index, format!("unknown variable {subject}: declare it with set or map, or correct its name")));
        }
        return match words.as_slice() {
            [_] => None,
            [_, (_, "=" | "!="), _] => {
                variables(config, declared, directive, value.0, false);
                None
            }
            [_, (_, "~" | "~*" | "!~" | "!~*"), (index, pattern)] => patterns::fault(pattern).map(|why| (*index, why.to_owned())),
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
        Some((index, zone)) => unknown(declared, zone, directive, index),
    }
}

fn cache(declared: &Declared, directive: &Directive) -> Refused {
    let zone = directive.argument(0)?;
    if zone == "off" || zone.contains('$') { None } else { unknown(declared, zone, directive, 0) }
}

fn unknown(declared: &Declared, zone: &str, directive: &Directive, index: usize) -> Refused {
    (declared.complete && !declared.zones.contains(zone)).then(|| {
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
            if (declared.complete && !declared.formats.contains(format))
                || (format == "combined" && context & (STREAM | STREAM_SERVER) != 0) =>
        {
            return Some((1, format!("unknown log format {format:?}: declare it with log_format")));
        }
        _ => {}
    }
    each(directive, 2, is_log_option, "buffer=SIZE, gzip, gzip=1 to 9, flush=TIME or if=CONDITION")
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

/// Refuses a single argument that is none of the words.
fn only(directive: &Directive, words: &[&str]) -> Refused {
    let wrong = directive.arguments.len() == 1 && !words.contains(&directive.argument(0)?);
    let name = &directive.name.text;
    wrong.then(|| (0, format!("{name} takes {} alone, or what to look for and what to put in its place", words.join(" or "))))
}

fn needs(directive: &Directive, start: &str) -> Refused {
    let there = directive.arguments.iter().any(|word| word.text.starts_with(start));
    (!there).then(|| (0, format!("{} needs {start} too", directive.name.text)))
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
