use proptest::prelude::*;

use super::super::model::{Family, Groups, HashKey, HashMethod, Mode, Resolution, Role, Scope, Server, Target};
use super::super::source::NoFiles;
use super::super::state::{Admin, Health};
use super::*;

fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/envoy/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn read(text: &str) -> Model {
    parse(&[Source::new("envoy", text)], &mut NoFiles, None)
}

/// Notices of at least `gravity` as `line: text`.
fn told(model: &Model, gravity: Gravity) -> Vec<String> {
    let grave = model.notices.iter().filter(|notice| notice.gravity >= gravity);
    grave.map(|notice| format!("{}: {}", notice.place.line(), notice.text)).collect()
}

#[test]
fn a_bootstrap_file_becomes_listeners_routes_and_pools() {
    let model = read(&fixture("envoy.yaml"));
    assert_eq!(told(&model, Gravity::Note), Vec::<String>::new());
    assert_eq!(model.process.admin[0].address, "127.0.0.1:9901");
    assert_eq!((model.listeners[0].binds[0].address.as_str(), model.listeners[0].mode), ("127.0.0.1:8083", Mode::Http));
    let routes: Vec<_> =
        model.routes.iter().map(|route| (route.condition.as_deref(), route.target.pools().collect::<Vec<_>>())).collect();
    assert_eq!(routes, [(Some("prefix /api"), vec!["api"]), (None, vec!["app"])]);

    let app = model.pool("app").expect("app");
    assert_eq!(
        (app.algorithm.family, app.algorithm.choices, app.algorithm.place.line()),
        (Family::LeastConnections, Some(2), 36)
    );
    let weights: Vec<_> = app.servers.iter().map(|server| (server.name.as_str(), server.configured_weight())).collect();
    assert_eq!(weights, [("127.0.0.1:9001", 5), ("127.0.0.1:9002", 1), ("127.0.0.1:9003", 1)]);
    assert_eq!(app.servers[2].weight, None);
    let limits = [&app.limits.connections, &app.limits.queue, &app.limits.requests, &app.limits.retries];
    assert_eq!(limits.map(|limit| limit.as_ref().map(|limit| limit.value)), [Some(100), Some(50), Some(200), Some(3)]);
    let check = app.check.as_ref().expect("check");
    assert_eq!((check.interval_ms, check.timeout_ms, check.fall, check.rise), (Some(2000), Some(1000), Some(3), Some(2)));
    assert_eq!(app.servers[0].check.as_ref(), Some(check));
    let passive = app.passive.as_ref().expect("outlier detection");
    assert_eq!((passive.max_fails, passive.max_out_percent, passive.panic_percent), (Some(5), Some(50), Some(50)));
    assert_eq!(app.timeouts.request.as_ref().map(|timeout| timeout.value), Some(DEFAULT_ROUTE_TIMEOUT_MS));

    let api = model.pool("api").expect("api");
    let hash = api.algorithm.hash.as_ref().expect("hash");
    assert_eq!((hash.key, hash.expression.as_str(), hash.method), (HashKey::Cookie, "cookie SRV, source_ip", HashMethod::Ring));
    assert_eq!(api.retry.count.as_ref().map(|count| count.value), Some(3));
    assert!(api.retry.non_idempotent && !api.retry.budget);
    assert_eq!(api.timeouts.request.as_ref().map(|timeout| (timeout.value, timeout.place.line())), Some((5000, 26)));
}

#[test]
fn every_algorithm_is_told_apart() {
    let model = read(&fixture("algorithms.yaml"));
    assert_eq!(told(&model, Gravity::Note), Vec::<String>::new());
    let pools: Vec<_> = model.pools.iter().map(|pool| (pool.name.as_str(), pool.algorithm.family, pool.scope)).collect();
    let want = [
        ("ring", Family::Hash, Scope::Process),
        ("maglev", Family::Hash, Scope::Process),
        ("rr", Family::RoundRobin, Scope::Worker),
        ("rnd", Family::Random, Scope::Process),
        ("lr", Family::LeastConnections, Scope::Process),
    ];
    assert_eq!(pools, want);
    let ring = model.pools[0].algorithm.hash.as_ref().expect("hash");
    assert_eq!((ring.key, ring.table_size), (HashKey::SourceAddress, Some(1024)));
}

#[test]
fn a_dump_says_what_the_file_says_and_its_version() {
    let (file, dump) = (read(&fixture("envoy.yaml")), read(&fixture("config_dump_include_eds.json")));
    assert_eq!(dump.version.as_deref(), Some("1.40.0"));
    assert_eq!(dump.routes, file.routes);
    assert_eq!(dump.listeners, file.listeners);
    for pool in &file.pools {
        assert_eq!(dump.pool(&pool.name), Some(pool));
    }
    let known = parse(&[Source::new("x", "static_resources: {}")], &mut NoFiles, Some("1.30.1"));
    assert_eq!(known.version.as_deref(), Some("1.30.1"));
}

const CLUSTER: &str = "static_resources:\n  clusters:\n  - name: app\n    type: STATIC\n";

#[test]
fn a_hash_without_anything_to_hash_is_told() {
    let with = |route: &str| {
        let listener = format!(
            "static_resources:
  clusters: [ {{ name: app, lb_policy: MAGLEV }} ]
  listeners:
  - name: web
    address: {{ socket_address: {{ address: 0.0.0.0, port_value: 80 }} }}
    filter_chains: [ {{ filters: [ {{ name: h, typed_config: {{ '@type': a/b.HttpConnectionManager, stat_prefix: x, {route} }} }} ] }} ]
"
        );
        read(&listener)
    };
    let key = |model: &Model| model.pools[0].algorithm.hash.as_ref().expect("hash").key;
    let routes = "route_config: { virtual_hosts: [ { name: a, domains: ['*'], routes: [ROUTES] } ] }";
    let plain = with(&routes.replace("ROUTES", "{ match: { prefix: / }, route: { cluster: app } }"));
    assert_eq!((key(&plain), told(&plain, Gravity::Warning)), (HashKey::Missing, vec![]));
    let half = "{ match: { prefix: /a }, route: { cluster: app, hash_policy: [ { header: { header_name: ':path' } } ] } },
        { match: { prefix: / }, route: { cluster: app } }";
    let half = with(&routes.replace("ROUTES", half));
    assert_eq!(key(&half), HashKey::Uri);
    assert!(told(&half, Gravity::Warning)[0].contains("at random"), "{:?}", half.notices);
    // Routes from a control plane may hash whatever they like.
    let unseen = with("rds: { route_config_name: r, config_source: { ads: {} } }");
    assert_eq!(key(&unseen), HashKey::Expression);
    assert!(told(&unseen, Gravity::Note).iter().any(|text| text.contains("/config_dump")), "{:?}", unseen.notices);
    assert_eq!(plain.listeners[0].binds[0].address, "*:80");
}

#[test]
fn errors_stand_at_their_line() {
    let model = read(&format!(
        "{CLUSTER}    connect_timeout: 0s
    lb_policy: FASTEST
    health_checks: [ {{ timeout: 1s }} ]
    load_assignment:
      endpoints:
      - lb_endpoints:
        - endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: 70000 }} }} }}
        - load_balancing_weight: 0
          endpoint: {{ address: {{ socket_address: {{ address: app.example, port_value: 80 }} }} }}
  - name: app
    strange_field: 1
"
    ));
    let lines: Vec<_> =
        told(&model, Gravity::Error).iter().map(|text| text.split(':').next().unwrap_or_default().to_owned()).collect();
    assert_eq!(lines, ["5", "6", "7", "7", "7", "7", "11", "12", "13", "14"], "{:#?}", told(&model, Gravity::Error));
    assert!(told(&model, Gravity::Note).contains(&"15: cluster app: not looked at: `strange_field`".to_owned()));
    assert_eq!(model.pools[0].servers.len(), 1, "what is right is read all the same");
    assert_eq!(model.pools[0].servers[0].weight.as_ref().map(|weight| weight.value), Some(0));
}

#[test]
fn a_broken_file_gives_what_stands_before_the_break() {
    let text = fixture("envoy.yaml");
    let model = read(&format!("{}\n  - name: [ broken\n", text.trim_end()));
    assert!(
        told(&model, Gravity::Error)[0].starts_with("59:") || told(&model, Gravity::Error)[0].starts_with("60:"),
        "{:?}",
        model.notices
    );
    assert_eq!(model.pools.len(), 3);
    let dump = fixture("config_dump_include_eds.json");
    let cut = read(&dump[..dump.len() / 2]);
    assert_eq!(told(&cut, Gravity::Error).len(), 1);
    assert!(!cut.process.admin.is_empty());
    assert!(told(&read(""), Gravity::Error)[0].contains("empty"));
}

#[test]
fn endpoints_of_a_control_plane_are_found_in_a_dump_or_a_watched_file() {
    let cluster = "resources:\n- '@type': type.googleapis.com/envoy.config.cluster.v3.Cluster\n  name: app\n  type: EDS\n  eds_cluster_config: { service_name: svc, eds_config: { path_config_source: { path: eds.yaml } } }\n";
    let endpoints = "resources:\n- '@type': type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment\n  cluster_name: svc\n  endpoints: [ { priority: 1, lb_endpoints: [ { health_status: DRAINING, endpoint: { address: { socket_address: { address: 10.0.0.1, port_value: 80 } } } } ] } ]\n";
    struct Folder(Vec<Source>);
    impl Files for Folder {
        fn read(&mut self, pattern: &str, _from: &str) -> Result<Vec<Source>, String> {
            let found: Vec<_> = self.0.iter().filter(|file| file.name == pattern).cloned().collect();
            if found.is_empty() { Err("it is not there".into()) } else { Ok(found) }
        }
    }
    let bootstrap = Source::new("envoy.yaml", "dynamic_resources: { cds_config: { path: cds.yaml } }");
    let mut folder = Folder(vec![Source::new("cds.yaml", cluster), Source::new("eds.yaml", endpoints)]);
    let model = parse(std::slice::from_ref(&bootstrap), &mut folder, None);
    assert_eq!(model.files, ["envoy.yaml", "cds.yaml", "eds.yaml"]);
    let server = &model.pools[0].servers[0];
    assert_eq!((server.address.as_str(), server.role, server.admin), ("10.0.0.1:80", Role::Backup, Admin::Drain));
    assert_eq!((server.place.file(), server.resolution, model.pools[0].discovered), (2, Resolution::Literal, false));
    let blind = parse(&[bootstrap, Source::new("cds.yaml", cluster)], &mut NoFiles, None);
    assert!(blind.pools[0].servers.is_empty() && blind.pools[0].discovered);
    assert!(told(&blind, Gravity::Note).iter().any(|text| text.contains("include_eds")), "{:?}", blind.notices);
}

#[test]
fn tls_is_seen_on_both_sides() {
    let model = read(
        "static_resources:
  listeners:
  - name: web
    address: { socket_address: { address: '::', port_value: 443 } }
    filter_chains:
    - filter_chain_match: { server_names: [ a.example ] }
      transport_socket: { name: tls, typed_config: { '@type': a/b.DownstreamTlsContext } }
      filters: [ { name: t, typed_config: { '@type': a/b.TcpProxy, stat_prefix: x, cluster: safe, max_connect_attempts: 2 } } ]
  clusters:
  - name: safe
    transport_socket: { name: tls, typed_config: { '@type': a/b.UpstreamTlsContext, common_tls_context: { validation_context: { trusted_ca: { filename: x } } } } }
    load_assignment: { endpoints: [ { lb_endpoints: [ { endpoint: { address: { pipe: { path: /x } } } } ] } ] }
",
    );
    assert_eq!(told(&model, Gravity::Warning), Vec::<String>::new());
    assert!(
        model.listeners[0].binds[0].tls && model.listeners[0].binds[0].address == "*:443" && model.listeners[0].mode == Mode::Tcp
    );
    assert_eq!(model.routes[0].condition.as_deref(), Some("filter chain {server_names: [a.example]}"));
    let pool = &model.pools[0];
    assert_eq!((pool.mode, pool.servers[0].tls, pool.servers[0].tls_verified), (Mode::Tcp, true, Some(true)));
    assert_eq!(pool.retry.count.as_ref().map(|count| count.value), Some(1));
    assert_eq!(model.routes[0].target, Target::Pool { name: "safe".into() });
}

#[test]
fn both_forms_of_the_running_state_say_the_same() {
    let (json, lines) = (state(&fixture("clusters.json")).expect("json"), state(&fixture("clusters.txt")).expect("text"));
    for pool in &json.pools {
        assert_eq!(lines.pool(&pool.name), Some(pool));
    }
    let weights: Vec<_> = lines.pool("app").expect("app").servers.iter().map(|server| (server.weight, server.health)).collect();
    assert_eq!(weights, [(5, Some(Health::Up)), (1, Some(Health::Up)), (1, Some(Health::Up))]);
    let flagged = fixture("clusters.txt").replacen("health_flags::healthy", "health_flags::/failed_outlier_check", 1);
    assert_eq!(state(&flagged).expect("text").pool("app").expect("app").servers[0].health, Some(Health::Down));
    for wrong in ["<html>", "{\"a\": 1}", "{", "a b c"] {
        assert!(state(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn configs_of_others_are_not_taken_for_envoys() {
    for name in ["envoy.yaml", "algorithms.yaml", "config_dump_include_eds.json"] {
        assert!(is_config(&fixture(name)), "{name}");
    }
    for other in [
        "",
        "{}",
        "http: { routers: { a: { rule: x } } }",
        "{\"apps\": {\"http\": {}}}",
        "{\"admin\": {\"listen\": \":1\"}}",
        "global\n  maxconn 1\n",
        "events {}\n",
    ] {
        assert!(!is_config(other), "{other}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(?s).{0,300}") {
        read(&text);
        is_config(&text);
        state(&text).ok();
    }

    /// A right config with a part cut out or doubled is read without a panic.
    #[test]
    fn no_damaged_config_makes_it_panic(at in 0_usize..3000, len in 0_usize..200, double: bool) {
        let text = fixture("envoy.yaml");
        let (at, end) = (at.min(text.len()), (at + len).min(text.len()));
        let damaged = if double { format!("{}{}", &text[..end], &text[at..]) } else { format!("{}{}", &text[..at], &text[end..]) };
        read(&damaged);
    }
}

/// A cluster of two weighted localities, with more fields.
fn localities(fields: &str) -> Model {
    read(&format!(
        "static_resources: {{clusters: [{{name: app, {fields} load_assignment: {{cluster_name: app, endpoints: [\
         {{locality: {{region: r, zone: a}}, load_balancing_weight: 30, lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 10.0.0.1, port_value: 80}}}}}}}}, \
         {{endpoint: {{address: {{socket_address: {{address: 10.0.0.2, port_value: 80}}}}}}, load_balancing_weight: 2}}]}}, \
         {{locality: {{region: r, zone: b}}, load_balancing_weight: 70, lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 10.0.0.3, port_value: 80}}}}}}}}]}}]}}}}]}}"
    ))
}

#[test]
fn localities_share_by_weight_only_where_they_are_asked_to() {
    let factors = |model: &Model| {
        let pool = model.pool("app").expect("app");
        let groups = Groups::of(pool, Server::configured_weight);
        let weight = |server: &Server| (groups.factor(server) * f64::from(server.configured_weight())).round();
        pool.servers.iter().map(weight).collect::<Vec<_>>()
    };
    let wrr = "load_balancing_policy: {policies: [{typed_extension_config: {name: l, typed_config: {\
               '@type': type.googleapis.com/envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin, \
               locality_lb_config: {locality_weighted_lb_config: {}}}}}]},";
    for fields in ["common_lb_config: {locality_weighted_lb_config: {}},", wrr] {
        let weighed = localities(fields);
        assert_eq!(weighed.notices, [], "{fields}");
        assert_eq!(factors(&weighed), [10.0, 20.0, 70.0], "{fields}");
        let pool = &weighed.pools[0];
        let shares = pool.grouped_shares();
        assert_eq!(pool.servers.iter().map(|server| shares[server.name.as_str()]).collect::<Vec<_>>(), [0.1, 0.2, 0.7]);
        assert_eq!(weighed.pools[0].servers[2].group.as_ref().map(|group| group.name.as_str()), Some("r/b"));
    }
    let plain = localities("");
    assert!(plain.pools[0].grouped_shares().is_empty());
    assert_eq!(factors(&plain), [1.0, 2.0, 1.0]);
    assert!(plain.notices.iter().any(|n| n.gravity == Gravity::Warning && n.text.contains("locality_weighted_lb_config")));

    let weighed = localities("common_lb_config: {locality_weighted_lb_config: {}},");
    let mut other = weighed.clone();
    other.pools[0].servers[2].group.as_mut().expect("a group").weight = 0;
    let sentences =
        |model: &Model| crate::balancer::diff::diff(&weighed, model).into_iter().map(|c| c.sentence).collect::<Vec<_>>();
    assert_eq!(sentences(&other), ["pool app: 10.0.0.3:80 locality r/b (weight 70) → r/b (weight 0), 70 % of capacity removed"]);
    let mut gone = weighed.clone();
    gone.pools[0].servers.remove(2);
    let found = crate::balancer::diff::diff(&weighed, &gone);
    assert_eq!(found[0].lost_percent.round(), 70.0, "{}", found[0].sentence);
    let case = crate::balancer::audit::Case { model: &other, has_state: false, before: Some((&weighed, &[])) };
    let told = crate::balancer::audit::audit(&case, &std::collections::BTreeMap::new());
    assert!(told.iter().any(|finding| finding.rule == "LB003" && finding.message.contains("70 %")), "{told:#?}");
}

#[test]
fn a_panic_may_fail_requests() {
    let fails = localities(
        "common_lb_config: {healthy_panic_threshold: {value: 40}, zone_aware_lb_config: {fail_traffic_on_panic: true}},",
    );
    let passive = |model: &Model| model.pools[0].passive.as_ref().map(|p| (p.panic_percent, p.panic_fails));
    assert_eq!(passive(&fails), Some((Some(40), true)));
    let serves = localities("common_lb_config: {healthy_panic_threshold: {value: 40}},");
    assert_eq!(passive(&serves), Some((Some(40), false)));
    assert_eq!(
        passive(&localities("common_lb_config: {zone_aware_lb_config: {fail_traffic_on_panic: true}},")),
        Some((Some(50), true))
    );
    let changes = crate::balancer::diff::diff(&serves, &fails);
    assert!(changes.iter().any(|change| change.sentence.contains("requests fail")), "{changes:#?}");
}

#[test]
fn scopes_of_a_watched_file_and_datagrams_by_a_tree() {
    let hcm = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    let text = format!(
        "static_resources: {{listeners: [{{name: web, address: {{socket_address: {{address: 10.0.0.9, port_value: 80}}}}, filter_chains: [{{filters: [{{name: h, \
         typed_config: {{'@type': {hcm}, stat_prefix: x, scoped_routes: {{name: s, scope_key_builder: {{fragments: [{{header_value_extractor: {{name: x-t, \
         element_separator: ';', element: {{key: vip, separator: '='}}}}}}]}}, rds_config_source: {{path_config_source: {{path: routes.yaml}}}}, \
         scoped_rds: {{scoped_rds_config_source: {{path_config_source: {{path: scopes.yaml}}}}}}}}}}}}]}}]}}, \
         {{name: dns, address: {{socket_address: {{protocol: UDP, address: 10.0.0.9, port_value: 53}}}}, listener_filters: [{{name: u, typed_config: {{\
         '@type': type.googleapis.com/envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig, stat_prefix: u, matcher: {{on_no_match: {{action: {{name: r, \
         typed_config: {{'@type': type.googleapis.com/envoy.extensions.filters.udp.udp_proxy.v3.Route, cluster: app}}}}}}}}}}}}]}}], \
         clusters: [{{name: app, type: STRICT_DNS, load_assignment: {{cluster_name: app, endpoints: []}}}}]}}"
    );
    let scopes = "resources:\n- '@type': type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration\n  name: a\n  route_configuration_name: t\n  key: {fragments: [{string_key: gold}]}\n";
    let routes = "resources:\n- '@type': type.googleapis.com/envoy.config.route.v3.RouteConfiguration\n  name: t\n  virtual_hosts: [{name: t, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: app}}]}]\n";
    let model = parse(
        &[Source::new("envoy.yaml", text), Source::new("scopes.yaml", scopes), Source::new("routes.yaml", routes)],
        &mut NoFiles,
        None,
    );
    let errors: Vec<_> = model.notices.iter().filter(|n| n.gravity == Gravity::Error).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let told: Vec<_> = model
        .routes
        .iter()
        .map(|r| (r.listener.as_str(), r.condition.as_deref(), r.target.pools().collect::<Vec<_>>()))
        .collect();
    assert_eq!(told, [("web", Some("scope vip in header x-t is gold"), vec!["app"]), ("dns", None, vec!["app"])]);
}
