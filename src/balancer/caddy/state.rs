//! Run-time state of Caddy: `/reverse_proxy/upstreams`.

use super::super::clean_name;
use super::super::data::{self, Node, Syntax, Value};
use super::super::state::{EVERY_POOL, PoolState, ServerState, State};

/// Reads what `/reverse_proxy/upstreams` answers: one entry for each address, whatever proxies it serves, so all stand
/// in one pool called [`EVERY_POOL`]. It tells failures but not when they are too many, so health stays unknown; nor
/// does it tell weights: each is 1. The error is one sentence.
pub fn state(text: &str) -> Result<State, String> {
    let tree = data::parse(Syntax::Json, text);
    if let Some(problem) = tree.problems.iter().find(|problem| problem.kind == data::ProblemKind::Syntax) {
        return Err(format!("what Caddy answered could not be read: {}", problem.text));
    }
    let items = match tree.documents.first().map(|root| &root.value) {
        Some(Value::List(items)) => items.as_slice(),
        Some(Value::Null) => &[],
        _ => return Err("the text is no answer of Caddy's /reverse_proxy/upstreams".to_owned()),
    };
    let servers = items.iter().filter_map(|item| {
        let said = item.get("address").and_then(Node::text)?;
        let (address, _) = super::address(said);
        Some(ServerState { name: clean_name(&address), address: Some(address), weight: 1, ..ServerState::default() })
    });
    let pool = PoolState { name: EVERY_POOL.into(), algorithm: None, servers: servers.collect() };
    Ok(State { version: None, pools: vec![pool] })
}
