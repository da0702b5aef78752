//! What the fuzzers found interesting holds in every run: the corpora of `fuzz/corpus`, read by the same functions.

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::path::Path;

use afterload::balancer::audit::{Case, audit};
use afterload::balancer::diff::{apply, diff};
use afterload::balancer::model::Model;
use afterload::balancer::parse;
use afterload::balancer::source::{NoFiles, Source};
use afterload::domain::balancer::BalancerKind::{self, Caddy, Envoy, Haproxy, Nginx, Traefik};

#[test]
fn every_corpus_is_read_and_nothing_breaks() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, target) in targets::TARGETS {
        let mut count = 0;
        for file in fs::read_dir(corpora.join(name)).expect("each target has a corpus") {
            let path = file.expect("a file").path();
            let data = fs::read(&path).expect("bytes");
            if std::panic::catch_unwind(|| target(&data)).is_err() {
                panic!("{} breaks the fuzz target {name}; the reason stands above", path.display());
            }
            count += 1;
        }
        assert!(count > 20, "only {count} files for {name}");
    }
}

/// Configs of one line again and again, `#` its number: what is quadratic takes minutes. Head, line, end.
const LONG: &[(BalancerKind, &str, &str, &str)] = &[
    (Haproxy, ".if defined(A)\n", ".elif defined(A#)\n", ".endif\n"),
    (Haproxy, ".if ", "!(", ""),
    (Haproxy, "backend b\nserver ", "a# ", "\n"),
    (Haproxy, "backend b\n", "word# of nothing\n", ""),
    (Haproxy, "backend b\n", "server s 10.0.0.1:80 track b/s\n", ""),
    (Haproxy, "backend b\n", "server s# 10.0.0.1:80 check inter #ms\n", ""),
    (Haproxy, "backend b\n", "stick on src table t#\n", ""),
    (Haproxy, "backend b\nserver s 10.0.0.1:80\n", "use-server s if { path /# }\n", ""),
    (Haproxy, "frontend f\nbind ", "10.0.0.1:#,", "\n"),
    (Haproxy, "frontend f\n", "bind 10.0.0.1:# maxconn #\n", ""),
    (Haproxy, "frontend f\n", "acl a path /#\nuse_backend b if a\n", "backend b\n"),
    (Haproxy, "frontend f\n", "use_backend p_%[path] if { path /# }\n", "backend p_a\n"),
    (Haproxy, "global\n", "stats socket /s# level admin\n", ""),
    (Haproxy, "", "backend b\nserver s 10.0.0.1:80\n", ""),
    (Nginx, "events {}\nhttp {\n", "location / { ", ""),
    (Nginx, "events {}\nhttp {\n", "upstream u# { server 10.0.0.1:80; }\n", "}"),
    (Nginx, "http { upstream u {\n", "server 10.0.0.1:#;\n", "} server { location / { proxy_pass http://u; } } }"),
    (Nginx, "http { upstream u { server a; } server {\n", "location /# { proxy_pass http://u; health_check; }\n", "} }"),
    (Nginx, "http { server {\n", "set $a#x $a#; proxy_pass http://$a#x;\n", "} }"),
    (Nginx, "# configuration file /m:\ninclude /*;\n", "# configuration file /f#:\ninclude /f#x;\n", ""),
    (Nginx, "", "content_by_lua_block { [==[", ""),
    (Envoy, "static_resources:\n  clusters:\n", "  - {name: c#, type: STATIC, lb_policy: RING_HASH}\n", ""),
    (Envoy, "a: &a {b: c}\n", "d#: [*a, *a]\n", ""),
    (Envoy, "", "[", ""),
    (Traefik, "http:\n  services:\n", "    s#: {weighted: {services: [{name: s#}, {name: s1}]}}\n", ""),
    (Traefik, "http:\n  middlewares:\n", "    m#: {chain: {middlewares: [m0, m1, m#]}}\n", ""),
    (Traefik, "http:\n  routers:\n", "    r#: {rule: 'Host(`#`)', service: s, entryPoints: [e#]}\n", ""),
    (Traefik, "", "[http.services.s#]\n", ""),
    (Caddy, "{\"apps\":", "{\"a\":[", ""),
    (
        Caddy,
        "{\"apps\":{\"http\":{\"servers\":{\"s\":{\"routes\":[{\"handle\":[",
        "{\"handler\":\"reverse_proxy\",\"upstreams\":[{\"dial\":\"a#:80\"}]},",
        "{}]}]}}}}}",
    ),
];

#[test]
fn long_configs_are_understood_in_bounded_time() {
    for (kind, head, line, end) in LONG {
        let mut text = (*head).to_owned();
        for number in 0.. {
            if text.len() > 200_000 {
                break;
            }
            text.push_str(&line.replace('#', &number.to_string()));
        }
        text.push_str(end);
        let began = computed();
        let model = parse(*kind, &Source::split("config", &text), &mut NoFiles, None);
        let none = Model { kind: *kind, ..Model::default() };
        apply(&none, &diff(&none, &model));
        let changes = diff(&model, &none);
        audit(&Case { model: &model, has_state: true, before: Some((&none, &changes)) }, &Default::default());
        let seconds = computed() - began;
        // Unoptimised; what others do beside it is not counted.
        assert!(seconds < 30.0, "{kind:?}: {line:?} took {seconds} s");
    }
}

/// Seconds that this thread computed so far.
fn computed() -> f64 {
    let told = fs::read_to_string("/proc/thread-self/stat").expect("Linux tells");
    // Behind the name, which may hold blanks: fields 14 and 15, in hundredths.
    let fields = told.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("a number")).sum::<f64>() / 100.0
}
