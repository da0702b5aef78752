//! Run-time state of Traefik: `/api/rawdata`.

use super::super::data::{self, Node, Syntax};
use super::super::state::{Admin, Health, PoolState, ServerState, State};
use super::link::pool_name;
use super::service::server;
use super::{Protocol, clean_name, plain};
use crate::balancer::maps::{HashMap, HashSet};

/// Reads what `/api/rawdata` answers. The error is one sentence.
pub fn state(text: &str) -> Result<State, String> {
    let tree = data::parse(Syntax::Json, text);
    if let Some(problem) = tree.problems.iter().find(|problem| problem.kind == data::ProblemKind::Syntax) {
        return Err(format!("what Traefik answered could not be read: {}", problem.text));
    }
    let root = tree.documents.first().filter(|root| super::raw(root) || root.value == data::Value::Map(Vec::new()));
    let root = root.ok_or("the text is no answer of Traefik's /api/rawdata")?;
    let http: HashSet<String> = entries(root, "services").iter().map(|entry| plain(&entry.key)).collect();
    let mut pools = Vec::new();
    for (list, protocol) in [("services", Protocol::Http), ("tcpServices", Protocol::Tcp), ("udpServices", Protocol::Udp)] {
        for entry in entries(root, list) {
            let Some(balancer) = entry.node.get("loadBalancer") else { continue };
            let name = plain(&entry.key);
            let taken = http.contains(&name);
            let strategy = balancer.get("strategy").and_then(Node::text).map_or("wrr".to_owned(), clean_name);
            let servers = balancer.get("servers").map(Node::items).unwrap_or_default();
            let status = entry.node.get("serverStatus").map(Node::entries).unwrap_or_default();
            let status: HashMap<&str, Option<&str>> = status.iter().map(|entry| (&*entry.key, entry.node.text())).collect();
            let mut seen = HashSet::default();
            let mut found: Vec<ServerState> = Vec::new();
            for node in servers {
                let Some(url) = node.get("url").or_else(|| node.get("address")).and_then(Node::text) else { continue };
                let server = server(url, protocol);
                let weight = node.get("weight").map_or(1, |weight| weight.i64().unwrap_or(1).max(0));
                let health = match status.get(url) {
                    Some(Some("UP")) => Some(Health::Up),
                    Some(Some("DOWN")) => Some(Health::Down),
                    _ => None,
                };
                // Without a check Traefik calls every server up.
                let checked = balancer.get("healthCheck").is_some() || balancer.get("passiveHealthCheck").is_some();
                let fenced = node.get("fenced").and_then(Node::bool) == Some(true);
                let twice = !seen.insert(server.name.clone());
                let name = if twice { format!("{}#{}", server.name, found.len() + 1) } else { server.name };
                found.push(ServerState {
                    name,
                    address: Some(server.address),
                    weight: u32::try_from(weight).unwrap_or(u32::MAX),
                    admin: if fenced { Admin::Drain } else { Admin::Ready },
                    health: if checked { health } else { Some(Health::Unchecked) },
                    ..ServerState::default()
                });
            }
            let name = pool_name(&(protocol, name), taken);
            pools.push(PoolState { name, algorithm: Some(strategy), servers: found });
        }
    }
    Ok(State { version: None, pools })
}

fn entries<'n, 'a>(root: &'n Node<'a>, list: &str) -> &'n [data::Entry<'a>] {
    root.get(list).map(Node::entries).unwrap_or_default()
}
