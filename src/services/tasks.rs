//! Corrective tasks, on one incident and across all.

use chrono::Duration;
use serde_json::{Value, json};
use uuid::Uuid;

use super::lookup::load_live;
use super::{Page, Paged, Result, Unit};
use crate::app::App;
use crate::domain::access::{Actor, Permission};
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::id::{IncidentRef, TaskId};
use crate::domain::incident::Incident;
use crate::domain::task::{Task, TaskFields, TaskStatus};
use crate::domain::{Error, patch};
use crate::store::{Conn, tasks};

#[derive(Debug, Clone, Default)]
pub struct TaskFilter {
    pub status: Option<TaskStatus>,
    /// Only open and in progress.
    pub open: bool,
    pub owner: Option<String>,
    /// Only open ones whose due date has passed.
    pub overdue: bool,
    /// Only open ones that are due today or within so many days from it; those that are late are not.
    pub due_within: Option<i64>,
}

/// By due date, those without one last.
pub async fn list(app: &App, actor: &Actor, filter: &TaskFilter, page: &Page) -> Result<Paged<Task>> {
    actor.may(Permission::ReadIncidents)?;
    let (limit, after) = (page.limit()?, page.after_text()?);
    let today = app.now().date_naive();
    let by = filter.due_within.and_then(|days| today.checked_add_signed(Duration::try_days(days)? + Duration::days(1)));
    let filter = tasks::TaskFilter {
        status: filter.status,
        open: filter.open,
        owner: filter.owner.clone(),
        due_from: by.map(|_| today),
        due_before: if filter.overdue { Some(today) } else { by },
    };
    let rows = tasks::list(&mut app.store().read().await?, &filter, actor.sees_only_as(), after, limit + 1).await?;
    Ok(Paged::from_rows_by(rows, limit, |task| {
        (task.fields.due_on.map_or_else(|| "9999".to_owned(), |due| due.to_string()), task.id)
    }))
}

pub async fn of_incident(app: &App, actor: &Actor, which: IncidentRef) -> Result<Vec<Task>> {
    let mut conn = app.store().read().await?;
    let incident = load_live(&mut conn, actor, which, Permission::ReadIncidents).await?;
    Ok(tasks::of_incident(&mut conn, incident.id).await?)
}

async fn load_task(conn: &mut Conn, actor: &Actor, id: TaskId, permission: Permission) -> Result<Task> {
    let task = tasks::find(conn, id).await?.ok_or_else(TaskId::not_found)?;
    match load_live(conn, actor, IncidentRef::Id(task.incident_id), permission).await {
        // Whose incident is hidden or deleted, whose task is too.
        Err(super::Error::Domain(Error::NotFound { .. })) => Err(TaskId::not_found().into()),
        other => other.map(|_| task),
    }
}

pub async fn find(app: &App, actor: &Actor, id: TaskId) -> Result<Task> {
    load_task(&mut app.store().read().await?, actor, id, Permission::ReadIncidents).await
}

/// Adds a task. The second value is false when a task with the client's `id` was already there: a
/// repeated POST is harmless and gets the first answer again.
pub async fn add(app: &App, actor: &Actor, which: IncidentRef, id: Option<Uuid>, fields: TaskFields) -> Result<(Task, bool)> {
    let fields = fields.checked()?;
    let mut unit = Unit::begin(app, actor).await?;
    let incident = load_live(&mut unit.conn, actor, which, Permission::WriteTasks).await?;
    let (task, fresh) = add_within(app, &mut unit, &incident, id, fields).await?;
    if fresh {
        unit.commit().await?;
    }
    Ok((task, fresh))
}

/// The same inside another unit of work, for fields that were checked. Where the second value is false
/// nothing was written.
pub(super) async fn add_within(
    app: &App,
    unit: &mut Unit<'_>,
    incident: &Incident,
    id: Option<Uuid>,
    fields: TaskFields,
) -> Result<(Task, bool)> {
    let task = Task {
        id: TaskId(id.unwrap_or_else(|| app.uuid())),
        incident_id: incident.id,
        incident: incident.reference,
        closed_at: fields.is_closed().then_some(unit.now),
        fields,
        created_by: unit.actor().to_owned(),
        created_at: unit.now,
        version: 1,
    };
    if tasks::insert(&mut unit.conn, &task).await? {
        note(unit, &task);
        return Ok((task, true));
    }
    let first = tasks::find(&mut unit.conn, task.id).await?.filter(|first| first.incident_id == incident.id);
    match first {
        Some(first) => Ok((first, false)),
        None => Err(Error::invalid("id", "taken", "this id belongs to a task of another incident; make a new one").into()),
    }
}

/// Lays a merge patch over the task. Finishing a recurring one makes its successor.
pub async fn edit(app: &App, actor: &Actor, id: TaskId, expected_version: i64, patch: &Value) -> Result<Task> {
    let mut unit = Unit::begin(app, actor).await?;
    let before = load_task(&mut unit.conn, actor, id, Permission::WriteTasks).await?;
    if before.version != expected_version {
        return Err(conflict(&before).into());
    }
    let fields: TaskFields = patch::apply(&before.fields, patch)?;
    let fields = fields.checked()?;
    if fields == before.fields {
        return Ok(before);
    }
    let closed_at = fields.is_closed().then(|| before.closed_at.unwrap_or(unit.now));
    let after = Task { fields, closed_at, version: before.version + 1, ..before.clone() };
    if !tasks::update(&mut unit.conn, &after, before.version).await? {
        return Err(conflict(&before).into());
    }
    note(&mut unit, &after);
    let newly_done = after.fields.is_closed() && !before.fields.is_closed();
    if let Some(fields) = after.fields.successor(unit.now.date_naive()).filter(|_| newly_done) {
        let next = Task { id: TaskId(app.uuid()), fields, closed_at: None, created_at: unit.now, version: 1, ..after.clone() };
        tasks::insert(&mut unit.conn, &next).await?;
        note(&mut unit, &next);
    }
    unit.commit().await?;
    Ok(after)
}

fn note(unit: &mut Unit<'_>, task: &Task) {
    let data = json!({"title": task.fields.title, "status": task.fields.status, "version": task.version});
    unit.event(NewEvent::new(EventKind::TaskChanged).incident(task.incident_id).subject(task.id).data(data));
}

fn conflict(current: &Task) -> Error {
    Error::Conflict { what: "the task", current: Box::new(serde_json::to_value(current).unwrap_or_default()) }
}
