//! Balancers and the health of their polling.

use super::db::{Conn, Row, json};
use super::{Result, search};
use crate::domain::balancer::Balancer;
use crate::domain::id::BalancerId;
use crate::domain::search::{Document, Found};
use crate::domain::time::Timestamp;

const COLUMNS: &str = "select id, fields, created_at, version, last_answer_at, failing_since, last_error from balancers ";

fn balancer(row: &Row) -> Result<Balancer> {
    Ok(Balancer {
        id: row.id("id")?,
        fields: row.json("fields")?,
        created_at: row.get("created_at")?,
        version: row.get("version")?,
        last_answer_at: row.get("last_answer_at")?,
        failing_since: row.get("failing_since")?,
        last_error: row.get("last_error")?,
    })
}

pub async fn insert(conn: &mut Conn, balancer: &Balancer) -> Result<()> {
    let fields = json(&balancer.fields)?;
    conn.query("insert into balancers (id, name, fields, created_at, version) values ($1, $2, $3, $4, $5)")
        .bind(balancer.id.0)
        .bind(&balancer.fields.name)
        .bind(fields)
        .bind(balancer.created_at)
        .bind(balancer.version)
        .execute()
        .await?;
    search::keep(conn, &Document::of_balancer(balancer)).await
}

/// `false` when somebody saved first.
pub async fn update(conn: &mut Conn, balancer: &Balancer, expected: i64) -> Result<bool> {
    let fields = json(&balancer.fields)?;
    let changed = conn
        .query("update balancers set name = $3, fields = $4, version = $5 where id = $1 and version = $2")
        .bind(balancer.id.0)
        .bind(expected)
        .bind(&balancer.fields.name)
        .bind(fields)
        .bind(balancer.version)
        .execute()
        .await?;
    if changed == 1 {
        search::keep(conn, &Document::of_balancer(balancer)).await?;
    }
    Ok(changed == 1)
}

pub async fn find(conn: &mut Conn, id: BalancerId) -> Result<Option<Balancer>> {
    conn.query(COLUMNS).push_bind("where deleted_at is null and id = ", id.0).maybe(balancer).await
}

pub async fn list(conn: &mut Conn) -> Result<Vec<Balancer>> {
    conn.query(COLUMNS).push("where deleted_at is null order by name").all(balancer).await
}

/// Hides the balancer, also from the search, and drops the snapshots that no incident keeps.
pub async fn remove(conn: &mut Conn, id: BalancerId, now: Timestamp) -> Result<()> {
    conn.query("update balancers set deleted_at = $2 where id = $1").bind(id.0).bind(now).execute().await?;
    search::forget(conn, Found::Balancer, id.0).await?;
    conn.query(
        "delete from snapshots where balancer_id = $1
         and not exists (select 1 from incident_snapshots l where l.snapshot_id = snapshots.id)",
    )
    .bind(id.0)
    .execute()
    .await
    .map(drop)
}

/// Holds the balancer until the end of the transaction: its snapshots are numbered one after another.
pub async fn lock(conn: &mut Conn, id: BalancerId) -> Result<()> {
    let text = conn.per_dialect("select id from balancers where id = $1", "select id from balancers where id = $1 for update");
    conn.query(text).bind(id.0).execute().await.map(drop)
}

/// It answered; `trouble` is what could not be read all the same.
pub async fn note_answer(conn: &mut Conn, id: BalancerId, at: Timestamp, trouble: Option<&str>) -> Result<()> {
    conn.query("update balancers set last_answer_at = $2, failing_since = null, last_error = $3 where id = $1")
        .bind(id.0)
        .bind(at)
        .bind(trouble)
        .execute()
        .await
        .map(drop)
}

pub async fn note_failure(conn: &mut Conn, id: BalancerId, at: Timestamp, error: &str) -> Result<()> {
    conn.query("update balancers set failing_since = coalesce(failing_since, $2), last_error = $3 where id = $1")
        .bind(id.0)
        .bind(at)
        .bind(error)
        .execute()
        .await
        .map(drop)
}
