//! `sticky`: what keeps a client on one server (ngx_http_upstream_sticky_module, and the manual for nginx Plus).

use super::declared::Declared;
use super::load::Config;
use super::tree::Directive;
use super::values;
use crate::balancer::maps::HashMap;
use crate::balancer::model::{Persistence, PersistenceKind, Pool};

/// Reads the directive into the pool.
pub fn read(config: &mut Config, declared: &Declared, pool: &mut Pool, directive: &Directive) {
    let said: Vec<&str> = directive.arguments.iter().map(|word| word.text.as_str()).collect();
    let place = config.at(directive);
    let mut kept = Persistence { said: format!("{} {}", directive.name.text, said.join(" ")), place, ..Persistence::default() };
    let mut given: HashMap<&str, &str> = HashMap::default();
    let kind = said.first().copied().unwrap_or_default();
    for (index, text) in said.iter().enumerate().skip(1) {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let fits = match (kind, name) {
            ("cookie", _) if index == 1 => true,
            ("cookie", "expires") => {
                kept.expires_ms = values::seconds(value).map(|seconds| seconds.saturating_mul(1000));
                value == "max" || kept.expires_ms.is_some()
            }
            ("cookie", "samesite") => {
                kept.same_site = true;
                value.starts_with('$') || ["strict", "lax", "none"].iter().any(|known| known.eq_ignore_ascii_case(value))
            }
            ("cookie", "httponly" | "secure") => {
                kept.http_only |= name == "httponly";
                kept.secure |= name == "secure";
                value.is_empty()
            }
            ("cookie", "domain" | "path") | ("learn", "create" | "lookup" | "zone") => !value.is_empty(),
            ("learn", "timeout") => {
                kept.expires_ms = values::seconds(value).map(|seconds| seconds.saturating_mul(1000));
                kept.expires_ms.is_some()
            }
            ("learn", "header") => true,
            // Synchronised between instances of nginx Plus.
            ("learn", "sync") => {
                config.note(directive, "sync is for nginx Plus: open source nginx refuses it");
                kept.shared = true;
                true
            }
            ("route", _) => text.starts_with('$'),
            // Not nginx's own: nothing to say about its words.
            _ => !matches!(kind, "cookie" | "learn" | "route"),
        };
        if !fits {
            config.error_in(directive, index, format!("sticky {kind} does not take {text:?}: correct it or take it away"));
        }
        given.insert(name, value);
    }
    match kind {
        "cookie" => {
            kept.key = said.get(1).copied().unwrap_or_default().to_owned();
        }
        "route" => {
            kept.kind = PersistenceKind::Route;
            kept.key = said[1..].join(" ");
            if let Some(name) =
                said[1..].iter().filter_map(|text| text.strip_prefix('$')).find(|name| !declared.knows(name, false))
            {
                config.error(directive, format!("unknown variable ${name}: declare it with map or set, or correct its name"));
            }
        }
        "learn" => {
            kept.kind = PersistenceKind::Table;
            kept.key = given.get("lookup").copied().unwrap_or_default().to_owned();
            if let Some(missing) = ["create", "lookup", "zone"].into_iter().find(|name| !given.contains_key(name)) {
                config.error(directive, format!("sticky learn needs {missing}= too"));
            }
        }
        _ if directive.is("sticky") && !kind.contains('=') => {
            config.error_in(directive, 0, format!("sticky takes cookie, route or learn, not {kind:?}"));
        }
        _ => config.note(directive, "persistence of a module that is not nginx's own: its exact meaning is not known here"),
    }
    pool.persistence.push(kept);
}
