//! The sweep of planted secrets through the redaction itself, and configs that have none.

use std::path::{Path, PathBuf};

use afterload::balancer::data;
use afterload::balancer::nginx::lex;
use afterload::balancer::redact::{RedactionKey, fingerprints, redact};
use afterload::domain::balancer::BalancerKind;

use crate::canary::{self, KINDS, Planted};

fn key() -> RedactionKey {
    RedactionKey([7; 32])
}

fn kind(word: &str) -> BalancerKind {
    let kinds = [BalancerKind::Haproxy, BalancerKind::Nginx, BalancerKind::Envoy, BalancerKind::Traefik, BalancerKind::Caddy];
    kinds[KINDS.iter().position(|kind| *kind == word).expect("a known kind")]
}

struct Outcome {
    planted: usize,
    leaked: Vec<String>,
    changed: Vec<String>,
}

fn sweep(configs: &[Planted]) -> Outcome {
    let mut out = Outcome { planted: 0, leaked: Vec::new(), changed: Vec::new() };
    for config in configs {
        let redacted = redact(kind(config.kind), &config.text, &key());
        out.planted += config.canaries.len();
        for canary in canary::leaks(&redacted.text, config) {
            let line = redacted.text.lines().find(|line| line.contains(canary)).unwrap_or_default();
            out.leaked.push(format!("{} (broken: {}): {}", config.name, config.broken, line.trim()));
        }
        if let Some(change) = canary::changed_elsewhere(&redacted.text, config) {
            out.changed.push(format!("{} (broken: {}): {change}", config.name, config.broken));
        }
        assert!(!fingerprints(&redacted.text).is_empty(), "{}", config.name);
        let twice = redact(kind(config.kind), &redacted.text, &key());
        assert_eq!((twice.text, twice.secrets), (redacted.text, 0), "{}", config.name);
    }
    out
}

#[test]
fn none_of_2000_planted_secrets_is_left_and_nothing_else_moves() {
    let corpus = canary::corpus();
    let out = sweep(&corpus);
    assert_eq!((corpus.len(), out.planted), (300, 2_000));
    assert!(out.leaked.is_empty(), "{} leaked:\n{}", out.leaked.len(), out.leaked.join("\n"));
    assert!(out.changed.is_empty(), "{} changed:\n{}", out.changed.len(), out.changed.join("\n"));
}

#[test]
fn of_secrets_in_shapes_not_seen_before_98_percent_go() {
    let out = sweep(&canary::held_out());
    assert!(out.leaked.len() * 50 <= out.planted, "{} of {}:\n{}", out.leaked.len(), out.planted, out.leaked.join("\n"));
}

/// Every config among the fixtures; the word for its balancer stands in its path.
fn fixtures() -> Vec<(BalancerKind, PathBuf)> {
    let mut found = Vec::new();
    let mut waiting = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(std::fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("an entry").path()));
        } else if let Some(word) = KINDS.iter().find(|word| path.display().to_string().contains(*word)) {
            found.push((kind(word), path));
        }
    }
    found
}

#[test]
fn fixtures_stay_as_they_are_but_for_the_secrets_that_they_have() {
    const SECRETS: [&str; 6] =
        ["stats auth ", "dynamic-cookie-key ", "insecure-password ", "lb_policy cookie ", "\"secret\": ", "_by_lua_block"];
    let mut read = 0;
    for (kind, path) in fixtures() {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        read += 1;
        let redacted = redact(kind, &text, &key());
        let changed: Vec<_> = redacted.text.lines().filter(|line| line.contains("REDACTED-")).collect();
        let wrong: Vec<_> = changed.iter().filter(|line| !SECRETS.iter().any(|secret| line.contains(secret))).collect();
        assert!(wrong.is_empty(), "{}: {wrong:#?}", path.display());
    }
    assert!(read > 10, "{read}");
}

#[test]
fn what_could_be_read_before_can_be_read_afterwards() {
    let faults = |text: &str| data::parse(data::syntax_of("", text), text).problems.len();
    for config in canary::corpus().iter().chain(&canary::held_out()) {
        let after = redact(kind(config.kind), &config.text, &key()).text;
        match config.kind {
            "nginx" => assert!(lex::tokens(&after).1.len() <= lex::tokens(&config.text).1.len(), "{}", config.name),
            "envoy" | "traefik" if !config.broken => {
                assert_eq!(faults(&after), faults(&config.text), "{}:\n{after}", config.name)
            }
            _ => {}
        }
    }
}
