//! Snapshots of balancers, and which of them belong to an incident.

use super::Result;
use super::db::{Conn, Row, json};
use super::incidents::visible;
use crate::balancer::state::State;
use crate::domain::id::{BalancerId, IncidentId, Reference, SnapshotId};
use crate::domain::snapshot::{LinkedSnapshot, Snapshot, SnapshotRole, Verdict};
use crate::domain::time::Timestamp;

const COLUMNS: &str =
    "select s.id, s.balancer_id, b.name as balancer, s.number, s.captured_at, s.kind, s.config_hash, s.changes, s.notices, s.source, s.verdict
    from snapshots s join balancers b on b.id = s.balancer_id ";

fn snapshot(row: &Row) -> Result<Snapshot> {
    Ok(Snapshot {
        id: row.id("id")?,
        balancer_id: row.id("balancer_id")?,
        balancer: row.get("balancer")?,
        number: row.get("number")?,
        captured_at: row.get("captured_at")?,
        kind: row.word("kind")?,
        config_hash: row.get::<Option<Vec<u8>>>("config_hash")?.map(|hash| format!("sha256:{}", hex::encode(hash))),
        changes: row.json("changes")?,
        notices: row.json("notices")?,
        source: row.get("source")?,
        verdict: if has(row, "verdict")? { Some(row.json("verdict")?) } else { None },
    })
}

/// Whether a JSON column holds anything.
fn has(row: &Row, name: &str) -> Result<bool> {
    Ok(row.get::<Option<sqlx::types::Json<serde_json::Value>>>(name)?.is_some())
}

/// What was captured, beside what the list shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Content {
    pub config_hash: Option<Vec<u8>>,
    pub state: Option<State>,
}

pub async fn insert(conn: &mut Conn, snapshot: &Snapshot, content: &Content) -> Result<()> {
    let (state, verdict) = (content.state.as_ref().map(json).transpose()?, snapshot.verdict.as_ref().map(json).transpose()?);
    let (changes, notices) = (json(&snapshot.changes)?, json(&snapshot.notices)?);
    conn.query(
        "insert into snapshots (id, balancer_id, number, captured_at, kind, config_hash, state, changes, notices, source, verdict)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(snapshot.id.0)
    .bind(snapshot.balancer_id.0)
    .bind(snapshot.number)
    .bind(snapshot.captured_at)
    .bind(snapshot.kind.as_str())
    .bind(&content.config_hash)
    .bind(state)
    .bind(changes)
    .bind(notices)
    .bind(&snapshot.source)
    .bind(verdict)
    .execute()
    .await
    .map(drop)
}

/// Keeps what the balancer's program said, which is known later than the snapshot.
pub async fn set_verdict(conn: &mut Conn, id: SnapshotId, verdict: &Verdict) -> Result<()> {
    let verdict = json(verdict)?;
    conn.query("update snapshots set verdict = $2 where id = $1").bind(id.0).bind(verdict).execute().await.map(drop)
}

pub async fn next_number(conn: &mut Conn, balancer: BalancerId) -> Result<i64> {
    let last: Option<i64> =
        conn.query("select coalesce(max(number), 0) from snapshots where balancer_id = $1").bind(balancer.0).value().await?;
    Ok(last.unwrap_or(0) + 1)
}

pub async fn find(conn: &mut Conn, id: SnapshotId) -> Result<Option<Snapshot>> {
    conn.query(COLUMNS).push_bind("where s.id = ", id.0).maybe(snapshot).await
}

pub async fn content(conn: &mut Conn, id: SnapshotId) -> Result<Option<Content>> {
    conn.query("select config_hash, state from snapshots where id = $1")
        .bind(id.0)
        .maybe(|row| {
            Ok(Content {
                config_hash: row.get("config_hash")?,
                state: if has(row, "state")? { Some(row.json("state")?) } else { None },
            })
        })
        .await
}

/// Newest first, before number `before`.
pub async fn list(conn: &mut Conn, balancer: BalancerId, before: Option<i64>, limit: i64) -> Result<Vec<Snapshot>> {
    conn.query(COLUMNS)
        .push_bind("where s.balancer_id = ", balancer.0)
        .and_if(" and s.number < ", before)
        .push_bind(" order by s.number desc limit ", limit)
        .all(snapshot)
        .await
}

/// The last one captured at or before `at`.
pub async fn last_at(conn: &mut Conn, balancer: BalancerId, at: Timestamp) -> Result<Option<Snapshot>> {
    conn.query(COLUMNS)
        .push_bind("where s.balancer_id = ", balancer.0)
        .push_bind(" and s.captured_at <= ", at)
        .push(" order by s.captured_at desc, s.number desc limit 1")
        .maybe(snapshot)
        .await
}

/// Captured after `from`, at or before `to`, oldest first.
pub async fn within(conn: &mut Conn, balancer: BalancerId, from: Timestamp, to: Timestamp, limit: i64) -> Result<Vec<Snapshot>> {
    conn.query(COLUMNS)
        .push_bind("where s.balancer_id = ", balancer.0)
        .push_bind(" and s.captured_at > ", from)
        .push_bind(" and s.captured_at <= ", to)
        .push_bind(" order by s.number limit ", limit)
        .all(snapshot)
        .await
}

pub async fn link(conn: &mut Conn, incident: IncidentId, snapshot: SnapshotId, role: SnapshotRole) -> Result<()> {
    conn.query(
        "insert into incident_snapshots (incident_id, snapshot_id, role) values ($1, $2, $3)
         on conflict (incident_id, snapshot_id) do update set role = excluded.role",
    )
    .bind(incident.0)
    .bind(snapshot.0)
    .bind(role.as_str())
    .execute()
    .await
    .map(drop)
}

/// Links only where no link stands: what people chose is kept.
pub async fn link_if_new(conn: &mut Conn, incident: IncidentId, snapshot: SnapshotId, role: SnapshotRole) -> Result<bool> {
    let linked = conn
        .query("insert into incident_snapshots (incident_id, snapshot_id, role) values ($1, $2, $3) on conflict do nothing")
        .bind(incident.0)
        .bind(snapshot.0)
        .bind(role.as_str())
        .execute()
        .await?;
    Ok(linked == 1)
}

/// The row stays, so that the recorder does not link it again.
pub async fn unlink(conn: &mut Conn, incident: IncidentId, snapshot: SnapshotId) -> Result<bool> {
    let removed = conn
        .query("update incident_snapshots set role = 'none' where incident_id = $1 and snapshot_id = $2 and role <> 'none'")
        .bind(incident.0)
        .bind(snapshot.0)
        .execute()
        .await?;
    Ok(removed == 1)
}

/// The incidents that each of these snapshots is tied to, and as what; those that the handle may see.
pub async fn incidents_of(
    conn: &mut Conn,
    snapshots: &[SnapshotId],
    sees_only_as: Option<&str>,
) -> Result<Vec<(SnapshotId, Reference, SnapshotRole)>> {
    let query = conn
        .query("select l.snapshot_id, i.number, l.role from incident_snapshots l join incidents i on i.id = l.incident_id ")
        .push_list("where l.role <> 'none' and i.deleted_at is null and l.snapshot_id in ", snapshots.iter().map(|id| id.0));
    visible(query, sees_only_as)
        .push(" order by i.number")
        .all(|row| Ok((row.id("snapshot_id")?, Reference(row.get("number")?), row.word("role")?)))
        .await
}

/// Oldest first.
pub async fn of_incident(conn: &mut Conn, incident: IncidentId) -> Result<Vec<LinkedSnapshot>> {
    conn.query(
        "select s.id, s.balancer_id, b.name as balancer, s.number, s.captured_at, s.kind, s.config_hash, s.changes, s.notices, s.source, s.verdict, l.role
         from incident_snapshots l join snapshots s on s.id = l.snapshot_id join balancers b on b.id = s.balancer_id
         where l.incident_id = $1 and l.role <> 'none' order by s.captured_at, b.name, s.number limit 500",
    )
    .bind(incident.0)
    .all(|row| Ok(LinkedSnapshot { role: row.word("role")?, snapshot: snapshot(row)? }))
    .await
}
