//! The append-only event log.

use super::Result;
use super::db::{Conn, Dialect, ROWS, Row, json};
use crate::domain::event::{Event, EventKind, NewEvent};
use crate::domain::id::IncidentId;
use crate::domain::time::Timestamp;

/// Serialises appends on PostgreSQL, so that sequence order is commit order and no reader skips a row.
const APPEND_LOCK: i64 = 0x000A_F7E2_10AD;

/// Appends in the caller's transaction, in this order; returns the newest sequence number.
pub async fn append(conn: &mut Conn, now: Timestamp, events: &[(String, NewEvent)]) -> Result<i64> {
    if events.is_empty() {
        return Ok(0);
    }
    if conn.dialect() == Dialect::Postgres {
        conn.query("select pg_advisory_xact_lock($1)::text").bind(APPEND_LOCK).execute().await?;
    }
    let mut newest = 0;
    for batch in events.chunks(ROWS) {
        let query = conn.query("insert into events (at, kind, actor, incident_id, subject, data) values ");
        let query = query.push_rows(batch, |row, (actor, event)| {
            let row = row.value(now).value(event.kind.as_str()).value(actor).value(event.incident_id.map(|id| id.0));
            Ok(row.value(event.subject).value(json(&event.data)?))
        })?;
        let made: Vec<i64> = query.push(" returning seq").all(|row| row.at(0)).await?;
        newest = made.into_iter().max().unwrap_or(newest);
    }
    Ok(newest)
}

fn event(row: &Row) -> Result<Event> {
    Ok(Event {
        seq: row.get("seq")?,
        at: row.get("at")?,
        kind: row.get("kind")?,
        actor: row.get("actor")?,
        incident_id: row.get::<Option<uuid::Uuid>>("incident_id")?.map(IncidentId),
        subject: row.get("subject")?,
        data: row.json("data")?,
    })
}

pub async fn after(conn: &mut Conn, seq: i64, incident: Option<IncidentId>, limit: i64) -> Result<Vec<Event>> {
    conn.query("select seq, at, kind, actor, incident_id, subject, data from events ")
        .push_bind("where seq > ", seq)
        .and_if(" and incident_id = ", incident.map(|id| id.0))
        .push_bind(" order by seq limit ", limit)
        .all(event)
        .await
}

/// The newest of one kind, newest first, from those after `seq`.
pub async fn newest_of(conn: &mut Conn, kind: EventKind, seq: i64, limit: i64) -> Result<Vec<Event>> {
    conn.query("select seq, at, kind, actor, incident_id, subject, data from events ")
        .push_bind("where seq > ", seq)
        .push_bind(" and kind = ", kind.as_str())
        .push_bind(" order by seq desc limit ", limit)
        .all(event)
        .await
}

pub async fn latest(conn: &mut Conn) -> Result<i64> {
    Ok(conn.query("select coalesce(max(seq), 0) from events").value().await?.unwrap_or(0))
}

/// The newest event of one incident; every change to it moves this.
pub async fn latest_of(conn: &mut Conn, incident: IncidentId) -> Result<i64> {
    Ok(conn.query("select coalesce(max(seq), 0) from events where incident_id = $1").bind(incident.0).value().await?.unwrap_or(0))
}
