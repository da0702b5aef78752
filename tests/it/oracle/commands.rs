//! `afterload check` with the balancers' own programs beside it: their verdicts, and Caddyfiles through Caddy.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::program;

/// Exit status and JSON of a check in `dir`, the balancers on the PATH.
fn check(dir: &Path, args: &[&str]) -> (i32, Value) {
    let bin = program("haproxy").parent().expect("a folder").to_owned();
    let output = Command::new(env!("CARGO_BIN_EXE_afterload"))
        .arg("check")
        .args(args)
        .args(["--format", "json", "--fail-on", "critical"])
        .current_dir(dir)
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .output()
        .expect("it runs");
    let out = String::from_utf8(output.stdout).expect("UTF-8");
    let told = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"));
    (output.status.code().unwrap_or(-1), told)
}

fn notices(told: &Value) -> String {
    let all = told["notices"].as_array().expect("notices");
    all.iter().map(|notice| format!("{}: {}\n", notice["gravity"], notice["text"])).collect()
}

/// The line of a hole, from 1.
fn wrong_line(text: &str, hole: &str) -> u64 {
    text.lines().position(|line| line.contains(hole)).map_or(0, |at| at as u64 + 1)
}

#[test]
fn verdicts_of_the_programs_themselves() {
    let nginx = "error_log stderr;\npid nginx.pid;\nevents {}\nhttp { access_log off; upstream web { server 10.0.0.1:80 WEIGHT; server 10.0.0.2:80; } }\n";
    let envoy = "static_resources:\n  clusters:\n  - name: web\n    type: STATIC\n    lb_policy: POLICY\n    load_assignment:\n      cluster_name: web\n";
    let caddy = r#"{"apps": {"http": {"servers": {"a": {"listen": [":POR"], "routes": []}}}}}"#;
    let haproxy = "frontend in\n  mode http\n  timeout client 1s\n  bind 127.0.0.1:8080\n  default_backend web\ndefaults\n  mode http\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\nbackend web\n  balance POLICY\n  server a 10.0.0.1:80 check\n";
    for (file, text, hole, right, wrong, said) in [
        ("a.cfg", haproxy, "POLICY", "roundrobin", "roundrobbin", "haproxy -c (2."),
        ("nginx.conf", nginx, "WEIGHT", "weight=2", "weight=0", "nginx -t (1."),
        ("envoy.yaml", envoy, "POLICY", "ROUND_ROBIN", "ROUND_ROBBIN", "envoy --mode validate (1."),
        ("caddy.json", caddy, "POR", "8080", "8080-", "caddy validate (2."),
    ] {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |with: &str| fs::write(dir.path().join(file), text.replace(hole, with)).expect("written");
        write(right);
        let (code, told) = check(dir.path(), &[file, "--validate"]);
        assert!(notices(&told).contains(said) && notices(&told).contains("takes the config"), "{file}: {}", notices(&told));
        assert_ne!(code, 2, "{file}: {}", notices(&told));
        write(wrong);
        let (code, told) = check(dir.path(), &[file, "--validate"]);
        assert!(code == 2 && notices(&told).contains("refuses the config"), "{file}: {code} {}", notices(&told));
        // Envoy and Caddy name no line of what they could read and do not like.
        let placed = |notice: &&Value| notice["text"].as_str().is_some_and(|text| text.contains("refuses the config"));
        let all = told["notices"].as_array().expect("notices");
        let lines: Vec<_> = all.iter().filter(placed).map(|notice| notice["place"]["line"].as_u64().unwrap_or(0)).collect();
        let line = wrong_line(text, hole);
        match file {
            "a.cfg" | "nginx.conf" => assert!(lines.contains(&line), "{file}: {lines:?} {}", notices(&told)),
            _ => assert_eq!(lines, [0], "{file}"),
        }
    }
}

#[test]
fn a_caddyfile_is_read_as_caddy_reads_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let text = ":8080 {\n  reverse_proxy 10.0.0.1:80 10.0.0.2:80 {\n    lb_policy round_robin\n    header_up X-Key {$SECRET_OF_THE_PIPELINE}\n  }\n}\n";
    fs::write(dir.path().join("Caddyfile"), text).expect("written");
    let (code, told) = check(dir.path(), &["Caddyfile"]);
    assert_ne!(code, 2, "{}", notices(&told));
    assert_eq!((&told["kind"], &told["files"][0]), (&"caddy".into(), &"Caddyfile (caddy adapt)".into()));
    let (_, given) = check(dir.path(), &["."]);
    assert_eq!(given["kind"], "caddy");
    fs::write(dir.path().join("Caddyfile"), "{{{ nonsense").expect("written");
    let (code, told) = check(dir.path(), &["Caddyfile"]);
    assert!(code == 2 && told["error"].as_str().is_some_and(|error| error.contains("caddy adapt")), "{told}");
}
