//! `/tasks`, and the tasks of an incident.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::error::Result;
use super::extract::{Body, Caller, IfMatch, List, Path, Query, Tagged, made, take_id};
use crate::app::App;
use crate::domain::id::{IncidentRef, TaskId};
use crate::domain::patch;
use crate::domain::task::{Task, TaskFields, TaskStatus};
use crate::services::Page;
use crate::services::tasks::{self, TaskFilter};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(of_incident, add)).routes(routes!(list)).routes(routes!(show, edit))
}

fn tagged(task: Task) -> Tagged<Task> {
    Tagged(task.version, task)
}

/// The tasks of an incident
#[utoipa::path(get, path = "/api/v1/incidents/{ref}/tasks", tag = "tasks", responses((status = 200, body = List<Task>)))]
async fn of_incident(State(app): State<App>, Caller(actor): Caller, Path(which): Path<IncidentRef>) -> Result<List<Task>> {
    Ok(tasks::of_incident(&app, &actor, which).await?.into())
}

/// A new task.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is read as JSON, so that unknown fields are refused")]
struct NewTask {
    /// Made by the client: sending the same task again is harmless.
    id: Option<Uuid>,
    #[serde(flatten)]
    fields: TaskFields,
}

/// Add a task to an incident
///
/// With an `id` of the client's, a repeated POST answers 200 with the task that the first one made.
#[utoipa::path(
    post,
    path = "/api/v1/incidents/{ref}/tasks",
    tag = "tasks",
    request_body = NewTask,
    responses(
        (status = 201, body = Task, headers(("Location" = String), ("ETag" = String))),
        (status = 200, body = Task, description = "It was there already", headers(("ETag" = String)))
    )
)]
async fn add(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(which): Path<IncidentRef>,
    Body(mut body): Body<Map<String, Value>>,
) -> Result<Response> {
    let id = take_id(&mut body)?;
    let (task, fresh) = tasks::add(&app, &actor, which, id, patch::read(Value::Object(body))?).await?;
    Ok(made(fresh, format!("/api/v1/tasks/{}", task.id), tagged(task)))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TaskQuery {
    status: Option<TaskStatus>,
    /// Only open ones and those in progress.
    #[serde(default)]
    open: bool,
    /// A handle.
    owner: Option<String>,
    /// Only open ones whose due date has passed.
    #[serde(default)]
    overdue: bool,
    /// Rows wanted, at most 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Tasks of all incidents, by due date
#[utoipa::path(get, path = "/api/v1/tasks", tag = "tasks", params(TaskQuery), responses((status = 200, body = List<Task>)))]
async fn list(State(app): State<App>, Caller(actor): Caller, Query(query): Query<TaskQuery>) -> Result<List<Task>> {
    let filter =
        TaskFilter { status: query.status, open: query.open, owner: query.owner, overdue: query.overdue, due_within: None };
    let page = Page { limit: query.limit, cursor: query.cursor };
    Ok(tasks::list(&app, &actor, &filter, &page).await?.into())
}

/// One task
#[utoipa::path(
    get,
    path = "/api/v1/tasks/{id}",
    tag = "tasks",
    responses((status = 200, body = Task, headers(("ETag" = String))))
)]
async fn show(State(app): State<App>, Caller(actor): Caller, Path(id): Path<TaskId>) -> Result<Tagged<Task>> {
    Ok(tagged(tasks::find(&app, &actor, id).await?))
}

/// Change a task
///
/// `wont_do` needs `wont_do_reason`. Finishing a recurring task makes the next one.
#[utoipa::path(
    patch,
    path = "/api/v1/tasks/{id}",
    tag = "tasks",
    params(IfMatch),
    request_body = TaskFields,
    responses((status = 200, body = Task, headers(("ETag" = String))))
)]
async fn edit(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<TaskId>,
    IfMatch(version): IfMatch,
    Body(patch): Body<Value>,
) -> Result<Tagged<Task>> {
    Ok(tagged(tasks::edit(&app, &actor, id, version, &patch).await?))
}
