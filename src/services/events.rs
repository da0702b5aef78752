//! Following the event log.

use std::collections::HashMap;

use super::lookup::load;
use super::{Error, Result};
use crate::app::App;
use crate::domain;
use crate::domain::access::{Actor, Permission};
use crate::domain::event::Event;
use crate::domain::id::{IncidentId, IncidentRef};
use crate::store::{Conn, events};

/// Which incidents an actor sees, asked once each.
struct Sight<'a> {
    actor: &'a Actor,
    seen: HashMap<IncidentId, bool>,
}

impl<'a> Sight<'a> {
    fn of(actor: &'a Actor) -> Self {
        Self { actor, seen: HashMap::new() }
    }

    async fn sees(&mut self, conn: &mut Conn, id: IncidentId) -> Result<bool> {
        if let Some(seen) = self.seen.get(&id) {
            return Ok(*seen);
        }
        let seen = match load(conn, self.actor, IncidentRef::Id(id), Permission::ReadIncidents).await {
            Ok(_) => true,
            Err(Error::Domain(domain::Error::NotFound { .. })) => false,
            // A database that is away hides nothing: the reader comes back for the same events.
            Err(fault) => return Err(fault),
        };
        self.seen.insert(id, seen);
        Ok(seen)
    }
}

/// Events after `seq` that the actor may see, oldest first; of one incident or of all. The second value
/// is the sequence number to go on from: events that were left out count too.
pub async fn after(app: &App, actor: &Actor, seq: i64, incident: Option<IncidentId>, limit: i64) -> Result<(Vec<Event>, i64)> {
    actor.may(Permission::ReadIncidents)?;
    let balancers = actor.may(Permission::ReadBalancers).is_ok();
    let mut conn = app.store().read().await?;
    let rows = events::after(&mut conn, seq, incident, limit).await?;
    let newest = rows.last().map_or(seq, |event| event.seq);
    let mut sight = Sight::of(actor);
    let mut visible = Vec::with_capacity(rows.len());
    for event in rows {
        let shown = match event.incident_id {
            // Accounts, tokens and sessions are for the audit log alone.
            None => balancers && matches!(event.kind.split('.').next(), Some("snapshot" | "balancer")),
            Some(id) => sight.sees(&mut conn, id).await?,
        };
        if shown {
            visible.push(event);
        }
    }
    Ok((visible, newest))
}

pub async fn latest(app: &App) -> Result<i64> {
    Ok(events::latest(&mut app.store().read().await?).await?)
}

/// The newest event of one incident: the ETag of its pages.
pub async fn latest_of(app: &App, incident: IncidentId) -> Result<i64> {
    Ok(events::latest_of(&mut app.store().read().await?, incident).await?)
}

/// The audit log: everything that happened, for administrators. What happened to a restricted incident is
/// listed, what it was about is not.
pub async fn audit(app: &App, actor: &Actor, seq: i64, limit: i64) -> Result<Vec<Event>> {
    actor.may(Permission::ReadAudit)?;
    let mut conn = app.store().read().await?;
    let mut rows = events::after(&mut conn, seq, None, limit).await?;
    let mut sight = Sight::of(actor);
    for event in &mut rows {
        if let Some(id) = event.incident_id
            && !sight.sees(&mut conn, id).await?
        {
            event.data = serde_json::Value::Null;
        }
    }
    Ok(rows)
}
