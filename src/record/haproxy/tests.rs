//! The parsers on what HAProxy 2.6 and 2.8 really answered.

use super::stat::*;
use crate::balancer::state::{Admin, State};
use crate::signal::series::{Metric, Sample};

fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/haproxy/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("fixture")
}

fn read(stat: &str, servers: Option<&str>) -> (State, Vec<Sample>) {
    let rows = parse_stat(&fixture(stat)).expect("statistics");
    let servers = servers.map(|name| parse_servers_state(&fixture(name)).expect("servers"));
    reading(&rows, servers.as_ref(), parse_info(&fixture("show_info.txt")).version)
}

fn value(samples: &[Sample], pool: &str, server: Option<&str>, metric: Metric) -> Option<f64> {
    let same = |s: &&Sample| s.key.pool == pool && s.key.server.as_deref() == server && s.key.metric == metric;
    samples.iter().find(same).map(|s| s.value)
}

#[test]
fn the_socket_tells_state_and_counters() {
    let (state, samples) = read("show_stat.csv", Some("show_servers_state.txt"));
    assert_eq!(state.version.as_deref(), Some("2.6.12-1+deb12u4"));
    let names: Vec<_> = state.pools.iter().map(|p| (p.name.as_str(), p.algorithm.as_deref(), p.servers.len())).collect();
    assert_eq!(names, [("be_app", Some("roundrobin"), 3), ("be_api", Some("leastconn"), 3), ("stats", Some("roundrobin"), 0)]);
    let app3 = state.pools[0].server("app3").expect("app3");
    assert_eq!((app3.weight, app3.weight_configured, app3.address.as_deref()), (50, Some(50), Some("127.0.0.1:9003")));
    let admins: Vec<_> = state.pools[1].servers.iter().map(|s| (s.admin, s.backup)).collect();
    assert_eq!(admins, [(Admin::Ready, false), (Admin::Ready, true), (Admin::Maintenance, false)]);

    let app1 = |metric| value(&samples, "be_app", Some("app1"), metric);
    let got = Metric::ALL.map(app1);
    let wanted = [40930.0, 40930.0, 0.0, 80.0, 0.0, 0.0, 0.0, 1.0, 1.0, 100.0].map(Some);
    assert_eq!(got, wanted);
    assert_eq!(value(&samples, "be_api", Some("api3"), Metric::Up), Some(0.0));
    assert_eq!(value(&samples, "be_api", Some("api3"), Metric::ResponseTime), None, "it never answered");
    // 102,328 = 40,930 + 40,929 + 20,469; the pool's 5xx are those of its servers here.
    assert_eq!(value(&samples, "be_app", None, Metric::Requests), Some(102_328.0));
    assert_eq!(value(&samples, "be_app", None, Metric::Responses5xx), Some(200.0));
    assert!(samples.iter().all(|s| s.key.pool != "fe_web"));
}

#[test]
fn the_page_tells_less_and_that_is_left_open() {
    let (state, samples) = read("stats_page.csv", None);
    let api3 = state.pools[1].server("api3").expect("api3");
    assert_eq!((api3.admin, api3.address.clone(), api3.weight_configured), (Admin::Maintenance, None, None));
    assert_eq!((state.pools[0].algorithm.clone(), state.pools[0].servers[2].weight), (None, 50));
    assert_eq!(value(&samples, "be_app", Some("app3"), Metric::Weight), Some(50.0));
}

#[test]
fn a_newer_version_is_read_the_same_way() {
    let (state, samples) = read("v2.8_show_stat.csv", Some("v2.8_show_servers_state.txt"));
    let (old, _) = read("show_stat.csv", Some("show_servers_state.txt"));
    assert_eq!(state.pools, old.pools);
    assert!(value(&samples, "be_app", None, Metric::Requests).is_some());
}

const HEADER: &str = "# pxname,svname,qcur,scur,stot,status,weight,act,bck,lbtot,uweight,algo,addr,rtime,hrsp_5xx,\n";

#[test]
fn what_people_set_is_told_apart_from_what_checks_found() {
    let states = "1\n# be_name srv_name srv_addr srv_port srv_admin_state srv_uweight srv_iweight\n\
        b ready ::1 80 0 0 100\nb forced 10.0.0.1 80 1 5 5\nb drained - 0 8 5 5\nb both 10.0.0.1 80 9 5 5\nb dns - 0 32 1 1\n\
        b fqdn 10.0.0.9 80 64 1 1\nb enabled - 0 4 1 1\nb started - 0 5 1 1\nb short\nb junk x x x x x\n";
    let servers = parse_servers_state(states).expect("servers");
    let admin = |name: &str| servers[&("b".to_owned(), name.to_owned())].admin;
    use Admin::{Drain, Maintenance, Ready};
    let names = ["ready", "forced", "drained", "both", "dns", "fqdn", "enabled", "started"];
    assert_eq!(names.map(admin), [Ready, Maintenance, Drain, Maintenance, Maintenance, Ready, Ready, Maintenance]);
    assert_eq!(servers.len(), 8);

    let csv = format!(
        "{HEADER}b,ready,0,0,5,UP 1/3,0,1,0,5,0,,,3,1,\nb,drained,0,0,0,DRAIN,5,1,0,0,5,,,0,0,\nb,n,0,0,0,no check,5,1,0,0,5,,,0,0,\n\
         b,d,0,0,0,DOWN 1/2,5,1,0,0,5,,,0,0,\nb,m,0,0,0,MAINT (via a/b),5,0,1,0,5,,,0,0,\nb,BACKEND,0,0,9,UP,0,1,0,5,0,random,,3,4,\n\
         b,sock-1,,0,5,OPEN,,,,,,,,,,\nGLOBAL,BACKEND,0,0,9,UP,0,1,0,5,0,,,3,4,\n"
    );
    let (state, samples) = reading(&parse_stat(&csv).expect("csv"), Some(&servers), None);
    assert_eq!(state.pools.len(), 1);
    let got: Vec<_> = state.pools[0].servers.iter().map(|s| (s.name.as_str(), s.weight, s.weight_configured, s.admin)).collect();
    assert_eq!(
        got,
        [
            ("ready", 0, Some(100), Ready),
            ("drained", 5, Some(5), Drain),
            ("n", 5, None, Ready),
            ("d", 5, None, Ready),
            ("m", 5, None, Maintenance)
        ]
    );
    assert_eq!(state.pools[0].servers[0].address.as_deref(), Some("[::1]:80"));
    let ups = ["ready", "drained", "n", "d", "m"].map(|name| value(&samples, "b", Some(name), Metric::Up));
    assert_eq!(ups, [1.0, 1.0, 1.0, 0.0, 0.0].map(Some));
    // Three of four 5xx had no server: only the pool knows of them.
    assert_eq!(value(&samples, "b", None, Metric::Responses5xx), Some(4.0));
    assert_eq!(value(&samples, "b", Some("ready"), Metric::Responses5xx), Some(1.0));
}

#[test]
fn foreign_answers_are_told_apart() {
    for text in ["", "HTTP/1.1 400 Bad request\r\n", "<html>", "Unknown command\n", "# pxname", "\0\0", "pxname,svname,\na,b,\n"]
    {
        assert_eq!(parse_stat(text), None, "{text:?}");
        assert_eq!(parse_servers_state(text), None, "{text:?}");
        assert_eq!(parse_info(text).version, None, "{text:?}");
    }
    assert_eq!(parse_servers_state("1\n# srv_name\n"), None);
    assert_eq!(parse_stat(&format!("{HEADER}a\n\"unclosed,x\n")).expect("header").len(), 0);
}

#[test]
fn names_are_printable_and_of_one_length() {
    let (long, cut) = ("n".repeat(300), "n".repeat(256));
    let csv = format!("{HEADER}\"b\n\",s\0,0,0,5,UP,5,1,0,5,5,ran\0dom,1\0,3,1,\n{long},{long},0,0,5,UP,5,1,0,5,5,,,3,1,\n");
    let states = format!(
        "1\n# be_name srv_name srv_addr srv_port srv_admin_state srv_uweight srv_iweight\nb\t s\0 \0 1 0 5 7\n{long} {long} - 0 0 5 9\n"
    );
    let (servers, rows) = (parse_servers_state(&states).expect("servers"), parse_stat(&csv).expect("csv"));
    assert_eq!(servers[&("b\u{fffd}".to_owned(), "s\u{fffd}".to_owned())].address.as_deref(), Some("\u{fffd}:1"));
    let (state, samples) = reading(&rows, Some(&servers), parse_info("Version: 2\0\n").version);
    assert_eq!(state.pools.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["b\u{fffd}", &cut]);
    let got: Vec<_> = state.pools.iter().map(|p| (p.servers[0].name.as_str(), p.servers[0].weight_configured)).collect();
    assert_eq!(got, [("s\u{fffd}", Some(7)), (cut.as_str(), Some(9))], "both answers name it the same");
    assert!(samples.iter().all(|s| !s.key.pool.contains(char::is_control)));
    assert!(!serde_json::to_string(&state).expect("JSON").contains("\\u00"));
}

proptest::proptest! {
    #[test]
    fn any_answer_is_survived(text in "([a-z0-9,\"\\n #\\x00-]|BACKEND|-?[0-9]{1,30}){0,60}") {
        let rows = parse_stat(&format!("{HEADER}{text}")).expect("header");
        let servers = parse_servers_state(&format!("1\n# be_name srv_name srv_admin_state srv_uweight srv_iweight\n{text}"));
        let (_, samples) = reading(&rows, servers.as_ref(), None);
        proptest::prop_assert!(samples.iter().all(|s| s.value.is_finite() && s.value >= 0.0));
    }
}
