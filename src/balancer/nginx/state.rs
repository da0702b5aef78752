//! Run-time state of nginx Plus: the answer of `/api/N/http/upstreams` and `/api/N/stream/upstreams`.
//!
//! Open source nginx tells nothing of its servers.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::balancer::clean_name;
use crate::balancer::state::{Admin, Health, PoolState, ServerState, State};

#[derive(Deserialize)]
struct Upstream {
    peers: Vec<Peer>,
}

/// As the manual's ngx_http_api_module describes it, as far as it decides where traffic goes.
#[derive(Deserialize)]
struct Peer {
    /// The address in use.
    server: String,
    /// The server as the config writes it.
    name: Option<String>,
    #[serde(default)]
    backup: bool,
    weight: u32,
    state: String,
}

/// Reads the answer. The error is one sentence for people.
pub fn state(text: &str) -> Result<State, String> {
    let upstreams: BTreeMap<String, Upstream> = serde_json::from_str(text)
        .map_err(|error| format!("this is not what nginx Plus answers at /api/9/http/upstreams: {error}"))?;
    let pools = upstreams.into_iter().map(|(name, upstream)| pool(&name, upstream)).collect();
    Ok(State { version: None, pools })
}

fn pool(name: &str, upstream: Upstream) -> PoolState {
    let mut servers: Vec<ServerState> = Vec::with_capacity(upstream.peers.len());
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for peer in upstream.peers {
        // A name that stands for several addresses gives several peers; the model numbers them likewise.
        let name = clean_name(peer.name.as_deref().unwrap_or(&peer.server));
        let count = taken.entry(name.clone()).or_default();
        *count += 1;
        let name = if *count == 1 { name } else { format!("{name}#{count}") };
        let (admin, health) = match peer.state.as_str() {
            "up" => (Admin::Ready, Some(Health::Up)),
            "draining" => (Admin::Drain, Some(Health::Up)),
            "down" => (Admin::Maintenance, None),
            "unavail" | "unhealthy" => (Admin::Ready, Some(Health::Down)),
            "checking" => (Admin::Ready, Some(Health::Changing)),
            _ => (Admin::Ready, None),
        };
        let address = Some(clean_name(&peer.server));
        servers.push(ServerState {
            name,
            address,
            weight: peer.weight,
            weight_configured: None,
            admin,
            backup: peer.backup,
            health,
        });
    }
    PoolState { name: clean_name(name), algorithm: None, servers }
}
