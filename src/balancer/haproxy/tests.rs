//! The parser on real files, on files made to hurt, and on size.

use super::parse::{MAX_FROM_TEMPLATES, MAX_NOTICES, parse};
use crate::balancer::model::{Model, Server};

fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/haproxy/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("fixture")
}

fn server(model: &Model, pool: &str, name: &str) -> Server {
    model.pool(pool).and_then(|p| p.server(name)).unwrap_or_else(|| panic!("{pool}/{name}")).clone()
}

#[test]
fn a_real_config_is_read() {
    let model = parse(&fixture("haproxy.cfg"));
    assert_eq!(model.notices, []);
    let web = &model.listeners[0];
    assert_eq!((web.name.as_str(), web.maxconn, web.line), ("fe_web", Some(2000), 22));
    assert_eq!((web.binds.clone(), web.pools.clone()), (vec!["127.0.0.1:8080".into()], vec!["be_api".into(), "be_app".into()]));
    let api = model.pool("be_api").expect("pool");
    assert_eq!(api.algorithm.as_deref(), Some("leastconn"));
    assert_eq!(api.persistence, ["cookie SRV insert indirect nocache", "stick on src"]);
    let app3 = server(&model, "be_app", "app3");
    assert_eq!((app3.weight, app3.maxconn, app3.check, app3.address.as_str()), (Some(50), Some(64), true, "127.0.0.1:9003"));
    let [api1, api2, api3] = ["api1", "api2", "api3"].map(|name| server(&model, "be_api", name));
    assert_eq!([api1.backup, api2.backup, api3.backup], [false, true, false]);
    assert_eq!([api1.disabled, api2.disabled, api3.disabled], [false, false, true]);
    assert_eq!((api1.weight, api1.maxconn), (None, None));
    assert_eq!(model.listeners[1].pools, ["stats"]);
}

#[test]
fn a_torture_file_is_read() {
    let model = parse(&fixture("nasty_parser_input.cfg"));
    let said: Vec<_> = model.notices.iter().map(|n| n.line).collect();
    assert_eq!(said, [27], "only the dynamic use_backend: {:?}", model.notices);
    assert_eq!(model.listeners[0].binds, ["*:80", ":::80", ":443"]);
    assert_eq!(model.listeners[0].pools, ["be_a", "be_default"]);
    let a = model.pool("be_a").expect("pool");
    assert_eq!(a.algorithm.as_deref(), Some("hash req.cookie(sid)"));
    let names: Vec<_> = a.servers.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["web1", "web2", "web3", "web4", "web5", "s1", "s2", "s 3"]);
    let web5 = server(&model, "be_a", "web5");
    assert_eq!((web5.weight, web5.maxconn, web5.address.as_str()), (Some(10), Some(100), "web.service.consul:8080"));
    let s1 = server(&model, "be_a", "s1");
    assert_eq!((s1.weight, s1.disabled, s1.check), (Some(0), true, true));
    assert_eq!(server(&model, "be_a", "s2").address, "ipv4@10.0.0.2:8080,10.0.0.3");
    assert!(server(&model, "be_default", "x1").backup);
}

#[test]
fn defaults_are_handed_down_by_name_and_by_order() {
    let model = parse(
        "defaults base\n balance leastconn\n cookie S insert\n default-server weight 7 check\n default_backend a\n maxconn 9\n\
         defaults\n balance first\n\
         backend a\n server x :1\n\
         backend b from base\n server x :1 no-check\n default-server weight 8\n server y :2\n\
         frontend f from base\n bind :80\n\
         frontend g from base\n default_backend b\n\
         backend c from nowhere\n",
    );
    let algorithm = |name: &str| model.pool(name).and_then(|p| p.algorithm.clone());
    assert_eq!([algorithm("a"), algorithm("b")], [Some("first".into()), Some("leastconn".into())]);
    assert_eq!(model.pool("b").expect("b").persistence, ["cookie S insert"]);
    let [x, y] = ["x", "y"].map(|name| server(&model, "b", name));
    assert_eq!([(x.weight, x.check), (y.weight, y.check)], [(Some(7), false), (Some(8), true)]);
    assert_eq!((server(&model, "a", "x").weight, server(&model, "a", "x").check), (None, false));
    assert_eq!(model.listeners[0].pools, ["a"]);
    assert_eq!((model.listeners[1].pools.clone(), model.listeners[1].maxconn), (vec!["b".to_owned()], Some(9)));
    assert_eq!(model.notices.iter().map(|n| n.line).collect::<Vec<_>>(), [19]);
}

#[test]
fn values_are_not_taken_for_parameters() {
    let model =
        parse("backend b\n server x :1 cookie backup track check sni str(disabled) source 10.0.0.1 usesrc backup weight 3\n");
    let x = server(&model, "b", "x");
    assert_eq!((x.backup, x.check, x.disabled, x.weight), (false, false, false, Some(3)));
}

#[test]
fn what_is_broken_is_told_with_its_line() {
    let model = parse(
        "bind :80\nglobal\n log 'x\nfronted web\n bind :80\nbackend b\n server x\n server y :1 weight 900\n server-template t x-y z\nbackend\n server z :1\n",
    );
    let lines: Vec<_> = model.notices.iter().map(|n| n.line).collect();
    assert_eq!(lines, [1, 3, 4, 7, 8, 9, 10], "{:?}", model.notices);
    assert_eq!((model.listeners.len(), model.pools.len(), model.pools[0].servers.len()), (0, 1, 1));
}

#[test]
fn directives_without_indent_stay_in_their_section() {
    let model = parse(
        "backend b\nbalance leastconn\noption httpchk\n  retries 2\nserver x :1\n  server y :2\nmode http\n\nlisten l\r\nbind :1\r\nserver z :3\r\n",
    );
    assert_eq!((model.notices.len(), model.pools[0].servers.len(), model.pools[1].servers[0].address.as_str()), (0, 2, ":3"));
}

#[test]
fn hostile_text_neither_panics_nor_fills_the_memory() {
    let model = parse("backend b\n server-template t 0-4294967295 x:1\n server-template u 1-4294967295 x:1\n");
    assert_eq!(model.pools[0].servers.len(), MAX_FROM_TEMPLATES);
    assert_eq!(parse(&"junk\0\n".repeat(5000)).notices.len(), MAX_NOTICES);
    for text in [
        "",
        "\0",
        "\u{feff}global",
        "\\",
        "listen",
        "listen from",
        "backend b from",
        "backend b\nserver\nbalance\nstick",
        "\r\n\r\n",
    ] {
        parse(text);
    }
}

#[test]
fn names_are_printable_and_of_one_length() {
    let long = "n".repeat(300);
    let model = parse(&format!(
        "frontend f\0\n use_backend b\\nx\n use_backend {long}\nbackend b\\nx\n balance \0\n server s\u{1b} \0:1 cookie\nbackend {long}\n server {long} :1\n server-template {long} 1 :1\n"
    ));
    let cut = "n".repeat(256);
    assert_eq!(
        (model.listeners[0].name.as_str(), model.listeners[0].pools.clone()),
        ("f\u{fffd}", vec!["b\u{fffd}x".into(), cut.clone()])
    );
    assert_eq!(model.pools.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["b\u{fffd}x", &cut]);
    assert_eq!((model.pools[0].algorithm.as_deref(), model.pools[0].servers[0].name.as_str()), (Some("\u{fffd}"), "s\u{fffd}"));
    assert!(model.pools[1].servers.iter().all(|s| s.name == cut), "{:?}", model.pools[1].servers);
    assert!(!serde_json::to_string(&model).expect("JSON").contains("\\u00"));
}

#[test]
fn twenty_thousand_lines_are_quick() {
    let mut text = String::from("frontend f\n");
    (0..10_000).for_each(|n| text.push_str(&format!(" use_backend b{n} if {{ path /{n} }}\n")));
    (0..5_000).for_each(|n| text.push_str(&format!("backend b{n}\n server s{n} 10.0.0.1:{n} check weight 5\n")));
    let began = std::time::Instant::now();
    let model = parse(&text);
    assert_eq!((model.listeners[0].pools.len(), model.pools.len()), (10_000, 5_000));
    // Milliseconds when optimised; the bound only catches a quadratic step.
    assert!(began.elapsed().as_secs() < 3, "{:?}", began.elapsed());
}

proptest::proptest! {
    #[test]
    fn any_text_is_read(text in "([a-z\"'\\\\# $\\t\\x00-]|backend |server |listen |defaults |from |\\n ){0,80}") {
        parse(&text);
    }
}
