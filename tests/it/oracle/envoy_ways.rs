//! Envoy: matcher trees, scopes and weighted localities lead where we say they lead.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use afterload::balancer::envoy;
use afterload::balancer::model::{Groups, Model, Server, Target};
use afterload::balancer::source::{NoFiles, Source};
use serde_json::{Value, json};

use super::envoy::{errors, essence, start};
use super::{free_port, get_soon};

const HCM: &str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const HEADER: &str = "type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput";
const ROUTE: &str = "type.googleapis.com/envoy.config.route.v3.Route";

fn read(text: &str) -> Model {
    let model = envoy::parse(&[Source::new("envoy.json", text)], &mut NoFiles, None);
    assert_eq!(errors(&model), Vec::<&str>::new());
    model
}

fn manager(routes: (&str, Value)) -> Value {
    let mut config = json!({"@type": HCM, "stat_prefix": "x", "http_filters": [{"name": "envoy.filters.http.router",
        "typed_config": {"@type": ROUTER}}]});
    config[routes.0] = routes.1;
    json!([{"name": "http", "typed_config": config}])
}

fn at(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}

/// A table with one virtual host for all hosts.
fn table(name: &str, routes: Value) -> Value {
    json!({"name": name, "virtual_hosts": [{"name": name, "domains": ["*"], "routes": routes}]})
}

fn to(cluster: &str) -> Value {
    json!({"prefix": "/"}).as_object().map(|wanted| json!([{"match": wanted, "route": {"cluster": cluster}}])).expect("a map")
}

/// A listener that answers with its own name.
fn server(name: &str, port: u16) -> Value {
    let answer = json!([{"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": name}}}]);
    json!({"name": name, "address": at(port), "filter_chains": [{"filters": manager(("route_config", table(name, answer)))}]})
}

fn cluster(name: &str, port: u16) -> Value {
    json!({"name": name, "connect_timeout": "1s", "load_assignment": {"cluster_name": name,
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": at(port)}}]}]}})
}

fn ask(port: u16, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a connection");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: a.example\r\n{headers}Connection: close\r\n\r\n").expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.rsplit("\r\n\r\n").next().unwrap_or_default().to_owned()
}

/// Which cluster each condition leads to.
fn led(model: &Model, listener: &str) -> Vec<(String, String)> {
    let routes = model.routes.iter().filter(|route| route.listener == listener);
    let said = |target: &Target| match target {
        Target::Pool { name } => name.clone(),
        other => format!("{other:?}"),
    };
    routes.map(|route| (route.condition.clone().unwrap_or_default(), said(&route.target))).collect()
}

#[test]
fn trees_scopes_and_localities_lead_where_envoy_leads() {
    let folder = tempfile::tempdir().expect("folder");
    let ports: Vec<u16> = (0..8).map(|_| free_port()).collect();
    let [admin, matched, chained, scoped, weighed, a, b, c] = ports[..] else { panic!("ports") };
    let header = |name: &str| json!({"name": "header", "typed_config": {"@type": HEADER, "header_name": name}});
    let action = |cluster: &str| {
        json!({"action": {"name": "route", "typed_config": {"@type": ROUTE, "match": {"prefix": "/"},
        "route": {"cluster": cluster}}}})
    };
    let tree = json!({"matcher_list": {"matchers": [
        {"predicate": {"single_predicate": {"input": header("x-user"), "value_match": {"exact": "staff"}}}, "on_match": action("b")},
        {"predicate": {"not_matcher": {"single_predicate": {"input": header("x-tier"), "value_match": {"prefix": "f"}}}},
         "on_match": {"matcher": {"matcher_tree": {"input": header(":path"), "prefix_match_map": {"map": {"/c": action("c")}}}}}}]},
        "on_no_match": action("a")});
    let by_port = json!({"matcher_tree": {
        "input": {"name": "source", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.SourceIPInput"}},
        "exact_match_map": {"map": {"127.0.0.1": {"action": {"name": "mine", "typed_config": {
            "@type": "type.googleapis.com/google.protobuf.StringValue", "value": "mine"}}}}}},
        "on_no_match": {"action": {"name": "rest", "typed_config": {
            "@type": "type.googleapis.com/google.protobuf.StringValue", "value": "rest"}}}});
    let scopes = json!({"name": "scopes",
        "scope_key_builder": {"fragments": [{"header_value_extractor": {"name": "x-tenant", "index": 0}}]},
        "scoped_route_configurations_list": {"scoped_route_configurations": [
            {"name": "s1", "key": {"fragments": [{"string_key": "one"}]}, "route_configuration": table("s1", to("b"))},
            {"name": "s2", "key": {"fragments": [{"string_key": "two"}]}, "route_configuration": table("s2", to("c"))}]}});
    let group = |zone: &str, weight: u32, ports: &[u16]| {
        let all: Vec<Value> = ports.iter().map(|port| json!({"endpoint": {"address": at(*port)}})).collect();
        json!({"locality": {"region": "r", "zone": zone}, "load_balancing_weight": weight, "lb_endpoints": all})
    };
    let config = json!({"admin": {"address": at(admin)}, "static_resources": {
        "listeners": [
            server("a", a), server("b", b), server("c", c),
            {"name": "matched", "address": at(matched), "filter_chains": [{"filters": manager(("route_config",
                json!({"name": "m", "virtual_hosts": [{"name": "m", "domains": ["*"], "matcher": tree}]})))}]},
            {"name": "chained", "address": at(chained), "filter_chain_matcher": by_port, "filter_chains": [
                {"name": "mine", "filters": manager(("route_config", table("mine", to("c"))))},
                {"name": "rest", "filters": manager(("route_config", table("rest", to("a"))))}]},
            {"name": "scoped", "address": at(scoped), "filter_chains": [{"filters": manager(("scoped_routes", scopes))}]},
            {"name": "weighed", "address": at(weighed), "filter_chains": [{"filters": manager(("route_config", table("w", to("zones"))))}]}],
        "clusters": [cluster("a", a), cluster("b", b), cluster("c", c),
            {"name": "zones", "connect_timeout": "1s", "common_lb_config": {"locality_weighted_lb_config": {}},
             "load_assignment": {"cluster_name": "zones", "endpoints": [group("z1", 80, &[a]), group("z2", 20, &[b, c])]}}]}});
    let text = serde_json::to_string_pretty(&config).expect("JSON");
    let file = read(&text);
    let _running = start(folder.path(), &text);
    let dump = read(&get_soon(admin, "/config_dump"));
    assert_eq!(essence(file.clone()), essence(dump));

    let expected =
        [("header x-user {exact: staff}", "b"), ("not header x-tier {prefix: f}; header :path begins with /c", "c"), ("", "a")];
    assert_eq!(led(&file, "matched"), expected.map(|(when, to)| (when.to_owned(), to.to_owned())));
    let answers =
        [("/", "x-user: staff\r\n", "b"), ("/c/x", "", "c"), ("/c/x", "x-tier: free\r\n", "a"), ("/", "x-tier: free\r\n", "a")];
    get_soon(a, "/");
    for (path, headers, name) in answers {
        assert_eq!(ask(matched, path, headers), name, "{path} {headers}");
    }

    let expected = [("filter chain SourceIP is 127.0.0.1", "c"), ("", "a")];
    assert_eq!(led(&file, "chained"), expected.map(|(when, to)| (when.to_owned(), to.to_owned())));
    assert_eq!(ask(chained, "/", ""), "c");

    let expected = [("scope header x-tenant is one", "b"), ("scope header x-tenant is two", "c")];
    assert_eq!(led(&file, "scoped"), expected.map(|(when, to)| (when.to_owned(), to.to_owned())));
    assert_eq!((ask(scoped, "/", "x-tenant: one\r\n"), ask(scoped, "/", "x-tenant: two\r\n")), ("b".into(), "c".into()));

    let pool = file.pool("zones").expect("zones");
    let groups = Groups::of(pool, Server::configured_weight);
    let shares: Vec<f64> = pool.servers.iter().map(|server| groups.factor(server)).collect();
    assert_eq!(shares, [80.0, 10.0, 10.0]);
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..200 {
        *counts.entry(ask(weighed, "/", "")).or_default() += 1;
    }
    for (name, share) in ["a", "b", "c"].iter().zip(shares) {
        let got = 100.0 * f64::from(counts.get(*name).copied().unwrap_or(0)) / 200.0;
        assert!((got - share).abs() < 6.0, "{counts:?}");
    }
}
