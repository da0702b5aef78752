//! The fixtures of the audit rules are real configs: each balancer takes its own, and refuses those whose first line
//! says so. Traefik has no check of its own; its fixtures are only read by us.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::program;

fn fixtures(ending: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/audit");
    let mut found = Vec::new();
    for rule in fs::read_dir(folder).expect("the fixtures") {
        let rule = rule.expect("an entry").path();
        let files = fs::read_dir(rule).expect("a folder for each rule").map(|file| file.expect("an entry").path());
        found.extend(files.filter(|file| file.to_string_lossy().ends_with(ending)));
    }
    found.sort();
    assert!(found.len() > 5, "fixtures of {ending}");
    found
}

/// Holds each fixture against the balancer's verdict.
fn judged(ending: &str, check: impl Fn(&Path) -> Output) {
    let mut faults = Vec::new();
    for path in fixtures(ending) {
        let text = fs::read_to_string(&path).expect("text");
        let refused = text.lines().next().is_some_and(|line| line.contains("refused:"));
        let output = check(&path);
        if output.status.success() == refused {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            faults.push(format!("{} is {}:\n{said}", path.display(), if refused { "taken" } else { "refused" }));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn haproxy_takes_the_fixtures_of_the_rules() {
    judged("haproxy.cfg", |path| Command::new(program("haproxy")).arg("-c").arg("-f").arg(path).output().expect("haproxy"));
}

#[test]
fn nginx_takes_the_fixtures_of_the_rules() {
    let folder = tempfile::tempdir().expect("a folder");
    judged("nginx.conf", |path| {
        let mut nginx = Command::new(program("nginx"));
        nginx.arg("-t").arg("-p").arg(folder.path()).arg("-c").arg(path).output().expect("nginx")
    });
}

#[test]
fn envoy_takes_the_fixtures_of_the_rules() {
    judged("envoy.yaml", |path| {
        let mut envoy = Command::new(program("envoy"));
        envoy.args(["--mode", "validate", "-l", "error", "-c"]).arg(path).output().expect("envoy")
    });
}

#[test]
fn caddy_takes_the_fixtures_of_the_rules() {
    let folder = tempfile::tempdir().expect("a folder");
    judged("caddy.json", |path| {
        let mut caddy = Command::new(program("caddy"));
        caddy.env("HOME", folder.path()).args(["validate", "--config"]).arg(path).output().expect("caddy")
    });
}
