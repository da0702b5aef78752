//! A model in words: what listens, where it goes, and who serves it how.

use askama::Template;

use crate::balancer::model::{Check, CheckKind, Listener, Model, Persistence, Pool, Role, Server, Target};
use crate::domain::time;

/// Pools, listeners and routes on one page.
const MOST: usize = 200;

#[derive(Template)]
#[template(path = "configs/_meaning.html")]
pub struct Meaning {
    model: Model,
}

impl Meaning {
    pub fn new(model: Model) -> Self {
        Self { model }
    }

    fn pools(&self) -> impl Iterator<Item = &Pool> {
        self.model.pools.iter().take(MOST)
    }

    fn listeners(&self) -> impl Iterator<Item = &Listener> {
        self.model.listeners.iter().take(MOST)
    }

    fn left_out(&self) -> usize {
        self.model.pools.len().saturating_sub(MOST)
    }

    fn binds(&self, listener: &Listener) -> String {
        let bind = |bind: &crate::balancer::model::Bind| format!("{}{}", bind.address, if bind.tls { " (TLS)" } else { "" });
        listener.binds.iter().take(12).map(bind).collect::<Vec<_>>().join(", ")
    }

    /// Condition and target of a listener's routes.
    fn routes(&self, listener: &Listener) -> Vec<(String, String)> {
        let of = self.model.routes.iter().filter(|route| route.listener == listener.name).take(MOST);
        let target = |target: &Target| match target {
            Target::Pool { name } => name.clone(),
            Target::Weighted { pools } => {
                pools.iter().map(|share| format!("{} ({})", share.pool, share.weight)).collect::<Vec<_>>().join(", ")
            }
            Target::Dynamic { expression, candidates } if candidates.is_empty() => expression.clone(),
            Target::Dynamic { expression, candidates } => format!("{expression}: one of {}", candidates.join(", ")),
            Target::Other { said } => said.clone(),
        };
        of.map(|route| (route.condition.clone().unwrap_or_else(|| "everything else".to_owned()), target(&route.target))).collect()
    }

    /// `roundrobin · cookie SRV insert · HTTP check /health every 2 s · queue 10 s`.
    fn manner(&self, pool: &Pool) -> String {
        let mut parts = vec![pool.algorithm.name.clone().unwrap_or_else(|| "the default algorithm".to_owned())];
        match pool.persistence.as_slice() {
            [] => parts.push("no persistence".to_owned()),
            known => parts.extend(known.iter().map(|known: &Persistence| known.said.clone())),
        }
        parts.push(pool.check.as_deref().map_or_else(|| "no health check".to_owned(), check));
        let timeouts = [("connect", &pool.timeouts.connect), ("server", &pool.timeouts.server), ("queue", &pool.timeouts.queue)];
        for (name, timeout) in timeouts {
            if let Some(timeout) = timeout {
                parts.push(format!("{name} {}", milliseconds(timeout.value)));
            }
        }
        parts.join(" · ")
    }

    fn is_backup(&self, server: &Server) -> bool {
        server.role == Role::Backup
    }

    /// Configured weight and the one in force, where they differ.
    fn drift(&self, server: &Server) -> Option<u32> {
        Some(server.effective_weight()).filter(|now| *now != server.configured_weight())
    }

    fn slots(&self, server: &Server) -> String {
        match &server.slots {
            None => "none".to_owned(),
            Some(slots) if slots.unknown => "set by the environment".to_owned(),
            Some(slots) => slots.value.to_string(),
        }
    }
}

fn check(check: &Check) -> String {
    let kind = match check.kind {
        CheckKind::Tcp => "TCP check",
        CheckKind::Http => "HTTP check",
        CheckKind::Tls => "TLS check",
        CheckKind::Grpc => "gRPC check",
        CheckKind::Protocol => "protocol check",
        CheckKind::Agent => "agent check",
    };
    let request = check.request.as_deref().map(|request| format!(" {request}")).unwrap_or_default();
    let every = check.interval_ms.map(|ms| format!(" every {}", milliseconds(ms))).unwrap_or_default();
    format!("{kind}{request}{every}")
}

/// `500 ms`, `2 s`, `1 h 30 min`.
fn milliseconds(ms: u64) -> String {
    match i64::try_from(ms / 1000) {
        Ok(seconds) if ms.is_multiple_of(1000) && seconds > 0 => time::humane(chrono::Duration::seconds(seconds)),
        _ => format!("{ms} ms"),
    }
}
