//! Declaring, reading, changing and undoing incidents.

use serde_json::{Value, json};
use uuid::Uuid;

use super::lookup::{load, load_live};
use super::{Page, Paged, Result, Unit, recording, retention, timeline};
use crate::app::App;
use crate::domain::access::{Actor, Permission};
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::id::{IncidentId, IncidentRef, Reference};
use crate::domain::incident::{Incident, IncidentFields, IncidentLine, Status, check_status_change};
use crate::domain::time::shorten;
use crate::domain::timeline::EntryKind;
use crate::domain::{Error, patch, visibility};
use crate::store::incidents::Part;
use crate::store::{self, Conn, incidents};

pub use crate::store::incidents::IncidentFilter;

/// Opens an incident by hand, or back-fills one that is already over (status `resolved` with milestones).
/// The second value is false when the actor's own incident with the client's `id` was already there: a
/// repeated POST is harmless and gets the first answer again.
pub async fn declare(app: &App, actor: &Actor, id: Option<Uuid>, fields: IncidentFields) -> Result<(Incident, bool)> {
    actor.may(Permission::WriteIncidents)?;
    let mut fields = fields.checked()?;
    let fresh = visibility::settle(actor, None, &mut fields)?;
    let mut unit = Unit::urgent(app, actor).await?;
    know(&mut unit.conn, &fresh).await?;
    // Taking the number makes declarations wait for each other, so that of two with one id the second
    // finds the first. A unit that is dropped gives its number back.
    let reference = incidents::next_number(&mut unit.conn).await?;
    let id = IncidentId(id.unwrap_or_else(|| app.uuid()));
    if let Some(first) = incidents::find(&mut unit.conn, IncidentRef::Id(id)).await? {
        if first.created_by == actor.owner() && actor.sees(&first) {
            return Ok((first, false));
        }
        return Err(Error::invalid("id", "taken", "this id belongs to another incident; make a new one").into());
    }
    let incident = insert(app, &mut unit, id, reference, fields, actor.owner()).await?;
    unit.commit().await?;
    recording::freeze_soon(app, incident.id);
    Ok((incident, true))
}

/// Opens an incident inside a unit of work: number, row, first links, event.
pub(super) async fn open(app: &App, unit: &mut Unit<'_>, fields: IncidentFields, created_by: String) -> Result<Incident> {
    let reference = incidents::next_number(&mut unit.conn).await?;
    insert(app, unit, IncidentId(app.uuid()), reference, fields, created_by).await
}

async fn insert(
    app: &App,
    unit: &mut Unit<'_>,
    id: IncidentId,
    reference: Reference,
    mut fields: IncidentFields,
    created_by: String,
) -> Result<Incident> {
    let now = unit.now;
    let milestones = &mut fields.milestones;
    if fields.status != Status::Resolved {
        milestones.started = milestones.started.or(milestones.detected).or(Some(now));
        milestones.detected = milestones.detected.or(Some(now));
    }
    let incident = Incident {
        id,
        reference,
        fields,
        created_by,
        created_at: now,
        updated_at: now,
        deleted_at: None,
        hold: None,
        version: 1,
    };
    incidents::insert(&mut unit.conn, &incident).await?;
    recording::link_window(app, unit, &incident).await?;
    let data = json!({"reference": incident.reference, "severity": incident.fields.severity, "title": incident.fields.title});
    unit.event(NewEvent::new(EventKind::IncidentOpened).incident(incident.id).subject(incident.id).data(data));
    Ok(incident)
}

pub async fn find(app: &App, actor: &Actor, which: IncidentRef) -> Result<Incident> {
    load_live(&mut app.store().read().await?, actor, which, Permission::ReadIncidents).await
}

/// As [`find`], and a deleted one too for those who may bring it back.
pub async fn find_any(app: &App, actor: &Actor, which: IncidentRef) -> Result<Incident> {
    let incident = load(&mut app.store().read().await?, actor, which, Permission::ReadIncidents).await?;
    if incident.deleted_at.is_some() && actor.may(Permission::WriteIncidents).is_err() {
        return Err(IncidentId::not_found().into());
    }
    Ok(incident)
}

/// Newest beginning first.
pub async fn list(app: &App, actor: &Actor, filter: &IncidentFilter, page: &Page) -> Result<Paged<Incident>> {
    let (limit, part) = part(actor, filter, page)?;
    let rows = incidents::list(&mut app.store().read().await?, part).await?;
    Ok(Paged::from_rows(rows, limit, |incident| (incident.beginning(), incident.id)))
}

/// [`list`], of each only what a line shows.
pub async fn lines(app: &App, actor: &Actor, filter: &IncidentFilter, page: &Page) -> Result<Paged<IncidentLine>> {
    let (limit, part) = part(actor, filter, page)?;
    let rows = incidents::lines(&mut app.store().read().await?, part).await?;
    Ok(Paged::from_rows(rows, limit, |line| (line.beginning, line.id)))
}

/// One more than the page holds, so that it is known whether another follows.
fn part<'a>(actor: &'a Actor, filter: &'a IncidentFilter, page: &Page) -> Result<(i64, Part<'a>)> {
    actor.may(Permission::ReadIncidents)?;
    let (limit, after) = (page.limit()?, page.after()?);
    Ok((limit, Part { filter, sees_only_as: actor.sees_only_as(), after, limit: limit + 1 }))
}

/// Open incidents, the worst first, then the newest; no more than `limit`.
pub async fn worst(app: &App, actor: &Actor, limit: i64) -> Result<Vec<Incident>> {
    actor.may(Permission::ReadIncidents)?;
    Ok(incidents::worst(&mut app.store().read().await?, actor.sees_only_as(), limit).await?)
}

/// Lays a merge patch over the fields when the stored version is still `expected_version`.
///
/// Beside the fields it takes `status_reason`, which a re-opening needs. Changes of status and severity
/// become timeline entries.
pub async fn edit(app: &App, actor: &Actor, which: IncidentRef, expected_version: i64, patch: &Value) -> Result<Incident> {
    let mut unit = Unit::urgent(app, actor).await?;
    let before = load_live(&mut unit.conn, actor, which, Permission::WriteIncidents).await?;
    if before.version != expected_version {
        return Err(conflict(&before).into());
    }
    let (patch, reason) = take_reason(patch)?;
    let mut fields: IncidentFields = patch::apply(&before.fields, &patch)?;
    fields = fields.checked()?;
    let fresh = visibility::settle(actor, Some(&before), &mut fields)?;
    know(&mut unit.conn, &fresh).await?;
    check_status_change(before.fields.status, fields.status, &reason)?;
    if fields.status != before.fields.status {
        fields.stamp_status(before.fields.status, unit.now);
    }
    if fields == before.fields {
        // Nothing changes: the version stays, and with it everybody's ETag.
        return Ok(before);
    }
    let after = Incident { fields, updated_at: unit.now, version: before.version + 1, ..before.clone() };
    save(app, &mut unit, &before, &after, &reason).await?;
    unit.commit().await?;
    if after.fields.status == Status::Resolved && before.fields.status != Status::Resolved {
        recording::freeze_soon(app, after.id);
    }
    Ok(after)
}

pub(super) async fn save(app: &App, unit: &mut Unit<'_>, before: &Incident, after: &Incident, reason: &str) -> Result<()> {
    if !incidents::update(&mut unit.conn, after, before.version).await? {
        return Err(conflict(before).into());
    }
    let (old, new) = (before.fields.status, after.fields.status);
    if old != new {
        match (old, new) {
            (_, Status::Resolved) => incidents::close_groups(&mut unit.conn, after.id, unit.now).await?,
            (Status::Resolved, _) => incidents::reopen_groups(&mut unit.conn, after.id).await?,
            _ => {}
        }
        let kind = if new == Status::Resolved { EntryKind::Recovery } else { EntryKind::Status };
        let title = format!("Status: {} → {}", old.said(), new.said());
        timeline::record(app, unit, after.id, kind, title, reason.to_owned()).await?;
    }
    if before.fields.severity != after.fields.severity {
        let title = format!("Severity: {} → {}", before.fields.severity.said(), after.fields.severity.said());
        timeline::record(app, unit, after.id, EntryKind::Status, title, String::new()).await?;
    }
    if before.fields.visibility != after.fields.visibility {
        let title = match after.fields.is_restricted() {
            true => "Restricted to the people who are named",
            false => "Open to everybody who is signed in",
        };
        timeline::record(app, unit, after.id, EntryKind::Status, title.to_owned(), String::new()).await?;
    }
    if (before.beginning(), before.end()) != (after.beginning(), after.end()) {
        recording::link_window(app, unit, after).await?;
    }
    let mut data = json!({"status": new, "severity": after.fields.severity, "version": after.version});
    if (before.fields.visibility, before.fields.people()) != (after.fields.visibility, after.fields.people()) {
        data["visibility"] = json!(after.fields.visibility);
        data["people"] = json!(after.fields.people());
    }
    unit.event(NewEvent::new(EventKind::IncidentChanged).incident(after.id).subject(after.id).data(data));
    Ok(())
}

/// Refuses names that nobody has: whoever mistypes one would wonder for long why the other sees nothing.
async fn know(conn: &mut Conn, handles: &[String]) -> Result<()> {
    if handles.is_empty() {
        return Ok(());
    }
    let known = store::people::handles(conn).await?;
    match handles.iter().find(|handle| !known.contains(handle)) {
        None => Ok(()),
        Some(handle) => {
            let handle = shorten(handle, 40);
            Err(Error::invalid("named", "unknown_person", format!("“{handle}” has no account here; name the others first"))
                .into())
        }
    }
}

fn take_reason(patch: &Value) -> Result<(Value, String)> {
    let mut patch = patch.clone();
    let reason = patch.as_object_mut().and_then(|fields| fields.remove("status_reason"));
    match reason {
        None | Some(Value::Null) => Ok((patch, String::new())),
        Some(Value::String(reason)) => Ok((patch, reason)),
        Some(_) => Err(Error::invalid("status_reason", "invalid", "the reason is a text").into()),
    }
}

pub(super) fn conflict(current: &Incident) -> Error {
    Error::Conflict { what: "the incident", current: Box::new(serde_json::to_value(current).unwrap_or_default()) }
}

/// Takes the incident out of every list; [`restore`] brings it back whole until its time is over. A held one stays.
pub async fn delete(app: &App, actor: &Actor, which: IncidentRef) -> Result<()> {
    set_deleted(app, actor, which, true).await.map(drop)
}

pub async fn restore(app: &App, actor: &Actor, which: IncidentRef) -> Result<Incident> {
    set_deleted(app, actor, which, false).await
}

async fn set_deleted(app: &App, actor: &Actor, which: IncidentRef, deleted: bool) -> Result<Incident> {
    let mut unit = Unit::begin(app, actor).await?;
    let before = load(&mut unit.conn, actor, which, Permission::WriteIncidents).await?;
    if before.deleted_at.is_some() == deleted {
        return Ok(before);
    }
    if deleted {
        before.lets_go_of("the incident")?;
    } else {
        retention::still_there(app, before.deleted_at)?;
    }
    let after =
        Incident { deleted_at: deleted.then_some(unit.now), updated_at: unit.now, version: before.version + 1, ..before.clone() };
    if !incidents::update(&mut unit.conn, &after, before.version).await? {
        return Err(conflict(&before).into());
    }
    if deleted {
        incidents::close_groups(&mut unit.conn, after.id, unit.now).await?;
        store::alerts::leave(&mut unit.conn, after.id).await?;
    } else if after.is_open() {
        incidents::reopen_groups(&mut unit.conn, after.id).await?;
    }
    let kind = if deleted { EventKind::IncidentDeleted } else { EventKind::IncidentChanged };
    unit.event(NewEvent::new(kind).incident(after.id).subject(after.id));
    unit.commit().await?;
    Ok(after)
}

/// Handles that can own tasks and hold roles.
pub async fn handles(app: &App, actor: &Actor) -> Result<Vec<String>> {
    actor.may(Permission::ReadIncidents)?;
    Ok(store::people::handles(&mut app.store().read().await?).await?)
}
