//! What `nginx -t` refuses about directives that stand together: locations, tables of keys, servers without a
//! socket.

use super::catalogue::{Contexts, LIMIT_EXCEPT, LOCATION, LOCATION_IF};
use super::load::Config;
use super::passes;
use super::patterns;
use super::tree::{Body, Directive};
use super::values;
use crate::balancer::maps::HashSet;

/// How a location's path is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Match {
    Exact,
    /// `^~`: a prefix after which no pattern is tried.
    Firm,
    Pattern,
    Prefix,
    Named,
}

/// How a location compares, and with what. The error is a modifier that nginx does not know.
pub fn location(directive: &Directive) -> Result<(Match, &str), &str> {
    let first = directive.argument(0).unwrap_or_default();
    if let Some(path) = directive.argument(1) {
        return match first {
            "=" => Ok((Match::Exact, path)),
            "^~" => Ok((Match::Firm, path)),
            "~" | "~*" => Ok((Match::Pattern, path)),
            _ => Err(first),
        };
    }
    let starts = [("=", Match::Exact), ("^~", Match::Firm), ("~*", Match::Pattern), ("~", Match::Pattern)];
    let found = starts.iter().find_map(|(start, how)| first.strip_prefix(start).map(|path| (*how, path)));
    Ok(found.unwrap_or(if first.starts_with('@') { (Match::Named, first) } else { (Match::Prefix, first) }))
}

/// Checks the directives of one block against each other, and against the location in which they stand.
pub fn check(config: &mut Config, directives: &[Directive], context: Contexts, parent: Option<&Directive>) {
    let mut seen: HashSet<(Match, &str)> = HashSet::default();
    let outer = parent.filter(|_| context == LOCATION).and_then(|parent| location(parent).ok());
    let mut limits: HashSet<(&str, &str)> = HashSet::default();
    let mut passed = false;
    for directive in directives {
        let name = directive.name.text.as_str();
        match name {
            "location" if !directive.arguments.is_empty() => match location(directive) {
                Err(modifier) => {
                    config.error_in(directive, 0, format!("invalid location modifier {modifier:?}: = ~ ~* ^~ are there"))
                }
                Ok((how, path)) => {
                    let kind = if how == Match::Firm { Match::Prefix } else { how };
                    if how != Match::Pattern && !seen.insert((kind, path)) {
                        config.error(directive, format!("duplicate location {path:?}: put both together"));
                    }
                    if let Some(outer) = outer {
                        nested(config, directive, (how, path), outer);
                    }
                }
            },
            "proxy_pass" => {
                passed = true;
                let text = directive.argument(0).unwrap_or_default();
                let path = !text.contains('$') && passes::read(name, text, false).is_ok_and(|url| url.path.is_some());
                let bare = context & (LOCATION_IF | LIMIT_EXCEPT) != 0
                    || outer.is_some_and(|(how, _)| matches!(how, Match::Pattern | Match::Named));
                if path && bare {
                    let text = "proxy_pass cannot have a path in a location with a pattern or a name, in if or in limit_except: write the address alone";
                    config.error(directive, text);
                }
            }
            "limit_conn" | "limit_req" => {
                let zone = directive.arguments.iter().find(|word| name == "limit_conn" || word.text.starts_with("zone="));
                if zone.is_some_and(|word| !limits.insert((name, word.text.as_str()))) {
                    config.error(directive, format!("{name} stands twice here with the same zone: keep one"));
                }
            }
            "proxy_redirect" if !passed && directive.argument(0) == Some("default") => {
                config.error(directive, "proxy_redirect default has to stand after proxy_pass: move it down");
            }
            "alias" if outer.is_some_and(|(how, _)| how == Match::Named) => {
                config.error(directive, "alias cannot stand in a named location: use root");
            }
            _ => {}
        }
    }
}

fn nested(config: &mut Config, directive: &Directive, (how, path): (Match, &str), (outer, prefix): (Match, &str)) {
    let why = match (outer, how) {
        (Match::Exact, _) => "no location can stand inside an exact one",
        (Match::Named, _) => "no location can stand inside a named one",
        (_, Match::Named) => "a named location can stand in a server only",
        (_, Match::Pattern) => return,
        _ if path.get(..prefix.len()).is_some_and(|start| start == prefix) => return,
        _ => "it does not begin with the path of the location around it",
    };
    config.error(directive, format!("location {path:?} stands inside {prefix:?}, but {why}: move it out"));
}

/// Checks a table: `map`, `geo`, `split_clients`, `types`, `charset_map`.
pub fn keys(config: &mut Config, table: &Directive) {
    let name = table.name.text.as_str();
    let mut seen: HashSet<(&str, bool)> = HashSet::default();
    let mut percent = 0;
    for key in table.block() {
        if matches!(key.body, Body::Block(_)) {
            config.error(key, format!("{name} holds lines that end with a ;, no blocks"));
            continue;
        }
        let text = key.name.text.as_str();
        let count = key.arguments.len();
        let alone = match name {
            "map" => matches!(text, "hostnames" | "volatile"),
            "geo" => matches!(text, "ranges" | "proxy_recursive" | "volatile"),
            _ => false,
        };
        let wanted = match name {
            "map" | "geo" | "split_clients" | "charset_map" => Some(usize::from(!alone)),
            _ => None,
        };
        if wanted.is_some_and(|wanted| wanted != count) {
            config.error(key, format!("{name} takes lines of a key, a value and a ;: {text:?} has {count} values"));
            continue;
        }
        match name {
            "map" if !alone => {
                if !seen.insert((text, true)) {
                    config.error(key, format!("{text:?} stands twice in this map: keep one"));
                }
                if let Some(why) = text.strip_prefix('~').and_then(|pattern| patterns::fault(pattern.trim_start_matches('*'))) {
                    config.error(key, why);
                }
            }
            "split_clients" => match share(text) {
                Some(share) => percent += share,
                None => config.error(key, format!("split_clients takes shares such as 0.5% and * for the rest, not {text:?}")),
            },
            "geo" if !alone => {
                let special = matches!(text, "default" | "include" | "delete" | "proxy");
                let ranges = table.block().iter().any(|key| key.is("ranges"));
                if !special && !ranges && !values::is_network(text) {
                    config.error(key, format!("geo takes networks such as 10.0.0.0/8, not {text:?}"));
                }
            }
            _ => {}
        }
    }
    if percent > 10_000 {
        config.error(table, "the shares of this split_clients come to more than 100 %");
    }
}

/// A share in hundredths of a percent; the rest counts as none.
fn share(text: &str) -> Option<u64> {
    if text == "*" {
        return Some(0);
    }
    let digits = text.strip_suffix('%')?;
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let part = format!("{part:0<2}");
    let value = values::number(whole)?.checked_mul(100)? + values::number(&part)?;
    (part.len() == 2 && value > 0).then_some(value)
}
