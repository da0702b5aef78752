//! Who has the room of an incident open, and what each says that they work on.

use uuid::Uuid;

use super::Result;
use super::db::{Conn, Row};
use crate::domain::id::IncidentId;
use crate::domain::time::Timestamp;

/// What somebody is working on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub handle: String,
    pub text: String,
    pub since: Timestamp,
}

fn line(row: &Row) -> Result<Line> {
    Ok(Line { handle: row.get("handle")?, text: row.get("line")?, since: row.get("since")? })
}

/// Takes the seat or keeps it until `ends_at`; the line of who sits there is kept until `line_ends_at`, unless it was over
/// at `now`.
pub async fn sit(
    conn: &mut Conn,
    seat: Uuid,
    incident: IncidentId,
    handle: &str,
    now: Timestamp,
    ends_at: Timestamp,
    line_ends_at: Timestamp,
) -> Result<()> {
    conn.query(
        "insert into seats (id, incident_id, handle, ends_at) values ($1, $2, $3, $4)
         on conflict (id) do update set ends_at = excluded.ends_at",
    )
    .bind(seat)
    .bind(incident.0)
    .bind(handle)
    .bind(ends_at)
    .execute()
    .await?;
    conn.query("update working_lines set ends_at = $3 where incident_id = $1 and handle = $2 and ends_at between $4 and $3")
        .bind(incident.0)
        .bind(handle)
        .bind(line_ends_at)
        .bind(now)
        .execute()
        .await
        .map(drop)
}

/// Lets the seat end at `ends_at`, unless it ends before.
pub async fn leave(conn: &mut Conn, seat: Uuid, ends_at: Timestamp) -> Result<()> {
    conn.query("update seats set ends_at = $2 where id = $1 and ends_at > $2").bind(seat).bind(ends_at).execute().await.map(drop)
}

/// Removes seats and lines that ended before `now`, of all incidents.
pub async fn clear_ended(conn: &mut Conn, now: Timestamp) -> Result<()> {
    for text in ["delete from seats where ends_at < $1", "delete from working_lines where ends_at < $1"] {
        conn.query(text).bind(now).execute().await?;
    }
    Ok(())
}

/// Who sits there at `now`, each once.
pub async fn here(conn: &mut Conn, incident: IncidentId, now: Timestamp) -> Result<Vec<String>> {
    conn.query("select distinct handle from seats where incident_id = $1 and ends_at >= $2 order by handle")
        .bind(incident.0)
        .bind(now)
        .all(|row| row.at(0))
        .await
}

/// The lines that stand at `now`.
pub async fn lines(conn: &mut Conn, incident: IncidentId, now: Timestamp) -> Result<Vec<Line>> {
    conn.query("select handle, line, since from working_lines where incident_id = $1 and ends_at >= $2 order by handle")
        .bind(incident.0)
        .bind(now)
        .all(line)
        .await
}

/// Puts the line in the place of the one that its handle had.
pub async fn set_line(conn: &mut Conn, incident: IncidentId, new: &Line, ends_at: Timestamp) -> Result<()> {
    conn.query(
        "insert into working_lines (incident_id, handle, line, since, ends_at) values ($1, $2, $3, $4, $5)
         on conflict (incident_id, handle) do update set line = excluded.line, since = excluded.since, ends_at = excluded.ends_at",
    )
    .bind(incident.0)
    .bind(&new.handle)
    .bind(&new.text)
    .bind(new.since)
    .bind(ends_at)
    .execute()
    .await
    .map(drop)
}

pub async fn clear_line(conn: &mut Conn, incident: IncidentId, handle: &str) -> Result<()> {
    conn.query("delete from working_lines where incident_id = $1 and handle = $2")
        .bind(incident.0)
        .bind(handle)
        .execute()
        .await
        .map(drop)
}
