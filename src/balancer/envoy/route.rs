//! Routes: virtual hosts, matches and where they lead (`envoy.config.route.v3`).

use super::super::clean_name;
use super::super::data::{Fields, Node, Reader, compact, snake};
use super::super::model::{HashKey, Mirror, Notice, Persistence, PersistenceKind, Retry, Setting, Share, Target};
use super::super::source::Place;
use super::{duration, matcher, short_kind};
use crate::balancer::maps::HashSet;
use crate::domain::time::shorten;

/// Longest part of a condition, in characters.
const SAID_MAX: usize = 300;

/// A route table.
#[derive(Default, Clone)]
pub struct Routes {
    pub found: Vec<Found>,
    /// Whether Envoy refuses a table that names a cluster which it does not know.
    pub checked: bool,
}

/// One route before its listener is known.
#[derive(Default, Clone)]
pub struct Found {
    pub condition: Option<String>,
    pub target: Target,
    pub place: Place,
    /// For the whole answer; the default laid in, none for a target that is no pool.
    pub timeout: Option<Setting<u64>>,
    pub silence: Option<Setting<u64>>,
    pub retry: Option<Retry>,
    pub hashes: Vec<HashPolicy>,
    /// Pools that get copies of requests.
    pub mirrors: Vec<Setting<Mirror>>,
    pub sessions: Sessions,
    /// Whether whole connections are balanced, not requests.
    pub tcp: bool,
    pub udp: bool,
}

/// What a route says of sessions that stick to a server.
#[derive(Default, Clone)]
pub enum Sessions {
    /// As its listener says.
    #[default]
    Inherited,
    Off,
    Own(Persistence),
}

/// One thing that is hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashPolicy {
    pub key: HashKey,
    pub said: String,
}

/// A `RouteConfiguration`; `inline` if it stands in its listener.
pub fn configuration(reader: &Reader, node: &Node<'_>, inline: bool) -> Routes {
    let fields = Fields::new(reader, node, "route_config");
    fields.skip(&["@type", "name", "ignore_port_in_host_matching", "response_headers_to_add", "request_headers_to_add"]);
    let checked = fields.bool("validate_clusters").unwrap_or(inline);
    let mut routes = Routes { found: Vec::new(), checked };
    let mut domains = HashSet::default();
    for host in fields.list("virtual_hosts") {
        let fields = Fields::new(reader, host, "virtual host");
        fields.skip(&["name", "request_headers_to_add", "response_headers_to_add", "response_headers_to_remove", "metadata"]);
        let said: Vec<_> = fields.list("domains").iter().filter_map(|domain| Some(clean_name(domain.text()?))).collect();
        if said.is_empty() {
            reader.error(host, "a virtual host lacks `domains`: `[\"*\"]` takes every host");
        }
        for (domain, node) in said.iter().zip(fields.list("domains")) {
            if !domains.insert(domain.to_ascii_lowercase()) {
                reader.error(node, format!("domain {domain} is there twice in one route table: keep it in one virtual host"));
            }
        }
        let hosts =
            (!said.iter().any(|domain| domain == "*")).then(|| shorten(&format!("domains {}", said.join(", ")), SAID_MAX));
        let inherited = fields.get("retry_policy").map(|policy| retry(reader, policy, false));
        for route in fields.list("routes") {
            routes.found.push(self::route(reader, route, hosts.as_deref(), inherited.as_ref()));
        }
        for leaf in fields.get("matcher").map(matcher::leaves).unwrap_or_default() {
            let mut said: Vec<String> = hosts.iter().cloned().collect();
            said.extend(leaf.conditions);
            let said = (!said.is_empty()).then(|| said.join("; "));
            let several = super::listed(leaf.action, "routes").collect::<Vec<_>>();
            match short_kind(leaf.action) {
                "Route" => routes.found.push(self::route(reader, leaf.action, said.as_deref(), inherited.as_ref())),
                "RouteList" => {
                    let all = several.into_iter().map(|one| self::route(reader, one, said.as_deref(), inherited.as_ref()));
                    routes.found.extend(all);
                }
                kind => reader.note(leaf.action, format!("a matcher leads to {}, which is not looked at", clean_name(kind))),
            }
        }
        fields.done();
    }
    fields.done();
    routes
}

fn route(reader: &Reader, node: &Node<'_>, hosts: Option<&str>, inherited: Option<&Retry>) -> Found {
    let fields = Fields::new(reader, node, "route");
    fields.skip(&[
        "@type",
        "name",
        "metadata",
        "decorator",
        "tracing",
        "request_headers_to_add",
        "response_headers_to_add",
        "stat_prefix",
    ]);
    let mut said: Vec<String> = hosts.map(str::to_owned).into_iter().collect();
    let mut reads_only = false;
    match fields.get("match") {
        Some(wanted) => {
            said.extend(matched(reader, wanted));
            reads_only = reads(wanted);
        }
        None => reader.error(node, "a route lacks `match`"),
    }
    let mut found =
        Found { condition: (!said.is_empty()).then(|| said.join("; ")), place: reader.place(node), ..Found::default() };
    if let Some(settings) = fields.get("typed_per_filter_config") {
        found.sessions = route_sessions(reader, settings);
    }
    if let Some(action) = fields.get("route") {
        self::action(reader, action, &mut found, !reads_only);
        if found.retry.is_none() {
            found.retry = inherited.cloned().map(|retry| Retry { non_idempotent: retry.non_idempotent && !reads_only, ..retry });
        }
    } else {
        let other = ["redirect", "direct_response", "filter_action", "non_forwarding_action"];
        let found_other = other.iter().find_map(|name| Some((name, fields.entry(name)?)));
        match found_other {
            Some((name, answer)) => found.target = Target::Other { said: format!("{name} {}", compact(answer)) },
            None => reader.error(node, "a route lacks what to do: `route`, `redirect` or `direct_response`"),
        }
    }
    fields.done();
    found
}

/// What a match asks for beside the prefix `/`, which every path has.
fn matched(reader: &Reader, node: &Node<'_>) -> Vec<String> {
    const PATHS: [&str; 6] = ["prefix", "path", "safe_regex", "connect_matcher", "path_separated_prefix", "path_match_policy"];
    if !PATHS.iter().any(|path| node.get(path).is_some()) {
        reader.error(node, "a route's `match` lacks a path: `prefix: /` takes every path");
    }
    let mut said = Vec::new();
    for path in PATHS {
        match node.get(path) {
            Some(prefix) if path == "prefix" && matches!(prefix.text(), Some("/" | "")) => {}
            Some(regex) if path == "safe_regex" => {
                said.push(format!("safe_regex {}", compact(regex.get("regex").unwrap_or(regex))));
            }
            Some(value) => said.push(format!("{path} {}", compact(value))),
            None => {}
        }
    }
    let mut rest: Vec<_> = node
        .entries()
        .iter()
        .filter(|entry| !PATHS.iter().any(|path| super::super::data::same_name(&entry.key, path)))
        .map(|entry| format!("{} {}", snake(&entry.key), compact(&entry.node)))
        .collect();
    rest.sort();
    said.extend(rest);
    said
}

/// Whether a match takes only requests that change nothing.
fn reads(node: &Node<'_>) -> bool {
    super::listed(node, "headers").any(|header| {
        let exact = header.get("exact_match").or_else(|| header.get("string_match")?.get("exact")).and_then(Node::text);
        header.get("name").and_then(Node::text) == Some(":method") && matches!(exact, Some("GET" | "HEAD" | "OPTIONS"))
    })
}

/// `envoy.config.route.v3.RouteAction`.
fn action(reader: &Reader, node: &Node<'_>, found: &mut Found, changes: bool) {
    let fields = Fields::new(reader, node, "route action");
    fields.skip(&["prefix_rewrite", "regex_rewrite", "host_rewrite_literal", "auto_host_rewrite", "append_x_forwarded_host"]);
    found.target = target(reader, &fields);
    found.timeout = duration(&fields, "timeout");
    if found.timeout.is_none() {
        found.timeout = Some(Setting::new(super::DEFAULT_ROUTE_TIMEOUT_MS, found.place.clone()));
    }
    found.silence = duration(&fields, "idle_timeout");
    found.retry = fields.get("retry_policy").map(|policy| retry(reader, policy, changes));
    fields.get("hash_policy");
    found.hashes = hash_policies(reader, node);
    for mirror in fields.list("request_mirror_policies") {
        if let Some(cluster) = mirror.get("cluster") {
            let pool = clean_name(cluster.text().unwrap_or_default());
            let percent =
                mirror.get("runtime_fraction").and_then(|fraction| fraction.get("default_value")).map_or(100.0, fraction);
            found.mirrors.push(reader.setting(Mirror { pool, percent }, cluster));
        }
    }
    fields.done();
}

/// An `envoy.type.v3.FractionalPercent`, in percent.
fn fraction(node: &Node<'_>) -> f64 {
    let numerator = node.get("numerator").and_then(Node::u64).unwrap_or(0) as f64;
    let percent = match node.get("denominator").and_then(Node::text) {
        Some("TEN_THOUSAND" | "1") => numerator / 100.0,
        Some("MILLION" | "2") => numerator / 10_000.0,
        _ => numerator,
    };
    percent.min(100.0)
}

/// Where a route or a TCP proxy leads.
pub fn target(reader: &Reader, fields: &Fields<'_, '_>) -> Target {
    if let Some(cluster) = fields.text("cluster").filter(|cluster| !cluster.is_empty()) {
        return Target::Pool { name: clean_name(cluster) };
    }
    if let Some(weighted) = fields.get("weighted_clusters") {
        return shares(reader, weighted);
    }
    if let Some(header) = fields.text("cluster_header") {
        return Target::Dynamic { expression: format!("cluster_header {}", clean_name(header)), candidates: Vec::new() };
    }
    for name in ["cluster_specifier_plugin", "inline_cluster_specifier_plugin"] {
        if let Some(plugin) = fields.get(name) {
            return Target::Dynamic { expression: format!("{name} {}", compact(plugin)), candidates: Vec::new() };
        }
    }
    reader.error(fields.node, "it lacks where to send: `cluster` or `weighted_clusters`");
    Target::default()
}

fn shares(reader: &Reader, node: &Node<'_>) -> Target {
    let fields = Fields::new(reader, node, "weighted_clusters");
    fields.skip(&["total_weight", "runtime_key_prefix", "header_name", "random_value_header_name", "use_hash_policy"]);
    let mut pools = Vec::new();
    let mut headers = Vec::new();
    for cluster in fields.list("clusters") {
        let own = Fields::new(reader, cluster, "weighted cluster");
        own.skip(&["request_headers_to_add", "response_headers_to_add", "host_rewrite_literal"]);
        let weight = own.u64("weight").and_then(|weight| u32::try_from(weight).ok());
        if weight.is_none() {
            reader.error(cluster, "a weighted cluster lacks `weight`");
        }
        match (own.text("name").filter(|name| !name.is_empty()), own.text("cluster_header")) {
            (Some(name), _) => pools.push(Share { pool: clean_name(name), weight: weight.unwrap_or(0) }),
            (None, Some(header)) => headers.push(clean_name(header)),
            (None, None) => reader.error(cluster, "a weighted cluster lacks `name`"),
        }
        own.done();
    }
    fields.done();
    if !headers.is_empty() {
        let candidates = pools.into_iter().map(|share| share.pool).collect();
        return Target::Dynamic { expression: format!("cluster_header {}", headers.join(", ")), candidates };
    }
    if pools.iter().all(|share| share.weight == 0) {
        reader.error(node, "the weights of `weighted_clusters` add up to 0: give at least one cluster a weight");
    }
    Target::Weighted { pools }
}

/// Conditions of a retry under which the server may have worked on the request already.
const AFTER_WORK: [&str; 12] = [
    "5xx",
    "gateway-error",
    "reset",
    "retriable-4xx",
    "retriable-status-codes",
    "retriable-headers",
    "http3-post-connect-failure",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
];

/// `envoy.config.route.v3.RetryPolicy`; `changes` if the route takes requests that change something.
fn retry(reader: &Reader, node: &Node<'_>, changes: bool) -> Retry {
    let fields = Fields::new(reader, node, "retry_policy");
    fields.skip(&[
        "retry_back_off",
        "rate_limited_retry_back_off",
        "retriable_headers",
        "retriable_request_headers",
        "per_try_idle_timeout",
    ]);
    fields.skip(&["retry_priority", "host_selection_retry_max_attempts", "retry_options_predicates", "per_try_timeout"]);
    let on = fields.text("retry_on").unwrap_or_default();
    let mut on: Vec<_> = on.split(',').map(str::trim).filter(|word| !word.is_empty()).map(clean_name).collect();
    for code in fields.list("retriable_status_codes") {
        on.extend(code.text().map(|code| format!("http_{}", clean_name(code))));
    }
    let non_idempotent = changes && on.iter().any(|word| AFTER_WORK.contains(&word.as_str()));
    let count = fields.number("num_retries").unwrap_or_else(|| reader.setting(1, node));
    let others = fields
        .list("retry_host_predicate")
        .iter()
        .find(|predicate| predicate.get("name").and_then(Node::text).is_some_and(|name| name.contains("previous_hosts")));
    let redispatch = others.map(|node| reader.setting(true, node));
    fields.done();
    // Without a condition nothing is ever tried again.
    let count = if on.is_empty() { None } else { Some(count) };
    Retry { count, on, redispatch, non_idempotent, place: reader.place(node), ..Retry::default() }
}

/// The `hash_policy` of a route, a TCP proxy or a load balancing policy.
pub fn hash_policies(reader: &Reader, node: &Node<'_>) -> Vec<HashPolicy> {
    let mut found = Vec::new();
    for policy in node.get("hash_policy").or_else(|| node.get("hash_policies")).map(Node::items).unwrap_or_default() {
        let named = |kind: &str, name: &str| {
            policy.get(kind).map(|own| own.get(name).and_then(Node::text).map(clean_name).unwrap_or_default())
        };
        let (key, said) = if let Some(name) = named("header", "header_name") {
            (if name == ":path" { HashKey::Uri } else { HashKey::Header }, format!("header {name}"))
        } else if let Some(name) = named("cookie", "name") {
            (HashKey::Cookie, format!("cookie {name}"))
        } else if policy.get("connection_properties").is_some_and(|own| own.get("source_ip").and_then(Node::bool) == Some(true))
            || policy.get("source_ip").is_some()
        {
            (HashKey::SourceAddress, "source_ip".to_owned())
        } else if let Some(name) = named("query_parameter", "name") {
            (HashKey::Query, format!("query_parameter {name}"))
        } else if policy.get("connection_properties").is_some() {
            reader.warn(policy, "`connection_properties` without `source_ip: true` hashes nothing");
            continue;
        } else {
            (HashKey::Expression, compact(policy))
        };
        let terminal = policy.get("terminal").and_then(Node::bool) == Some(true);
        found.push(HashPolicy { key, said: if terminal { format!("{said} terminal") } else { said } });
    }
    found
}

/// The stateful session of a filter's config.
pub fn session(reader: &Reader, node: &Node<'_>) -> Option<Persistence> {
    let state = node.get("session_state")?.get("typed_config")?;
    let mut persistence = Persistence { said: compact(state), place: reader.place(node), ..Persistence::default() };
    if short_kind(state) == "CookieBasedSessionState" {
        let cookie = Fields::new(reader, state.get("cookie")?, "session cookie");
        persistence.key = cookie.name("name");
        persistence.expires_ms = duration(&cookie, "ttl").map(|ttl| ttl.value).filter(|ttl| *ttl > 0);
        persistence.http_only = true;
        for attribute in cookie.list("attributes") {
            let name = attribute.get("name").and_then(Node::text).unwrap_or_default().to_ascii_lowercase();
            persistence.secure |= name == "secure";
            persistence.same_site |= name == "samesite";
        }
    } else {
        persistence.kind = PersistenceKind::Route;
        persistence.key = state.get("name").and_then(Node::text).map(clean_name).unwrap_or_default();
    }
    Some(persistence)
}

fn route_sessions(reader: &Reader, settings: &Node<'_>) -> Sessions {
    let own = settings.entries().iter().map(|entry| &entry.node).find(|node| short_kind(node) == "StatefulSessionPerRoute");
    let Some(own) = own else { return Sessions::Inherited };
    match own.get("stateful_session") {
        Some(session) => self::session(reader, session).map_or(Sessions::Off, Sessions::Own),
        None => Sessions::Off,
    }
}

/// A table that comes from elsewhere and was not seen.
pub fn unseen(name: &str, place: Place) -> Notice {
    let text = format!("the routes {name} come from a control plane while Envoy runs: only /config_dump shows them");
    Notice { gravity: super::Gravity::Note, text, place }
}
