//! Recorded samples: single frames as they come, packed into chunks per series, and the copies that an
//! incident keeps. Bytes are opaque here; `signal::chunk` knows them.

use super::Result;
use super::db::{Conn, Row};
use crate::domain::id::{BalancerId, IncidentId};
use crate::domain::time::{Timestamp, Window};
use crate::signal::series::{Metric, SeriesKey};

pub async fn insert_frame(conn: &mut Conn, balancer: BalancerId, at: Timestamp, bytes: &[u8]) -> Result<()> {
    conn.query("insert into frames (balancer_id, at, bytes) values ($1, $2, $3) on conflict do nothing")
        .bind(balancer.0)
        .bind(at)
        .bind(bytes)
        .execute()
        .await
        .map(drop)
}

/// Frames of a balancer in `[from, to)`, oldest first.
pub async fn frames(conn: &mut Conn, balancer: BalancerId, window: Window) -> Result<Vec<(Timestamp, Vec<u8>)>> {
    conn.query("select at, bytes from frames where balancer_id = $1 and at >= $2 and at < $3 order by at limit 20000")
        .bind(balancer.0)
        .bind(window.from)
        .bind(window.to)
        .all(|row| Ok((row.get("at")?, row.get("bytes")?)))
        .await
}

pub async fn remove_frames(conn: &mut Conn, balancer: BalancerId, window: Window) -> Result<u64> {
    conn.query("delete from frames where balancer_id = $1 and at >= $2 and at < $3")
        .bind(balancer.0)
        .bind(window.from)
        .bind(window.to)
        .execute()
        .await
}

/// Whether nothing was ever measured, or all of it is over.
pub async fn is_empty(conn: &mut Conn) -> Result<bool> {
    let any = conn.query("select cast(1 as bigint) from (select 1 from frames union all select 1 from chunks) s limit 1");
    Ok(any.value::<i64>().await?.is_none())
}

/// How many frames wait to be packed, per balancer, with the oldest and the newest.
pub async fn waiting(conn: &mut Conn) -> Result<Vec<(BalancerId, i64, Timestamp, Timestamp)>> {
    conn.query("select balancer_id, count(*) as waiting, min(at) as oldest, max(at) as newest from frames group by balancer_id")
        .all(|row| Ok((row.id("balancer_id")?, row.get("waiting")?, row.get("oldest")?, row.get("newest")?)))
        .await
}

/// When each balancer was last measured. The newest frames are never packed.
pub async fn newest(conn: &mut Conn) -> Result<Vec<(BalancerId, Timestamp)>> {
    conn.query("select balancer_id, max(at) as newest from frames group by balancer_id")
        .all(|row| Ok((row.id("balancer_id")?, row.get("newest")?)))
        .await
}

pub struct ChunkRow {
    pub key: SeriesKey,
    pub from: Timestamp,
    pub to: Timestamp,
    pub bytes: Vec<u8>,
}

fn key(row: &Row) -> Result<Option<SeriesKey>> {
    let (server, metric): (String, String) = (row.get("server")?, row.get("metric")?);
    // A metric of a newer version is passed over, not an error.
    let Some(metric) = Metric::parse(&metric) else { return Ok(None) };
    Ok(Some(SeriesKey { pool: row.get("pool")?, server: Some(server).filter(|name| !name.is_empty()), metric }))
}

pub async fn insert_chunk(conn: &mut Conn, balancer: BalancerId, chunk: &ChunkRow) -> Result<()> {
    conn.query("insert into chunks (balancer_id, pool, server, metric, from_at, to_at, bytes) values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing")
        .bind(balancer.0)
        .bind(&chunk.key.pool)
        .bind(chunk.key.server.as_deref().unwrap_or_default())
        .bind(chunk.key.metric.as_str())
        .bind(chunk.from)
        .bind(chunk.to)
        .bind(&chunk.bytes)
        .execute()
        .await
        .map(drop)
}

/// Chunks that reach into the window, oldest first.
pub async fn chunks(conn: &mut Conn, balancer: BalancerId, window: Window) -> Result<Vec<ChunkRow>> {
    let rows = conn
        .query("select pool, server, metric, from_at, to_at, bytes from chunks where balancer_id = $1 and to_at >= $2 and from_at < $3 order by from_at")
        .bind(balancer.0)
        .bind(window.from)
        .bind(window.to)
        .all(|row| {
            let Some(key) = key(row)? else { return Ok(None) };
            Ok(Some(ChunkRow { key, from: row.get("from_at")?, to: row.get("to_at")?, bytes: row.get("bytes")? }))
        })
        .await?;
    Ok(rows.into_iter().flatten().collect())
}

/// Forgets a balancer that was deleted. What incidents froze stays.
pub async fn remove_balancer(conn: &mut Conn, balancer: BalancerId) -> Result<()> {
    conn.query("delete from frames where balancer_id = $1").bind(balancer.0).execute().await?;
    conn.query("delete from chunks where balancer_id = $1").bind(balancer.0).execute().await.map(drop)
}

pub struct FrozenRow {
    pub balancer_id: BalancerId,
    pub balancer: String,
    pub key: SeriesKey,
    pub bytes: Vec<u8>,
}

/// Replaces the incident's copy of one series.
pub async fn freeze(conn: &mut Conn, incident: IncidentId, row: &FrozenRow) -> Result<()> {
    conn.query(
        "insert into frozen_chunks (incident_id, balancer_id, balancer, pool, server, metric, bytes) values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (incident_id, balancer_id, pool, server, metric) do update set bytes = excluded.bytes, balancer = excluded.balancer",
    )
    .bind(incident.0)
    .bind(row.balancer_id.0)
    .bind(&row.balancer)
    .bind(&row.key.pool)
    .bind(row.key.server.as_deref().unwrap_or_default())
    .bind(row.key.metric.as_str())
    .bind(&row.bytes)
    .execute()
    .await
    .map(drop)
}

pub async fn frozen(conn: &mut Conn, incident: IncidentId) -> Result<Vec<FrozenRow>> {
    let rows = conn
        .query("select balancer_id, balancer, pool, server, metric, bytes from frozen_chunks where incident_id = $1 order by balancer, pool, server, metric")
        .bind(incident.0)
        .all(|row| {
            let Some(key) = key(row)? else { return Ok(None) };
            Ok(Some(FrozenRow { balancer_id: row.id("balancer_id")?, balancer: row.get("balancer")?, key, bytes: row.get("bytes")? }))
        })
        .await?;
    Ok(rows.into_iter().flatten().collect())
}
