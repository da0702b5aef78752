use proptest::prelude::*;

use super::super::model::{CheckKind, Family, HashKey, Resolution, Target};
use super::super::source::NoFiles;
use super::*;

fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/caddy/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn read(text: &str) -> Model {
    parse(&[Source::new("caddy.json", text)], &mut NoFiles, None)
}

fn told(model: &Model, gravity: Gravity) -> Vec<String> {
    let grave = model.notices.iter().filter(|notice| notice.gravity >= gravity);
    grave.map(|notice| format!("{}: {}", notice.place.line(), notice.text)).collect()
}

/// A config with one proxy and its further fields.
fn proxy(fields: &str) -> Model {
    let handle = format!("{{\"handler\": \"reverse_proxy\", {fields}}}");
    read(&format!(
        "{{\"apps\": {{\"http\": {{\"servers\": {{\"s\": {{\"listen\": [\":443\"], \"routes\": [{{\"handle\": [{handle}]}}]}}}}}}}}}}"
    ))
}

const TWO: &str = "\"upstreams\": [{\"dial\": \"127.0.0.1:1\"}, {\"dial\": \"app.example:2\", \"max_requests\": 7}]";

#[test]
fn routes_are_followed_to_their_proxies() {
    let model = read(&fixture("admin_config.json"));
    assert_eq!(told(&model, Gravity::Note), Vec::<String>::new());
    assert_eq!(model.process.admin[0].address, "127.0.0.1:2019");
    assert_eq!((model.listeners[0].binds[0].address.as_str(), model.listeners[0].binds[0].tls), ("127.0.0.1:8086", false));
    let routes: Vec<_> = model.routes.iter().map(|route| route.condition.as_deref().unwrap_or_default()).collect();
    assert_eq!(routes, ["host 127.0.0.1; path /api*", "host 127.0.0.1"]);
    assert_eq!(model.pools[0].name, "srv0: host 127.0.0.1; path /api*");
    let [sticky, weighted] = model.pools.as_slice() else { panic!("{:?}", model.pools) };
    assert_eq!((sticky.algorithm.name.as_deref(), sticky.algorithm.family), (Some("cookie"), Family::Random));
    assert_eq!((sticky.persistence[0].key.as_str(), sticky.servers[0].slots.as_ref().map(|most| most.value)), ("srv", Some(64)));
    let passive = sticky.passive.as_ref().expect("passive check");
    assert_eq!((passive.max_fails, passive.out_ms), (Some(3), Some(10_000)));
    let weights: Vec<_> = weighted.servers.iter().map(|server| server.configured_weight()).collect();
    assert_eq!((weights, weighted.algorithm.family), (vec![5, 1, 1], Family::RoundRobin));
    assert_eq!(weighted.retry.count.as_ref().map(|count| count.value), Some(2));
    let check = weighted.check.as_ref().expect("check");
    assert_eq!((check.request.as_deref(), check.interval_ms, check.timeout_ms), (Some("/health"), Some(1000), Some(5000)));
}

#[test]
fn policies_have_their_families_and_defaults() {
    let with = |policy: &str| {
        let model = proxy(&format!("{TWO}, \"load_balancing\": {{\"selection_policy\": {policy}}}"));
        assert_eq!(told(&model, Gravity::Note), Vec::<String>::new(), "{policy}");
        model.pools[0].algorithm.clone()
    };
    let default = proxy(TWO).pools[0].algorithm.clone();
    assert_eq!((default.name.as_deref(), default.family, default.written), (Some("random"), Family::Random, false));
    for (policy, family, key) in [
        ("{\"policy\": \"round_robin\"}", Family::RoundRobin, None),
        ("{\"policy\": \"least_conn\"}", Family::LeastConnections, None),
        ("{\"policy\": \"first\"}", Family::First, None),
        ("{\"policy\": \"random_choose\", \"choose\": 3}", Family::Random, None),
        ("{\"policy\": \"ip_hash\"}", Family::Hash, Some(HashKey::SourceAddress)),
        ("{\"policy\": \"uri_hash\"}", Family::Hash, Some(HashKey::Uri)),
        (
            "{\"policy\": \"header\", \"field\": \"X\", \"fallback\": {\"policy\": \"first\"}}",
            Family::Hash,
            Some(HashKey::Header),
        ),
        ("{\"policy\": \"cookie\", \"fallback\": {\"policy\": \"least_conn\"}}", Family::LeastConnections, None),
    ] {
        let found = with(policy);
        assert_eq!((found.family, found.hash.map(|hash| hash.key)), (family, key), "{policy}");
    }
    let pool = &proxy(TWO).pools[0];
    assert_eq!(
        (pool.servers[1].slots.as_ref().map(|most| most.value), pool.servers[1].resolution),
        (Some(7), Resolution::Followed)
    );
    assert!(pool.check.is_none() && pool.passive.is_none(), "Caddy checks nothing unless it is asked");
    assert_eq!(proxy(TWO).process.admin[0].address, "localhost:2019");
}

#[test]
fn durations_are_nanoseconds_or_words() {
    for time in ["2500000000", "\"2.5s\""] {
        let model = proxy(&format!("{TWO}, \"transport\": {{\"protocol\": \"http\", \"dial_timeout\": {time}, \"tls\": {{}}}}"));
        let pool = &model.pools[0];
        assert_eq!(pool.timeouts.connect.as_ref().map(|time| time.value), Some(2500));
        assert_eq!((pool.servers[0].tls, pool.servers[0].tls_verified), (true, Some(true)));
    }
    let model = proxy(&format!("{TWO}, \"transport\": {{\"protocol\": \"http\", \"dial_timeout\": \"soon\"}}"));
    assert!(told(&model, Gravity::Error)[0].contains("`dial_timeout` has to be a duration"), "{:?}", model.notices);
}

#[test]
fn weights_that_do_not_fit_and_missing_upstreams_are_told() {
    let model = proxy(&format!(
        "{TWO}, \"load_balancing\": {{\"selection_policy\": {{\"policy\": \"weighted_round_robin\", \"weights\": [3]}}}}"
    ));
    assert!(told(&model, Gravity::Warning)[0].contains("1 weights for 2 upstreams"), "{:?}", model.notices);
    let weights: Vec<_> = model.pools[0].servers.iter().map(|server| server.configured_weight()).collect();
    assert_eq!(weights, [3, 0]);
    assert!(told(&proxy("\"upstreams\": []"), Gravity::Warning)[0].contains("no upstreams"));
    let dynamic = proxy("\"dynamic_upstreams\": {\"source\": \"srv\"}");
    assert!(dynamic.pools[0].discovered && told(&dynamic, Gravity::Warning).is_empty());
}

#[test]
fn addresses_are_normalised() {
    for (said, want) in [
        (":443", "*:443"),
        ("0.0.0.0:80", "*:80"),
        ("127.0.0.1:80", "127.0.0.1:80"),
        ("tcp/:80", "*:80"),
        ("udp/[::1]:53", "[::1]:53"),
        ("unix//run/x.sock|0600", "unix:/run/x.sock"),
        ("app.example:80/x", "app.example:80/x"),
    ] {
        assert_eq!(address(said).0, want, "{said}");
    }
}

#[test]
fn a_named_route_that_calls_itself_ends() {
    let text = "{\"apps\": {\"http\": {\"servers\": {\"s\": {\"listen\": [\":80\"], \"named_routes\": {\"a\": {\"handle\": [{\"handler\": \"invoke\", \"name\": \"a\"}, {\"handler\": \"static_response\", \"status_code\": 404}]}}, \"routes\": [{\"handle\": [{\"handler\": \"invoke\", \"name\": \"a\"}, {\"handler\": \"invoke\", \"name\": \"b\"}]}]}}}}}";
    let model = read(text);
    assert!(told(&model, Gravity::Error)[0].contains("named route b"), "{:?}", model.notices);
    assert!(model.routes.len() < 100 && model.routes[0].target == Target::Other { said: "static_response 404".into() });
    // Two calls of itself each time would double with each level.
    let twice =
        text.replace("{\"handler\": \"static_response\", \"status_code\": 404}", "{\"handler\": \"invoke\", \"name\": \"a\"}");
    assert!(read(&twice).notices.len() < 1_000);
}

#[test]
fn a_caddyfile_is_known_and_says_what_to_run() {
    let text = fixture("Caddyfile");
    assert!(is_config(&text));
    let model = read(&text);
    assert!(model.pools.is_empty() && told(&model, Gravity::Note)[0].contains("caddy adapt"), "{:?}", model.notices);
    assert!(is_caddyfile("app.example\nreverse_proxy 127.0.0.1:80\n"));
    for other in [
        "upstream a { server b; }\nserver { root /x; }\n",
        "backend a\n  server b c:1\n",
        "http:\n  routers: {}\n",
        "root: 1\ntls: 2\n",
        "{\"apps\": {}}",
        "",
    ] {
        assert!(!is_caddyfile(other), "{other}");
    }
}

#[test]
fn configs_of_others_are_not_taken_for_caddys() {
    assert!(is_config(&fixture("admin_config.json")));
    for other in [
        "",
        "{}",
        "[]",
        "{\"static_resources\": {}}",
        "{\"admin\": {\"address\": {}}}",
        "{\"routers\": {\"a@file\": {}}}",
        "apps: {}",
    ] {
        assert!(!is_config(other), "{other}");
    }
}

#[test]
fn the_running_state_names_each_address() {
    let state = state(&fixture("upstreams.json")).expect("state");
    let names: Vec<_> = state.pools[0].servers.iter().map(|server| server.name.as_str()).collect();
    assert_eq!(names, ["127.0.0.1:9001", "127.0.0.1:9002", "127.0.0.1:9003"]);
    for wrong in ["", "{}", "<html>"] {
        assert!(super::state(wrong).is_err(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(?s).{0,300}") {
        read(&text);
        is_config(&text);
        state(&text).ok();
    }

    #[test]
    fn no_damaged_config_makes_it_panic(at in 0_usize..6000, len in 0_usize..300, double: bool) {
        let text = fixture("admin_config.json");
        let (at, end) = (at.min(text.len()), (at + len).min(text.len()));
        let damaged = if double { format!("{}{}", &text[..end], &text[at..]) } else { format!("{}{}", &text[..at], &text[end..]) };
        read(&damaged);
    }
}

const LAYER4: &str = r#"{"apps": {
  "http": {"servers": {"srv0": {"listen": [":80"], "routes": [{"handle": [{"handler": "reverse_proxy", "upstreams": [{"dial": "10.0.0.1:80"}]}]}]}}},
  "layer4": {"servers": {
    "srv0": {"listen": ["tcp/:5432", "127.0.0.1:5433"], "routes": [
      {"match": [{"tls": {"sni": ["db.example"]}}], "handle": [{"handler": "tls"}, {"handler": "proxy",
        "upstreams": [{"dial": ["10.0.0.1:5432"], "max_connections": 50}, {"dial": ["db.internal:5432"], "tls": {"insecure_skip_verify": true}}],
        "health_checks": {"active": {"interval": "5s", "port": 5434}, "passive": {"fail_duration": "20s", "max_fails": 3, "unhealthy_connection_count": 9}},
        "load_balancing": {"selection": {"policy": "least_conn"}, "try_duration": "2s"}}]},
      {"handle": [{"handler": "subroute", "routes": [{"match": [{"ssh": {}}], "handle": [{"handler": "proxy", "upstreams": [{"dial": ["10.0.0.2:22"]}]}]},
        {"handle": [{"handler": "echo"}]}]}]}]},
    "dns": {"listen": ["udp/:53"], "routes": [{"handle": [{"handler": "proxy", "upstreams": [{"dial": ["udp/10.0.0.3:53"]}]}]}]}}}}}"#;

#[test]
fn the_layer_4_app_has_listeners_routes_and_pools() {
    let model = parse(&[Source::new("caddy.json", LAYER4)], &mut crate::balancer::source::NoFiles, None);
    assert_eq!(model.notices, []);
    let listeners: Vec<_> =
        model.listeners.iter().map(|l| (l.name.as_str(), l.mode, l.binds[0].address.as_str(), l.binds[0].tls)).collect();
    let expected =
        [("srv0", Mode::Http, "*:80", false), ("srv0 (layer4)", Mode::Tcp, "*:5432", true), ("dns", Mode::Udp, "*:53", false)];
    assert_eq!(listeners, expected);
    let routes: Vec<_> = model.routes[1..]
        .iter()
        .map(|r| (r.listener.as_str(), r.condition.as_deref(), r.target.pools().collect::<Vec<_>>().join(",")))
        .collect();
    let tls = "srv0 (layer4): tls {sni: [db.example]}";
    let expected = [
        ("srv0 (layer4)", Some("tls {sni: [db.example]}"), tls.to_owned()),
        ("srv0 (layer4)", Some("ssh {}"), "srv0 (layer4): ssh {}".to_owned()),
        ("srv0 (layer4)", None, String::new()),
        ("dns", None, "dns".to_owned()),
    ];
    assert_eq!(routes, expected);
    let pool = model.pool(tls).expect("a pool");
    assert_eq!((pool.mode, pool.algorithm.family, pool.algorithm.written), (Mode::Tcp, Family::LeastConnections, true));
    assert_eq!(pool.retry.within.as_ref().map(|within| within.value), Some(2000));
    let [db, other] = pool.servers.as_slice() else { panic!("{:?}", pool.servers) };
    let check = db.check.as_ref().expect("a check");
    assert_eq!(
        (check.kind, check.interval_ms, check.timeout_ms, check.request.as_deref()),
        (CheckKind::Tcp, Some(5000), Some(5000), Some("port 5434"))
    );
    assert_eq!(db.passive.as_ref().map(|p| (p.max_fails, p.window_ms)), Some((Some(3), Some(20_000))));
    assert_eq!((db.slots.as_ref().map(|s| s.value), other.slots.as_ref().map(|s| s.value)), (Some(50), Some(9)));
    assert_eq!((db.tls, other.tls, other.tls_verified, other.resolution), (false, true, Some(false), Resolution::Followed));
    assert_eq!(
        model.pool("dns").map(|pool| (pool.mode, pool.algorithm.family, pool.servers[0].address.clone())),
        Some((Mode::Udp, Family::Random, "10.0.0.3:53".into()))
    );

    let broken = LAYER4.replace("\"dial\": [\"10.0.0.2:22\"]", "\"x\": 1").replace("\"echo\"", "\"magic\"");
    let told: Vec<_> = parse(&[Source::new("caddy.json", broken)], &mut crate::balancer::source::NoFiles, None).notices;
    let told: Vec<_> = told.iter().map(|n| (n.gravity, n.text.split(' ').take(4).collect::<Vec<_>>().join(" "))).collect();
    assert!(told.contains(&(Gravity::Error, "an upstream lacks `dial`,".into())), "{told:?}");
    assert!(told.contains(&(Gravity::Note, "layer4 handler magic is".into())), "{told:?}");
    let deep = format!(
        "{}{}",
        r#"{"apps":{"layer4":{"servers":{"a":{"listen":[":1"],"routes":["#,
        r#"{"handle":[{"handler":"subroute","routes":["#.repeat(90)
    );
    parse(&[Source::new("caddy.json", deep)], &mut crate::balancer::source::NoFiles, None);
}
