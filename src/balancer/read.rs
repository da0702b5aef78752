//! Which balancer's config a text is, and the way to the room that reads it.

use super::model::Model;
use super::source::{Files, Source};
use super::state::{PoolState, State};
use super::{caddy, envoy, haproxy, nginx, traefik};
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
    match kind {
        BalancerKind::Haproxy => haproxy::parse(sources, files, version),
        BalancerKind::Nginx => nginx::parse(sources, files, version),
        BalancerKind::Envoy => envoy::parse(sources, files, version),
        BalancerKind::Traefik => traefik::parse(sources, files, version),
        BalancerKind::Caddy => caddy::parse(sources, files, version),
    }
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

/// Lays run-time state over the model: each server by its name, or else by its address, in the pool of its name. Caddy
/// knows no pools, so that a pool without a name speaks for all. Servers of the state that the config does not have are
/// returned as `pool/server`: it is the state of another config, or of other servers since.
pub fn lay_over(model: &mut Model, state: &State) -> Vec<String> {
    if model.version.is_none() {
        model.version.clone_from(&state.version);
    }
    let mut strangers = Vec::new();
    for running in &state.pools {
        let mut met = vec![false; running.servers.len()];
        for pool in model.pools.iter_mut().filter(|pool| running.name.is_empty() || pool.name == running.name) {
            for server in &mut pool.servers {
                if let Some(at) = position(running, &server.name, &server.address) {
                    server.now = Some(running.servers[at].clone());
                    met[at] = true;
                }
            }
        }
        let unmet = running.servers.iter().zip(met).filter(|(_, met)| !met);
        strangers.extend(unmet.map(|(server, _)| format!("{}/{}", running.name, server.name)));
    }
    strangers
}

fn position(running: &PoolState, name: &str, address: &str) -> Option<usize> {
    let by_name = running.servers.iter().position(|server| server.name == name);
    by_name.or_else(|| running.servers.iter().position(|server| server.address.as_deref() == Some(address)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balancer::model::{Pool, Server};
    use crate::balancer::source::NoFiles;
    use crate::balancer::state::ServerState;

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

    #[test]
    fn state_finds_its_servers_by_name_and_by_address() {
        let server = |name: &str, address: &str| Server { name: name.into(), address: address.into(), ..Server::default() };
        let pool = |name: &str| Pool {
            name: name.into(),
            servers: vec![server("a", "10.0.0.1:80"), server("b", "10.0.0.2:80")],
            ..Pool::default()
        };
        let running = |name: &str, address: Option<&str>, weight| ServerState {
            name: name.into(),
            address: address.map(Into::into),
            weight,
            ..ServerState::default()
        };
        let mut model = Model { pools: vec![pool("web"), pool("api")], ..Model::default() };
        let servers = vec![running("a", None, 5), running("x", Some("10.0.0.2:80"), 7), running("gone", None, 1)];
        let state =
            State { version: Some("2.8".into()), pools: vec![PoolState { name: "web".into(), servers, ..Default::default() }] };
        assert_eq!(lay_over(&mut model, &state), ["web/gone"]);
        let weights = |pool: &Pool| pool.servers.iter().map(Server::effective_weight).collect::<Vec<_>>();
        assert_eq!((weights(&model.pools[0]), weights(&model.pools[1])), (vec![5, 7], vec![1, 1]));
        assert_eq!(model.version.as_deref(), Some("2.8"));
        let all = State {
            pools: vec![PoolState { servers: vec![running("10.0.0.1:80", Some("10.0.0.1:80"), 0)], ..Default::default() }],
            ..State::default()
        };
        assert!(lay_over(&mut model, &all).is_empty());
        assert_eq!((weights(&model.pools[0]), weights(&model.pools[1])), (vec![0, 7], vec![0, 1]));
    }
}
