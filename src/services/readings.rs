//! How far somebody has read an incident: where they go on. Kept on the server, so that it is the same in every tab and
//! on every machine; nobody else is told, and the log of changes holds nothing of it.

use super::Result;
use super::lookup::load_live;
use super::timeline::LIST_MAX;
use crate::app::App;
use crate::domain::access::{Actor, Permission, owner_name};
use crate::domain::id::{IncidentId, IncidentRef};
use crate::domain::reading::Reading;
use crate::store::{Conn, events, readings};

/// What is new to the actor.
pub async fn of(app: &App, actor: &Actor, which: IncidentRef) -> Result<Reading> {
    let mut conn = app.store().read().await?;
    let incident = load_live(&mut conn, actor, which, Permission::ReadIncidents).await?;
    read(&mut conn, incident.id, &actor.owner()).await
}

async fn read(conn: &mut Conn, incident: IncidentId, owner: &str) -> Result<Reading> {
    let Some((seq, read_at)) = readings::find(conn, incident, owner).await? else { return Ok(Reading::default()) };
    let unread = readings::unread(conn, incident, owner_name(owner), seq, LIST_MAX).await?;
    Ok(Reading { seq: Some(seq), read_at: Some(read_at), unread })
}

/// The actor has seen everything up to the event `seq`, or to the newest. Never goes back.
pub async fn mark(app: &App, actor: &Actor, which: IncidentRef, seq: Option<i64>) -> Result<Reading> {
    let mut conn = app.store().begin().await?;
    let incident = load_live(&mut conn, actor, which, Permission::ReadIncidents).await?;
    // What has not happened yet cannot be read.
    let newest = events::latest(&mut conn).await?;
    let owner = actor.owner();
    readings::mark(&mut conn, incident.id, &owner, seq.unwrap_or(newest).clamp(0, newest), app.now()).await?;
    let reading = read(&mut conn, incident.id, &owner).await?;
    conn.commit().await?;
    Ok(reading)
}

/// Up to where the actor has read, when they still see the incident.
pub async fn seq(app: &App, actor: &Actor, incident: IncidentId) -> Result<Option<i64>> {
    let mut conn = app.store().read().await?;
    let incident = load_live(&mut conn, actor, IncidentRef::Id(incident), Permission::ReadIncidents).await?;
    Ok(readings::find(&mut conn, incident.id, &actor.owner()).await?.map(|(seq, _)| seq))
}
