//! Run-time state of Envoy: `/clusters`, as text or with `?format=json`.

use std::collections::BTreeMap;

use super::super::clean_name;
use super::super::data::{self, Node, Syntax};
use super::super::state::{Admin, Health, PoolState, ServerState, State};
use super::listed;

/// Reads what `/clusters` answers, in either form. The error is one sentence.
pub fn state(text: &str) -> Result<State, String> {
    if text.trim_start().starts_with('{') { json(text) } else { lines(text) }
}

/// `envoy.admin.v3.Clusters`.
fn json(text: &str) -> Result<State, String> {
    let tree = data::parse(Syntax::Json, text);
    if let Some(problem) = tree.problems.first() {
        return Err(format!("what Envoy answered could not be read: {}", problem.text));
    }
    let root = tree.documents.first().filter(|root| root.get("cluster_statuses").is_some() || root.entries().is_empty());
    let root = root.ok_or("the text is no answer of Envoy's /clusters?format=json")?;
    let pools = listed(root, "cluster_statuses").map(|cluster| {
        let servers = listed(cluster, "host_statuses").filter_map(host).collect();
        PoolState { name: word(cluster, "name"), algorithm: None, servers: told_apart(servers) }
    });
    Ok(State { version: None, pools: pools.collect() })
}

fn host(node: &Node<'_>) -> Option<ServerState> {
    let address = node.get("address")?;
    let at = match (address.get("socket_address"), address.get("pipe")) {
        (Some(socket), _) => {
            let host = word(socket, "address");
            let port = socket.get("port_value").and_then(Node::u64).unwrap_or(0);
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
        }
        (None, Some(pipe)) => format!("unix:{}", word(pipe, "path")),
        (None, None) => return None,
    };
    let mut server = ServerState { name: at.clone(), address: Some(at), health: Some(Health::Up), ..ServerState::default() };
    server.weight = node.get("weight").and_then(Node::u64).and_then(|weight| u32::try_from(weight).ok()).unwrap_or(0);
    server.backup = node.get("priority").and_then(Node::u64).unwrap_or(0) > 0;
    if let Some(status) = node.get("health_status") {
        let says = |name: &str| status.get(name).and_then(Node::bool) == Some(true);
        let eds = status.get("eds_health_status").and_then(Node::text).unwrap_or_default();
        decide(&mut server, |flag| match flag {
            "/failed_eds_health" => matches!(eds, "UNHEALTHY" | "TIMEOUT"),
            "/eds_status_draining" => eds == "DRAINING",
            flag => says(flag.trim_start_matches('/')),
        });
    }
    Some(server)
}

/// Health and admin state by the flags that Envoy's text form names.
fn decide(server: &mut ServerState, flag: impl Fn(&str) -> bool) {
    if flag("/eds_status_draining") {
        server.admin = Admin::Drain;
    } else if flag("/failed_eds_health") {
        server.admin = Admin::Maintenance;
    }
    let down = ["/failed_active_hc", "/failed_outlier_check", "/failed_active_health_check", "/active_hc_timeout"];
    let changing = ["/failed_active_degraded_check", "/pending_dynamic_removal", "/pending_active_hc", "/degraded_active_hc"];
    if down.into_iter().any(&flag) {
        server.health = Some(Health::Down);
    } else if changing.into_iter().any(&flag) {
        server.health = Some(Health::Changing);
    }
}

/// The text form, `cluster::host::field::value`. Lines of one cluster stand together and begin with a line that holds
/// its name alone; so names and addresses may hold `::` too.
fn lines(text: &str) -> Result<State, String> {
    let mut pools: Vec<PoolState> = Vec::new();
    let mut current = "";
    for (line, said) in text.lines().enumerate().filter(|(_, said)| !said.trim().is_empty()) {
        let mut parts = said.rsplitn(3, "::");
        let (Some(value), Some(field), Some(before)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(format!("line {} is no line of Envoy's /clusters", line + 1));
        };
        // Envoy before 1.19 has no observability name.
        let old = before.strip_suffix("::default_priority").filter(|_| field == "max_connections");
        let begins = if field == "observability_name" { Some(before) } else { old };
        if let Some(name) = begins.map(clean_name).filter(|name| pools.last().is_none_or(|pool| pool.name != *name)) {
            pools.push(PoolState { name, ..PoolState::default() });
            continue;
        }
        let Some(pool) = pools.last_mut() else { continue };
        let Some(host) = before.strip_prefix(&pool.name).and_then(|rest| rest.strip_prefix("::")) else { continue };
        if field == "cx_active" {
            // The first line of each server.
            let name = clean_name(&if host.starts_with('/') { format!("unix:{host}") } else { host.to_owned() });
            pool.servers.push(ServerState {
                address: Some(name.clone()),
                name,
                health: Some(Health::Up),
                ..ServerState::default()
            });
            current = host;
        }
        let Some(server) = pool.servers.last_mut().filter(|_| current == host) else { continue };
        match field {
            "weight" => server.weight = value.parse().unwrap_or(0),
            "priority" => server.backup = value != "0",
            "health_flags" => decide(server, |flag| value.contains(flag)),
            _ => {}
        }
    }
    if pools.is_empty() && !text.trim().is_empty() {
        return Err("the text is no answer of Envoy's /clusters".to_owned());
    }
    for pool in &mut pools {
        pool.servers = told_apart(std::mem::take(&mut pool.servers));
    }
    Ok(State { version: None, pools })
}

/// Servers with one address get numbers, as they do in the model.
fn told_apart(mut servers: Vec<ServerState>) -> Vec<ServerState> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for server in &mut servers {
        let times = seen.entry(server.name.clone()).or_default();
        *times += 1;
        if *times > 1 {
            server.name = format!("{}#{times}", server.name);
        }
    }
    servers
}

fn word(node: &Node<'_>, name: &str) -> String {
    node.get(name).and_then(Node::text).map(clean_name).unwrap_or_default()
}
