//! How long configs take to understand, against the balancer's own check of the same file in the same run.
//!
//! Prints medians and ratios; nothing fails. Needs the balancers of `tests/balancers FOLDER`, named by
//! `AFTERLOAD_TEST_BALANCERS`.
#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use afterload::balancer::audit::{self, Case};
use afterload::balancer::redact::{RedactionKey, redact};
use afterload::balancer::source::{NoFiles, Source};
use afterload::balancer::{diff, parse};
use afterload::domain::balancer::BalancerKind;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 9;

fn main() {
    let programs = PathBuf::from(std::env::var("AFTERLOAD_TEST_BALANCERS").expect("AFTERLOAD_TEST_BALANCERS names a folder"));
    let folder = std::env::temp_dir().join(format!("afterload-bench-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("logs")).expect("a folder");
    let nginx = folder.join("nginx.conf");
    std::fs::write(&nginx, nginx_config(&folder)).expect("a config");
    for (name, text) in [("as an ingress controller writes it", ingress_config()), ("mostly servers", dense_config())] {
        let haproxy = folder.join("haproxy.cfg");
        std::fs::write(&haproxy, text).expect("a config");
        let check = || run(&programs.join("bin/haproxy"), &["-c", "-f"], &haproxy);
        compare(&format!("HAProxy {name}, haproxy -c"), BalancerKind::Haproxy, &haproxy, check);
    }
    let folder_text = folder.display().to_string();
    let check = || run(&programs.join("bin/nginx"), &["-t", "-p", &folder_text, "-c"], &nginx);
    compare("nginx, nginx -t", BalancerKind::Nginx, &nginx, check);
    std::fs::remove_dir_all(&folder).ok();
}

fn run(program: &Path, arguments: &[&str], file: &Path) {
    let ran = Command::new(program).args(arguments).arg(file).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(ran.expect("the program runs").success(), "{} takes its config", program.display());
}

fn compare(name: &str, kind: BalancerKind, file: &Path, own: impl Fn()) {
    let text = std::fs::read_to_string(file).expect("the config");
    let sources = [Source::new("config", text.clone())];
    let understand = || parse(kind, &sources, &mut NoFiles, Some("2.8"));
    let model = understand();
    let find = |model| audit::audit(&Case { model, has_state: false, before: None }, &BTreeMap::new());
    println!("{name}: {} lines, {} pools, {} findings", text.lines().count(), model.pools.len(), find(&model).len());
    let key = RedactionKey([7; 32]);
    // Taken in turn, so that what else runs on the machine falls on all alike.
    let mut times: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for _ in 0..ROUNDS {
        let mut time = |what, work: &dyn Fn()| {
            let began = Instant::now();
            work();
            times.entry(what).or_default().push(began.elapsed());
        };
        time("own", &own);
        time("parse", &|| drop(black_box(understand())));
        time("audit", &|| drop(black_box(find(&model))));
        time("redact", &|| drop(black_box(redact(kind, &text, &key))));
        time("diff", &|| drop(black_box(diff::diff(&model, &model))));
    }
    let median = |what: &str| {
        let mut sorted = times[what].clone();
        sorted.sort();
        sorted[sorted.len() / 2].as_secs_f64() * 1000.0
    };
    for what in ["own", "parse", "audit", "redact", "diff"] {
        println!("  {what:<7} {:8.1} ms", median(what));
    }
    println!("  own / (parse + audit) = {:.1}", median("own") / (median("parse") + median("audit")));
}

const HAPROXY_HEAD: &str = "global\n    maxconn 20000\ndefaults\n    mode http\n    timeout connect 5s\n    timeout client 30s\n    \
    timeout server 30s\n    timeout queue 10s\n    option httpchk GET /health\n    default-server inter 2s fall 3 rise 2 maxconn 200\n\n\
    frontend in\n    bind 127.0.0.1:18080\n";

/// Some 20,000 lines: 1,000 pools of 4 servers, each with the rules that a service has in front of it.
fn ingress_config() -> String {
    let mut out = String::from(HAPROXY_HEAD);
    let pools = 950;
    out.push_str("    http-request set-var(txn.host) hdr(host),field(1,:),lower\n");
    for pool in 0..pools {
        let _ = writeln!(
            out,
            "    acl host_{pool} var(txn.host) -m str app{pool}.example.com\n    use_backend ns_app{pool}_8080 if host_{pool} {{ path_beg /api }}"
        );
    }
    out.push_str("    default_backend ns_app0_8080\n\n");
    for pool in 0..pools {
        let _ = writeln!(
            out,
            "# service ns/app{pool}\nbackend ns_app{pool}_8080\n    balance leastconn\n    option forwardfor\n    option httpchk\n    \
             http-check send meth GET uri /healthz ver HTTP/1.1 hdr host app{pool}.example.com\n    \
             http-check expect status 200-399\n    acl local_net src 10.0.0.0/8 192.168.0.0/16\n    acl secure ssl_fc\n    \
             http-request deny deny_status 403 if {{ path_beg /internal }} !local_net\n    \
             http-request set-header X-Real-IP %[src]\n    http-request set-header X-Forwarded-Proto https if secure\n    \
             http-response set-header Strict-Transport-Security \"max-age=15768000\" if secure\n    timeout server 60s\n    \
             cookie SRV insert indirect nocache httponly secure"
        );
        for server in 1..=4 {
            let _ = writeln!(
                out,
                "    server srv{server:03} 10.{}.{}.{server}:8080 cookie srv{server:03} weight 1 check",
                pool / 250,
                pool % 250
            );
        }
        out.push('\n');
    }
    out
}

/// Some 20,000 lines: 1,600 pools of 7 servers, one listener with a route to each.
fn dense_config() -> String {
    let mut out = String::from(HAPROXY_HEAD);
    let pools = 1_600;
    for pool in 0..pools {
        let _ = writeln!(out, "    acl is_{pool} hdr(host) -i host{pool}.example.com\n    use_backend pool{pool} if is_{pool}");
    }
    out.push_str("    default_backend pool0\n\n");
    for pool in 0..pools {
        let _ = writeln!(out, "backend pool{pool}\n    balance roundrobin\n    cookie SRV insert indirect nocache");
        for server in 0..7 {
            let _ = writeln!(
                out,
                "    server s{server} 10.{}.{}.{}:8080 check weight 100 cookie s{server}",
                pool / 250,
                pool % 250,
                server + 1
            );
        }
        out.push('\n');
    }
    out
}

/// Some 20,000 lines: 1,500 upstreams of 5 servers and 1,500 servers with a location each.
fn nginx_config(folder: &Path) -> String {
    let folder = folder.display();
    let mut out = format!(
        "pid {folder}/nginx.pid;\nerror_log {folder}/error.log;\nworker_processes 2;\nevents {{ worker_connections 1024; }}\nhttp {{\n    \
         access_log off;\n    server_names_hash_max_size 8192;\n"
    );
    for temporary in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        let _ = writeln!(out, "    {temporary}_temp_path {folder}/{temporary};");
    }
    for pool in 0..1_500 {
        let _ = writeln!(out, "    upstream pool{pool} {{\n        zone pool{pool} 64k;");
        for server in 0..4 {
            let _ = writeln!(out, "        server 10.{}.{}.{}:8080 weight=5 max_fails=3;", pool / 250, pool % 250, server + 1);
        }
        let _ =
            writeln!(out, "    }}\n    server {{\n        listen 127.0.0.1:18081;\n        server_name host{pool}.example.com;");
        let _ = writeln!(out, "        location / {{\n            proxy_pass http://pool{pool};\n        }}\n    }}");
    }
    out.push_str("}\n");
    out
}
