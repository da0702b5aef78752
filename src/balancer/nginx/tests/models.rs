//! What configs mean: the samples, and one small config for each rule of meaning.

use super::super::{is_config, parse, state};
use crate::balancer::model::{
    CheckKind, Family, Gravity, HashKey, HashMethod, Mode, Model, PersistenceKind, Resolution, Role, Scope, Target,
};
use crate::balancer::source::{Files, NoFiles, Source};
use crate::balancer::state::{Admin, Health};

const DUMP: &str = include_str!("../../../../tests/fixtures/nginx/dump.txt");
const TORTURE: &str = include_str!("../../../../tests/fixtures/nginx/torture.conf");
const STICKY: &str = include_str!("../../../../tests/fixtures/nginx/sticky.conf");
const METHODS: &str = include_str!("../../../../tests/fixtures/nginx/methods.conf");

fn model(text: &str) -> Model {
    parse(&[Source::new("nginx.conf", text)], &mut NoFiles, None)
}

/// Inside `http` of a whole config.
fn http(text: &str) -> Model {
    model(&format!("worker_processes 4; events {{}} http {{ {text} }}"))
}

fn errors(model: &Model) -> Vec<&str> {
    model.notices.iter().filter(|notice| notice.gravity == Gravity::Error).map(|notice| notice.text.as_str()).collect()
}

fn warned(model: &Model, part: &str) -> bool {
    model.notices.iter().any(|notice| notice.gravity == Gravity::Warning && notice.text.contains(part))
}

#[test]
fn a_dump_is_read_with_what_it_includes() {
    let model = parse(&Source::split("dump", DUMP), &mut NoFiles, Some("nginx/1.22.1"));
    assert_eq!(errors(&model), [""; 0]);
    assert_eq!(model.files, ["ngx/nginx.conf", "ngx/inc/upstreams.conf"]);
    assert_eq!(model.version.as_deref(), Some("1.22.1"));
    assert_eq!(model.process.workers.as_ref().map(|workers| workers.value), Some(2));
    assert_eq!(model.process.maxconn.as_ref().map(|most| most.value), Some(1024));
    let app = model.pool("app").expect("app");
    assert_eq!((app.scope, app.place.file(), app.place.line()), (Scope::Process, 1, 1));
    // A block's place is its head.
    assert_eq!((app.place.span(), app.place.raw()), (0.."upstream app {".len(), "upstream app {".to_owned()));
    assert_eq!(app.servers[0].configured_weight(), 5);
    let passive = app.servers[0].passive.as_ref().expect("passive");
    assert_eq!((passive.max_fails, passive.out_ms), (Some(3), Some(10_000)));
    assert_eq!(app.servers[1].slots.as_ref().map(|slots| slots.value), Some(64));
    assert_eq!(app.limits.keepalive.as_ref().map(|keepalive| keepalive.value), Some(16));
    assert!(!warned(&model, "keepalive"), "HTTP/1.1 and an empty Connection stand there");
    assert_eq!(app.timeouts.connect.as_ref().map(|time| time.value), Some(2000));
    assert_eq!(app.timeouts.server.as_ref().map(|time| time.value), Some(30_000));
    assert_eq!(app.retry.count.as_ref().map(|count| count.value), Some(1));
    assert_eq!(app.retry.on, ["error", "timeout", "http_503"]);
    let api = model.pool("api").expect("api");
    assert_eq!((api.scope, api.algorithm.family), (Scope::Worker, Family::Hash));
    assert_eq!(
        api.algorithm.hash.as_ref().map(|hash| (hash.key, hash.method)),
        Some((HashKey::SourceAddress, HashMethod::Modulo))
    );
    assert_eq!(api.servers[1].admin, Admin::Maintenance);
    let [stub, rest] = model.routes.as_slice() else { panic!("{:?}", model.routes) };
    assert_eq!(stub.condition.as_deref(), Some("location = /stub"));
    let candidates = vec!["app".to_owned(), "api".to_owned()];
    assert_eq!(rest.target, Target::Dynamic { expression: "http://$pool".into(), candidates });
    assert_eq!((rest.condition.as_deref(), rest.listener.as_str()), (None, "127.0.0.1:8081"));
    assert_eq!(model.process.admin.len(), 1);
    assert!(model.process.admin[0].guarded, "it listens on this machine only");
}

#[test]
fn the_torture_file_gives_all_that_can_be_had() {
    let model = model(TORTURE);
    // `{2,3}` without quotes in the map begins a block, as it does for nginx.
    assert!(model.notices.iter().any(|notice| notice.gravity == Gravity::Error && notice.place.line() == 4));
    let http = "map $http_upgrade $connection_upgrade { default upgrade; '' close; ~^(?<x>\\d{2,3})$ \"a b\"; }";
    let mended = TORTURE
        .replace(http, "map $http_upgrade $connection_upgrade { default upgrade; '' close; \"~^(?<x>\\d{2,3})$\" \"a b\"; }");
    let model = super::models::model(&mended);
    let told = errors(&model);
    assert_eq!(told.len(), 2, "{told:?}");
    let backend = model.pool("backend").expect("backend");
    assert_eq!(backend.servers.len(), 3);
    assert_eq!(backend.servers[0].address, "unix:/run/a.sock");
    assert_eq!((backend.servers[1].role, backend.servers[1].address.as_str()), (Role::Backup, "[::1]:8080"));
    assert_eq!(
        (backend.servers[2].resolution, backend.servers[2].slow_start_ms.as_ref().map(|ms| ms.value)),
        (Resolution::Followed, Some(30_000))
    );
    assert_eq!(backend.persistence[0].expires_ms, Some(3_600_000));
    assert_eq!(backend.algorithm.family, Family::LeastTime);
    let stream = model.pool("s").expect("s");
    assert_eq!((stream.mode, stream.algorithm.family), (Mode::Tcp, Family::LeastConnections));
    assert_eq!(model.listeners[1].mode, Mode::Udp);
    let said: Vec<_> =
        model.routes.iter().filter(|route| route.listener == "*:80").map(|route| route.condition.as_deref()).collect();
    let pattern = "location ~* ^/x{2,3}/(?<id>[^/;]+)\\.php$";
    assert_eq!(said, [Some(pattern), Some("location /lua"), None]);
    assert_eq!(model.routes[1].target, Target::Other { said: "content_by_lua_block { … }".into() });
}

#[test]
fn persistence_and_methods_of_the_samples() {
    let sticky = parse(&[Source::new("nginx.conf", STICKY)], &mut NoFiles, Some("1.31.3"));
    assert_eq!(errors(&sticky), [""; 0]);
    let app = sticky.pool("app").expect("app");
    assert_eq!((app.persistence[0].kind, app.persistence[0].key.as_str()), (PersistenceKind::Cookie, "srv_id"));
    assert_eq!((app.servers[1].admin, app.servers[1].cookie.as_deref()), (Admin::Drain, Some("b")));
    assert_eq!(sticky.pool("lt").expect("lt").algorithm.family, Family::LeastTime);
    let methods = model(METHODS);
    assert_eq!(errors(&methods), [""; 0]);
    let hash = methods.pool("hkc").and_then(|pool| pool.algorithm.hash.clone()).expect("a hash");
    assert_eq!((hash.key, hash.method, hash.expression.as_str()), (HashKey::Uri, HashMethod::Ring, "$request_uri"));
    assert_eq!(methods.targets("127.0.0.1:8211"), ["swrr"]);
}

#[test]
fn inner_blocks_replace_what_outer_ones_say() {
    let model = http(
        "proxy_read_timeout 5s; proxy_next_upstream error; upstream a { server 10.0.0.1; server 10.0.0.2; } \
         upstream b { server b.example; } server { listen 80; proxy_read_timeout 1m; \
         location / { proxy_pass http://a; proxy_next_upstream off; } location /b { proxy_pass https://b; proxy_ssl_verify on; \
         proxy_ssl_trusted_certificate ca.pem; } }",
    );
    assert_eq!(errors(&model), [""; 0]);
    let (a, b) = (model.pool("a").expect("a"), model.pool("b").expect("b"));
    assert_eq!(a.timeouts.server.as_ref().map(|time| (time.value, time.place.column() > 1)), Some((60_000, true)));
    assert_eq!((a.retry.on.as_slice(), b.retry.on.as_slice()), (["off".to_owned()].as_slice(), ["error".to_owned()].as_slice()));
    assert_eq!((b.servers[0].tls, b.servers[0].tls_verified, b.servers[0].resolution), (true, Some(true), Resolution::AtStart));
    assert_eq!(a.passive.as_ref().and_then(|passive| passive.max_fails), Some(1));
    assert_eq!((b.passive.as_ref(), b.servers[0].passive.as_ref()), (None, None));
    assert_eq!((a.scope, a.servers[0].address.as_str()), (Scope::Worker, "10.0.0.1:80"));
}

#[test]
fn addresses_in_place_and_doubles_are_pools_and_servers_too() {
    let model = http(
        "upstream a { server 10.0.0.1; server 10.0.0.1; } server { location / { proxy_pass http://10.0.0.9:81/x; } \
         location = /a { fastcgi_pass unix:/run/f.sock; } location ^~ /b { proxy_pass http://api.example; } \
         location ~ c { set $where a; proxy_pass http://$where$request_uri; } location /l { proxy_pass http://$host; } }",
    );
    let names: Vec<_> = model.pool("a").expect("a").servers.iter().map(|server| server.name.as_str()).collect();
    assert_eq!(names, ["10.0.0.1", "10.0.0.1#2"]);
    let targets: Vec<_> = model.routes.iter().map(|route| route.target.pools().collect::<Vec<_>>().join(",")).collect();
    assert_eq!(targets, ["unix:/run/f.sock", "api.example", "a", "", "10.0.0.9:81"]);
    let api = model.pool("api.example").expect("api");
    assert_eq!((api.servers[0].address.as_str(), api.servers[0].resolution), ("api.example:80", Resolution::AtStart));
}

#[test]
fn idle_connections_are_said_to_be_wasted() {
    let text = "events {} http { upstream a { server 10.0.0.1; keepalive 8; } server { location / { proxy_pass http://a; } } }";
    let told = |version| {
        let model = parse(&[Source::new("nginx.conf", text)], &mut NoFiles, version);
        model.notices.iter().find(|notice| notice.text.contains("keepalive")).map(|notice| notice.gravity)
    };
    assert_eq!(told(Some("1.22.1")), Some(Gravity::Warning));
    assert_eq!(told(None), Some(Gravity::Note));
    assert_eq!(told(Some("1.29.7")), None);
}

#[test]
fn checks_surfaces_and_default_servers() {
    let model = http(
        "upstream a { zone a 64k; server 10.0.0.1; server 10.0.0.2; } server { listen 80 default_server; listen [::]:81 proxy_protocol; \
         server_name x.example y.example; location / { proxy_pass http://a; health_check interval=5 fails=3 passes=2 uri=/ok; } \
         location /api { api write=on; } location /s { stub_status; allow 10.0.0.0/8; deny all; } }",
    );
    let check = model.pool("a").and_then(|pool| pool.servers[1].check.clone()).expect("a check");
    assert_eq!((check.kind, check.interval_ms, check.fall, check.rise), (CheckKind::Http, Some(5000), Some(3), Some(2)));
    let surfaces: Vec<_> =
        model.process.admin.iter().map(|admin| (admin.address.as_str(), admin.guarded, admin.writes)).collect();
    assert_eq!(surfaces, [("/api", false, true), ("/s", true, false)]);
    let listener = &model.listeners[0];
    assert_eq!((listener.name.as_str(), listener.hosts.len()), ("x.example on *:80", 2));
    assert_eq!((listener.binds[0].default_server, listener.binds[1].address.as_str()), (true, "[::]:81"));
}

#[test]
fn a_block_with_addresses_of_its_own_has_none_of_those_around_it() {
    let model = http(
        "server { listen 80; deny all; location /a { stub_status; } location /b { stub_status; allow all; } \
         location /c { stub_status; allow 10.0.0.1; deny all; } }",
    );
    let guarded: Vec<_> = model.process.admin.iter().map(|admin| (admin.address.as_str(), admin.guarded)).collect();
    assert_eq!(guarded, [("/a", true), ("/b", false), ("/c", true)]);
}

/// Files of a test.
struct Kept(Vec<Source>);

impl Files for Kept {
    fn read(&mut self, pattern: &str, _from: &str) -> Result<Vec<Source>, String> {
        let found: Vec<_> = self.0.iter().filter(|file| super::super::load::matches(pattern, &file.name)).cloned().collect();
        if found.is_empty() && !pattern.contains('*') { Err("no such file".into()) } else { Ok(found) }
    }
}

#[test]
fn includes_are_followed_and_bounded() {
    let main = |text: &str| [Source::new("/etc/nginx/nginx.conf", format!("events {{}}\nhttp {{\n{text}\n}}\n"))];
    let mut files = Kept(vec![
        Source::new("/etc/nginx/a.conf", "upstream a { server 10.0.0.1; }"),
        Source::new("/etc/nginx/b.conf", "upstream b { include servers; }"),
        Source::new("/etc/nginx/round.conf", "include /etc/nginx/round.conf;"),
        Source::new("servers", "server 10.0.0.2;"),
    ]);
    let model = parse(&main("include /etc/nginx/[ab].conf;"), &mut files, None);
    assert_eq!((errors(&model), model.pools.len(), model.files.len()), (Vec::new(), 2, 4));
    assert_eq!(model.pool("b").expect("b").servers[0].place.file(), 3);
    let model = parse(&main("include /etc/nginx/round.conf;"), &mut files, None);
    assert!(errors(&model)[0].contains("circle"), "{:?}", model.notices);
    let model = parse(&main("include none.conf; include none/*.conf;"), &mut files, None);
    assert_eq!((errors(&model).len(), model.notices[0].place.line()), (1, 3));
    let model = parse(&main("include none.conf;"), &mut NoFiles, None);
    assert_eq!((errors(&model).len(), model.notices.len()), (0, 1));
    let doubling = (0..64).map(|n| Source::new(format!("{n}"), format!("include {}; include {};", n + 1, n + 1)));
    let model = parse(&main("include 0;"), &mut Kept(doubling.collect()), None);
    assert!(!errors(&model).is_empty());
}

#[test]
fn parts_of_configs_and_other_texts() {
    let part = model("upstream a { server 10.0.0.1; }\nserver { listen 80; location / { proxy_pass http://a; } }");
    assert_eq!((errors(&part), part.targets("*:80")), (Vec::new(), vec!["a"]));
    for text in [DUMP, TORTURE, STICKY, METHODS, "upstream a { server b; }", "\u{feff}events {}", "proxy_pass http://a;"] {
        assert!(is_config(text), "{text}");
    }
    for text in [
        "",
        "{\"a\": 1}",
        "global\n  daemon\nfrontend f\n  bind :80\n",
        "example.com {\n  reverse_proxy a:1 b:1\n}\n",
        "a: b\nc:\n  - d\n",
        "[http]\na = \"b\"\n",
        "{\n\tadmin off\n}\nx.example {\n}\n",
        "int main() { return 0; }",
    ] {
        assert!(!is_config(text), "{text}");
    }
}

#[test]
fn the_state_of_nginx_plus() {
    let text = r#"{"app":{"peers":[{"id":0,"server":"10.0.0.1:80","name":"10.0.0.1","backup":false,"weight":5,"state":"up","active":0},
        {"id":1,"server":"10.0.0.2:80","name":"10.0.0.2","backup":true,"weight":1,"state":"draining"},
        {"id":2,"server":"10.0.0.3:80","name":"10.0.0.3","backup":false,"weight":1,"state":"down"},
        {"id":3,"server":"10.0.0.4:80","name":"10.0.0.3","backup":false,"weight":1,"state":"unhealthy"}],"keepalive":0,"zone":"app"}}"#;
    let state = state::state(text).expect("a state");
    let told: Vec<_> = state.pools[0].servers.iter().map(|s| (s.name.as_str(), s.weight, s.admin, s.health)).collect();
    let expected = [
        ("10.0.0.1", 5, Admin::Ready, Some(Health::Up)),
        ("10.0.0.2", 1, Admin::Drain, Some(Health::Up)),
        ("10.0.0.3", 1, Admin::Maintenance, None),
        ("10.0.0.3#2", 1, Admin::Ready, Some(Health::Down)),
    ];
    assert_eq!(told, expected);
    assert!(state::state("[]").is_err());
}

/// The whole of what a text gives, as `file.conf`.
fn part(text: &str) -> Model {
    parse(&[Source::new("conf.d/file.conf", text)], &mut NoFiles, None)
}

fn told(model: &Model) -> Vec<(&str, Option<&str>, String)> {
    let target = |target: &Target| match target {
        Target::Other { said } => format!("“{said}”"),
        target => target.pools().collect::<Vec<_>>().join(","),
    };
    model.routes.iter().map(|r| (r.listener.as_str(), r.condition.as_deref(), target(&r.target))).collect()
}

#[test]
fn parts_below_a_server_give_routes_and_pools() {
    let model =
        part("location /a { proxy_pass http://10.0.0.1:81; proxy_read_timeout 5s; }\nlocation / { proxy_pass http://web; }");
    assert_eq!(errors(&model), [""; 0]);
    let all = [("file.conf", Some("location /a"), "10.0.0.1:81".to_owned()), ("file.conf", None, "web".to_owned())];
    assert_eq!(told(&model), all);
    assert_eq!(model.pool("10.0.0.1:81").and_then(|pool| pool.timeouts.server.as_ref()).map(|time| time.value), Some(5000));
    let web = model.pool("web").expect("web");
    assert_eq!((web.discovered, web.servers.len()), (true, 0), "the upstream is elsewhere");
    assert_eq!((model.listeners.len(), model.listeners[0].binds.len(), model.listeners[0].place.line()), (1, 0, 1));
    assert!(model.notices[0].text.contains("stands inside server"), "{:?}", model.notices);

    let model = part("proxy_pass https://api.example;\nproxy_next_upstream error timeout http_503;");
    assert_eq!((errors(&model), told(&model)), (Vec::new(), vec![("file.conf", None, "api.example".to_owned())]));
    let api = model.pool("api.example").expect("api");
    assert_eq!((api.retry.on.len(), api.servers[0].address.as_str()), (3, "api.example:443"));

    let model = part("least_conn;\nserver 10.0.0.1 weight=3;\nserver 10.0.0.2 backup;");
    let pool = model.pool("file.conf").expect("the file's own");
    assert_eq!((errors(&model), pool.servers.len(), pool.algorithm.family), (Vec::new(), 2, Family::LeastConnections));
    assert_eq!((pool.place.line(), pool.servers[0].place.line()), (1, 2));

    let model = part("upstream db { server 10.0.0.1:5432; }\nserver { listen 5432; proxy_pass db; proxy_timeout 1h; }");
    assert_eq!((errors(&model), told(&model)), (Vec::new(), vec![("*:5432", None, "db".to_owned())]));
    assert_eq!(model.pool("db").map(|pool| pool.mode), Some(Mode::Tcp));
    let model = part("listen 5432;\nproxy_pass db:5432;");
    assert_eq!((errors(&model), told(&model)), (Vec::new(), vec![("*:5432", None, "db:5432".to_owned())]));

    let mixed = part("upstream web { server 10.0.0.1; server 10.0.0.2; }\nlocation /x { proxy_pass http://web; }");
    assert_eq!((errors(&mixed), told(&mixed)), (Vec::new(), vec![("file.conf", Some("location /x"), "web".to_owned())]));
    assert_eq!(mixed.pool("web").map(|pool| pool.servers.len()), Some(2));
}

#[test]
fn a_part_is_not_blamed_for_what_stands_around_it() {
    let text = "limit_req zone=api burst=5; access_log /var/log/a.log main; proxy_cache pages; set $x $connection_upgrade;\n\
                location / { proxy_pass http://web; }";
    assert_eq!(errors(&part(text)), [""; 0]);
    let whole = http(&format!("server {{ listen 80; {text} }}"));
    assert_eq!(errors(&whole).len(), 4, "{:?}", errors(&whole));
    assert!(!errors(&part("location / { proxy_pas http://web; }")).is_empty());
    assert!(!errors(&part("server { listen 80; location / { weight 3; } }")).is_empty());
}

#[test]
fn files_of_one_folder_are_one_config() {
    let sources = |names: &[(&str, &str)]| names.iter().map(|(name, text)| Source::new(*name, *text)).collect::<Vec<_>>();
    let parts = [
        ("d/routes.conf", "location / { proxy_pass http://web; }"),
        ("d/servers", "server 10.0.0.1;"),
        ("d/site.conf", "server { listen 80; include routes.conf; }"),
        ("d/web.conf", "upstream web { include servers; }"),
    ];
    let model = parse(&sources(&parts), &mut NoFiles, None);
    assert_eq!((errors(&model), told(&model)), (Vec::new(), vec![("*:80", None, "web".to_owned())]));
    assert_eq!(model.pool("web").map(|pool| (pool.discovered, pool.servers.len())), Some((false, 1)));
    assert_eq!((model.pools.len(), model.files.len()), (1, 4));

    // The main file need not come first, and what it does not include is read too.
    let with_main = [parts[2], parts[3], ("d/nginx.conf", "events {}\nhttp {\n  include web.conf;\n}"), parts[0], parts[1]];
    let model = parse(&sources(&with_main), &mut NoFiles, None);
    assert_eq!((errors(&model), told(&model)), (Vec::new(), vec![("*:80", None, "web".to_owned())]));
    let notes: Vec<_> = model.notices.iter().map(|notice| notice.text.as_str()).collect();
    assert_eq!(notes, ["nothing includes d/site.conf: it is read as if it stood inside http"]);
}

#[test]
fn a_second_place_with_other_times_says_so_itself() {
    let two = |second: &str| {
        http(&format!(
            "upstream a {{ server 10.0.0.1; server 10.0.0.2; }} server {{ location / {{ proxy_pass http://a; proxy_read_timeout 30s; }}\n\
             location /slow {{ proxy_pass http://a; {second} }} }}"
        ))
    };
    let own = |model: &Model| model.routes.iter().find(|route| route.condition.is_some()).and_then(|route| route.own.clone());
    let same = two("proxy_read_timeout 30000ms; proxy_connect_timeout 60s; proxy_next_upstream timeout error;");
    assert_eq!(own(&same), None, "spelled otherwise, and the same");
    let slow = two("proxy_read_timeout 5m; proxy_next_upstream error timeout non_idempotent;");
    let said = own(&slow).expect("its own");
    assert_eq!(said.timeouts.server.as_ref().map(|time| (time.value, time.place.line())), Some((300_000, 2)));
    assert_eq!((said.timeouts.connect.is_none(), said.retry.as_ref().map(|retry| retry.non_idempotent)), (true, Some(true)));
    assert_eq!(slow.pool("a").and_then(|pool| pool.timeouts.server.as_ref()).map(|time| time.value), Some(30_000));
    // Nothing written there means nginx's default, not what the other place says.
    assert_eq!(own(&two("")).and_then(|own| own.timeouts.server.clone()).map(|time| time.value), Some(60_000));

    let sentences =
        |old: &Model, new: &Model| crate::balancer::diff::diff(old, new).into_iter().map(|c| c.sentence).collect::<Vec<_>>();
    assert_eq!(
        sentences(&slow, &two("proxy_read_timeout 10m; proxy_next_upstream error timeout non_idempotent;")),
        ["listener *:80: server timeout of route “location /slow” 5 min → 10 min"]
    );
    assert_eq!(
        sentences(&same, &two("proxy_read_timeout 5m;")),
        ["listener *:80: server timeout of route “location /slow” the pool's → 5 min"]
    );
    let found = |model: &Model, rule: &str| {
        let case = crate::balancer::audit::Case { model, has_state: false, before: None };
        let all = crate::balancer::audit::audit(&case, &std::collections::BTreeMap::new());
        all.into_iter().filter(|finding| finding.rule == rule).map(|finding| finding.message).collect::<Vec<_>>()
    };
    assert_eq!(found(&slow, "LB021"), ["Pool a waits 5 min for a server (location /slow)."]);
    assert_eq!((found(&slow, "LB028").len(), found(&same, "LB028").len()), (1, 0));
}

#[test]
fn answers_of_a_server_and_checks_of_stream() {
    let model = http(
        "upstream a { server 10.0.0.1; } server { if ($host = x) { return 403; } rewrite ^/old/(.*) /new/$1 permanent; \
         location / { proxy_pass http://a; } location /t { try_files $uri @b; } location /r { rewrite ^ /x last; } return 503; }",
    );
    assert_eq!(errors(&model), [""; 0]);
    let said: Vec<_> =
        told(&model).into_iter().map(|(_, condition, target)| (condition.unwrap_or("-").to_owned(), target)).collect();
    let expected = [
        ("if ($host = x)", "“return 403”"),
        ("rewrite ^/old/(.*)", "“rewrite ^/old/(.*) /new/$1 permanent”"),
        ("-", "“return 503”"),
        ("location /t", "“try_files $uri @b”"),
        ("location /r", "“rewrite ^ /x last”"),
        ("-", "a"),
    ];
    assert_eq!(said, expected.map(|(condition, target)| (condition.to_owned(), target.to_owned())));

    let stream = model_of_stream(
        "upstream s { zone s 64k; server 10.0.0.1:53; server 10.0.0.2:53; } server { listen 53; proxy_pass s; \
                                  health_check interval=3s fails=2 passes=4 match=dns; health_check_timeout 2s; }",
    );
    let check = stream.pool("s").and_then(|pool| pool.servers[0].check.clone()).expect("a check");
    assert_eq!((check.kind, check.interval_ms, check.fall, check.rise), (CheckKind::Protocol, Some(3000), Some(2), Some(4)));
    assert_eq!((check.timeout_ms, check.expects.as_deref()), (Some(2000), Some("dns")));
}

fn model_of_stream(text: &str) -> Model {
    model(&format!("events {{}} stream {{ match dns {{ send x; expect ~ y; }} {text} }}"))
}
