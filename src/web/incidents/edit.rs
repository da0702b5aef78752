//! The forms around the timeline: the incident's own fields, its tasks, its snapshots.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::parts::Head;
use super::room;
use crate::app::App;
use crate::domain::access::Actor;
use crate::domain::id::{IncidentRef, SnapshotId, TaskId};
use crate::domain::snapshot::SnapshotRole;
use crate::domain::task::TaskFields;
use crate::domain::{self, patch};
use crate::services;
use crate::web::error::Result;
use crate::web::extract::{Form, Path, Session};
use crate::web::format::Zone;
use crate::web::forms::{Edit, Field, INCIDENT, Outcome, TASK};
use crate::web::page::{Shell, render, see};
use crate::web::sent::Sent;

type Pairs = Vec<(String, String)>;

fn value<'a>(pairs: &'a Pairs, name: &str) -> &'a str {
    pairs.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
}

/// Back to the room, or its changed parts for the script.
async fn done(app: &App, actor: &Actor, shell: &Shell, which: IncidentRef, anchor: &str) -> Result<Response> {
    let incident = services::incidents::find(app, actor, which).await?;
    if !shell.wants_fragment() {
        return Ok(see(&format!("/incidents/{}{anchor}", incident.reference)));
    }
    let head = render(&Head::new(shell, &incident, app.now()))?;
    let side = render(&room::side(app, actor, shell, &incident).await?)?;
    Ok(([(axum::http::header::CONTENT_TYPE, "text/html; charset=utf-8")], head + &side).into_response())
}

pub async fn save(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path(which): Path<IncidentRef>,
    Form(pairs): Form<Pairs>,
) -> Result<Response> {
    let actor = &session.actor;
    let app = &app;
    let act = |version, patch| async move { services::incidents::edit(app, actor, which, version, &patch).await };
    match Edit::read(&INCIDENT, &pairs)?.save(act).await? {
        Outcome::Saved(_) => done(app, actor, &shell, which, value(&pairs, "anchor")).await,
        Outcome::Again(again) => Ok(again.page(&shell, shell.here())),
    }
}

pub async fn delete(State(app): State<App>, session: Session, Path(which): Path<IncidentRef>) -> Result<Response> {
    services::incidents::delete(&app, &session.actor, which).await?;
    let incident = services::incidents::find_any(&app, &session.actor, which).await?;
    Ok(see(&format!("/incidents/{}", incident.reference)))
}

pub async fn restore(State(app): State<App>, session: Session, Path(which): Path<IncidentRef>) -> Result<Response> {
    let incident = services::incidents::restore(&app, &session.actor, which).await?;
    Ok(see(&format!("/incidents/{}", incident.reference)))
}

/// The fields of a new task, each read as its kind says; empty ones take the default.
fn new_task(pairs: &Pairs) -> Result<TaskFields, domain::Error> {
    let mut fields = Map::new();
    let mut errors = domain::error::FieldErrors::default();
    for Field { path, kind, .. } in &TASK {
        match kind.read(value(pairs, path), "", Zone::default()) {
            Ok(Value::Null) => {}
            Ok(read) => {
                fields.insert((*path).to_owned(), read);
            }
            Err(detail) => errors.push(path, "invalid", detail),
        }
    }
    errors.into_result()?;
    patch::read(Value::Object(fields))
}

pub async fn add_task(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path(which): Path<IncidentRef>,
    Form(pairs): Form<Pairs>,
) -> Result<Response> {
    let fields = new_task(&pairs)?;
    services::tasks::add(&app, &session.actor, which, Sent::new(pairs).id()?, fields).await?;
    done(&app, &session.actor, &shell, which, "#tasks").await
}

pub async fn save_task(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path((which, task)): Path<(IncidentRef, TaskId)>,
    Form(pairs): Form<Pairs>,
) -> Result<Response> {
    let actor = &session.actor;
    let app = &app;
    let act = |version, patch| async move { services::tasks::edit(app, actor, task, version, &patch).await };
    match Edit::read(&TASK, &pairs)?.save(act).await? {
        Outcome::Saved(_) => done(app, actor, &shell, which, "#tasks").await,
        Outcome::Again(again) => {
            let incident = services::incidents::find(app, actor, which).await?;
            Ok(again.page(&shell, &format!("/incidents/{}#tasks", incident.reference)))
        }
    }
}

pub async fn link_snapshot(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path((which, snapshot)): Path<(IncidentRef, SnapshotId)>,
    Form(pairs): Form<Pairs>,
) -> Result<Response> {
    match value(&pairs, "role") {
        "" => services::snapshots::unlink(&app, &session.actor, which, snapshot).await?,
        role => {
            let role: SnapshotRole = role.parse()?;
            services::snapshots::link(&app, &session.actor, which, snapshot, role).await?;
        }
    }
    done(&app, &session.actor, &shell, which, "#changes").await
}
