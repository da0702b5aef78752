//! The first page: what is open, what waits for words, which balancers answer, what is late.

use askama::Template;
use askama::filters::Safe;
use axum::Router;
use axum::extract::State;
use axum::routing::get;

use super::error::Result;
use super::extract::Session;
use super::page::{Page, Shell};
use super::postmortems::missing;
use crate::app::App;
use crate::domain::access::{Actor, Permission};
use crate::domain::balancer::Balancer;
use crate::domain::id::IncidentRef;
use crate::domain::incident::Incident;
use crate::domain::task::Task;
use crate::domain::time::Timestamp;
use crate::services::incidents::IncidentFilter;
use crate::services::tasks::TaskFilter;
use crate::services::{self, Page as Rows};
use crate::signal::chart::sparkline;
use crate::signal::flight::FlightRecorder;

pub fn routes() -> Router<App> {
    Router::new().route("/", get(show))
}

/// Open incidents that get a line of their recording: each reads a few megabytes at most.
const SPARKS: usize = 5;
/// Points of such a line.
const SPARK_POINTS: usize = 48;

#[derive(Template)]
#[template(path = "dashboard.html")]
struct Dashboard {
    shell: Shell,
    now: Timestamp,
    /// Where the live stream goes on from.
    seq: i64,
    open: Vec<Row>,
    /// Whether more incidents are open than fit here.
    more_open: bool,
    waiting: Vec<Incident>,
    balancers: Vec<Balancer>,
    overdue: Vec<Task>,
    lacks: Lacks,
}

struct Row {
    incident: Incident,
    spark: Option<Safe<String>>,
    verdict: Option<String>,
}

/// What a fresh installation does not have yet.
#[derive(Default)]
struct Lacks {
    balancer: bool,
    hook: bool,
    incident: bool,
}

impl Lacks {
    fn any(&self) -> bool {
        self.balancer || self.hook || self.incident
    }
}

impl Dashboard {
    fn missing(&self, incident: &Incident) -> Vec<&'static str> {
        missing(&incident.fields)
    }

    /// Whole days past the due date.
    fn late(&self, task: &Task) -> i64 {
        task.fields.due_on.map_or(0, |due| (self.now.date_naive() - due).num_days())
    }
}

async fn show(State(app): State<App>, session: Session, shell: Shell) -> Result<Page<Dashboard>> {
    let (app, actor) = (&app, &session.actor);
    // Read before the rest: what falls between is drawn twice rather than never.
    let seq = services::events::latest(app).await?;
    let filter = |open| IncidentFilter { open: Some(open), ..Default::default() };
    let open = services::incidents::list(app, actor, &filter(true), &Rows::first(50)).await?;
    let closed = services::incidents::list(app, actor, &filter(false), &Rows::first(50)).await?.items;
    let balancers = services::balancers::list(app, actor).await?;
    let lacks = Lacks {
        balancer: shell.may(Permission::WriteBalancers) && balancers.is_empty(),
        hook: shell.may(Permission::ManageIntegrations) && services::integrations::list(app, actor).await?.is_empty(),
        incident: shell.may_write() && open.items.is_empty() && closed.is_empty(),
    };
    let overdue = TaskFilter { overdue: true, ..Default::default() };
    Ok(Page(Dashboard {
        now: app.now(),
        seq,
        more_open: open.next_cursor.is_some(),
        open: rows(app, actor, open.items).await,
        waiting: closed.into_iter().filter(|incident| !missing(&incident.fields).is_empty()).take(10).collect(),
        balancers,
        overdue: services::tasks::list(app, actor, &overdue, &Rows::first(10)).await?.items,
        lacks,
        shell,
    }))
}

/// The worst first, then the newest.
async fn rows(app: &App, actor: &Actor, mut incidents: Vec<Incident>) -> Vec<Row> {
    incidents.sort_by_key(|incident| (incident.fields.severity, std::cmp::Reverse(incident.beginning())));
    let mut rows = Vec::with_capacity(incidents.len());
    for incident in incidents {
        // A recording that cannot be read takes nothing but its line away.
        let recorded = match rows.len() < SPARKS {
            true => services::flight::recorder(app, actor, IncidentRef::Id(incident.id)).await.unwrap_or_default(),
            false => Vec::new(),
        };
        let worst = recorded.first();
        rows.push(Row {
            spark: worst.and_then(|chart| spark(chart, incident.fields.severity.as_str())),
            verdict: worst.and_then(|chart| chart.verdict.clone()),
            incident,
        });
    }
    rows
}

/// The 5xx ratio over the window; none when too little was measured.
fn spark(chart: &FlightRecorder, class: &str) -> Option<Safe<String>> {
    let width = chart.error_ratio.len().div_ceil(SPARK_POINTS).max(1);
    let highest = |part: &[Option<f64>]| part.iter().copied().flatten().reduce(f64::max);
    let points: Vec<_> = chart.error_ratio.chunks(width).map(highest).collect();
    (points.iter().flatten().count() > 1).then(|| Safe(sparkline(&points, class)))
}
