//! Which balancer's config a text is, and the way to the room that reads it.

use super::model::Model;
use super::source::{Files, Source};
use super::state::State;
use super::{caddy, envoy, haproxy, nginx, printable, traefik};
use crate::domain::balancer::BalancerKind;

/// From the strictest language to the one that is but words on lines: of two rooms that both know a text, the earlier
/// is right.
const KINDS: [BalancerKind; 5] =
    [BalancerKind::Envoy, BalancerKind::Caddy, BalancerKind::Traefik, BalancerKind::Nginx, BalancerKind::Haproxy];

/// Whether `text` looks like a config of `kind`, or a part of one.
pub fn is_config(kind: BalancerKind, text: &str) -> bool {
    match kind {
        BalancerKind::Haproxy => haproxy::is_config(text),
        BalancerKind::Nginx => nginx::is_config(text),
        BalancerKind::Envoy => envoy::is_config(text),
        BalancerKind::Traefik => traefik::is_config(text),
        BalancerKind::Caddy => caddy::is_config(text),
    }
}

/// The kind that most of the files are of, each counted once as the strictest language that it may be; of equal kinds
/// the one whose file comes first. None where no room knows any of them.
pub fn detect(sources: &[Source]) -> Option<BalancerKind> {
    let found: Vec<BalancerKind> =
        sources.iter().filter_map(|source| KINDS.into_iter().find(|kind| is_config(*kind, &source.text))).collect();
    let count = |kind: &BalancerKind| found.iter().filter(|other| *other == kind).count();
    // `max_by_key` takes the last of equals.
    found.iter().rev().max_by_key(|kind| count(kind)).copied()
}

/// Reads the files as one config. `version` decides defaults; without it they stay unknown where they differ.
pub fn parse(kind: BalancerKind, sources: &[Source], files: &mut dyn Files, version: Option<&str>) -> Model {
    let mut model = match kind {
        BalancerKind::Haproxy => haproxy::parse(sources, files, version),
        BalancerKind::Nginx => nginx::parse(sources, files, version),
        BalancerKind::Envoy => envoy::parse(sources, files, version),
        BalancerKind::Traefik => traefik::parse(sources, files, version),
        BalancerKind::Caddy => caddy::parse(sources, files, version),
    };
    // Names of files come from dumps too.
    model.files.iter_mut().for_each(|name| *name = printable(std::mem::take(name)));
    model
}

/// Reads what a running balancer says of itself. The error is one sentence with the remedy.
pub fn state(kind: BalancerKind, text: &str) -> Result<State, String> {
    match kind {
        BalancerKind::Haproxy => haproxy::state::state(text),
        BalancerKind::Nginx => nginx::state::state(text),
        BalancerKind::Envoy => envoy::state(text),
        BalancerKind::Traefik => traefik::state(text),
        BalancerKind::Caddy => caddy::state(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balancer::source::NoFiles;

    const TEXTS: [(BalancerKind, &str); 5] = [
        (BalancerKind::Haproxy, "global\n  maxconn 100\nbackend web\n  server a 10.0.0.1:80\n"),
        (BalancerKind::Nginx, "events {}\nhttp {\n  upstream web {\n    server 10.0.0.1:80;\n  }\n}\n"),
        (BalancerKind::Envoy, "static_resources:\n  clusters:\n  - name: web\n    type: STATIC\n"),
        (
            BalancerKind::Traefik,
            "http:\n  services:\n    web:\n      loadBalancer:\n        servers:\n        - url: http://10.0.0.1\n",
        ),
        (BalancerKind::Caddy, r#"{"apps": {"http": {"servers": {"srv0": {"listen": [":80"], "routes": []}}}}}"#),
    ];

    #[test]
    fn every_kind_is_told_from_the_others_and_read_by_its_own_room() {
        for (kind, text) in TEXTS {
            let sources = [Source::new("file", text)];
            assert_eq!(detect(&sources), Some(kind));
            assert_eq!(parse(kind, &sources, &mut NoFiles, None).kind, kind);
            let odd = parse(kind, &[Source::new("a\u{2}b", text)], &mut NoFiles, None);
            assert_eq!(odd.files, ["a\u{fffd}b"]);
        }
        for text in ["", "# only a comment\n", "Dear all,\nplease find enclosed\n", "{}", "[]", "a: 1\n", "GIF89a"] {
            assert_eq!(detect(&[Source::new("file", text)]), None, "{text}");
        }
    }

    #[test]
    fn most_files_decide_and_the_first_of_equals() {
        let source = |at: usize| Source::new("file", TEXTS[at].1);
        assert_eq!(detect(&[source(2), source(0), source(0)]), Some(BalancerKind::Haproxy));
        assert_eq!(detect(&[source(0), source(2)]), Some(BalancerKind::Haproxy));
        assert_eq!(detect(&[source(2), source(0)]), Some(BalancerKind::Envoy));
        assert_eq!(detect(&[Source::new("notes", "hello"), source(1)]), Some(BalancerKind::Nginx));
    }
}
