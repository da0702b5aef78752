//! How far each has read an incident.

use super::Result;
use super::db::Conn;
use crate::domain::event::EventKind;
use crate::domain::id::IncidentId;
use crate::domain::reading::Unread;
use crate::domain::time::Timestamp;

/// The last event that was seen, and when.
pub async fn find(conn: &mut Conn, incident: IncidentId, handle: &str) -> Result<Option<(i64, Timestamp)>> {
    conn.query("select seq, read_at from readings where incident_id = $1 and handle = $2")
        .bind(incident.0)
        .bind(handle)
        .maybe(|row| Ok((row.get("seq")?, row.get("read_at")?)))
        .await
}

/// Moves the mark to `seq`, never back.
pub async fn mark(conn: &mut Conn, incident: IncidentId, handle: &str, seq: i64, now: Timestamp) -> Result<()> {
    conn.query(
        "insert into readings (incident_id, handle, seq, read_at) values ($1, $2, $3, $4)
         on conflict (incident_id, handle) do update set seq = excluded.seq, read_at = excluded.read_at where readings.seq < excluded.seq",
    )
    .bind(incident.0)
    .bind(handle)
    .bind(seq)
    .bind(now)
    .execute()
    .await
    .map(drop)
}

/// Entries that others than `author` added after the event `seq`, in the order in which they were written. What somebody
/// adds through a token is their own: its author is `author (token)`.
pub async fn unread(conn: &mut Conn, incident: IncidentId, author: &str, seq: i64, limit: usize) -> Result<Vec<Unread>> {
    conn.query(
        "select t.id, e.seq from events e join entries t on t.id = e.subject
         where e.incident_id = $1 and e.seq > $2 and e.kind = $3 and t.deleted_at is null and t.author <> $4
            and substr(t.author, 1, length($5)) <> $5
         order by e.seq limit $6",
    )
    .bind(incident.0)
    .bind(seq)
    .bind(EventKind::TimelineAdded.as_str())
    .bind(author)
    .bind(format!("{author} ("))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .all(|row| Ok(Unread { entry: row.id("id")?, seq: row.get("seq")? }))
    .await
}
