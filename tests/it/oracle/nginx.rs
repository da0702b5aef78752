//! nginx configs: our tree against crossplane's, our verdicts against `nginx -t`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use afterload::balancer::model::Gravity;
use afterload::balancer::nginx;
use afterload::balancer::nginx::tree::{self, Body, Directive};
use afterload::balancer::source::{NoFiles, Source};
use serde_json::Value;

use super::program;

/// A source of numbers that gives the same ones at every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % sides
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.roll(100) < percent
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }
}

const METHODS: [&str; 12] = [
    "",
    "",
    "ip_hash;",
    "least_conn;",
    "hash $request_uri;",
    "hash $cookie_id consistent;",
    "random;",
    "random two;",
    "random two least_conn;",
    "least_time header;",
    "least_time last_byte inflight;",
    "hash $remote_addr$uri;",
];
const SERVER_WORDS: [&str; 13] = [
    "weight=5",
    "max_fails=3",
    "max_fails=0",
    "fail_timeout=30s",
    "fail_timeout=1m",
    "max_conns=64",
    "down",
    "weight=1",
    "route=a",
    "drain",
    "max_conns=0",
    "fail_timeout=5",
    "weight=100",
];
const UPSTREAM_EXTRAS: [&str; 8] = [
    "keepalive 16;",
    "keepalive_requests 100;",
    "keepalive_timeout 30s;",
    "sticky cookie srv expires=1h path=/;",
    "sticky route $cookie_r;",
    "keepalive 8 local;",
    "resolver 127.0.0.1;",
    "sticky learn create=$upstream_cookie_s lookup=$cookie_s zone=ZONE:1m;",
];
const LEVEL: [&str; 30] = [
    "proxy_connect_timeout 2s;",
    "proxy_read_timeout 30;",
    "proxy_send_timeout 1m;",
    "proxy_next_upstream error timeout http_503;",
    "proxy_next_upstream_tries 2;",
    "proxy_next_upstream_timeout 10s;",
    "proxy_http_version 1.1;",
    "proxy_set_header Connection \"\";",
    "proxy_set_header Host $host;",
    "add_header X-A \"b c\" always;",
    "client_max_body_size 10m;",
    "root /var/www;",
    "index a.html b.html;",
    "sendfile on;",
    "gzip off;",
    "keepalive_timeout 65 60;",
    "error_page 500 502 /50x.html;",
    "error_page 404 = /empty;",
    "allow 10.0.0.0/8;",
    "deny all;",
    "auth_basic \"a {b} ; c\";",
    "proxy_buffering off;",
    "proxy_buffers 16 8k;",
    "charset utf-8;",
    "default_type text/plain;",
    "expires 1h;",
    "proxy_next_upstream error timeout non_idempotent;",
    "client_body_timeout 10s;",
    "log_not_found off;",
    "etag on;",
];
const PASSES: [&str; 14] = [
    "proxy_pass http://u0;",
    "proxy_pass http://u0/x/;",
    "proxy_pass http://127.0.0.1:9001;",
    "proxy_pass https://127.0.0.1;",
    "proxy_pass http://$pool;",
    "proxy_pass http://[::1]:9001;",
    "proxy_pass http://unix:/run/a.sock;",
    "fastcgi_pass 127.0.0.1:9000;",
    "return 200 \"ok\\n\";",
    "return 301 https://$host$request_uri;",
    "grpc_pass grpc://127.0.0.1:9002;",
    "uwsgi_pass u0;",
    "scgi_pass unix:/x;",
    "proxy_pass http://u0$request_uri;",
];
const MATCHES: [&str; 9] = ["= /e", "^~ /s", "~ \\.php$", "~* \"\\.(gif|jpg)$\"", "/a", "/b/c", "/", "@f", "~ ^/u/(?<id>[^/]+)$"];

/// What is put in at any place: right, wrong, or right elsewhere.
const STRAYS: [&str; 96] = [
    "weight 3;",
    "server 127.0.0.1:9009 weight=0;",
    "server 127.0.0.1:9009;",
    "server 127.0.0.1:99999;",
    "listen 127.0.0.1:28999;",
    "listen 127.0.0.1:0;",
    "listen 127.0.0.1:28081 foo;",
    "proxy_pas http://u0;",
    "proxy_pass u0;",
    "proxy_pass http://u0;",
    "proxy_pass http://u0:81;",
    "proxy_pass ftp://u0;",
    "worker_processes 2;",
    "worker_processes x;",
    "worker_connections 10;",
    "user;",
    "ip_hash;",
    "least_conn foo;",
    "hash;",
    "hash $uri sticky;",
    "random three;",
    "zone z 64k;",
    "zone z 1k;",
    "keepalive x;",
    "keepalive 4;",
    "upstream u0 { server 127.0.0.1:1; }",
    "upstream u9 { }",
    "upstream u8 { server 127.0.0.1:1 backup; }",
    "upstream { server a; }",
    "location /a { }",
    "location = /e { return 204; }",
    "location ! /a { }",
    "location ~ ( { }",
    "if ($host = a) { return 403; }",
    "if ($nope) { return 403; }",
    "if (a) { }",
    "if ($uri ~ \"(\") { }",
    "return;",
    "return abc;",
    "return 302 /x;",
    "rewrite ^/a /b last;",
    "rewrite ^/a /b often;",
    "set $v 1;",
    "set v 1;",
    "set $host 1;",
    "map $uri $m1 { default a; /x b; }",
    "map $uri m1 { default a; }",
    "map $uri $m2 { a; }",
    "map $uri $m3 { /x a; /x b; }",
    "geo $g1 { default 0; 10.0.0.0/8 1; }",
    "geo $g2 { 10.0.0.0/99 1; }",
    "split_clients $uri $s1 { 50% a; * b; }",
    "split_clients $uri $s2 { 60% a; 60% b; }",
    "types { text/x x; }",
    "gzip on;",
    "gzip maybe;",
    "gzip_comp_level 12;",
    "proxy_read_timeout 1x;",
    "proxy_read_timeout 3 4;",
    "proxy_connect_timeout;",
    "proxy_buffer_size 64k;",
    "proxy_buffers 1 8k;",
    "proxy_next_upstream http_599;",
    "proxy_next_upstream off;",
    "client_max_body_size 1q;",
    "error_page 200 /x;",
    "error_page 404;",
    "try_files $uri /x;",
    "try_files $uri =9999;",
    "allow everybody;",
    "deny 1.2.3.4;",
    "limit_req zone=none;",
    "limit_conn_zone $uri zone=lz:1m;",
    "limit_conn none 1;",
    "proxy_cache none;",
    "access_log off;",
    "access_log a.log none;",
    "error_log stderr loud;",
    "add_header X $nope;",
    "add_header X-Y z never;",
    "proxy_set_header X;",
    "server_name a b;",
    "server_name *a;",
    "expires soon;",
    "alias /x;",
    "root /x;",
    "internal;",
    "stream { }",
    "http { }",
    "events { }",
    "{ }",
    ";",
    "}",
    "x",
    "\"unclosed",
    "limit_except GET { deny all; }",
];

/// A config that nginx takes, one directive a line. Listens on ports of its own from `port` on.
fn valid(dice: &mut Dice, port: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec!["events { worker_connections 512; }".into()];
    if dice.chance(50) {
        lines.insert(0, format!("worker_processes {};", dice.pick(&["1", "2", "auto"])));
    }
    lines.push("http {".into());
    lines.push("access_log off;".into());
    lines.push("map $http_x_pool $pool { default u0; \"api\" \"127.0.0.1:9003\"; ~^x(?<rest>.*)$ u0; }".into());
    level(dice, &mut lines);
    for number in 0..1 + dice.roll(3) {
        upstream(dice, &mut lines, &format!("u{number}"), false);
    }
    for number in 0..1 + dice.roll(3) {
        lines.push("server {".into());
        let shared = dice.chance(30);
        let port = if shared { port } else { port + number };
        lines.push(format!("listen 127.0.0.1:{port}{};", if number == 0 && dice.chance(40) { " default_server" } else { "" }));
        lines.push(format!(
            "server_name h{number}.example {};",
            dice.pick(&["a.example", "*.b.example", "~^c(?<n>\\d+)$", "_", "\"\""])
        ));
        level(dice, &mut lines);
        if dice.chance(20) {
            lines.push("if ($request_method = POST) { return 405; }".into());
        }
        let mut used: Vec<&str> = Vec::new();
        for _ in 0..dice.roll(5) {
            let pattern = dice.pick(&MATCHES);
            if !used.contains(&pattern) {
                used.push(pattern);
                location(dice, &mut lines, pattern);
            }
        }
        lines.push("}".into());
    }
    lines.push("}".into());
    if dice.chance(30) {
        lines.push("stream {".into());
        upstream(dice, &mut lines, "t0", true);
        lines.push("server {".into());
        lines.push(format!("listen 127.0.0.1:{}{};", port + 5, dice.pick(&["", " udp", " so_keepalive=on", " proxy_protocol"])));
        lines.push(dice.pick(&["proxy_pass t0;", "proxy_pass 127.0.0.1:9001;", "return \"x\";"]).into());
        if dice.chance(50) {
            lines.push(
                dice.pick(&["proxy_timeout 5s;", "proxy_connect_timeout 1s;", "proxy_next_upstream off;", "preread_timeout 3s;"])
                    .into(),
            );
        }
        lines.push("}".into());
        lines.push("}".into());
    }
    lines
}

/// A few directives that may stand in `http`, `server` and `location`, each name once.
fn level(dice: &mut Dice, lines: &mut Vec<String>) {
    let mut names: Vec<&str> = Vec::new();
    for _ in 0..dice.roll(5) {
        let line = dice.pick(&LEVEL);
        let name = line.split([' ', ';']).next().unwrap_or_default();
        if !names.contains(&name) {
            names.push(name);
            lines.push(line.into());
        }
    }
}

fn upstream(dice: &mut Dice, lines: &mut Vec<String>, name: &str, stream: bool) {
    lines.push(format!("upstream {name} {{"));
    if dice.chance(50) {
        lines.push(format!("zone z{name} 64k;"));
    }
    let method = if stream {
        dice.pick(&["", "least_conn;", "hash $remote_addr consistent;", "random two;"])
    } else {
        dice.pick(&METHODS)
    };
    lines.push(method.into());
    let plain = method.is_empty() || method.starts_with("least");
    for number in 0..1 + dice.roll(4) {
        let address = dice.pick(&["127.0.0.1:9001", "127.0.0.2:9002", "[::1]:9003", "unix:/run/x.sock"]);
        let mut line = format!("server {address}");
        for _ in 0..dice.roll(3) {
            let word = dice.pick(&SERVER_WORDS);
            if !(stream && (word == "drain" || word.starts_with("route"))) {
                let _ = write!(line, " {word}");
            }
        }
        if number > 0 && plain && dice.chance(20) {
            line.push_str(" backup");
        }
        lines.push(line + ";");
    }
    if !stream && dice.chance(40) {
        lines.push(dice.pick(&UPSTREAM_EXTRAS).replace("ZONE", &format!("learn{name}")));
    }
    lines.push("}".into());
}

fn location(dice: &mut Dice, lines: &mut Vec<String>, pattern: &str) {
    lines.push(format!("location {pattern} {{"));
    level(dice, lines);
    let bare = pattern.starts_with(['~', '@']);
    let pass = dice.pick(&PASSES);
    lines.push(if bare { pass.replace("u0/x/", "u0") } else { pass.to_owned() });
    if dice.chance(15) && !pass.starts_with("return") {
        lines.push("if ($arg_debug) { set $debug 1; }".into());
    }
    if pattern == "/a" && dice.chance(50) {
        location(dice, lines, "/a/b");
    }
    lines.push("}".into());
}

/// Breaks a config in one way, or in none: what comes out may well be right.
fn broken(dice: &mut Dice, mut lines: Vec<String>) -> String {
    let at = dice.roll(lines.len());
    match dice.roll(10) {
        0 => lines[at] = lines[at].replacen(';', "", 1),
        1 => lines[at] = lines[at].replacen('}', "", 1),
        2 => lines[at] = lines[at].replacen('{', "", 1),
        3 => {
            let line = lines[at].clone();
            if !line.ends_with('{') && line != "}" {
                lines.insert(at, line);
            }
        }
        4 => {
            let words: Vec<&str> = lines[at].split(' ').collect();
            let gone = dice.roll(words.len());
            lines[at] =
                words.iter().enumerate().filter(|(index, _)| *index != gone).map(|(_, word)| *word).collect::<Vec<_>>().join(" ");
        }
        5 => lines[at] = lines[at].replacen(|c: char| c.is_ascii_digit(), dice.pick(&["x", "-1", "", "99999999999999999999"]), 1),
        6 => lines[at] = lines[at].replacen(' ', dice.pick(&[" extra ", "  ", "", " \"", " \\"]), 1),
        _ => lines.insert(at, dice.pick(&STRAYS).into()),
    }
    lines.join("\n") + "\n"
}

#[derive(Debug)]
struct Verdict {
    refused: bool,
    said: String,
}

fn nginx_says(folder: &Path, text: &str) -> Verdict {
    let file = folder.join("nginx.conf");
    std::fs::write(&file, text).expect("a config");
    let output =
        Command::new(program("nginx")).arg("-t").arg("-p").arg(folder).arg("-c").arg(&file).output().expect("nginx runs");
    Verdict { refused: !output.status.success(), said: String::from_utf8_lossy(&output.stderr).into_owned() }
}

fn we_say(text: &str) -> Verdict {
    let model = nginx::parse(&[Source::new("nginx.conf", text)], &mut NoFiles, Some("1.31.3"));
    let errors: Vec<_> = model.notices.iter().filter(|notice| notice.gravity == Gravity::Error).collect();
    let said = errors.iter().map(|notice| format!("{}: {}\n", notice.place.line(), notice.text)).collect();
    Verdict { refused: !errors.is_empty(), said }
}

/// What a config says of this machine rather than of itself.
fn of_this_machine(said: &str) -> bool {
    ["host not found", "bind() to", "No such file", "cannot load certificate", "Permission denied", "getpwnam", "getgrnam"]
        .iter()
        .any(|part| said.contains(part))
}

#[test]
fn verdicts_are_those_of_nginx() {
    let folder = tempfile::tempdir().expect("a folder");
    let runs: u64 = std::env::var("AFTERLOAD_ORACLE_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(2600);
    let (mut refused, mut taken, mut set_aside) = (0, 0, 0);
    let mut wrong = String::new();
    for run in 1..=runs {
        let mut dice = Dice(run.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let lines = valid(&mut dice, 28_100);
        let text = if run % 4 == 0 { lines.join("\n") + "\n" } else { broken(&mut dice, lines) };
        let text = format!("pid nginx.pid; error_log stderr;\n{text}");
        let theirs = nginx_says(folder.path(), &text);
        if theirs.refused && of_this_machine(&theirs.said) {
            set_aside += 1;
            continue;
        }
        let ours = we_say(&text);
        if theirs.refused {
            refused += 1;
        } else {
            taken += 1;
        }
        if ours.refused != theirs.refused {
            let _ = writeln!(wrong, "--- run {run}\n{text}\nnginx: {}\nwe: {}", theirs.said, ours.said);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(set_aside * 20 < runs, "{set_aside} of {runs} set aside");
    assert!(refused > runs / 4 && taken > runs / 4, "{refused} refused, {taken} taken");
}

/// The tree in crossplane's form.
pub fn as_crossplane(directives: &[Directive]) -> Value {
    let one = |directive: &Directive| {
        let words: Vec<_> = directive.arguments.iter().map(|word| word.text.as_str()).collect();
        let mut value = serde_json::json!({ "directive": directive.name.text, "args": words });
        if let Body::Block(inner) = &directive.body {
            value["block"] = as_crossplane(inner);
        }
        value
    };
    Value::Array(directives.iter().map(one).collect())
}

/// crossplane's tree in the form of ours: `if` arguments put together, what only it tells left out.
fn cleaned(value: &mut Value) {
    if let Value::Array(items) = value {
        for item in items {
            if let Some(object) = item.as_object_mut() {
                object.retain(|key, _| matches!(key.as_str(), "directive" | "args" | "block"));
                if let Some(block) = object.get_mut("block") {
                    cleaned(block);
                }
            }
        }
    }
}

pub fn crossplane_reads(folder: &Path, text: &str) -> Value {
    let file = folder.join("crossplane.conf");
    std::fs::write(&file, text).expect("a config");
    let output =
        Command::new(program("crossplane")).arg("parse").arg("--single-file").arg(&file).output().expect("crossplane runs");
    let value: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut parsed = value["config"][0]["parsed"].clone();
    cleaned(&mut parsed);
    parsed
}

#[test]
fn the_tree_is_crossplanes() {
    let folder = tempfile::tempdir().expect("a folder");
    for run in 1..=25 {
        let mut dice = Dice(run * 0x9e37_79b9);
        // Many configs in one file: starting the program takes longest.
        let text: String = (0..20).map(|_| valid(&mut dice, 28_100).join("\n") + "\n").collect();
        // Where crossplane reads otherwise than nginx: it keeps escapes in quotes, takes conditions apart,
        // and drops what is newer than itself.
        let apart =
            ["if ($request_method = POST) { return 405; }", "if ($arg_debug) { set $debug 1; }", "\\n", "keepalive 8 local;"];
        let text = apart.iter().fold(text, |text, part| text.replace(part, ""));
        let (ours, theirs) = (as_crossplane(&tree::read(&text).directives), crossplane_reads(folder.path(), &text));
        for (ours, theirs) in ours.as_array().into_iter().flatten().zip(theirs.as_array().into_iter().flatten()) {
            assert_eq!(ours, theirs);
        }
        assert_eq!(ours, theirs, "{text}");
    }
}
