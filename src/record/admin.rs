//! Config and run-time state from the admin API of Envoy, Traefik and Caddy, and the state of NGINX Plus.

use super::{ReadError, http};
use crate::balancer;
use crate::balancer::state::State;
use crate::domain::balancer::BalancerKind;
use crate::domain::time::shorten;

/// What one API told.
#[derive(Debug)]
pub(super) struct Told {
    /// The config that runs, as indented JSON; none where the API has none.
    pub config: Option<String>,
    pub state: State,
}

/// Paths below the address: of the config, and of the state.
fn paths(kind: BalancerKind) -> (Option<&'static str>, &'static str) {
    match kind {
        BalancerKind::Envoy => (Some("/config_dump?include_eds"), "/clusters?format=json"),
        BalancerKind::Traefik => (Some("/api/rawdata"), "/api/rawdata"),
        BalancerKind::Caddy => (Some("/config/"), "/reverse_proxy/upstreams"),
        // The address names the API itself, such as http://127.0.0.1:8080/api/9.
        BalancerKind::Nginx | BalancerKind::Haproxy => (None, "/http/upstreams"),
    }
}

/// Reads once. The config is asked for only where `with_config`. `place` is the address as it may be shown.
pub(super) async fn read(
    kind: BalancerKind,
    address: &str,
    place: &str,
    with_config: bool,
    client: &reqwest::Client,
) -> Result<Told, ReadError> {
    let base = address.trim_end_matches('/');
    let (config, state) = paths(kind);
    let remedy = |status| match status {
        401 | 403 => "it wants a login; write http://user:password@host:port",
        _ => "check that this is the address of the admin API, without a path behind it",
    };
    let ask = async |path: &str| http::get(&format!("{base}{path}"), place, client, remedy).await;
    let text = ask(state).await?;
    let state = balancer::state(kind, &text)
        .map_err(|why| ReadError::Failed { place: place.to_owned(), why: shorten(&balancer::printable(&why), 300) })?;
    let config = match config.filter(|_| with_config) {
        Some(path) => Some(settled(kind, &ask(path).await?)),
        None => None,
    };
    Ok(Told { config, state })
}

/// A dump as it stays while nobody changes it: indented, so that it can be compared line by line, and without what
/// health checks found.
fn settled(kind: BalancerKind, dump: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<serde_json::Value>(dump) else { return dump.to_owned() };
    if kind == BalancerKind::Traefik {
        let services = value.as_object_mut().into_iter().flatten().filter(|(name, _)| name.ends_with("ervices"));
        for service in services.filter_map(|(_, services)| services.as_object_mut()).flatten() {
            if let Some(service) = service.1.as_object_mut() {
                service.remove("serverStatus");
            }
        }
    }
    serde_json::to_string_pretty(&value).unwrap_or_else(|_| dump.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_health_checks_find_is_no_change_of_config() {
        let dump = |status: &str| {
            format!(r#"{{"services": {{"web@file": {{"loadBalancer": {{}}, "serverStatus": {{"http://a": "{status}"}}}}}}}}"#)
        };
        let up = settled(BalancerKind::Traefik, &dump("UP"));
        assert_eq!(up, settled(BalancerKind::Traefik, &dump("DOWN")));
        assert!(up.contains("loadBalancer") && up.lines().count() > 3, "{up}");
        assert_eq!(settled(BalancerKind::Caddy, "not json"), "not json");
    }
}
