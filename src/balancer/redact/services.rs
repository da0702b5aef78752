//! Tokens of known services, by the prefix that they give to them so that scanners find them.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::patterns::run;

/// Prefixes that services give to their tokens so that scanners find them, with the least number of
/// characters that must follow.
const SERVICES: [(&str, usize); 38] = [
    ("AKIA", 16),
    ("ASIA", 16),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("gldt-", 16),
    ("glrt-", 16),
    ("xoxb-", 10),
    ("xoxa-", 10),
    ("xoxp-", 10),
    ("xoxr-", 10),
    ("xoxs-", 10),
    ("xoxe-", 10),
    ("xapp-", 10),
    ("sk_live_", 10),
    ("rk_live_", 10),
    ("sk_test_", 10),
    ("whsec_", 10),
    ("SG.", 20),
    ("AIza", 30),
    ("ya29.", 20),
    ("GOCSPX-", 16),
    ("hvs.", 20),
    ("hvb.", 20),
    ("dop_v1_", 20),
    ("npm_", 30),
    ("pypi-", 30),
    ("sk-ant-", 20),
    ("sk-proj-", 20),
    ("shpat_", 20),
    ("dapi", 32),
    ("glsa_", 20),
    ("hooks.slack.com/services/", 20),
    ("/api/webhooks/", 30),
];

/// Looks for all of them at once.
static PREFIXES: LazyLock<AhoCorasick> =
    LazyLock::new(|| AhoCorasick::new(SERVICES.map(|(prefix, _)| prefix)).expect("a few short words fit an automaton"));

pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    let mut done = [0; SERVICES.len()];
    for hit in PREFIXES.find_overlapping_iter(text) {
        let (prefix, least) = SERVICES[hit.pattern().as_usize()];
        let done = &mut done[hit.pattern().as_usize()];
        let inside_word = text[..hit.start()].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if hit.start() < *done || (inside_word && !prefix.contains('/')) {
            continue;
        }
        let (start, extra): (usize, &[u8]) = match prefix.contains('/') {
            // The host stays readable, the path is the secret.
            true => (hit.end(), b"-_/"),
            false => (hit.start(), b"-_."),
        };
        *done = run(text, hit.end(), extra);
        if *done - hit.end() >= least {
            found.push(start..*done);
        }
    }
}
