//! The parser on real files, on files made to hurt, and on size.

use std::fmt::Write as _;

use super::parse;
use super::server::MAX_FROM_TEMPLATES;
use super::words::MAX_NOTES;
use crate::balancer::model::{
    CheckKind, Family, Gravity, HashKey, HashMethod, Mode, Model, PersistenceKind, Resolution, Role, Server, Target,
};
use crate::balancer::source::{Files, NoFiles, Source};
use crate::balancer::state::Admin;

fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/haproxy/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("fixture")
}

fn read(text: &str) -> Model {
    parse(&[Source::new("haproxy.cfg", text)], &mut NoFiles, Some("2.8.25"))
}

fn server(model: &Model, pool: &str, name: &str) -> Server {
    model.pool(pool).and_then(|p| p.server(name)).unwrap_or_else(|| panic!("{pool}/{name}")).clone()
}

fn told(model: &Model, gravity: Gravity) -> Vec<(usize, &str)> {
    model.notices.iter().filter(|n| n.gravity == gravity).map(|n| (n.place.line(), n.text.as_str())).collect()
}

struct Map;

impl Files for Map {
    fn read(&mut self, pattern: &str, _from: &str) -> Result<Vec<Source>, String> {
        assert_eq!(pattern, "/etc/haproxy/hosts.map");
        Ok(vec![Source::new(pattern, "# hosts\na.example.com be_a\nb.example.com  be_a\nc.example.com be_gone\n")])
    }
}

#[test]
fn a_branch_that_is_never_read_says_nothing() {
    let model = read(
        "backend b\n.if version_before(2.4)\n server old 10.0.0.1:80\n.elif streq(a,a)\n server new 10.0.0.2:80\n.else\n nonsense\n.endif\n server s 10.0.0.3:80\n",
    );
    let names: Vec<&str> = model.pools[0].servers.iter().map(|server| server.name.as_str()).collect();
    assert_eq!((names, told(&model, Gravity::Error)), (vec!["new", "s"], vec![]));
}

#[test]
fn a_check_of_another_kind_has_no_rules_of_the_one_before() {
    let text =
        "defaults\n option httpchk\n http-check expect status 200\nbackend b\n option redis-check\n server s 10.0.0.1:80 check\n";
    let check = server(&read(text), "b", "s").check.expect("a check");
    assert_eq!((check.kind, check.expects), (CheckKind::Protocol, None));
}

#[test]
fn a_real_config_is_read() {
    let model = read(&fixture("haproxy.cfg"));
    assert_eq!(told(&model, Gravity::Error), []);
    assert_eq!(model.process.maxconn.as_ref().map(|m| m.value), Some(4_000));
    assert_eq!(model.process.threads.as_ref().map(|m| m.value), Some(2));
    let socket = &model.process.admin[0];
    assert_eq!((socket.address.as_str(), socket.guarded, socket.writes), ("unix:/run/lab-haproxy.sock", true, true));
    let page = &model.process.admin[1];
    assert_eq!((page.what.as_str(), page.address.as_str(), page.guarded), ("stats page", "127.0.0.1:8404", false));
    let web = &model.listeners[0];
    assert_eq!((web.name.as_str(), web.place.line(), web.mode), ("fe_web", 22, Mode::Http));
    assert_eq!(web.maxconn.as_ref().map(|m| (m.value, m.place.raw())), Some((2_000, "maxconn 2000".to_owned())));
    assert_eq!(web.binds[0].address, "127.0.0.1:8080");
    assert_eq!(model.targets("fe_web"), ["be_api", "be_app"]);
    assert_eq!(model.routes[0].condition.as_deref(), Some("if is_api"));
    assert_eq!(model.routes[0].definitions, ["is_api: path_beg /api"]);
    let api = model.pool("be_api").expect("pool");
    assert_eq!(api.algorithm.family, Family::LeastConnections);
    assert_eq!(
        api.persistence.iter().map(|p| (p.kind, p.key.as_str())).collect::<Vec<_>>(),
        [(PersistenceKind::Cookie, "SRV"), (PersistenceKind::Table, "src")]
    );
    assert_eq!((api.persistence[1].expires_ms, api.persistence[1].shared), (Some(1_800_000), false));
    assert_eq!(api.timeouts.queue.as_ref().map(|t| t.value), Some(5_000));
    assert_eq!(
        (api.retry.count.as_ref().map(|c| c.value), api.retry.redispatch.as_ref().map(|r| r.value)),
        (Some(2), Some(true))
    );
    let app = model.pool("be_app").expect("pool").check.clone().expect("check");
    assert_eq!(
        (app.kind, app.request.as_deref(), app.expects.as_deref()),
        (CheckKind::Http, Some("GET /health"), Some("status 200"))
    );
    assert_eq!((app.interval_ms, app.fall, app.rise), (Some(1_000), Some(3), Some(2)));
    let app3 = server(&model, "be_app", "app3");
    assert_eq!(
        (app3.configured_weight(), app3.slots.as_ref().map(|s| s.value), app3.address.as_str()),
        (50, Some(64), "127.0.0.1:9003")
    );
    assert_eq!(app3.weight.as_ref().map(|w| (w.place.line(), w.place.raw())), Some((36, "weight 50".to_owned())));
    let roles = ["api1", "api2", "api3"].map(|name| server(&model, "be_api", name)).map(|s| (s.role, s.admin));
    assert_eq!(roles, [(Role::Active, Admin::Ready), (Role::Backup, Admin::Ready), (Role::Active, Admin::Maintenance)]);
    assert_eq!(model.targets("stats"), ["stats"]);
}

#[test]
fn a_torture_file_is_read() {
    let model = parse(&[Source::new("n.cfg", fixture("nasty_parser_input.cfg"))], &mut Map, None);
    assert_eq!(
        model.listeners[0].binds.iter().map(|b| (b.address.as_str(), b.tls)).collect::<Vec<_>>(),
        [("*:80", false), ("[::]:80", false), ("*:443", true)]
    );
    let Target::Dynamic { candidates, .. } = &model.routes[0].target else { panic!("{:?}", model.routes[0]) };
    assert_eq!(candidates, &["be_a", "be_gone", "be_default"]);
    assert_eq!(model.targets("fe"), ["be_a", "be_gone", "be_default"]);
    let a = model.pool("be_a").expect("pool");
    let hash = a.algorithm.hash.clone().expect("hash");
    assert_eq!(
        (hash.key, hash.method, hash.function.as_deref(), hash.balance_factor),
        (HashKey::Cookie, HashMethod::Ring, Some("wt6 avalanche"), Some(150))
    );
    assert_eq!(a.check.as_ref().and_then(|c| c.request.clone()).as_deref(), Some("GET /healthz"));
    let names: Vec<_> = a.servers.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["web1", "web2", "web3", "web4", "web5", "s1", "s2", "s 3"]);
    let web5 = server(&model, "be_a", "web5");
    assert_eq!((web5.configured_weight(), web5.slots.map(|s| s.value), web5.resolution), (10, Some(100), Resolution::Followed));
    assert_eq!(server(&model, "be_a", "s2").tracks.as_deref(), Some("be_default/x1"));
    assert_eq!(server(&model, "be_a", "s 3").address, "unix:/run/x.sock");
    let threads = model.process.threads.as_ref().expect("threads");
    assert_eq!(threads.place.when(), Some("not (feature(OPENSSL) && version_atleast(2.4)) and defined(FOO)"));
    assert!(model.pool("be_default").expect("pool").persistence[0].shared);
    assert!(model.notices.iter().any(|n| n.text.contains("be_gone")), "{:?}", model.notices);
}

#[test]
fn defaults_are_handed_down_by_name_and_by_order() {
    let model = read(
        "defaults base\n balance leastconn\n cookie S insert\n default-server weight 7 check\n default_backend a\n maxconn 9\n\
         defaults\n balance first\n\
         backend a\n server x 127.0.0.1:1\n\
         backend b from base\n server x 127.0.0.1:1 no-check\n default-server weight 8\n server y 127.0.0.1:2\n\
         frontend f from base\n bind :80\n\
         frontend g from base\n default_backend b\n\
         backend c from nowhere\n",
    );
    let algorithm = |name: &str| model.pool(name).and_then(|p| p.algorithm.name.clone());
    assert_eq!([algorithm("a"), algorithm("b")], [Some("first".into()), Some("leastconn".into())]);
    assert_eq!(model.pool("b").expect("b").persistence[0].said, "cookie S insert");
    let [x, y] = ["x", "y"].map(|name| server(&model, "b", name));
    assert_eq!([(x.configured_weight(), x.check.is_some()), (y.configured_weight(), y.check.is_some())], [(7, false), (8, true)]);
    assert_eq!((server(&model, "a", "x").weight, server(&model, "a", "x").check), (None, None));
    assert_eq!((model.targets("f"), model.targets("g")), (vec!["a"], vec!["b"]));
    assert_eq!(model.listeners[1].maxconn.as_ref().map(|m| m.value), Some(9));
    assert_eq!(told(&model, Gravity::Error).iter().map(|(line, _)| *line).collect::<Vec<_>>(), [19]);
}

#[test]
fn what_is_not_written_depends_on_the_version() {
    let default = |version| {
        let model = parse(&[Source::new("a", "backend b\n server x 127.0.0.1:1\n")], &mut NoFiles, version);
        (model.pools[0].algorithm.name.clone(), model.pools[0].algorithm.family, model.pools[0].algorithm.written)
    };
    assert_eq!(default(Some("2.8.25")), (Some("roundrobin".into()), Family::RoundRobin, false));
    assert_eq!(default(Some("3.3.0")), (Some("random".into()), Family::Random, false));
    assert_eq!(default(None), (None, Family::Unknown, false));
}

#[test]
fn values_are_not_taken_for_parameters() {
    let model = read(
        "backend b\n server x 127.0.0.1:1 cookie backup track check sni str(disabled) source 10.0.0.1 usesrc clientip weight 3\n",
    );
    let x = server(&model, "b", "x");
    assert_eq!((x.role, x.check.clone(), x.admin, x.configured_weight()), (Role::Active, None, Admin::Ready, 3));
}

#[test]
fn the_environment_is_not_guessed() {
    let model = read(
        "defaults\n timeout connect \"${T-5s}\"\nbackend b\n server x \"${HOST}:80\" weight \"${W-10}\"\n server y 127.0.0.1:1 weight '$W'\n",
    );
    let weight = model.pools[0].servers[0].weight.as_ref().map(|weight| (weight.unknown, weight.value));
    let connect = model.pools[0].timeouts.connect.as_ref().map(|time| (time.unknown, time.place.line()));
    assert_eq!((weight, connect), (Some((true, 1)), Some((true, 2))));
    assert_eq!(model.pools[0].servers[0].address, "${HOST}:80");
    assert!(told(&model, Gravity::Note).iter().any(|(line, text)| *line == 4 && text.contains("${W-10}")), "{:?}", model.notices);
    assert_eq!(told(&model, Gravity::Error), []);
}

#[test]
fn what_is_broken_is_told_with_line_and_column() {
    let text = "bind :80\nglobal\n log 'x\nfronted web\n bind :80\nbackend b\n server x\n server y 127.0.0.1:1 weight 900\n \
                server-template t x-y z\nbackend\n server z 127.0.0.1:1";
    let model = read(text);
    let errors: Vec<_> =
        model.notices.iter().filter(|n| n.gravity == Gravity::Error).map(|n| (n.place.line(), n.place.column())).collect();
    for wanted in [(1, 1), (3, 6), (4, 1), (7, 2), (8, 23), (9, 20), (10, 1), (11, 22)] {
        assert!(errors.contains(&wanted), "{wanted:?} in {:?}", model.notices);
    }
    assert_eq!(model.pool("b").expect("b").servers.len(), 1);
    assert!(model.notices.iter().all(|n| n.place.span().end <= text.len() && text.is_char_boundary(n.place.span().start)));
}

#[test]
fn names_have_to_exist_and_be_there_once() {
    let model = read(
        "frontend f\n bind :80\n use_backend nowhere if { path / }\n use_backend \"$X\"\n default_backend f\nbackend b\n use-server z if TRUE\n \
         server s 127.0.0.1:1 track b/zz\n server s 127.0.0.1:1 resolvers none\nbackend b\n stick on src table none\n.if defined(A)\nbackend c\n.else\nbackend c\n.endif\n",
    );
    let lines: Vec<_> = told(&model, Gravity::Error).into_iter().map(|(line, _)| line).collect();
    assert_eq!(lines, [3, 5, 7, 8, 9, 9, 10, 11], "{:?}", model.notices);
}

#[test]
fn several_files_are_one_config() {
    let files = [
        Source::new("00.cfg", "defaults\n mode http\n balance source\n"),
        Source::new("10.cfg", " server lost 127.0.0.1:1\nbackend b\n server x 127.0.0.1:1\n"),
    ];
    let model = parse(&files, &mut NoFiles, None);
    assert_eq!(model.files, ["00.cfg", "10.cfg"]);
    assert_eq!((model.pools[0].place.file(), model.pools[0].place.line(), model.pools[0].algorithm.family), (1, 2, Family::Hash));
    assert_eq!(
        told(&model, Gravity::Error).iter().map(|(line, _)| *line).collect::<Vec<_>>(),
        [1],
        "a file begins without a section"
    );
}

#[test]
fn directives_without_indent_stay_in_their_section() {
    let model = read(
        "backend b\nbalance leastconn\noption httpchk\n  retries 2\nserver x 127.0.0.1:1\n  server y :2\nmode http\n\nlisten l\r\nbind :1\r\nserver z :3\r\n",
    );
    assert_eq!(told(&model, Gravity::Error), []);
    assert_eq!((model.pools[0].servers.len(), model.pools[1].servers[0].address.as_str()), (2, ":3"));
}

#[test]
fn hostile_text_neither_panics_nor_fills_the_memory() {
    let model = read("backend b\n server-template t 0-4294967295 x:1\n server-template u 1-4294967295 x:1\n");
    assert_eq!(model.pools[0].servers.len(), MAX_FROM_TEMPLATES);
    let model = parse(&[Source::new("a", format!("global\n{}", "junkjunk\0\n".repeat(5000)))], &mut NoFiles, None);
    assert!(model.notices.len() <= MAX_NOTES + super::words::MAX_FAULTS);
    read(&format!("{}{}", ".if defined(a)\n".repeat(5_000), "backend b\n".repeat(100)));
    read(&format!(".if {}1\n", "(".repeat(100_000)));
    read(&format!("backend b\n balance {}\n", "hash path,".repeat(10_000)));
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
        "no",
        "default\n",
        "defaults\nno\nno option\n",
    ] {
        read(text);
    }
}

#[test]
fn names_are_printable_and_of_one_length() {
    let long = "n".repeat(300);
    let model = read(&format!(
        "frontend f\0\n use_backend b\\nx\n use_backend {long}\nbackend b\\nx\n balance \0\n server s\u{1b} \0:1 cookie\nbackend {long}\n server {long} :1\n server-template {long} 1 :1\n"
    ));
    let cut = "n".repeat(256);
    assert_eq!((model.listeners[0].name.as_str(), model.targets("f\u{fffd}")), ("f\u{fffd}", vec!["b\u{fffd}x", cut.as_str()]));
    assert_eq!(model.pools.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["b\u{fffd}x", &cut]);
    assert!(!serde_json::to_string(&model).expect("JSON").contains("\\u00"));
}

/// A config of 5,000 pools, as an ingress controller writes it.
fn large() -> String {
    let mut text = String::from(
        "defaults\n mode http\n timeout connect 1s\n timeout server 1s\n timeout client 1s\nfrontend f\n bind :80\n",
    );
    (0..10_000).for_each(|n| writeln!(text, " use_backend b{} if {{ path /{n} }}", n % 5_000).expect("string"));
    (0..5_000).for_each(|n| writeln!(text, "backend b{n}\n server s{n} 10.0.0.1:{} check weight 5", n + 1).expect("string"));
    text
}

#[test]
fn twenty_thousand_lines_are_quick() {
    let text = large();
    let began = std::time::Instant::now();
    let model = read(&text);
    let took = began.elapsed();
    assert_eq!((model.targets("f").len(), model.pools.len(), told(&model, Gravity::Error).len()), (5_000, 5_000, 0));
    // Milliseconds when optimised; the bound only catches a quadratic step.
    assert!(took.as_secs() < 30, "{took:?}");
}

/// The config again from its words, quoted as little as can be.
fn print(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let split = super::tokens::split(line);
        let words: Vec<String> = split
            .tokens
            .iter()
            .map(|token| match token.variable {
                true => line[token.span.clone()].to_owned(),
                false if token.text.is_empty() => "''".to_owned(),
                false => token
                    .text
                    .chars()
                    .map(|c| {
                        if c == '\n' {
                            "\\n".to_owned()
                        } else if " \t\r\\#'\"\u{b}\u{c}".contains(c) {
                            format!(
                                "\\{}",
                                match c {
                                    '\t' => 't',
                                    '\r' => 'r',
                                    other => other,
                                }
                            )
                        } else {
                            c.to_string()
                        }
                    })
                    .collect(),
            })
            .collect();
        out.push_str(&words.join(" "));
        out.push('\n');
    }
    out
}

#[test]
fn acls_of_many_lines_named_by_many_routes_do_not_multiply() {
    let mut text = "frontend f\n bind :80\n acl b path /b\n".to_owned();
    (0..4_000).for_each(|n| _ = writeln!(text, " acl a path /{n}"));
    text.push_str(" use_backend p if b or a or !a or b\n");
    (0..4_000).for_each(|n| _ = writeln!(text, " use_backend p if a {{ path /{n} }}"));
    text.push_str("backend p\n server s 10.0.0.1:80\n");
    let model = read(&text);
    let first = &model.routes[0].definitions;
    assert_eq!((first.len(), first[0].as_str(), first[1].as_str()), (4_001, "b: path /b", "a: path /0"));
    let kept: usize = model.routes.iter().flat_map(|route| &route.definitions).map(String::len).sum();
    assert!(kept < 32 << 20, "{kept}");
    let notes: Vec<_> = told(&model, Gravity::Note).into_iter().filter(|(_, text)| text.contains("lines of ACLs")).collect();
    assert_eq!(notes.len(), 1, "{notes:?}");
}

#[test]
fn many_branches_are_told_as_far_as_there_is_room() {
    let text = |branches: usize| {
        let elifs: String = (0..branches).map(|n| format!(".elif defined(B{n})\n")).collect();
        format!(".if defined(A)\n{elifs}backend b\n.endif\n")
    };
    let when = |branches| read(&text(branches)).pools[0].place.when().map(str::to_owned);
    assert_eq!(when(1).as_deref(), Some("not (defined(A)) and defined(B0)"));
    let many = when(3_000).expect("conditions");
    assert!(many.starts_with("not (defined(A)) and not (defined(B0)) and not (defined(B1))"), "{many}");
    assert_eq!(many.chars().count(), 301);
}

#[test]
fn a_config_printed_from_its_words_means_the_same() {
    let root = format!("{}/tests/fixtures", env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    let mut open = vec![std::path::PathBuf::from(format!("{root}/haproxy")), format!("{root}/audit").into()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("fixtures") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "cfg") {
                texts.push(std::fs::read_to_string(&path).expect("text"));
            }
        }
    }
    assert!(texts.len() > 100, "{}", texts.len());
    // Single lines that are hard to take apart, each where a backend has it.
    texts.extend(fixture("odd_lines.txt").lines().map(|line| format!("backend b\n {line}\n server s 10.0.0.1:80\n")));
    for text in texts {
        let bare = |text: &str| Model { notices: Vec::new(), ..read(text) };
        assert_eq!(bare(&print(&text)), bare(&text), "{text}");
        assert_eq!(print(&print(&text)), print(&text), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_read(text in "([a-z\"'\\\\# $\\t\\x00-]|backend |server |listen |defaults |from |\\.if |\\.else|balance |acl |use_backend |%\\[|\\(|\\n ){0,80}") {
        let model = read(&text);
        proptest::prop_assert!(model.notices.iter().all(|n| text.get(n.place.span().start..n.place.span().end).is_some()));
    }

    #[test]
    fn the_pieces_of_a_line_tile_it(line in "[^\\n]{0,60}") {
        let pieces = super::tokens::split(&line).pieces(line.len());
        let joined: String = pieces.iter().map(|(_, span)| &line[span.clone()]).collect();
        proptest::prop_assert_eq!(joined, line);
        proptest::prop_assert!(pieces.windows(2).all(|two| two[0].1.end == two[1].1.start));
    }
}
