//! Following the event log.

use std::collections::HashMap;

use super::Result;
use super::lookup::load;
use crate::app::App;
use crate::domain::access::{Actor, Permission};
use crate::domain::event::Event;
use crate::domain::id::{IncidentId, IncidentRef};
use crate::store::events;

/// Events after `seq` that the actor may see, oldest first; of one incident or of all. The second value
/// is the sequence number to go on from: events that were left out count too.
pub async fn after(app: &App, actor: &Actor, seq: i64, incident: Option<IncidentId>, limit: i64) -> Result<(Vec<Event>, i64)> {
    actor.may(Permission::ReadIncidents)?;
    let mut conn = app.store().read().await?;
    let rows = events::after(&mut conn, seq, incident, limit).await?;
    let newest = rows.last().map_or(seq, |event| event.seq);
    let mut seen: HashMap<IncidentId, bool> = HashMap::new();
    let mut visible = Vec::with_capacity(rows.len());
    for event in rows {
        let shown = match event.incident_id {
            // Accounts, tokens and sessions are for the audit log alone.
            None => matches!(event.kind.split('.').next(), Some("snapshot" | "balancer")),
            Some(id) => match seen.get(&id) {
                Some(shown) => *shown,
                None => {
                    let shown = load(&mut conn, actor, IncidentRef::Id(id), Permission::ReadIncidents).await.is_ok();
                    seen.insert(id, shown);
                    shown
                }
            },
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

/// The audit log: everything, for administrators.
pub async fn audit(app: &App, actor: &Actor, seq: i64, limit: i64) -> Result<Vec<Event>> {
    actor.may(Permission::ReadAudit)?;
    Ok(events::after(&mut app.store().read().await?, seq, None, limit).await?)
}
