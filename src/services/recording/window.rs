//! An incident's window on the recording: which snapshots and which samples belong to it.

use std::collections::BTreeMap;

use chrono::Duration;

use super::taking::tie;
use crate::app::App;
use crate::domain::id::BalancerId;
use crate::domain::incident::Incident;
use crate::domain::snapshot::SnapshotRole;
use crate::domain::time::{Timestamp, Window};
use crate::domain::timeline::Entry;
use crate::services::{Result, Unit};
use crate::signal::chunk;
use crate::signal::series::{Series, SeriesKey};
use crate::store::{balancers, samples, snapshots};

/// What an incident shows from before it began.
pub const BEFORE_MINUTES: i64 = 30;
/// What it shows after it was resolved.
pub const AFTER_MINUTES: i64 = 10;

/// What an incident shows of the recording: from half an hour before it began to a little after its end.
pub fn window(incident: &Incident, now: Timestamp) -> Window {
    let from = incident.beginning() - Duration::minutes(BEFORE_MINUTES);
    let to = incident.end().map_or(now, |end| (end + Duration::minutes(AFTER_MINUTES)).min(now));
    Window { from, to: to.max(from + Duration::minutes(1)) }
}

/// What a write-up shows: up to the end, or while there is none up to the last change. It moves only with the
/// incident itself, so that the same incident gives the same bytes.
pub fn settled_window(incident: &Incident, entries: &[Entry]) -> Window {
    let from = incident.beginning() - Duration::minutes(BEFORE_MINUTES);
    let touched = entries.iter().map(|entry| entry.edited_at.unwrap_or(entry.recorded_at)).max();
    let to = incident.end().unwrap_or_else(|| touched.map_or(incident.updated_at, |at| at.max(incident.updated_at)));
    Window { from, to: to.max(from + Duration::minutes(1)) }
}

/// Links what was live in the incident's window: the last snapshot before it, and those during it. What
/// people linked or chose is left alone.
pub async fn link_window(app: &App, unit: &mut Unit<'_>, incident: &Incident) -> Result<()> {
    let window = window(incident, unit.now);
    for balancer in balancers::list(&mut unit.conn).await? {
        let mut during = snapshots::within(&mut unit.conn, balancer.id, window.from, window.to, 100).await?;
        let mut before = match snapshots::last_at(&mut unit.conn, balancer.id, window.from).await? {
            Some(before) => Some(before),
            // The recorder began inside the window: the first one stands for what was before.
            None if during.first().is_some_and(|first| first.captured_at <= incident.beginning()) => Some(during.remove(0)),
            None => None,
        };
        if let Some(before) = &before {
            snapshots::link_if_new(&mut unit.conn, incident.id, before.id, SnapshotRole::Before).await?;
        }
        for snapshot in during {
            tie(app, unit, incident, before.as_ref(), &snapshot).await?;
            before = Some(snapshot);
        }
    }
    Ok(())
}

/// All recorded series of a balancer within a window: packed chunks and single frames together.
pub async fn series(app: &App, balancer: BalancerId, window: Window) -> Result<Vec<Series>> {
    let mut conn = app.store().samples().read().await?;
    let chunks = samples::chunks(&mut conn, balancer, window).await?;
    let frames = samples::frames(&mut conn, balancer, window).await?;
    drop(conn);
    let mut merged = Merged::default();
    for row in chunks {
        let points = chunk::decode(&row.bytes).map_err(anyhow::Error::from)?;
        merged.add(row.key, points.into_iter().filter(|(at, _)| window.contains(*at)));
    }
    for (at, bytes) in frames {
        for sample in chunk::decode_frame(&bytes).map_err(anyhow::Error::from)? {
            merged.add(sample.key, [(at, sample.value)]);
        }
    }
    Ok(merged.finish())
}

/// Points by series and time, whatever they came from.
#[derive(Default)]
pub(super) struct Merged(BTreeMap<SeriesKey, BTreeMap<Timestamp, f64>>);

impl Merged {
    pub(super) fn add(&mut self, key: SeriesKey, points: impl IntoIterator<Item = (Timestamp, f64)>) {
        self.0.entry(key).or_default().extend(points);
    }

    pub(super) fn finish(self) -> Vec<Series> {
        self.0.into_iter().map(|(key, points)| Series { key, points: points.into_iter().collect() }).collect()
    }
}

/// What an incident has of one balancer.
pub struct Recorded {
    pub balancer_id: BalancerId,
    pub balancer: String,
    pub series: Vec<Series>,
}

/// The incident's recording within a window: its own frozen copy, completed by what is still in the rolling
/// store.
pub async fn of_incident(app: &App, incident: &Incident, window: Window) -> Result<Vec<Recorded>> {
    let mut conn = app.store().read().await?;
    let frozen = samples::frozen(&mut conn, incident.id).await?;
    let live = balancers::list(&mut conn).await?;
    drop(conn);
    let mut by_balancer: BTreeMap<BalancerId, (String, Merged)> = BTreeMap::new();
    for row in frozen {
        let points = chunk::decode(&row.bytes).map_err(anyhow::Error::from)?;
        let (_, merged) = by_balancer.entry(row.balancer_id).or_insert_with(|| (row.balancer, Merged::default()));
        merged.add(row.key, points.into_iter().filter(|(at, _)| window.contains(*at)));
    }
    for balancer in live {
        let recorded = series(app, balancer.id, window).await?;
        if recorded.is_empty() {
            continue;
        }
        let (_, merged) = by_balancer.entry(balancer.id).or_insert_with(|| (balancer.fields.name, Merged::default()));
        for Series { key, points } in recorded {
            merged.add(key, points);
        }
    }
    let finished = by_balancer.into_iter().map(|(balancer_id, (balancer, merged))| Recorded {
        balancer_id,
        balancer,
        series: merged.finish(),
    });
    Ok(finished.collect())
}
