//! A cluster: a pool with its algorithm, checks and limits (`envoy.config.cluster.v3.Cluster`).

use super::super::clean_name;
use super::super::data::{Fields, Node, Reader, compact};
use super::super::model::{Check, CheckKind, Family, Gravity, Limits, Notice, Passive, Pool, Scope, Setting, Timeouts};
use super::algorithm;
use super::endpoint::{self, Kind};
use super::route::HashPolicy;
use super::{duration, percent, short_kind, watched, word};

pub struct Cluster {
    pub pool: Pool,
    /// The name under which it asks for endpoints, where they come from elsewhere.
    pub endpoints: Option<String>,
    /// What the load balancing policy itself hashes.
    pub hashes: Vec<HashPolicy>,
    /// Whether localities get their share by weight.
    localities: bool,
}

const TYPES: &[&str] = &["STATIC", "STRICT_DNS", "LOGICAL_DNS", "EDS", "ORIGINAL_DST"];
/// The cluster, and the files that it watches.
pub fn cluster(reader: &Reader, node: &Node<'_>) -> (Cluster, Option<Setting<String>>) {
    let name = node.get("name").and_then(Node::text).map(clean_name).unwrap_or_default();
    let fields = Fields::new(reader, node, format!("cluster {name}"));
    fields.skip(&[
        "@type",
        "name",
        "alt_stat_name",
        "observability_name",
        "track_cluster_stats",
        "track_timeout_budgets",
        "metadata",
    ]);
    if name.is_empty() {
        reader.error(node, "a cluster lacks `name`");
    }
    let mut pool = Pool { name: name.clone(), place: reader.place(node), ..Pool::default() };
    let kind = kind(&fields);
    let mut endpoints = None;
    let mut watch = None;
    if kind == Kind::Eds {
        let eds = fields.get("eds_cluster_config");
        let service = eds.and_then(|eds| eds.get("service_name")).and_then(Node::text).map(clean_name);
        endpoints = Some(service.filter(|service| !service.is_empty()).unwrap_or_else(|| name.clone()));
        match eds.and_then(|eds| eds.get("eds_config")) {
            Some(from) => watch = watched(reader, from),
            None => reader.error(node, format!("cluster {name} has `type: EDS` and lacks `eds_cluster_config.eds_config`")),
        }
    }
    if let Some(assignment) = fields.get("load_assignment") {
        pool.servers = endpoint::assignment(reader, assignment, &kind);
        let groups = assignment.get("endpoints").map(Node::items).unwrap_or_default();
        if kind == Kind::LogicalDns && (groups.len() != 1 || pool.servers.len() != 1) {
            reader.error(assignment, format!("cluster {name} has `type: LOGICAL_DNS`, which takes exactly one endpoint"));
        }
    }
    pool.all_backups = true;
    pool.discovered = matches!(kind, Kind::Eds | Kind::OriginalDst | Kind::Other(_)) && pool.servers.is_empty();
    let (algorithm, hashes, slow_start) = algorithm::algorithm(&fields, &kind);
    pool.scope = if algorithm.family == Family::RoundRobin { Scope::Worker } else { Scope::Process };
    pool.algorithm = algorithm;
    pool.check = check(&fields);
    pool.passive = passive(&fields);
    let per_host;
    (pool.limits, per_host) = limits(&fields, &mut pool.retry.budget);
    pool.timeouts = timeouts(&fields);
    let tls = tls(&fields);
    for server in &mut pool.servers {
        server.check.clone_from(&pool.check);
        server.passive.clone_from(&pool.passive);
        server.slots.clone_from(&per_host);
        server.slow_start_ms = slow_start.clone().map(Box::new);
        (server.tls, server.tls_verified) = tls;
    }
    let localities = algorithm::localities(&fields, "locality_weighted_lb_config").is_some();
    fields.done();
    let mut cluster = Cluster { pool, endpoints, hashes, localities };
    if let Some(notice) = cluster.regard() {
        reader.tell(notice.gravity, notice.place, notice.text);
    }
    (cluster, watch)
}

impl Cluster {
    /// Leaves localities to the servers only where they decide; tells where somebody weighed them in vain.
    fn regard(&mut self) -> Option<Notice> {
        let weight = |server: &super::Server| server.group.as_ref().map_or(0, |group| group.weight);
        // Without any weight Envoy does not ask for localities.
        let weighed = self.pool.servers.iter().any(|server| weight(server) > 0);
        if self.localities && weighed {
            return None;
        }
        let place = self.pool.servers.iter().find(|server| weight(server) > 0).map(|server| server.place.clone());
        self.pool.servers.iter_mut().for_each(|server| server.group = None);
        let text = format!(
            "cluster {} weighs its localities, and Envoy ignores it: add `common_lb_config: {{locality_weighted_lb_config: {{}}}}`",
            self.pool.name
        );
        place.map(|place| Notice { gravity: Gravity::Warning, text, place })
    }

    /// Takes servers that came from elsewhere.
    pub fn fill(&mut self, servers: &[super::Server]) -> Option<Notice> {
        self.pool.servers = servers.to_vec();
        self.pool.discovered = false;
        for server in &mut self.pool.servers {
            server.check.clone_from(&self.pool.check);
            server.passive.clone_from(&self.pool.passive);
        }
        self.regard()
    }
}

fn kind(fields: &Fields<'_, '_>) -> Kind {
    if let Some(extension) = fields.get("cluster_type") {
        let name = extension.get("name").and_then(Node::text).map(clean_name).unwrap_or_default();
        let config = extension.get("typed_config");
        fields.reader().note(extension, format!("cluster type {name}: its servers are known only while Envoy runs"));
        return match config.map(short_kind) {
            Some("DnsCluster") if config.is_some_and(|config| config.get("all_addresses_in_single_endpoint").is_none()) => {
                Kind::StrictDns
            }
            Some("DnsCluster") => Kind::LogicalDns,
            _ => Kind::Other(name),
        };
    }
    match word(fields, "type", TYPES).map(|word| word.value).as_deref() {
        None | Some("STATIC") => Kind::Static,
        Some("STRICT_DNS") => Kind::StrictDns,
        Some("LOGICAL_DNS") => Kind::LogicalDns,
        Some("EDS") => Kind::Eds,
        Some(_) => Kind::OriginalDst,
    }
}

fn check(fields: &Fields<'_, '_>) -> Option<Box<Check>> {
    let reader = fields.reader();
    let checks = fields.list("health_checks");
    let node = checks.first()?;
    if let Some(second) = checks.get(1) {
        reader.note(second, "a server has to pass several checks; only the first is looked at");
    }
    let own = Fields::new(reader, node, "health check");
    own.skip(&[
        "alt_port",
        "reuse_connection",
        "event_log_path",
        "event_logger",
        "event_service",
        "always_log_health_check_failures",
        "always_log_health_check_success",
        "tls_options",
    ]);
    for name in ["timeout", "interval", "unhealthy_threshold", "healthy_threshold"] {
        if own.get(name).is_none() {
            reader.error(node, format!("a health check lacks `{name}`"));
        }
    }
    let mut check = Check {
        interval_ms: duration(&own, "interval").map(|setting| setting.value),
        timeout_ms: duration(&own, "timeout").map(|setting| setting.value),
        fall: own.u64("unhealthy_threshold"),
        rise: own.u64("healthy_threshold"),
        place: reader.place(node),
        ..Check::default()
    };
    for (name, value) in [("interval", check.interval_ms), ("timeout", check.timeout_ms)] {
        if value == Some(0) {
            reader.error(node, format!("`{name}` of a health check has to be above 0"));
        }
    }
    if let Some(http) = own.get("http_health_check") {
        let http = Fields::new(reader, http, "http_health_check");
        check.kind = CheckKind::Http;
        check.request = http.text("path").map(clean_name).map(Into::into);
        if check.request.as_deref().unwrap_or_default().is_empty() {
            reader.error(http.node, "`http_health_check` lacks `path`");
        }
        let expects: Vec<_> = ["expected_statuses", "receive"].iter().filter_map(|name| Some((name, http.get(name)?))).collect();
        check.expects = (!expects.is_empty()).then(|| {
            expects.iter().map(|(name, node)| format!("{name} {}", compact(node))).collect::<Vec<_>>().join(", ").into()
        });
        http.skip(&[
            "host",
            "request_headers_to_add",
            "request_headers_to_remove",
            "codec_client_type",
            "method",
            "service_name_matcher",
        ]);
        http.done();
    } else if let Some(tcp) = own.get("tcp_health_check") {
        let sends = tcp.get("send").is_some() || tcp.get("receive").is_some();
        check.kind = if sends { CheckKind::Protocol } else { CheckKind::Tcp };
        check.expects = tcp.get("receive").map(compact).map(Into::into);
    } else if let Some(grpc) = own.get("grpc_health_check") {
        check.kind = CheckKind::Grpc;
        check.request = grpc.get("service_name").and_then(Node::text).map(clean_name).map(Into::into);
    } else if let Some(custom) = own.get("custom_health_check") {
        check.kind = CheckKind::Protocol;
        check.request = custom.get("name").and_then(Node::text).map(clean_name).map(Into::into);
    } else {
        reader.error(node, "a health check lacks what to check: `http_health_check`, `tcp_health_check` or `grpc_health_check`");
    }
    own.done();
    Some(Box::new(check))
}

/// Outlier detection with its defaults laid in, and the panic threshold.
fn passive(fields: &Fields<'_, '_>) -> Option<Box<Passive>> {
    let reader = fields.reader();
    let mut panic_percent = None;
    let mut place = None;
    if let Some(common) = fields.get("common_lb_config") {
        let common = Fields::new(reader, common, "common_lb_config");
        common.skip(&["consistent_hashing_lb_config", "locality_weighted_lb_config", "zone_aware_lb_config"]);
        panic_percent = percent(&common, "healthy_panic_threshold");
        place = common.get("healthy_panic_threshold").map(|node| reader.place(node));
        common.done();
    }
    let zones = algorithm::localities(fields, "zone_aware_lb_config");
    let fails = zones.and_then(|zones| zones.get("fail_traffic_on_panic")).filter(|node| node.bool() == Some(true));
    let panic_fails = fails.is_some();
    let Some(node) = fields.get("outlier_detection") else {
        // Without outlier detection no failure of traffic takes a server out.
        return (panic_percent.is_some() || panic_fails).then(|| {
            Box::new(Passive {
                max_fails: Some(0),
                panic_percent: Some(panic_percent.unwrap_or(super::DEFAULT_PANIC_PERCENT)),
                panic_fails,
                place: place.or_else(|| fails.map(|node| reader.place(node))).unwrap_or_default(),
                ..Passive::default()
            })
        });
    };
    let own = Fields::new(reader, node, "outlier_detection");
    let time = |name: &str, default: u64| match duration(&own, name) {
        Some(setting) if setting.value == 0 => {
            reader.tell(Gravity::Error, setting.place, format!("`{name}` has to be above 0"));
            Some(default)
        }
        setting => Some(setting.map_or(default, |setting| setting.value)),
    };
    let share = own.u64("max_ejection_percent").unwrap_or(10);
    if let Some(node) = own.get("max_ejection_percent").filter(|_| share > 100) {
        reader.error(node, "`max_ejection_percent` has to be at most 100");
    }
    let enforced = own.u64("enforcing_consecutive_5xx").unwrap_or(100) > 0;
    let passive = Passive {
        max_fails: Some(if enforced { own.u64("consecutive_5xx").unwrap_or(5) } else { 0 }),
        window_ms: time("interval", 10_000),
        out_ms: time("base_ejection_time", 30_000),
        max_out_percent: Some(share),
        panic_percent: Some(panic_percent.unwrap_or(super::DEFAULT_PANIC_PERCENT)),
        panic_fails,
        place: reader.place(node),
    };
    own.done();
    Some(Box::new(passive))
}

/// Limits of the default priority, and connections at once to each server.
fn limits(fields: &Fields<'_, '_>, budget: &mut bool) -> (Limits, Option<Setting<u64>>) {
    let reader = fields.reader();
    let mut limits = Limits::default();
    let mut per_host = None;
    let Some(breakers) = fields.get("circuit_breakers") else { return (limits, per_host) };
    let fields = Fields::new(reader, breakers, "circuit_breakers");
    let default = |own: &Fields<'_, '_>| word(own, "priority", &["DEFAULT", "HIGH"]).is_none_or(|word| word.value == "DEFAULT");
    for node in fields.list("thresholds") {
        let own = Fields::new(reader, node, "circuit_breakers");
        own.skip(&["track_remaining", "max_connection_pools"]);
        if !default(&own) {
            reader.note(node, "limits of `priority: HIGH` are not looked at");
            continue;
        }
        limits.connections = own.number("max_connections").or(limits.connections);
        limits.queue = own.number("max_pending_requests").or(limits.queue);
        limits.requests = own.number("max_requests").or(limits.requests);
        limits.retries = own.number("max_retries").or(limits.retries);
        *budget |= own.get("retry_budget").is_some();
        own.done();
    }
    for node in fields.list("per_host_thresholds") {
        let own = Fields::new(reader, node, "per_host_thresholds");
        if default(&own) {
            per_host = own.number("max_connections").or(per_host);
        }
    }
    fields.done();
    (limits, per_host)
}

fn timeouts(fields: &Fields<'_, '_>) -> Timeouts {
    let reader = fields.reader();
    let mut timeouts = Timeouts { connect: duration(fields, "connect_timeout"), ..Timeouts::default() };
    if let Some(connect) = timeouts.connect.as_ref().filter(|connect| connect.value == 0) {
        reader.tell(Gravity::Error, connect.place.clone(), "`connect_timeout` has to be above 0");
    }
    let extension = fields.get("typed_extension_protocol_options").and_then(|options| {
        options.entries().iter().find(|entry| entry.key.ends_with("HttpProtocolOptions")).map(|entry| &entry.node)
    });
    let common = extension.unwrap_or(fields.node).get("common_http_protocol_options");
    fields.skip(&["common_http_protocol_options"]);
    if let Some(common) = common {
        timeouts.keepalive = duration(&Fields::new(reader, common, "common_http_protocol_options"), "idle_timeout");
    }
    timeouts
}

/// Whether servers are reached with TLS, and whether their certificates are verified: Envoy does that only when a
/// `validation_context` says against what.
fn tls(fields: &Fields<'_, '_>) -> (bool, Option<bool>) {
    let context = fields.get("transport_socket").and_then(|socket| socket.get("typed_config"));
    let context = match context {
        Some(context) if short_kind(context) == "QuicUpstreamTransport" => context.get("upstream_tls_context"),
        Some(context) => (short_kind(context) == "UpstreamTlsContext").then_some(context),
        None => None,
    };
    let Some(context) = context else { return (false, None) };
    let common = context.get("common_tls_context");
    let verified = common.is_some_and(|common| {
        let own = common.get("validation_context").is_some_and(|validation| {
            [
                "trusted_ca",
                "system_root_certs",
                "verify_certificate_spki",
                "verify_certificate_hash",
                "custom_validator_config",
                "ca_certificate_provider_instance",
            ]
            .iter()
            .any(|name| validation.get(name).is_some())
        });
        own || common.get("validation_context_sds_secret_config").is_some() || common.get("combined_validation_context").is_some()
    });
    (true, Some(verified))
}
