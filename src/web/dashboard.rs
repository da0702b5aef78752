//! The first page: what is open, what waits for words, which balancers answer, what is late.

use askama::Template;
use askama::filters::Safe;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use super::balancers::Answers;
use super::error::Result;
use super::extract::{Query, Session};
use super::format;
use super::page::{Page, Shell};
use super::postmortems::missing;
use crate::app::App;
use crate::domain::access::{Actor, Permission};
use crate::domain::incident::Incident;
use crate::domain::task::{REMIND_DAYS, Task};
use crate::domain::time::Timestamp;
use crate::services::incidents::IncidentFilter;
use crate::services::tasks::TaskFilter;
use crate::services::{self, Page as Rows};
use crate::signal::chart::sparkline;
use crate::signal::flight::FlightRecorder;
use crate::signal::glance::{Signal, glance};

pub fn routes() -> Router<App> {
    Router::new().route("/", get(show))
}

/// Open incidents on the page.
const OPEN: usize = 50;
/// Those of them, the worst, that get a line of their recording.
const SPARKS: usize = 20;
/// Points of such a line.
const SPARK_POINTS: usize = 48;
/// Write-ups and tasks listed.
const WRITE_UPS: i64 = 6;
const TASKS: i64 = 10;

#[derive(Template)]
#[template(path = "dashboard.html")]
struct Dashboard {
    shell: Shell,
    now: Timestamp,
    /// Where the live stream goes on from.
    seq: i64,
    open: Open,
    waiting: Vec<Incident>,
    more_waiting: bool,
    answers: AnswerList,
    has_balancers: bool,
    overdue: Vec<Task>,
    more_overdue: bool,
    /// The reader's own tasks that are due soon and not late yet.
    mine: Vec<Task>,
    lacks: Lacks,
}

/// Open incidents: the part that is drawn again while the page stands open.
#[derive(Template)]
#[template(path = "incidents/_open.html")]
struct Open {
    shell: Shell,
    now: Timestamp,
    rows: Vec<Row>,
    /// Whether more are open than fit here.
    more: bool,
}

struct Row {
    incident: Incident,
    spark: Option<Spark>,
    verdict: Option<String>,
}

/// The worst signal as a line, and what it says in figures.
struct Spark {
    line: Safe<String>,
    /// `5xx 12.3 %`.
    now: String,
    /// The same in full, for those who do not see the line.
    said: String,
}

#[derive(Template)]
#[template(path = "balancers/_answers.html")]
struct AnswerList {
    answers: Answers,
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
    fn missing(&self, incident: &Incident) -> Vec<String> {
        missing(&incident.fields)
    }

    /// How long ago it ended.
    fn waits(&self, incident: &Incident) -> Option<Safe<String>> {
        incident.end().map(|end| format::ago(end, self.now))
    }

    /// Whole days past the due date; negative before it.
    fn late(&self, task: &Task) -> i64 {
        task.fields.due_on.map_or(0, |due| (self.now.date_naive() - due).num_days())
    }

    /// `today`, `in 3 d`.
    fn left(&self, task: &Task) -> String {
        match -self.late(task) {
            0 => "today".to_owned(),
            days => format!("in {days} d"),
        }
    }
}

#[derive(Deserialize)]
struct Asked {
    /// The part that the script wants fresh: `open` or `answers`.
    #[serde(default)]
    part: String,
}

async fn show(State(app): State<App>, session: Session, shell: Shell, Query(asked): Query<Asked>) -> Result<Response> {
    let (app, actor) = (&app, &session.actor);
    if shell.wants_fragment() {
        return Ok(match asked.part.as_str() {
            "answers" => Page(AnswerList { answers: Answers::read(app, actor, shell.zone()).await? }).into_response(),
            _ => Page(open(app, actor, shell).await?).into_response(),
        });
    }
    // Read before the rest: what falls between is drawn twice rather than never.
    let seq = services::events::latest(app).await?;
    let open = open(app, actor, shell.clone()).await?;
    let unwritten = IncidentFilter { open: Some(false), unwritten: true, ..Default::default() };
    let waiting = services::incidents::list(app, actor, &unwritten, &Rows::first(WRITE_UPS)).await?;
    let answers = Answers::read(app, actor, shell.zone()).await?;
    let overdue = TaskFilter { overdue: true, ..Default::default() };
    let overdue = services::tasks::list(app, actor, &overdue, &Rows::first(TASKS)).await?;
    let soon = TaskFilter { due_within: Some(REMIND_DAYS), owner: Some(shell.handle()), ..Default::default() };
    let mine = services::tasks::list(app, actor, &soon, &Rows::first(TASKS)).await?.items;
    let lacks = lacks(app, actor, &shell, &open, answers.is_empty()).await?;
    Ok(Page(Dashboard {
        now: app.now(),
        seq,
        open,
        more_waiting: waiting.next_cursor.is_some(),
        waiting: waiting.items,
        has_balancers: !answers.is_empty(),
        answers: AnswerList { answers },
        more_overdue: overdue.next_cursor.is_some(),
        overdue: overdue.items,
        mine,
        lacks,
        shell,
    })
    .into_response())
}

async fn lacks(app: &App, actor: &Actor, shell: &Shell, open: &Open, no_balancer: bool) -> Result<Lacks> {
    let may_hook = shell.may(Permission::ManageIntegrations);
    Ok(Lacks {
        balancer: no_balancer && shell.may(Permission::WriteBalancers),
        hook: may_hook && services::integrations::list(app, actor).await?.is_empty(),
        incident: shell.may_write()
            && open.rows.is_empty()
            && services::incidents::list(app, actor, &IncidentFilter::default(), &Rows::first(1)).await?.items.is_empty(),
    })
}

/// The worst first, then the newest.
async fn open(app: &App, actor: &Actor, shell: Shell) -> Result<Open> {
    // One more than fits tells whether there are more.
    let mut incidents = services::incidents::worst(app, actor, OPEN as i64 + 1).await?;
    let more = incidents.len() > OPEN;
    incidents.truncate(OPEN);
    let watched = &incidents[..incidents.len().min(SPARKS)];
    // A recording that cannot be read takes nothing but the lines away.
    let charts = services::flight::glances(app, actor, watched).await.unwrap_or_default();
    let mut charts = charts.into_iter();
    let row = |incident: Incident| {
        let chart = charts.next().flatten();
        Row {
            spark: chart.as_ref().and_then(|chart| spark(chart, incident.fields.severity.as_str())),
            verdict: chart.and_then(|chart| chart.verdict),
            incident,
        }
    };
    Ok(Open { now: app.now(), rows: incidents.into_iter().map(row).collect(), more, shell })
}

fn spark(chart: &FlightRecorder, class: &str) -> Option<Spark> {
    let seen = glance(chart, SPARK_POINTS)?;
    let (name, figure): (_, fn(f64) -> String) = match seen.signal {
        Signal::Errors => ("5xx", |ratio| format::percent((ratio * 1000.0).round() / 1000.0)),
        Signal::Response => ("response", |ms| format!("{} ms", format::count(ms.round() as i64))),
    };
    let (now, highest) = (figure(seen.last), figure(seen.highest));
    Some(Spark {
        line: Safe(sparkline(&seen.points, class)),
        said: format!("{name} of pool {} on {}: now {now}, highest {highest}", chart.pool, chart.balancer),
        now: format!("{name} {now}"),
    })
}
