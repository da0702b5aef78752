use proptest::prelude::*;

use super::super::model::{CheckKind, Family, HashMethod, Mode, Resolution, Target};
use super::super::source::NoFiles;
use super::super::state::Health;
use super::*;

fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/traefik/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn read(texts: &[(&str, &str)]) -> Model {
    let sources: Vec<_> = texts.iter().map(|(name, text)| Source::new(*name, *text)).collect();
    parse(&sources, &mut NoFiles, None)
}

fn told(model: &Model, gravity: Gravity) -> Vec<String> {
    let grave = model.notices.iter().filter(|notice| notice.gravity >= gravity);
    grave.map(|notice| format!("{}: {}", notice.place.line(), notice.text)).collect()
}

#[test]
fn static_and_dynamic_files_are_one_config() {
    let (main, dynamic) = (fixture("traefik.yml"), fixture("traefik-dyn.yml"));
    let model = read(&[("traefik.yml", &main), ("traefik-dyn.yml", &dynamic)]);
    assert_eq!(told(&model, Gravity::Note), Vec::<String>::new());
    let binds: Vec<_> =
        model.listeners.iter().map(|listener| (listener.name.as_str(), listener.binds[0].address.as_str())).collect();
    assert_eq!(binds, [("web", "127.0.0.1:8084"), ("traefik", "127.0.0.1:8085")]);
    let admin = &model.process.admin[0];
    assert_eq!((admin.address.as_str(), admin.guarded), ("127.0.0.1:8085", false));
    let routes: Vec<_> =
        model.routes.iter().map(|route| (route.condition.as_deref(), route.target.pools().collect::<Vec<_>>())).collect();
    assert_eq!(
        routes,
        [(Some("PathPrefix(`/api`)"), vec!["api"]), (Some("PathPrefix(`/p2c`)"), vec!["p2c"]), (None, vec!["app"])]
    );
    let app = model.pool("app").expect("app");
    let check = app.check.as_ref().expect("check");
    assert_eq!((check.kind, check.interval_ms, check.timeout_ms, check.fall), (CheckKind::Http, Some(1000), Some(500), Some(1)));
    let weights: Vec<_> = app.servers.iter().map(|server| (server.name.as_str(), server.configured_weight())).collect();
    assert_eq!(weights, [("http://127.0.0.1:9001", 5), ("http://127.0.0.1:9002", 1), ("http://127.0.0.1:9003", 1)]);
    assert_eq!((app.servers[0].place.file(), app.servers[0].place.line()), (1, 10));
    let sticky = &model.pool("api").expect("api").persistence[0];
    assert!(sticky.key == "SRV" && sticky.http_only && !sticky.secure);
    let algorithm = &model.pool("p2c").expect("p2c").algorithm;
    assert_eq!((algorithm.family, algorithm.choices, algorithm.written), (Family::Random, Some(2), true));
    // Alone, the static file says what it misses.
    let alone = read(&[("traefik.yml", &main)]);
    assert!(told(&alone, Gravity::Note)[0].contains("traefik-dyn.yml"), "{:?}", alone.notices);
}

#[test]
fn the_running_one_says_what_the_files_say() {
    let (dynamic, raw) = (fixture("traefik-dyn.yml"), fixture("rawdata.json"));
    let (files, running) = (read(&[("a.yml", &dynamic)]), read(&[("raw.json", &raw)]));
    assert_eq!(told(&running, Gravity::Note), Vec::<String>::new());
    assert_eq!(running.routes, files.routes);
    for pool in &running.pools {
        let mut ours = files.pool(&pool.name).expect("pool").clone();
        ours.algorithm.written = true;
        assert_eq!(*pool, ours);
    }
    assert!(running.process.admin.iter().any(|admin| admin.what == "API" && !admin.guarded));
    let state = state(&raw).expect("state");
    let app = state.pool("app").expect("app");
    assert_eq!((app.servers[0].weight, app.servers[0].health), (5, Some(Health::Up)));
    assert_eq!(state.pool("api").expect("api").servers[0].health, Some(Health::Unchecked));
    for wrong in ["", "[]", "{\"a\": 1}", "<html>"] {
        assert!(super::state(wrong).is_err(), "{wrong}");
    }
    let entries = read(&[("entrypoints.json", &fixture("entrypoints.json"))]);
    assert_eq!(entries.listeners[1].timeouts.keepalive.as_ref().map(|time| time.value), Some(180_000));
}

#[test]
fn weights_of_services_over_services_are_shares_of_the_whole() {
    let text = "
[http.routers.a]
rule = 'Host(`a.example`)'
service = 'top'
[http.services.top.weighted]
services = [ { name = 'one', weight = 3 }, { name = 'inner' } ]
[http.services.inner.weighted]
services = [ { name = 'two', weight = 1 }, { name = 'three', weight = 2 } ]
[http.services.one.loadBalancer]
servers = [ { url = 'http://a.example' } ]
[http.services.two.loadBalancer]
strategy = 'hrw'
servers = [ { url = 'https://[::1]/x' } ]
[http.services.three.loadBalancer]
servers = [ { url = 'http://10.0.0.1:80' } ]
";
    let model = read(&[("dyn.toml", text)]);
    assert_eq!(told(&model, Gravity::Note), Vec::<String>::new());
    let Target::Weighted { pools } = &model.routes[0].target else { panic!("{:?}", model.routes) };
    let shares: Vec<_> = pools.iter().map(|share| (share.pool.as_str(), share.weight)).collect();
    assert_eq!(shares, [("one", 9), ("two", 1), ("three", 2)]);
    assert_eq!(model.listeners[0].name, "*", "no entry point is known");
    let server = &model.pool("two").expect("two").servers[0];
    assert_eq!((server.address.as_str(), server.tls, server.tls_verified), ("[::1]:443", true, Some(true)));
    assert_eq!(model.pool("two").expect("two").algorithm.hash.as_ref().map(|hash| hash.method), Some(HashMethod::Rendezvous));
    assert_eq!(model.pool("one").expect("one").servers[0].resolution, Resolution::Followed);
}

#[test]
fn services_over_services_without_end_are_bounded() {
    let mut text = "http:\n  routers: { a: { rule: x, service: w40 } }\n  services:\n    w0: { loadBalancer: {} }\n".to_owned();
    for level in 1..=40 {
        let below = format!("{{ name: w{}, weight: 4000000000 }}", level - 1);
        text.push_str(&format!("    w{level}: {{ weighted: {{ services: [ {} ] }} }}\n", vec![below; 30].join(", ")));
    }
    let model = read(&[("dyn.yml", &text)]);
    assert!(told(&model, Gravity::Error)[0].contains("over too many others"), "{:?}", model.notices);
    let model = read(&[("dyn.yml", &text.replace("w40", "w10"))]);
    assert_eq!(model.routes[0].target.pools().collect::<Vec<_>>(), ["w0"]);
}

#[test]
fn what_traefik_leaves_out_without_a_word_is_told() {
    let text = "http:
  routers:
    a: { rule: 'Path(`/`)', service: nobody, middlewares: [ none ] }
    b: { rule: 'Path(`/b`)', service: loop }
  services:
    app: { loadBalancer: { servers: [ { url: 'http://127.0.0.1', weight: 0 }, { url: 'http://127.0.0.2', weight: -1 } ] } }
    loop: { weighted: { services: [ { name: loop } ] } }
    fast: { loadBalancer: { strategy: fastest, serversTransport: gone } }
";
    let model = read(&[("dyn.yml", text), ("again.yml", "http: { services: { app: { loadBalancer: {} } } }")]);
    let told = told(&model, Gravity::Warning);
    for (line, words) in [
        ("6", "weight 0 takes the server out"),
        ("6", "weight -1 takes"),
        ("8", "does not know strategy `fastest`"),
        ("3", "service nobody, which is not there"),
        ("3", "middleware none, which is not there"),
        ("7", "leads to itself"),
        ("8", "serversTransport gone"),
        ("1", "service app is there already"),
    ] {
        assert!(told.iter().any(|text| text.starts_with(&format!("{line}:")) && text.contains(words)), "{words}: {told:#?}");
    }
    let weights: Vec<_> = model.pool("app").expect("app").servers.iter().map(|server| server.effective_weight()).collect();
    assert_eq!(weights, [0, 0]);
}

#[test]
fn middlewares_and_transports_bear_on_their_pools() {
    let text = "entryPoints: { web: { address: ':80', http: { middlewares: [ auth@file ], tls: {} } }, dns: { address: ':53/udp' }, traefik: { address: ':8080' } }
api: {}
http:
  routers:
    a: { rule: 'Path(`/`)', service: app, middlewares: [ chain ], entryPoints: web }
    api: { rule: 'PathPrefix(`/api`)', service: api@internal, entryPoints: [ web ] }
  middlewares:
    auth: { basicAuth: { users: [ x ] } }
    chain: { chain: { middlewares: [ again, few ] } }
    again: { retry: { attempts: 3, retryNonIdempotentMethod: true } }
    few: { inFlightReq: { amount: 9 } }
  serversTransports:
    own: { insecureSkipVerify: true, maxIdleConnsPerHost: 5, forwardingTimeouts: { dialTimeout: 2, responseHeaderTimeout: 30s } }
  services: { app: { loadBalancer: { serversTransport: own, servers: [ { url: 'https://app.example' } ] } } }
udp:
  routers: { d: { service: app } }
  services: { app: { loadBalancer: { servers: [ { address: '10.0.0.1:53' } ] } } }
";
    let model = read(&[("traefik.yml", text)]);
    assert_eq!(told(&model, Gravity::Note), Vec::<String>::new());
    let app = model.pool("app").expect("app");
    assert_eq!(app.retry.count.as_ref().map(|count| count.value), Some(2));
    assert!(app.retry.non_idempotent);
    assert_eq!(app.limits.requests.as_ref().map(|limit| limit.value), Some(9));
    assert_eq!(app.limits.keepalive.as_ref().map(|limit| limit.value), Some(5));
    let times = [&app.timeouts.connect, &app.timeouts.request].map(|time| time.as_ref().map(|time| time.value));
    assert_eq!((times, app.servers[0].tls_verified), ([Some(2000), Some(30_000)], Some(false)));
    assert!(model.listeners[0].binds[0].tls && model.listeners[0].binds[0].address == "*:80");
    let admin = &model.process.admin[0];
    assert_eq!((admin.what.as_str(), admin.address.as_str(), admin.guarded), ("API", "*:80", true));
    let dns: Vec<_> = model
        .routes
        .iter()
        .filter(|route| route.listener == "dns")
        .map(|route| route.target.pools().collect::<Vec<_>>())
        .collect();
    assert_eq!(dns, [["app (udp)"]]);
    assert_eq!(model.listeners[1].mode, Mode::Udp);
}

#[test]
fn a_broken_file_gives_its_place_and_the_rest_of_toml() {
    let model = read(&[(
        "dyn.toml",
        "[http.services.a.loadBalancer]\nservers = [ { url = = 'x' } ]\n[http.services.b.loadBalancer]\nservers = []\n",
    )]);
    assert!(told(&model, Gravity::Error)[0].starts_with("2:"), "{:?}", model.notices);
    assert!(model.pool("b").is_some());
    let model = read(&[("dyn.yml", "http:\n  services:\n    a: { loadBalancer: {} }\n    a: { loadBalancer: {} }\n")]);
    assert!(told(&model, Gravity::Error)[0].starts_with("4: `a` is written twice"), "{:?}", model.notices);
}

#[test]
fn configs_of_others_are_not_taken_for_traefiks() {
    for name in ["traefik.yml", "traefik-dyn.yml", "rawdata.json"] {
        assert!(is_config(&fixture(name)), "{name}");
    }
    assert!(is_config("[http.routers.a]\nrule = 'x'\n"));
    for other in [
        "",
        "{}",
        "static_resources: {}",
        "{\"apps\": {\"http\": {\"servers\": {}}}}",
        "http:\n  a: 1\n",
        "global\n",
        "http {\n server {}\n}\n",
    ] {
        assert!(!is_config(other), "{other}");
    }
}

#[test]
fn chains_of_chains_are_followed_once_and_routes_do_not_multiply() {
    let mut text = "http:\n  services:\n    s: {loadBalancer: {servers: [{url: 'http://10.0.0.1'}]}}\n".to_owned();
    text.push_str("  routers:\n    r: {rule: 'Host(`a`)', service: s, middlewares: [m0]}\n  middlewares:\n    m40: {retry: {attempts: 4}}\n");
    (0..15).for_each(|n| text += &format!("    m{n}: {{chain: {{middlewares: [m{0}, m{0}, m{0}, m{0}, m40]}}}}\n", n + 1));
    let model = read(&[("a.yml", &text)]);
    assert_eq!(model.pools[0].retry.count.as_ref().map(|count| count.value), Some(3));

    let mut text = "entryPoints:\n".to_owned();
    (0..600).for_each(|n| text += &format!("  e{n}: {{address: ':{n}'}}\n"));
    text.push_str("http:\n  routers:\n");
    (0..600).for_each(|n| text += &format!("    r{n}: {{rule: 'Host(`a{n}`)', service: s}}\n"));
    let model = read(&[("a.yml", &text)]);
    assert_eq!(model.routes.len(), 166 * 600);
    assert_eq!(told(&model, Gravity::Note).iter().filter(|text| text.contains("routes")).count(), 1);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(?s).{0,300}") {
        read(&[("a.yml", &text), ("b.toml", &text), ("c.json", &text)]);
        is_config(&text);
        state(&text).ok();
    }

    #[test]
    fn no_damaged_config_makes_it_panic(at in 0_usize..4000, len in 0_usize..200, double: bool) {
        for name in ["traefik-dyn.yml", "rawdata.json"] {
            let text = fixture(name);
            let (at, end) = (at.min(text.len()), (at + len).min(text.len()));
            let damaged = if double { format!("{}{}", &text[..end], &text[at..]) } else { format!("{}{}", &text[..at], &text[end..]) };
            read(&[(name, &damaged)]);
            state(&damaged).ok();
        }
    }
}

#[test]
fn copies_have_their_share_of_all_requests() {
    let text = |percent: &str| {
        format!(
            "http:\n  routers: {{ all: {{ rule: \"PathPrefix(`/`)\", service: top, entryPoints: [web] }} }}\n  services:\n\
             \x20   top: {{ weighted: {{ services: [ {{ name: main, weight: 1 }}, {{ name: copied, weight: 3 }} ] }} }}\n\
             \x20   copied: {{ mirroring: {{ service: main, mirrors: [ {{ name: both, percent: {percent} }}, {{ name: gone, percent: 1 }} ] }} }}\n\
             \x20   both: {{ weighted: {{ services: [ {{ name: main }}, {{ name: audit }} ] }} }}\n\
             \x20   main: {{ loadBalancer: {{ servers: [ {{ url: \"http://10.0.0.1\" }} ] }} }}\n\
             \x20   audit: {{ loadBalancer: {{ servers: [ {{ url: \"http://10.0.0.2\" }} ] }} }}\n"
        )
    };
    let parse = |percent: &str| parse(&[Source::new("dynamic.yml", text(percent))], &mut NoFiles, None);
    let model = parse("40");
    let mirrors: Vec<_> = model.routes[0].mirrors.iter().map(|mirror| (mirror.pool.as_str(), mirror.percent)).collect();
    assert_eq!(mirrors, [("main", 15.0), ("audit", 15.0)], "40 % of three quarters, to two pools alike");
    assert!(model.notices.iter().any(|notice| notice.text.contains("sends copies to gone")), "{:?}", model.notices);
    let changes = crate::balancer::diff::diff(&model, &parse("80"));
    let said: Vec<_> = changes.iter().map(|change| change.sentence.as_str()).collect();
    assert_eq!(
        said,
        ["listener web: copies of the default route to main (weight 4) main (15 %), audit (15 %) → main (30 %), audit (30 %)"]
    );
    assert!(parse("101").notices.iter().any(|notice| notice.text.contains("from 0 to 100")));
}
