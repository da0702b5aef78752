//! Legal holds: set and lifted with a reason, told in the timeline and in the log of changes.

use serde_json::json;

use super::lookup::load_live;
use super::{Result, Unit, recording, timeline};
use crate::app::App;
use crate::domain::Error;
use crate::domain::access::{Actor, Permission};
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::hold::{self, Hold};
use crate::domain::id::IncidentRef;
use crate::domain::incident::Incident;
use crate::domain::timeline::EntryKind;
use crate::store::incidents;

/// From now on nothing of the incident is deleted. One that is held already gets the new reason.
pub async fn place(app: &App, actor: &Actor, which: IncidentRef, reason: &str) -> Result<Incident> {
    change(app, actor, which, reason, true).await
}

/// Deleting is possible again, and age counts.
pub async fn lift(app: &App, actor: &Actor, which: IncidentRef, reason: &str) -> Result<Incident> {
    change(app, actor, which, reason, false).await
}

async fn change(app: &App, actor: &Actor, which: IncidentRef, reason: &str, held: bool) -> Result<Incident> {
    let mut unit = Unit::begin(app, actor).await?;
    let before = load_live(&mut unit.conn, actor, which, Permission::WriteIncidents).await?;
    if !actor.decides_who_sees(&before) {
        let why = "a legal hold is set and lifted by the incident's commander, by who opened it and by administrators";
        return Err(Error::Forbidden(why.to_owned()).into());
    }
    let reason = hold::reason(reason)?;
    let stands = before.hold.as_ref().map(|hold| hold.reason.as_str());
    if (held && stands == Some(&reason)) || (!held && stands.is_none()) {
        return Ok(before);
    }
    let hold = held.then(|| Hold { reason: reason.clone(), by: actor.to_string(), at: unit.now });
    let after = Incident { hold, updated_at: unit.now, version: before.version + 1, ..before.clone() };
    if !incidents::update(&mut unit.conn, &after, before.version).await? {
        return Err(super::incidents::conflict(&before).into());
    }
    let title = if held { "Legal hold: nothing of this incident is deleted" } else { "The legal hold was lifted" };
    timeline::record(app, &mut unit, after.id, EntryKind::Status, title.to_owned(), reason.clone()).await?;
    let data = json!({"hold": held, "reason": reason, "version": after.version});
    unit.event(NewEvent::new(EventKind::IncidentChanged).incident(after.id).subject(after.id).data(data));
    unit.commit().await?;
    if held {
        // What is still only in the rolling store would go by age.
        recording::freeze_soon(app, after.id);
    }
    Ok(after)
}
