//! Corrective tasks.

use chrono::NaiveDate;

use super::db::{Conn, Row, json};
use super::incidents::visible;
use super::{Result, attachments, search};
use crate::domain::id::{IncidentId, Reference, TaskId};
use crate::domain::search::Document;
use crate::domain::task::{Task, TaskStatus};

const COLUMNS: &str = "select t.id, t.incident_id, i.number, t.fields, t.created_by, t.created_at, t.closed_at, t.version
    from tasks t join incidents i on i.id = t.incident_id ";

fn task(row: &Row) -> Result<Task> {
    Ok(Task {
        id: row.id("id")?,
        incident_id: row.id("incident_id")?,
        incident: Reference(row.get("number")?),
        fields: row.json("fields")?,
        created_by: row.get("created_by")?,
        created_at: row.get("created_at")?,
        closed_at: row.get("closed_at")?,
        version: row.get("version")?,
    })
}

/// `false` when a task with this id is already there.
pub async fn insert(conn: &mut Conn, task: &Task) -> Result<bool> {
    let fields = json(&task.fields)?;
    attachments::tie(conn, task.incident_id, attachments::named(&fields.0)).await?;
    let inserted = conn
        .query(
            "insert into tasks (id, incident_id, status, owner, due_on, fields, created_by, created_at, closed_at, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (id) do nothing",
        )
        .bind(task.id.0)
        .bind(task.incident_id.0)
        .bind(task.fields.status.as_str())
        .bind(&task.fields.owner)
        .bind(task.fields.due_on.map(|due| due.to_string()))
        .bind(fields)
        .bind(&task.created_by)
        .bind(task.created_at)
        .bind(task.closed_at)
        .bind(task.version)
        .execute()
        .await?;
    if inserted == 1 {
        search::keep(conn, &Document::of_task(task)).await?;
    }
    Ok(inserted == 1)
}

/// `false` when somebody saved first.
pub async fn update(conn: &mut Conn, task: &Task, expected: i64) -> Result<bool> {
    let fields = json(&task.fields)?;
    attachments::tie(conn, task.incident_id, attachments::named(&fields.0)).await?;
    let changed = conn
        .query("update tasks set status = $3, owner = $4, due_on = $5, fields = $6, closed_at = $7, version = $8 where id = $1 and version = $2")
        .bind(task.id.0)
        .bind(expected)
        .bind(task.fields.status.as_str())
        .bind(&task.fields.owner)
        .bind(task.fields.due_on.map(|due| due.to_string()))
        .bind(fields)
        .bind(task.closed_at)
        .bind(task.version)
        .execute()
        .await?;
    if changed == 1 {
        search::keep(conn, &Document::of_task(task)).await?;
    }
    Ok(changed == 1)
}

/// In order of their ids: for making the index of what can be found.
pub(super) async fn batch(conn: &mut Conn, after: uuid::Uuid, limit: i64) -> Result<Vec<Task>> {
    conn.query(COLUMNS).push_bind("where t.id > ", after).push_bind(" order by t.id limit ", limit).all(task).await
}

pub async fn find(conn: &mut Conn, id: TaskId) -> Result<Option<Task>> {
    conn.query(COLUMNS).push_bind("where t.id = ", id.0).maybe(task).await
}

pub async fn of_incident(conn: &mut Conn, incident: IncidentId) -> Result<Vec<Task>> {
    conn.query(COLUMNS)
        .push_bind("where t.incident_id = ", incident.0)
        .push(" order by t.created_at, t.id limit 500")
        .all(task)
        .await
}

#[derive(Debug, Clone, Default)]
pub struct TaskFilter {
    pub status: Option<TaskStatus>,
    /// Only open and in progress.
    pub open: bool,
    pub owner: Option<String>,
    /// Only those that are due on this day or later.
    pub due_from: Option<NaiveDate>,
    /// Only open ones that were due before this day.
    pub due_before: Option<NaiveDate>,
}

/// Sorted by due date (none last), then id; `after` is the keyset position.
pub async fn list(
    conn: &mut Conn,
    filter: &TaskFilter,
    sees_only_as: Option<&str>,
    after: Option<(String, uuid::Uuid)>,
    limit: i64,
) -> Result<Vec<Task>> {
    let mut query = visible(conn.query(COLUMNS).push("where i.deleted_at is null"), sees_only_as)
        .and_if(" and t.status = ", filter.status.map(TaskStatus::as_str));
    if filter.open || filter.due_before.is_some() {
        query = query.push(" and t.status in ('open', 'in_progress')");
    }
    query = query
        .and_if(" and t.owner = ", filter.owner.as_deref())
        .and_if(" and t.due_on >= ", filter.due_from.map(|day| day.to_string()))
        .and_if(" and t.due_on < ", filter.due_before.map(|day| day.to_string()));
    if let Some((due, id)) = after {
        query = query.push_bind(" and (coalesce(t.due_on, '9999'), t.id) > (", due).push_bind(", ", id).push(")");
    }
    query.push_bind(" order by coalesce(t.due_on, '9999'), t.id limit ", limit).all(task).await
}
