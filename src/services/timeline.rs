//! Adding to, correcting and undoing the timeline.

use serde_json::{Value, json};

use super::lookup::load_live;
use super::{Page, Paged, Result, Unit, retention};
use crate::app::App;
use crate::domain::access::{Actor, Permission};
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::id::{EntryId, IncidentId, IncidentRef};
use crate::domain::incident::Incident;
use crate::domain::time::shorten;
use crate::domain::timeline::{Entry, EntryFields, EntryKind, NewEntry, Revision, Source};
use crate::domain::{Error, patch};
use crate::store::{Conn, timeline};

/// The most entries that one page shows at once; more come by [`page`].
pub const LIST_MAX: usize = 10_000;

/// The end of a timeline.
#[derive(Debug)]
pub struct End {
    /// In order of `occurred_at`, then id.
    pub entries: Vec<Entry>,
    /// Of the whole timeline: entries, and those that were deleted.
    pub alive: usize,
    pub deleted: usize,
}

/// The newest `most` entries, [`LIST_MAX`] at most; deleted ones are among them where that is asked.
pub async fn end(app: &App, actor: &Actor, which: IncidentRef, with_deleted: bool, most: usize) -> Result<End> {
    let mut conn = app.store().read().await?;
    let incident = load_live(&mut conn, actor, which, Permission::ReadIncidents).await?;
    let entries = timeline::newest(&mut conn, incident.id, with_deleted, most.min(LIST_MAX)).await?;
    let (alive, deleted) = timeline::counts(&mut conn, incident.id).await?;
    let count = |number: i64| usize::try_from(number).unwrap_or(0);
    Ok(End { entries, alive: count(alive), deleted: count(deleted) })
}

pub async fn page(app: &App, actor: &Actor, which: IncidentRef, page: &Page) -> Result<Paged<Entry>> {
    let (limit, after) = (page.limit()?, page.after()?);
    let mut conn = app.store().read().await?;
    let incident = load_live(&mut conn, actor, which, Permission::ReadIncidents).await?;
    let rows = timeline::list(&mut conn, incident.id, after, limit + 1).await?;
    Ok(Paged::from_rows(rows, limit, |entry| (entry.fields.occurred_at, entry.id)))
}

async fn load(
    conn: &mut Conn,
    actor: &Actor,
    which: IncidentRef,
    id: EntryId,
    permission: Permission,
) -> Result<(Incident, Entry)> {
    let incident = load_live(conn, actor, which, permission).await?;
    // An entry of another incident is not found: parent and child must belong together.
    let entry = timeline::find(conn, id).await?.filter(|entry| entry.incident_id == incident.id);
    Ok((incident, entry.ok_or_else(EntryId::not_found)?))
}

pub async fn find(app: &App, actor: &Actor, which: IncidentRef, id: EntryId) -> Result<Entry> {
    Ok(load(&mut app.store().read().await?, actor, which, id, Permission::ReadIncidents).await?.1)
}

/// Adds an entry. The second value is false when an entry with the client's id was already there: a
/// repeated POST is harmless and gets the first answer again.
pub async fn add(app: &App, actor: &Actor, which: IncidentRef, new: NewEntry) -> Result<(Entry, bool)> {
    let new = NewEntry { fields: new.fields.checked()?, ..new };
    let mut unit = Unit::urgent(app, actor).await?;
    let incident = load_live(&mut unit.conn, actor, which, Permission::WriteIncidents).await?;
    let (entry, fresh) = add_within(app, &mut unit, &incident, new).await?;
    if fresh {
        unit.commit().await?;
    }
    Ok((entry, fresh))
}

/// The same inside another unit of work, for fields that were checked. Where the second value is false
/// nothing was written.
pub(super) async fn add_within(app: &App, unit: &mut Unit<'_>, incident: &Incident, new: NewEntry) -> Result<(Entry, bool)> {
    let entry = Entry {
        id: EntryId(new.id.unwrap_or_else(|| app.uuid())),
        incident_id: incident.id,
        fields: new.fields,
        recorded_at: unit.now,
        source: unit.source(),
        author: unit.actor().to_owned(),
        version: 1,
        edited_at: None,
        edited_by: None,
        deleted_at: None,
    };
    if timeline::insert(&mut unit.conn, &entry).await? {
        note(unit, &entry, EventKind::TimelineAdded);
        return Ok((entry, true));
    }
    let first = timeline::find(&mut unit.conn, entry.id).await?.filter(|first| first.incident_id == incident.id);
    let said = |entry: &Entry| (entry.fields.kind, entry.fields.title.clone(), entry.fields.body.clone());
    match first {
        // Another text under the same id is no repeat: it must not vanish.
        Some(first) if first.version == 1 && said(&first) != said(&entry) => Err(conflict(&first).into()),
        Some(first) => Ok((first, false)),
        None => Err(Error::invalid("id", "taken", "this id belongs to an entry of another incident; make a new one").into()),
    }
}

/// Adds an entry that the house itself makes, inside another unit of work.
pub(super) async fn record(
    app: &App,
    unit: &mut Unit<'_>,
    incident: IncidentId,
    kind: EntryKind,
    title: String,
    body: String,
) -> Result<Entry> {
    let fields = EntryFields { kind, title, body, occurred_at: unit.now, ..EntryFields::default() };
    let author = unit.actor().to_owned();
    let source = unit.source();
    record_fields(app, unit, incident, source, author, fields).await
}

/// Longest title and body of an entry that the house makes, in characters: with the ellipsis they fit any field.
const TITLE_MAX: usize = 290;
const BODY_MAX: usize = 60_000;

/// [`record`] with all fields. Title and body are made to fit, never refused.
pub(super) async fn record_fields(
    app: &App,
    unit: &mut Unit<'_>,
    incident: IncidentId,
    source: Source,
    author: String,
    fields: EntryFields,
) -> Result<Entry> {
    let entry = drafted(app, unit, incident, source, author, fields)?;
    keep(unit, std::slice::from_ref(&entry)).await?;
    Ok(entry)
}

/// An entry as [`record_fields`] makes it and its event, for [`keep`] to write within the same unit.
pub(super) fn drafted(
    app: &App,
    unit: &mut Unit<'_>,
    incident: IncidentId,
    source: Source,
    author: String,
    mut fields: EntryFields,
) -> Result<Entry> {
    // The words are the house's own, the names in them are not. A refusal would undo the whole unit of work, with
    // it the snapshot that the entry tells of, at every poll again.
    fields.title = shorten(&fields.title.replace(char::is_control, " "), TITLE_MAX);
    fields.body = shorten(&fields.body.replace('\0', "\u{fffd}"), BODY_MAX);
    let entry = Entry {
        id: EntryId(app.uuid()),
        incident_id: incident,
        fields: fields.checked()?,
        recorded_at: unit.now,
        source,
        author,
        version: 1,
        edited_at: None,
        edited_by: None,
        deleted_at: None,
    };
    note(unit, &entry, EventKind::TimelineAdded);
    Ok(entry)
}

/// Writes what [`drafted`] made.
pub(super) async fn keep(unit: &mut Unit<'_>, entries: &[Entry]) -> Result<()> {
    match timeline::insert_all(&mut unit.conn, entries).await? {
        true => Ok(()),
        false => Err(anyhow::anyhow!("an entry with a new id was already there").into()),
    }
}

fn note(unit: &mut Unit<'_>, entry: &Entry, kind: EventKind) {
    let data = json!({"kind": entry.fields.kind, "title": entry.fields.title, "version": entry.version});
    unit.event(NewEvent::new(kind).incident(entry.incident_id).subject(entry.id).data(data));
}

/// Lays a merge patch over the entry's fields when the stored version is still `expected_version`; the
/// version before is kept with who and when.
pub async fn edit(
    app: &App,
    actor: &Actor,
    which: IncidentRef,
    id: EntryId,
    expected_version: i64,
    patch: &Value,
) -> Result<Entry> {
    let mut unit = Unit::begin(app, actor).await?;
    let (_, before) = load(&mut unit.conn, actor, which, id, Permission::WriteIncidents).await?;
    if before.version != expected_version {
        return Err(conflict(&before).into());
    }
    let fields: EntryFields = patch::apply(&before.fields, patch)?;
    let fields = fields.checked()?;
    if fields == before.fields {
        return Ok(before);
    }
    change(unit, actor, before, |entry| entry.fields = fields, EventKind::TimelineChanged).await
}

async fn change(
    mut unit: Unit<'_>,
    actor: &Actor,
    before: Entry,
    apply: impl FnOnce(&mut Entry),
    kind: EventKind,
) -> Result<Entry> {
    let revision = current_revision(&before);
    let mut after = before.clone();
    apply(&mut after);
    after.version = before.version + 1;
    (after.edited_at, after.edited_by) = (Some(unit.now), Some(actor.to_string()));
    if !timeline::update(&mut unit.conn, &after, before.version).await? {
        return Err(conflict(&before).into());
    }
    timeline::keep_revision(&mut unit.conn, before.id, &revision).await?;
    note(&mut unit, &after, kind);
    unit.commit().await?;
    Ok(after)
}

fn current_revision(entry: &Entry) -> Revision {
    Revision {
        version: entry.version,
        at: entry.edited_at.unwrap_or(entry.recorded_at),
        author: entry.edited_by.clone().unwrap_or_else(|| entry.author.clone()),
        fields: entry.fields.clone(),
    }
}

fn conflict(current: &Entry) -> Error {
    Error::Conflict { what: "the entry", current: Box::new(serde_json::to_value(current).unwrap_or_default()) }
}

/// Hides the entry; [`restore`] brings it back.
pub async fn delete(app: &App, actor: &Actor, which: IncidentRef, id: EntryId) -> Result<()> {
    set_deleted(app, actor, which, id, true).await.map(drop)
}

pub async fn restore(app: &App, actor: &Actor, which: IncidentRef, id: EntryId) -> Result<Entry> {
    set_deleted(app, actor, which, id, false).await
}

async fn set_deleted(app: &App, actor: &Actor, which: IncidentRef, id: EntryId, deleted: bool) -> Result<Entry> {
    let mut unit = Unit::begin(app, actor).await?;
    let (incident, before) = load(&mut unit.conn, actor, which, id, Permission::WriteIncidents).await?;
    if before.deleted_at.is_some() == deleted {
        return Ok(before);
    }
    if deleted {
        incident.lets_go_of("the entry")?;
    } else if incident.hold.is_none() {
        retention::still_there(app, before.deleted_at)?;
    }
    let at = deleted.then_some(unit.now);
    let kind = if deleted { EventKind::TimelineDeleted } else { EventKind::TimelineChanged };
    change(unit, actor, before, |entry| entry.deleted_at = at, kind).await
}

/// Every version, oldest first, the current one last.
pub async fn revisions(app: &App, actor: &Actor, which: IncidentRef, id: EntryId) -> Result<Vec<Revision>> {
    let mut conn = app.store().read().await?;
    let (_, entry) = load(&mut conn, actor, which, id, Permission::ReadIncidents).await?;
    let mut revisions = timeline::revisions(&mut conn, id).await?;
    revisions.push(current_revision(&entry));
    Ok(revisions)
}
