//! Sentences of config changes, word for word, from pairs of HAProxy configs.

use super::{Change, ChangeKind, apply, diff};
use crate::balancer::haproxy;
use crate::balancer::model::Model;
use crate::balancer::source::{NoFiles, Source};

const CONFIG: &str = "\
defaults
 mode http
 timeout connect 5s
 timeout client 30s
 timeout server 30s
frontend fe
 bind :80
 maxconn 200
 acl is_api path_beg /api
 use_backend api if is_api
 use_backend img if { path_beg /img }
 default_backend web
backend web
 balance roundrobin
 cookie S insert indirect nocache
 option httpchk GET /health
 default-server check maxconn 50 weight 100
 server web1 10.0.0.1:80 cookie a
 server web2 10.0.0.2:80 cookie b
 server web3 10.0.0.3:80 cookie c
backend api
 balance uri
 server api1 10.0.1.1:80 check
 server api2 10.0.1.2:80 check
backend img
 server img1 10.0.2.1:80
";

fn model(text: &str) -> Model {
    haproxy::parse(&[Source::new("haproxy.cfg", text)], &mut NoFiles, Some("2.8.5"))
}

fn found(before: &str, after: &str) -> Vec<Change> {
    let (old, new) = (model(before), model(after));
    let changes = diff(&old, &new);
    assert!(diff(&apply(&old, &changes), &new).is_empty(), "{changes:?}");
    changes
}

fn said(before: &str, after: &str) -> Vec<String> {
    found(before, after).into_iter().map(|change| change.sentence).collect()
}

/// [`CONFIG`] with `from` written as `to`.
fn with(from: &str, to: &str) -> Vec<String> {
    assert!(CONFIG.contains(from), "{from}");
    said(CONFIG, &CONFIG.replace(from, to))
}

const NONE: [&str; 0] = [];

#[test]
fn spelling_is_no_change() {
    assert_eq!(with("timeout connect 5s", "timeout   connect \"5000\" # why"), NONE);
    assert_eq!(with("\n", "\r\n"), NONE);
    assert_eq!(with("backend api\n balance uri", "# moved\n\nbackend api\n\tbalance 'uri'\n retries 3"), NONE);
    assert_eq!(with("api1 10.0.1.1:80 check", "api1 10.0.1.1:80 check inter 2s fall 3 rise 2 weight 1"), NONE);
    let long = |name: &str| format!("server web{name} 10.0.0.{name}:80 check maxconn 50 weight 100");
    let without = CONFIG.replace(" default-server check maxconn 50 weight 100\n", "");
    let spelled = ["1", "2", "3"].iter().fold(without, |text, n| text.replace(&format!("server web{n} 10.0.0.{n}:80"), &long(n)));
    assert_eq!(said(CONFIG, &spelled), NONE);
    let (first, second) = CONFIG.split_at(CONFIG.find("\nbackend api").expect("there") + 1);
    let parts = [Source::new("b.cfg", first), Source::new("a.cfg", second)];
    let moved = diff(&model(CONFIG), &haproxy::parse(&parts, &mut NoFiles, Some("2.8.5")));
    assert!(moved.is_empty(), "moved to another file: {moved:?}");
}

#[test]
fn servers_are_said_with_what_they_carried() {
    assert_eq!(with("weight 100", "weight 0"), ["pool web: weight of 3 of 3 servers 100 → 0, 100 % of capacity removed"]);
    assert_eq!(with("web1 10.0.0.1:80", "web1 10.0.0.1:80 weight 150"), ["pool web: web1 weight 100 → 150"]);
    assert_eq!(
        with("web1 10.0.0.1:80", "web1 10.0.0.1:80 disabled"),
        ["pool web: web1 ready → maintenance, 33 % of capacity removed"]
    );
    assert_eq!(with("10.0.0.3:80", "10.0.0.3:80 backup"), ["pool web: web3 now backup, 33 % of capacity removed"]);
    assert_eq!(
        with(" server web3 10.0.0.3:80 cookie c\n", ""),
        ["pool web: server web3 (10.0.0.3:80) removed with 33 % of capacity"]
    );
    let added = " server web4 10.0.0.4:80\nbackend api\n";
    assert_eq!(with("backend api\n", added), ["pool web: server web4 (10.0.0.4:80) added"]);
    assert_eq!(with("server web3 10.0.0.3", "server app3 10.0.0.3"), ["pool web: server web3 renamed to app3"]);
    assert_eq!(with("10.0.0.3:80", "10.0.9.3:80"), ["pool web: server web3 re-addressed 10.0.0.3:80 → 10.0.9.3:80"]);
    assert_eq!(
        with("10.0.2.1:80", "10.0.2.1:80 slowstart 30s maxqueue 10"),
        ["pool img: img1 maxqueue none → 10", "pool img: img1 slow start none → 30 s"]
    );
    let verified = "pool img: img1 now reached over TLS without a check of the certificate";
    assert_eq!(with("10.0.2.1:80", "10.0.2.1:80 ssl verify none"), [verified]);
    assert_eq!(with("10.0.2.1:80", "10.0.2.1:80 ssl verify required"), ["pool img: img1 now reached over TLS"]);
}

#[test]
fn pools_are_said_and_renames_seen() {
    assert_eq!(
        with("backend img\n server img1 10.0.2.1:80\n", ""),
        ["pool img removed, it had 1 server"],
        "the route to it stays as it is"
    );
    let added = "backend new\n server n 10.9.9.9:80\nbackend img\n";
    assert_eq!(with("backend img\n", added), ["pool new added with 1 server"]);
    assert_eq!(
        with("backend img\n", "backend pictures\n"),
        ["listener fe: route “if { path_beg /img }” still leads to img, now called pictures", "pool img renamed to pictures"]
    );
    let renamed = CONFIG.replace("backend img", "backend pictures");
    assert_eq!(said(CONFIG, &renamed), ["pool img renamed to pictures"], "with the route to it");
    assert_eq!(with("frontend fe", "frontend main"), ["listener fe renamed to main"]);
}

#[test]
fn algorithm_and_persistence() {
    assert_eq!(with("balance roundrobin", "balance leastconn"), ["pool web: algorithm roundrobin → leastconn"]);
    assert_eq!(
        with("balance uri", "balance uri\n hash-type consistent djb2"),
        ["pool api: hash method map-based → consistent, hash function sdbm → djb2"]
    );
    assert_eq!(with("balance uri", "balance source"), ["pool api: algorithm uri → source"]);
    let cookie = " cookie S insert indirect nocache\n";
    assert_eq!(with(cookie, ""), ["pool web: persistence “cookie S insert indirect nocache” removed"]);
    assert_eq!(
        with(cookie, " cookie T insert indirect nocache\n"),
        ["pool web: persistence key S → T (“cookie S insert indirect nocache” → “cookie T insert indirect nocache”)"]
    );
    assert_eq!(
        with(cookie, " stick-table type ip size 1m expire 30m\n stick on src\n"),
        ["pool web: persistence “cookie S insert indirect nocache” removed", "pool web: persistence “stick on src” added"]
    );
    assert_eq!(with("cookie a", "cookie x"), ["pool web: web1 persistence value “a” → “x”"]);
}

#[test]
fn what_is_asked_in_turn_has_an_order() {
    let turned = |a: &str, b: &str| {
        let text = |first: &str, second: &str| {
            format!("backend b\n stick-table type ip size 1m\n {first}\n {second}\n server s 10.0.0.1:80\n")
        };
        said(&text(a, b), &text(b, a))
    };
    assert_eq!(
        turned("stick on src", "stick on req.cook(S)"),
        ["pool b: order of persistence “stick on src”, “stick on req.cook(S)” → “stick on req.cook(S)”, “stick on src”"]
    );
    assert_eq!(
        turned("use-server s if { src 10.0.0.0/8 }", "use-server s if { src 10.9.0.0/16 }"),
        ["pool b: order of the use-server rules changed"]
    );
    let many = (0..6).map(|n| format!(" server s{n} 10.0.0.{n}:80\n"));
    let text = |servers: Vec<String>| format!("backend b\n balance first\n{}", servers.concat());
    assert_eq!(
        said(&text(many.clone().collect()), &text(many.rev().collect())),
        ["pool b: order of servers changed"],
        "too many to name"
    );
}

#[test]
fn many_changes_of_one_list_are_counted() {
    let text = |sticks: std::ops::Range<u32>| {
        let sticks: String = sticks.map(|n| format!(" stick on req.cook(c{n})\n")).collect();
        format!("backend b\n stick-table type ip size 1m\n{sticks} server s 10.0.0.1:80\n")
    };
    let all = said(&text(0..0), &text(0..4_000));
    assert_eq!((all.len(), all[0].as_str()), (6, "pool b: persistence “stick on req.cook(c0)” added"));
    assert_eq!(all[5], "pool b: 3995 more changes of its persistence");
}

#[test]
fn a_certificate_may_be_checked_no_longer() {
    let two = |verify: &str| {
        CONFIG.replace("check\nbackend img", &format!("check\n default-server ssl verify {verify} ca-file ca.pem\n server a 10.0.1.7:443\n server b 10.0.1.8:443\nbackend img"))
    };
    assert_eq!(said(&two("required"), &two("none")), ["pool api: certificate check of 2 of 4 servers on → off"]);
    let one = |verify: &str| CONFIG.replace("10.0.2.1:80", &format!("10.0.2.1:80 ssl verify {verify} ca-file ca.pem"));
    assert_eq!(said(&one("none"), &one("required")), ["pool img: img1 certificate check off → on"]);
}

#[test]
fn one_edit_of_many_pools_is_one_sentence_with_its_loss() {
    let text = |weight: &str, check: &str| {
        let pool = |n: usize| format!("backend b{n}\n server s1 10.0.{n}.1:80{check}{weight}\n server s2 10.0.{n}.2:80{check}\n");
        (0..7).map(pool).collect::<String>()
    };
    let before = text("", " check");
    assert_eq!(
        said(&before, &text(" weight 0", " check")),
        ["weight of 7 servers in 7 pools 1 → 0, 50 % of the capacity of each removed: b0, b1, b2, b3, b4 and 2 more"]
    );
    assert_eq!(said(&before, &text("", "")), ["14 servers in 7 pools no longer health-checked: b0, b1, b2, b3, b4 and 2 more"]);
    let shared = |server: &str| (0..6).map(|n| format!("backend b{n}\n server own 10.0.{n}.1:80\n{server}")).collect::<String>();
    assert_eq!(
        said(&shared(" server gone 10.9.9.9:80\n"), &shared("")),
        ["server gone (10.9.9.9:80) removed with 50 % of the capacity of each in 6 pools: b0, b1, b2, b3, b4 and 1 more"]
    );
    let cookies = |cookie: &str| format!("defaults\n{cookie}") + &shared("");
    assert_eq!(
        said(&cookies(" cookie S insert\n"), &cookies("")),
        ["persistence “cookie S insert” removed in 6 of 6 pools"],
        "it stood in the defaults"
    );
    let once = |maxconn: &str| {
        format!(
            "defaults\n default-server maxconn {maxconn}\nbackend a\n server a 10.0.0.1:80\nbackend b\n server b 10.0.0.2:80\n"
        )
    };
    let changes = found(&once("50"), &once("9"));
    assert_eq!(changes[0].sentence, "maxconn of 2 servers in 2 pools 50 → 9: a, b");
    let lines = |places: &[crate::balancer::source::Place]| places.iter().map(|place| place.line()).collect::<Vec<_>>();
    assert_eq!((lines(&changes[0].before), lines(&changes[0].after)), (vec![2], vec![2]));
    assert_eq!((changes[0].pool.as_deref(), changes[0].servers.len()), (None, 2));
}

#[test]
fn what_the_environment_decides_is_said_so() {
    assert_eq!(
        with("timeout server 30s", "timeout server \"${T}\"\n retries \"${R}\""),
        ["server timeout of 3 of 3 pools 30 s → set by the environment", "retries of 3 of 3 pools 3 → set by the environment"]
    );
    assert_eq!(with("maxconn 200", "maxconn \"${M}\""), ["listener fe: maxconn 200 → set by the environment"]);
    assert_eq!(
        with("check maxconn 50 weight 100", "check maxconn \"${M}\" weight \"${W}\""),
        [
            "pool web: maxconn of 3 of 3 servers 50 → set by the environment",
            "pool web: weight of 3 of 3 servers 100 → set by the environment"
        ]
    );
    let set = CONFIG.replace("timeout server 30s", "timeout server \"${T}\"");
    assert_eq!(said(&set, &set), NONE);
}

#[test]
fn what_is_disabled_serves_no_longer() {
    assert_eq!(
        with("backend img\n", "backend img\n disabled\n"),
        ["pool img: img1 ready → maintenance, 100 % of capacity removed"]
    );
    assert_eq!(with(" bind :80\n", " bind :80\n disabled\n")[0], "listener fe removed");
}

#[test]
fn a_table_elsewhere_is_the_pools_own() {
    let text = |rest: &str| {
        CONFIG.replace(" cookie S insert indirect nocache\n", " stick on src table clients\n")
            + &format!("backend clients\n stick-table type ip size 1m expire {rest}\n")
    };
    assert_eq!(said(&text("30m"), &text("5m")), ["pool web: persistence by src expiry 30 min → 5 min"]);
}

#[test]
fn the_proxy_protocol_is_said() {
    assert_eq!(with("bind :80", "bind :80 accept-proxy"), ["listener fe now expects the PROXY protocol on *:80"]);
}

#[test]
fn checks_limits_timeouts_and_retries() {
    assert_eq!(
        with("maxconn 50", "inter 5s fall 2 maxconn 50"),
        ["pool web: health check interval of 3 of 3 servers 2 s → 5 s, fall 3 → 2"]
    );
    assert_eq!(with("GET /health", "GET /ready"), ["pool web: health check request of 3 of 3 servers GET /health → GET /ready"]);
    assert_eq!(with("default-server check", "default-server"), ["pool web: 3 of 3 servers no longer health-checked"]);
    assert_eq!(with("10.0.2.1:80", "10.0.2.1:80 check"), ["pool img: img1 now health-checked"]);
    assert_eq!(with("maxconn 50", "maxconn 200"), ["pool web: maxconn of 3 of 3 servers 50 → 200"]);
    assert_eq!(with("10.0.2.1:80", "10.0.2.1:80 maxconn 200"), ["pool img: img1 maxconn none → 200"]);
    assert_eq!(with("maxconn 200", "maxconn 400"), ["listener fe: maxconn 200 → 400"]);
    assert_eq!(with("server 30s", "server 5s"), ["server timeout of 3 of 3 pools 30 s → 5 s"], "written once");
    assert_eq!(with("client 30s", "client 10m"), ["listener fe: client timeout 30 s → 10 min"]);
    assert_eq!(with("backend api\n", "backend api\n timeout queue 250ms\n"), ["pool api: queue timeout none → 250 ms"]);
    assert_eq!(
        with("backend api\n", "backend api\n retries 1\n option redispatch\n"),
        ["pool api: retries 3 → 1, redispatch off → on"]
    );
    assert_eq!(
        with("defaults\n", "global\n maxconn 4000\n stats socket /run/haproxy.sock level admin\ndefaults\n"),
        ["process: maxconn none → 4000", "process: runtime socket at unix:/run/haproxy.sock added: can change state, guarded"]
    );
}

#[test]
fn listeners_routes_and_order() {
    assert_eq!(with("bind :80", "bind :81"), ["listener fe no longer listens on *:80", "listener fe now listens on *:81"]);
    let (old, mut new) = (model(CONFIG), model(CONFIG));
    new.listeners[0].binds[0].tls = true;
    let sentence = |changes: Vec<Change>| changes.into_iter().map(|change| change.sentence).collect::<Vec<_>>();
    assert_eq!(sentence(diff(&old, &new)), ["listener fe now asks for TLS on *:80"]);
    assert_eq!(sentence(diff(&new, &old)), ["listener fe no longer asks for TLS on *:80"]);
    assert_eq!(
        with("path_beg /api", "path_beg /v2"),
        ["listener fe: route “if is_api” to api, “is_api: path_beg /api” → “is_api: path_beg /v2”"]
    );
    assert_eq!(with("use_backend api if", "use_backend img if"), ["listener fe: route “if is_api” api → img"]);
    let route = " use_backend img if { path_beg /img }\n";
    assert_eq!(with(route, ""), ["listener fe no longer sends to img if { path_beg /img }"]);
    let new = " use_backend img if { path_beg /new }\n default_backend web\n";
    assert_eq!(with(" default_backend web\n", new), ["listener fe now sends to img if { path_beg /new }"]);
    assert_eq!(with("default_backend web", "default_backend api"), ["listener fe: default route web → api"]);
    let routes = " use_backend api if is_api\n use_backend img if { path_beg /img }\n";
    let turned = " use_backend img if { path_beg /img }\n use_backend api if is_api\n";
    assert_eq!(
        with(routes, turned),
        ["listener fe: order of routes changed: “if { path_beg /img }” to img is now tried before “if is_api” to api"]
    );
    let servers = " server api1 10.0.1.1:80 check\n server api2 10.0.1.2:80 check\n";
    let turned = " server api2 10.0.1.2:80 check\n server api1 10.0.1.1:80 check\n";
    assert_eq!(with(servers, turned), ["pool api: order of servers api1, api2 → api2, api1"], "a map of servers in their order");
    let hashed = CONFIG.replace("balance uri", "balance roundrobin");
    assert_eq!(said(&hashed, &hashed.replace(servers, turned)), NONE, "round robin");
    let other = CONFIG.replace("backend img\n", "listen extra\n bind :90\n server x 10.5.5.5:80\nbackend img\n");
    assert_eq!(said(CONFIG, &other), ["pool extra added with 1 server", "listener extra added"]);
    assert_eq!(said(&other, CONFIG), ["pool extra removed, it had 1 server", "listener extra removed"]);
}

#[test]
fn another_version_means_something_else() {
    let text = CONFIG.replace(" balance roundrobin\n", "");
    let parse = |version| haproxy::parse(&[Source::new("haproxy.cfg", &*text)], &mut NoFiles, version);
    let changes = diff(&parse(Some("3.2.1")), &parse(Some("3.3.0")));
    let said: Vec<_> = changes.iter().map(|change| (change.kind, change.sentence.as_str())).collect();
    assert_eq!(
        said,
        [
            (
                ChangeKind::DefaultByVersion,
                "default algorithm of 2 of 3 pools roundrobin → random with version 3.2.1 → 3.3.0: web, img"
            ),
            (ChangeKind::Other, "version 3.2.1 → 3.3.0"),
        ]
    );
    assert!(diff(&parse(Some("2.6.1")), &parse(None)).is_empty(), "an unknown version is no change");
}

#[test]
fn changes_hold_kind_names_places_and_loss() {
    let text = CONFIG.replace("web3 10.0.0.3:80", "web3 10.0.0.3:80 weight 0").replace("bind :80\n", "bind :80\n bind :81\n");
    let changes = found(CONFIG, &text);
    let lines = |places: &[crate::balancer::source::Place]| places.iter().map(|place| place.line()).collect::<Vec<_>>();
    let told: Vec<_> = changes.iter().map(|c| (c.kind, c.pool.as_deref(), lines(&c.before), lines(&c.after))).collect();
    assert_eq!(told, [(ChangeKind::Weight, Some("web"), vec![17], vec![21]), (ChangeKind::Listener, None, vec![], vec![8]),]);
    assert_eq!((changes[0].servers.as_slice(), changes[0].lost_percent.round()), (["web3".to_owned()].as_slice(), 33.0));
    assert_eq!(changes[1].listener.as_deref(), Some("fe"));
    let json = serde_json::to_value(&changes[0]).expect("JSON");
    assert_eq!((json["kind"].as_str(), json.get("edits")), (Some("weight"), None), "edits are for programs only");
}

#[test]
fn one_change_of_many_pools_is_one_sentence() {
    let text = |rest: &str| (0..8).map(|n| format!("backend b{n}\n{rest} server s 10.0.0.{n}:80\n")).collect::<String>();
    assert_eq!(said(&text(""), &text(" timeout queue 2s\n")), ["queue timeout of 8 of 8 pools none → 2 s"]);
    assert_eq!(
        said(&text(""), &(text("") + &text("").replace("backend b", "backend c").replace("10.0.", "10.1."))),
        ["8 pools added: c0, c1, c2, c3, c4 and 3 more"]
    );
}
