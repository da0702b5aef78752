//! Envoy: what we read in a file is what the running one says of itself, and what it refuses we flag.

use std::process::{Command, Stdio};

use afterload::balancer::envoy;
use afterload::balancer::model::{Gravity, Model};
use afterload::balancer::source::{NoFiles, Source};
use afterload::balancer::state::{Health, State};
use serde_json::{Value, json};

use super::{Running, free_port, get, get_soon, program};

/// A model without what a file and a dump of it say differently: names of files, order, what was not looked at, and
/// whether a default is spelled out.
pub fn essence(mut model: Model) -> Model {
    model.files.clear();
    model.version = None;
    model.notices.clear();
    model.pools.sort_by(|a, b| a.name.cmp(&b.name));
    model.listeners.sort_by(|a, b| a.name.cmp(&b.name));
    model.routes.sort_by(|a, b| a.listener.cmp(&b.listener));
    for pool in &mut model.pools {
        pool.algorithm.written = false;
    }
    model
}

pub fn errors(model: &Model) -> Vec<&str> {
    model.notices.iter().filter(|notice| notice.gravity == Gravity::Error).map(|notice| notice.text.as_str()).collect()
}

const CONFIG: &str = r#"
admin: { address: { socket_address: { address: 127.0.0.1, port_value: ADMIN } } }
x: &unused
overload_manager:
  resource_monitors:
  - name: envoy.resource_monitors.global_downstream_max_connections
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig
      max_active_downstream_connections: 5000
static_resources:
  listeners:
  - name: web
    address: { socket_address: { address: 0.0.0.0, port_value: WEB } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          statPrefix: web
          stream_idle_timeout: 30s
          request_headers_timeout: 5s
          common_http_protocol_options: { idle_timeout: 60s }
          route_config:
            name: local
            virtual_hosts:
            - name: api
              domains: [ "api.example", "*.api.example" ]
              retry_policy: { retry_on: connect-failure }
              routes:
              - match: { path: /one, headers: [ { name: x-a, string_match: { exact: b } } ] }
                route: { cluster: ring, timeout: 5s, hash_policy: [ { header: { header_name: x-user }, terminal: true }, { cookie: { name: sid, ttl: 60s } } ] }
              - match: { safe_regex: { regex: "/a.*" } }
                route:
                  weighted_clusters: { clusters: [ { name: least, weight: 90 }, { name: rr, weight: 10 } ] }
                  timeout: 0s
                  idle_timeout: 7s
                  retry_policy: { retry_on: "5xx,reset", num_retries: 3, retry_host_predicate: [ { name: envoy.retry_host_predicates.previous_hosts, typed_config: { "@type": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate } } ] }
            - name: rest
              domains: [ "*" ]
              routes:
              - match: { prefix: /old }
                redirect: { path_redirect: /new }
              - match: { prefix: /dyn }
                route: { cluster_header: x-cluster }
              - match: { prefix: / }
                route: { cluster: extension }
          http_filters:
          - name: envoy.filters.http.stateful_session
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.stateful_session.v3.StatefulSession
              session_state:
                name: envoy.http.stateful_session.cookie
                typed_config:
                  "@type": type.googleapis.com/envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState
                  cookie: { name: stuck, path: /, ttl: 120s }
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  - address: { socket_address: { address: 127.0.0.1, port_value: TCP } }
    filter_chains:
    - filters:
      - name: tcp
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: tcp
          cluster: maglev
          idle_timeout: 300s
          max_connect_attempts: 3
          hash_policy: [ { source_ip: {} } ]
  clusters:
  - name: ring
    connect_timeout: 0.25s
    lb_policy: RING_HASH
    ring_hash_lb_config: { minimum_ring_size: 4096, hash_function: MURMUR_HASH_2 }
    load_assignment: { cluster_name: ring, endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 9001 } } }, load_balancing_weight: 5 }, { endpoint: { address: { socket_address: { address: "::1", port_value: 9002 } } } } ] }, { priority: 1, lb_endpoints: [ { endpoint: { address: { pipe: { path: /tmp/nobody.sock } } } } ] } ] }
  - name: maglev
    lbPolicy: maglev
    maglev_lb_config: { table_size: 251 }
    load_assignment: { cluster_name: maglev, endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 9001 } } }, health_status: DRAINING } ] } ] }
  - name: least
    connect_timeout: 1s
    lb_policy: LEAST_REQUEST
    least_request_lb_config: { choice_count: 5, slow_start_config: { slow_start_window: 60s } }
    circuit_breakers: { thresholds: [ { max_connections: 100, max_pending_requests: 50, max_requests: 200, max_retries: 7, retry_budget: { budget_percent: { value: 25 } } }, { priority: HIGH, max_requests: 9 } ], per_host_thresholds: [ { max_connections: 4 } ] }
    outlier_detection: { consecutive_5xx: 7, max_ejection_percent: 50 }
    health_checks: [ { timeout: 1s, interval: 200s, unhealthy_threshold: 3, healthy_threshold: 2, http_health_check: { path: /health, expected_statuses: [ { start: 200, end: 300 } ] } } ]
    common_lb_config: { healthy_panic_threshold: { value: 0 } }
    load_assignment: { cluster_name: least, endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 9003 } } }, load_balancing_weight: 3 } ] } ] }
    transport_socket: { name: tls, typed_config: { "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, sni: x } }
  - name: rr
    connect_timeout: 1s
    lb_policy: ROUND_ROBIN
    outlier_detection: {}
    health_checks: [ { timeout: 1s, interval: 200s, unhealthy_threshold: 3, healthy_threshold: 2, tcp_health_check: {} } ]
    load_assignment: { cluster_name: rr, endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 9004 } } } } ] } ] }
  - name: extension
    type: STRICT_DNS
    connect_timeout: 1s
    load_balancing_policy: { policies: [ { typed_extension_config: { name: least, typed_config: { "@type": type.googleapis.com/envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest, choice_count: 3 } } } ] }
    load_assignment: { cluster_name: extension, endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: localhost, port_value: 9005 } } }, load_balancing_weight: 2 } ] } ] }
  - name: random
    lb_policy: RANDOM
    load_assignment: { cluster_name: random, endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 9006 } } } } ] } ] }
"#;

pub fn start(folder: &std::path::Path, config: &str) -> Running {
    let path = folder.join("envoy.yaml");
    std::fs::write(&path, config).expect("config");
    let child = Command::new(program("envoy"))
        .args(["--concurrency", "1", "--disable-hot-restart", "-l", "error", "-c"])
        .arg(&path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("envoy");
    Running(child)
}

#[test]
fn a_file_says_what_the_running_envoy_says() {
    let folder = tempfile::tempdir().expect("folder");
    let (admin, web, tcp) = (free_port(), free_port(), free_port());
    let config = CONFIG
        .replace("x: &unused\n", "")
        .replace("ADMIN", &admin.to_string())
        .replace("WEB", &web.to_string())
        .replace("port_value: TCP", &format!("port_value: {tcp}"));
    let read = |name: &str, text: &str| envoy::parse(&[Source::new(name, text)], &mut NoFiles, None);
    let file = read("envoy.yaml", &config);
    assert_eq!(errors(&file), Vec::<&str>::new());
    let _running = start(folder.path(), &config);
    let plain = get_soon(admin, "/config_dump");
    let dump = read("dump.json", &plain);
    assert!(dump.version.as_deref().is_some_and(|version| version.starts_with("1.")), "{:?}", dump.version);
    let (file, dump) = (essence(file), essence(dump));
    for (ours, theirs) in file.pools.iter().zip(&dump.pools) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(file, dump);
    let eds = essence(read("dump.json", &get(admin, "/config_dump?include_eds").expect("dump")));
    assert_eq!(file, eds);
    let clusters = envoy::state(&get(admin, "/clusters?format=json").expect("clusters")).expect("state");
    let lines = envoy::state(&get(admin, "/clusters").expect("clusters")).expect("state");
    let sorted = |mut state: State| {
        state.pools.sort_by(|a, b| a.name.cmp(&b.name));
        state
    };
    let (clusters, lines) = (sorted(clusters), sorted(lines));
    assert_eq!(clusters, lines, "both forms of /clusters say the same");
    assert_eq!(clusters.pools.len(), file.pools.len());
    for pool in file.pools.iter().filter(|pool| pool.name != "extension") {
        let state = clusters.pool(&pool.name).expect("pool");
        let ours: Vec<_> = pool.servers.iter().map(|s| (s.address.clone(), s.configured_weight(), s.admin)).collect();
        let theirs: Vec<_> = state.servers.iter().map(|s| (s.address.clone().unwrap_or_default(), s.weight, s.admin)).collect();
        assert_eq!(ours, theirs, "{}", pool.name);
    }
    let least = &clusters.pool("least").expect("pool").servers[0];
    assert_eq!((least.weight, least.health), (3, Some(Health::Down)), "nobody listens there");
}

const HCM: &str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const TCP: &str = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";

fn base() -> Value {
    let endpoint = |port: u16| json!({"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}});
    json!({"static_resources": {
        "listeners": [{"name": "web", "address": {"socket_address": {"address": "127.0.0.1", "port_value": free_port()}},
            "filter_chains": [{"filters": [{"name": "http", "typed_config": {"@type": HCM, "stat_prefix": "x",
                "route_config": {"name": "r", "virtual_hosts": [{"name": "a", "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "app"}}]}]},
                "http_filters": [{"name": "envoy.filters.http.router",
                    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}]}}]}]}],
        "clusters": [{"name": "app", "connect_timeout": "1s", "type": "STATIC",
            "load_assignment": {"cluster_name": "app", "endpoints": [{"lb_endpoints": [endpoint(9001), endpoint(9002)]}]}}]}})
}

/// One way in which a config differs from one that is right; whether it is right still is Envoy's to say.
fn variants() -> Vec<(String, Value)> {
    const CLUSTER: &str = "/static_resources/clusters/0";
    const LISTENER: &str = "/static_resources/listeners/0";
    const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
    const HOST: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts/0";
    const ROUTE: &str =
        "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts/0/routes/0";
    const ENDPOINT: &str = "/static_resources/clusters/0/load_assignment/endpoints/0/lb_endpoints/0";
    let mut found = vec![("base".to_owned(), base())];
    let mut set = |at: &str, name: &str, value: Value| {
        let mut config = base();
        let said = format!("{name} = {value} at {at}");
        config.pointer_mut(at).expect("a node").as_object_mut().expect("a map").insert(name.to_owned(), value);
        found.push((said, config));
    };
    let check = |name: &str, value: Value| {
        let mut check = json!({"timeout": "1s", "interval": "2s", "unhealthy_threshold": 3, "healthy_threshold": 2,
            "http_health_check": {"path": "/h"}});
        check[name] = value;
        json!([check])
    };
    for weight in [0, 1, 128, u32::MAX] {
        set(ENDPOINT, "load_balancing_weight", json!(weight));
    }
    for word in ["round_robin", "MAGLEV", "FASTEST", "CLUSTER_PROVIDED"] {
        set(CLUSTER, "lb_policy", json!(word));
    }
    set(CLUSTER, "lb_policy", json!(2));
    for word in ["STRICT_DNS", "LOGICAL_DNS", "ORIGINAL_DST", "EDS", "MAGIC"] {
        set(CLUSTER, "type", json!(word));
    }
    for time in ["0s", "1m", "0.5s", "-1s", "5"] {
        set(CLUSTER, "connect_timeout", json!(time));
    }
    set(CLUSTER, "name", json!(""));
    set(CLUSTER, "connect_timeout", Value::Null);
    set(CLUSTER, "load_assignment", Value::Null);
    for (name, value) in [
        ("timeout", Value::Null),
        ("interval", Value::Null),
        ("interval", json!("0s")),
        ("unhealthy_threshold", Value::Null),
        ("unhealthy_threshold", json!(0)),
        ("healthy_threshold", Value::Null),
        ("http_health_check", Value::Null),
        ("http_health_check", json!({})),
        ("interval_jitter", json!("1s")),
    ] {
        set(CLUSTER, "health_checks", check(name, value));
    }
    for share in [0, 100, 101, -1] {
        set(CLUSTER, "common_lb_config", json!({"healthy_panic_threshold": {"value": share}}));
    }
    for outlier in
        [json!({}), json!({"max_ejection_percent": 101}), json!({"interval": "0s"}), json!({"base_ejection_time": "0s"})]
    {
        set(CLUSTER, "outlier_detection", outlier);
    }
    for breaker in [json!({"max_requests": -1}), json!({"priority": "LOW"}), json!({"max_requests": 1})] {
        set(CLUSTER, "circuit_breakers", json!({"thresholds": [breaker]}));
    }
    let policy =
        |name: &str, config: Value| json!({"policies": [{"typed_extension_config": {"name": name, "typed_config": config}}]});
    let maglev = "type.googleapis.com/envoy.extensions.load_balancing_policies.maglev.v3.Maglev";
    set(CLUSTER, "load_balancing_policy", policy("m", json!({"@type": maglev})));
    set(CLUSTER, "load_balancing_policy", policy("m", json!({"@type": maglev, "table_size": 65536})));
    set(CLUSTER, "load_balancing_policy", json!({"policies": []}));
    for domains in [json!([]), json!(["*", "*"]), json!(["a.example", "A.example"]), json!(["a.example", "b.example"])] {
        set(HOST, "domains", domains);
    }
    for matched in [Value::Null, json!({}), json!({"prefix": ""}), json!({"path": "/x"})] {
        set(ROUTE, "match", matched);
    }
    for route in [
        Value::Null,
        json!({}),
        json!({"cluster": "nobody"}),
        json!({"cluster": "app", "timeout": "-1s"}),
        json!({"cluster": "app", "retry_policy": {"num_retries": -1}}),
        json!({"cluster": "app", "request_mirror_policies": [{"cluster": "nobody"}]}),
        json!({"cluster_header": "x"}),
        json!({"weighted_clusters": {"clusters": []}}),
        json!({"weighted_clusters": {"clusters": [{"name": "app"}]}}),
        json!({"weighted_clusters": {"clusters": [{"name": "app", "weight": 0}]}}),
        json!({"weighted_clusters": {"clusters": [{"name": "app", "weight": 0}, {"name": "app", "weight": 1}]}}),
        json!({"weighted_clusters": {"clusters": [{"name": "nobody", "weight": 1}]}}),
    ] {
        set(ROUTE, "route", route);
    }
    set(MANAGER, "route_config", Value::Null);
    set(MANAGER, "stat_prefix", Value::Null);
    set(LISTENER, "address", Value::Null);
    set(LISTENER, "filter_chains", Value::Null);
    for proxy in [
        json!({"cluster": "nobody"}),
        json!({}),
        json!({"weighted_clusters": {"clusters": [{"name": "app", "weight": 0}]}}),
        json!({"weighted_clusters": {"clusters": [{"name": "app", "weight": 1}]}}),
    ] {
        let mut proxy = proxy;
        proxy["@type"] = json!(TCP);
        proxy["stat_prefix"] = json!("t");
        set(LISTENER, "filter_chains", json!([{"filters": [{"name": "tcp", "typed_config": proxy}]}]));
    }
    let mut edit = |said: &str, change: &dyn Fn(&mut Value)| {
        let mut config = base();
        change(&mut config);
        found.push((said.to_owned(), config));
    };
    let again = |config: &mut Value, at: &str| {
        let list = config.pointer_mut(at).and_then(Value::as_array_mut).expect("a list");
        list.push(list[0].clone());
    };
    edit("a cluster twice", &|config| again(config, "/static_resources/clusters"));
    edit("a listener twice", &|config| again(config, "/static_resources/listeners"));
    edit("a filter chain twice", &|config| again(config, "/static_resources/listeners/0/filter_chains"));
    edit("an endpoint twice", &|config| again(config, "/static_resources/clusters/0/load_assignment/endpoints/0/lb_endpoints"));
    edit("a name for a number", &|config| {
        config[&"static_resources"]["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]
            ["socket_address"]["address"] = json!("app.example");
    });
    edit("a port that is none", &|config| {
        config["static_resources"]["listeners"][0]["address"]["socket_address"]["port_value"] = json!(70_000);
    });
    edit("a ring too small", &|config| {
        let cluster = &mut config["static_resources"]["clusters"][0];
        cluster["lb_policy"] = json!("RING_HASH");
        cluster["ring_hash_lb_config"] = json!({"minimum_ring_size": 2048, "maximum_ring_size": 1024});
    });
    edit("one choice", &|config| {
        let cluster = &mut config["static_resources"]["clusters"][0];
        cluster["lb_policy"] = json!("LEAST_REQUEST");
        cluster["least_request_lb_config"] = json!({"choice_count": 1});
    });
    edit("an odd priority", &|config| {
        config["static_resources"]["clusters"][0]["load_assignment"]["endpoints"][0]["priority"] = json!(129);
    });
    edit("a priority", &|config| {
        config["static_resources"]["clusters"][0]["load_assignment"]["endpoints"][0]["priority"] = json!(1);
    });
    edit("camel case", &|config| {
        let cluster = config["static_resources"]["clusters"][0].as_object_mut().expect("a map");
        let timeout = cluster.remove("connect_timeout").expect("a timeout");
        cluster.insert("connectTimeout".into(), timeout);
    });
    found
}

#[test]
fn what_envoy_refuses_we_flag_and_what_it_takes_we_do_not() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("envoy.json");
    let variants = variants();
    let mut differ = Vec::new();
    let mut refused = 0;
    for (said, config) in &variants {
        let text = serde_json::to_string_pretty(config).expect("JSON");
        std::fs::write(&path, &text).expect("config");
        let verdict = Command::new(program("envoy"))
            .args(["--mode", "validate", "-l", "critical", "-c"])
            .arg(&path)
            .output()
            .expect("envoy");
        let model = envoy::parse(&[Source::new("envoy.json", text)], &mut NoFiles, None);
        refused += usize::from(!verdict.status.success());
        if verdict.status.success() != errors(&model).is_empty() {
            differ.push(format!("{said}: Envoy {}, we say {:?}", String::from_utf8_lossy(&verdict.stderr), errors(&model)));
        }
    }
    assert!(differ.is_empty(), "{} of {} differ:\n{}", differ.len(), variants.len(), differ.join("\n"));
    assert!(refused > 30 && variants.len() - refused > 20, "{refused} of {} are refused", variants.len());
}
