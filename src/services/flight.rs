//! The flight recorder of an incident: what its balancers did, with its story marked on the time axis.

use serde::Serialize;
use utoipa::ToSchema;

use super::Result;
use super::lookup::load_live;
use super::recording::{self, Recorded};
use crate::app::App;
use crate::domain::Error;
use crate::domain::access::{Actor, Permission};
use crate::domain::id::{BalancerId, IncidentRef};
use crate::domain::incident::Incident;
use crate::domain::time::{Timestamp, Window};
use crate::domain::timeline::{Entry, EntryKind};
use crate::signal::flight::{self, FlightRecorder, Mark, MarkKind};
use crate::signal::rates::{self, Fold, Grid};
use crate::signal::series::Metric;
use crate::store::{balancers, timeline};

/// The most charts on one page.
const CHARTS: usize = 4;

/// One per balancer and pool that had traffic, the worst first.
pub async fn recorder(app: &App, actor: &Actor, which: IncidentRef) -> Result<Vec<FlightRecorder>> {
    let mut conn = app.store().read().await?;
    let incident = load_live(&mut conn, actor, which, Permission::ReadIncidents).await?;
    drop(conn);
    let window = recording::window(&incident, app.now());
    let recorded = recording::of_incident(app, &incident, window).await?;
    if recorded.iter().all(|of| of.series.is_empty()) {
        return Ok(Vec::new());
    }
    let entries = timeline::notable(&mut app.store().read().await?, incident.id, super::timeline::LIST_MAX).await?;
    Ok(charts(recorded, &entries, window))
}

/// The charts of a write-up: of a window that stays the same until the incident changes.
pub(super) async fn settled(app: &App, incident: &Incident, entries: &[Entry]) -> Result<Vec<FlightRecorder>> {
    let window = recording::settled_window(incident, entries);
    Ok(charts(recording::of_incident(app, incident, window).await?, entries, window))
}

fn charts(recorded: Vec<Recorded>, entries: &[Entry], window: Window) -> Vec<FlightRecorder> {
    let marks = marks(entries);
    let mut charts = Vec::new();
    let window = from_first_sample(window, &recorded);
    for recorded in recorded {
        for pool in flight::pools(&recorded.series).into_iter().take(CHARTS) {
            charts.push(flight::build(&recorded.balancer, &pool, window, &recorded.series, marks.clone()));
        }
    }
    charts.sort_by(|a, b| worst(b).total_cmp(&worst(a)));
    charts.truncate(CHARTS);
    charts
}

/// Half an hour without a recorder says nothing: a chart begins shortly before the first sample. A gap that
/// comes later is a gap and stays.
fn from_first_sample(window: Window, recorded: &[Recorded]) -> Window {
    let first = recorded.iter().flat_map(|r| &r.series).filter_map(|s| s.points.first()).map(|(at, _)| *at).min();
    let margin = first.map_or_else(chrono::Duration::zero, |first| (window.to - first) / 20);
    Window { from: first.map_or(window.from, |first| window.from.max(first - margin)), ..window }
}

fn worst(chart: &FlightRecorder) -> f64 {
    let errors: f64 = chart.error_ratio.iter().flatten().sum();
    let requests: f64 = chart.rate.iter().flatten().sum();
    errors * 1e9 + requests
}

/// How far back [`glances`] look.
const GLANCE_HOURS: i64 = 2;

/// Of each incident the pool that it is about, or else the one that fares worst: the newest two hours at most, without
/// marks. One look at the recording serves them all.
pub async fn glances(app: &App, actor: &Actor, incidents: &[Incident]) -> Result<Vec<Option<FlightRecorder>>> {
    actor.may(Permission::ReadIncidents)?;
    let now = app.now();
    let recent = Window { from: now - chrono::Duration::hours(GLANCE_HOURS), to: now };
    let mut recorded = Vec::new();
    if !incidents.is_empty() {
        for balancer in balancers::list(&mut app.store().read().await?).await? {
            let series = recording::series(app, balancer.id, recent).await?;
            let pools = flight::pools(&series).into_iter().take(CHARTS).collect::<Vec<_>>();
            recorded.push((balancer.fields.name, pools, series));
        }
    }
    let look = |incident: &Incident| {
        let whole = recording::window(incident, now);
        let window = Window { from: whole.from.max(recent.from), to: whole.to };
        let all = recorded.iter().flat_map(|(balancer, pools, series)| {
            pools.iter().map(move |pool| flight::build(balancer, pool, window, series, Vec::new()))
        });
        let about = |chart: &FlightRecorder| incident.fields.services.contains(&chart.pool);
        all.max_by(|a, b| about(a).cmp(&about(b)).then(worst(a).total_cmp(&worst(b))))
    };
    Ok(incidents.iter().map(|incident| look(incident).filter(|_| actor.sees(incident))).collect())
}

/// What of the timeline is marked on the chart: changes, alerts, pinned entries, detours and recoveries. All of them
/// are among [`timeline::notable`].
fn marks(entries: &[Entry]) -> Vec<Mark> {
    let kind = |entry: &Entry| match entry.fields.kind {
        EntryKind::Change => Some(MarkKind::Change),
        EntryKind::Alert => Some(MarkKind::Alert),
        EntryKind::Recovery => Some(MarkKind::Recovery),
        _ if entry.fields.is_detour() => Some(MarkKind::Detour),
        _ if entry.fields.pinned => Some(MarkKind::Pinned),
        EntryKind::Status => Some(MarkKind::Status),
        _ => None,
    };
    let marked = entries.iter().filter_map(|entry| Some((kind(entry)?, entry)));
    marked
        .enumerate()
        .map(|(index, (kind, entry))| Mark {
            number: index + 1,
            at: entry.fields.occurred_at,
            kind,
            label: entry.fields.title.clone(),
            entry: Some(entry.id.0),
        })
        .collect()
}

/// What part of the recording is asked for; absent means all.
#[derive(Debug, Clone, Default)]
pub struct SeriesQuery {
    pub pool: Option<String>,
    pub server: Option<String>,
    pub name: Option<Metric>,
    /// Seconds of one column; chosen by the length of the window when not said.
    pub step: Option<i64>,
}

/// The frozen window as columns: one row of times, one row of values for each series.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct SeriesColumns {
    /// Seconds between two columns.
    pub step: i64,
    /// Beginning of each column.
    pub times: Vec<chrono::DateTime<chrono::Utc>>,
    pub series: Vec<SeriesColumn>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct SeriesColumn {
    pub balancer_id: BalancerId,
    pub balancer: String,
    pub pool: String,
    /// Null for the pool as a whole.
    pub server: Option<String>,
    pub name: Metric,
    /// Counters come as rates per second; their unit says so.
    pub unit: String,
    /// Null where nothing was recorded.
    pub values: Vec<Option<f64>>,
    /// When the balancer's counters began anew.
    pub resets: Vec<chrono::DateTime<chrono::Utc>>,
}

pub async fn series(app: &App, actor: &Actor, which: IncidentRef, query: &SeriesQuery) -> Result<SeriesColumns> {
    let incident = load_live(&mut app.store().read().await?, actor, which, Permission::ReadIncidents).await?;
    let window = recording::window(&incident, app.now());
    let recorded = recording::of_incident(app, &incident, window).await?;
    let usual = recorded.iter().flat_map(|r| &r.series).find_map(|s| rates::usual_step(&s.points)).unwrap_or(5.0);
    let mut grid = Grid::new(window, usual);
    if let Some(step) = query.step {
        if !(1..=86_400).contains(&step) || window.length().num_seconds() / step > 20_000 {
            return Err(Error::invalid(
                "step",
                "out_of_range",
                "a step between 1 and 86400 seconds that gives at most 20,000 columns",
            )
            .into());
        }
        grid = Grid::with_step(window, step);
    }
    let mut columns = Vec::new();
    for r in &recorded {
        for series in &r.series {
            let key = &series.key;
            let wanted = query.pool.as_ref().is_none_or(|pool| *pool == key.pool)
                && query.server.as_ref().is_none_or(|server| Some(server) == key.server.as_ref())
                && query.name.is_none_or(|name| name == key.metric);
            if !wanted {
                continue;
            }
            let (values, resets, unit) = if key.metric.is_counter() {
                let spans = rates::rate(&series.points);
                let resets: Vec<Timestamp> = spans.iter().filter(|span| span.reset).map(|span| span.at).collect();
                (rates::per_second(&grid, &series.points), resets, "1/s")
            } else {
                (rates::bucket(&grid, &rates::gauge(&series.points), Fold::Mean), Vec::new(), key.metric.unit())
            };
            columns.push(SeriesColumn {
                balancer_id: r.balancer_id,
                balancer: r.balancer.clone(),
                pool: key.pool.clone(),
                server: key.server.clone(),
                name: key.metric,
                unit: unit.to_owned(),
                values,
                resets,
            });
        }
    }
    Ok(SeriesColumns { step: grid.step, times: grid.times(), series: columns })
}
