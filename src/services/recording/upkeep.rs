//! Keeping the recording: frozen windows for incidents, packed chunks, an end for what is too old.

use std::collections::HashMap;

use chrono::Duration;

use super::window::{AFTER_MINUTES, Merged, Recorded, of_incident, window};
use crate::app::App;
use crate::domain::id::{BalancerId, IncidentId, IncidentRef};
use crate::domain::time::Window;
use crate::services::Result;
use crate::signal::chunk;
use crate::signal::series::{Series, SeriesKey};
use crate::store::{incidents, samples};

/// Copies the incident's window so that it outlives retention. What was frozen before stays, also when the
/// window was narrowed meanwhile. Everything is packed before the one writer is asked for.
pub async fn freeze(app: &App, id: IncidentId) -> Result<()> {
    let Some(incident) = incidents::find(&mut app.store().read().await?, IncidentRef::Id(id)).await? else { return Ok(()) };
    let now = window(&incident, app.now());
    let frozen = samples::frozen(&mut app.store().read().await?, id).await?;
    let mut known: HashMap<(BalancerId, SeriesKey), Vec<u8>> = HashMap::new();
    let mut whole = now;
    for row in frozen {
        for (at, _) in chunk::decode(&row.bytes).map_err(anyhow::Error::from)? {
            whole = Window { from: whole.from.min(at), to: whole.to.max(at + Duration::microseconds(1)) };
        }
        known.insert((row.balancer_id, row.key), row.bytes);
    }
    let mut rows = Vec::new();
    for Recorded { balancer_id, balancer, series } in of_incident(app, &incident, whole).await? {
        for Series { key, points } in series {
            let bytes = chunk::encode(&points).bytes;
            if known.get(&(balancer_id, key.clone())) != Some(&bytes) {
                rows.push(samples::FrozenRow { balancer_id, balancer: balancer.clone(), key, bytes });
            }
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    let mut conn = app.store().begin().await?;
    for row in &rows {
        samples::freeze(&mut conn, id, row).await?;
    }
    Ok(conn.commit().await?)
}

/// [`freeze`] beside the caller, who does not wait for it.
pub fn freeze_soon(app: &App, id: IncidentId) {
    let app = app.clone();
    tokio::spawn(async move {
        if let Err(fault) = freeze(&app, id).await {
            tracing::warn!(incident = %id, %fault, "the recording could not be frozen; the next round tries again");
        }
    });
}

/// Freezes every incident whose window may still grow.
pub async fn freeze_all(app: &App) -> Result<()> {
    if samples::is_empty(&mut app.store().samples().read().await?).await? {
        return Ok(());
    }
    let since = app.now() - Duration::minutes(AFTER_MINUTES + 5);
    let growing = incidents::recording(&mut app.store().read().await?, since).await?;
    for incident in growing {
        if let Err(fault) = freeze(app, incident.id).await {
            tracing::warn!(incident = %incident.reference, %fault, "the recording could not be frozen; the next round tries again");
        }
    }
    Ok(())
}

/// Frames that are packed together at once, at least.
const PACK_FROM: i64 = 120;

/// Packs frames into chunks per series, but for the newest minute.
pub async fn pack_frames(app: &App) -> Result<()> {
    let db = app.store().samples();
    let waiting = samples::waiting(&mut db.read().await?).await?;
    for (balancer, count, oldest, newest) in waiting {
        if count < PACK_FROM {
            continue;
        }
        let window = Window { from: oldest, to: newest - Duration::seconds(60) };
        let frames = samples::frames(&mut db.read().await?, balancer, window).await?;
        let mut merged = Merged::default();
        for (at, bytes) in &frames {
            for sample in chunk::decode_frame(bytes).map_err(anyhow::Error::from)? {
                merged.add(sample.key, [(*at, sample.value)]);
            }
        }
        let Some((last, _)) = frames.last() else { continue };
        let packed = Window { from: window.from, to: *last + Duration::microseconds(1) };
        let mut conn = db.begin().await?;
        for Series { key, points } in merged.finish() {
            let chunk = chunk::encode(&points);
            let row = samples::ChunkRow { key, from: chunk.from, to: chunk.to, bytes: chunk.bytes };
            samples::insert_chunk(&mut conn, balancer, &row).await?;
        }
        samples::remove_frames(&mut conn, balancer, packed).await?;
        conn.commit().await?;
    }
    Ok(())
}

/// Keeps what was measured before now, in one transaction: into the rolling store, from which incidents freeze it.
pub async fn keep_series(app: &App, balancer: BalancerId, series: Vec<Series>) -> Result<()> {
    let mut conn = app.store().samples().begin().await?;
    for Series { key, points } in series.into_iter().filter(|series| !series.points.is_empty()) {
        let chunk = chunk::encode(&points);
        let row = samples::ChunkRow { key, from: chunk.from, to: chunk.to, bytes: chunk.bytes };
        samples::insert_chunk(&mut conn, balancer, &row).await?;
    }
    Ok(conn.commit().await?)
}
