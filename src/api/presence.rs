//! `/incidents/{ref}/presence`, `…/working-on` and `…/reading`: the people of a room.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::Result;
use super::extract::{Body, Caller, Json, List, Path};
use crate::app::App;
use crate::domain::id::IncidentRef;
use crate::domain::presence::{Presence, WorkingOn};
use crate::domain::reading::Reading;
use crate::services::{presence, readings};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(say, done)).routes(routes!(reading, read))
}

/// Who is in the room, and what each is working on
///
/// Those who have the room open in a browser now, then those who said what they work on and are away.
#[utoipa::path(
    get,
    path = "/api/v1/incidents/{ref}/presence",
    tag = "presence",
    responses((status = 200, body = List<Presence>))
)]
async fn list(State(app): State<App>, Caller(actor): Caller, Path(which): Path<IncidentRef>) -> Result<List<Presence>> {
    Ok(presence::of_incident(&app, &actor, which).await?.into())
}

/// Say what you are working on
///
/// One line in the place of the one before; that of the token's maker. It stands until it is taken back or its writer
/// was away for half an hour.
#[utoipa::path(
    put,
    path = "/api/v1/incidents/{ref}/working-on",
    tag = "presence",
    request_body = WorkingOn,
    responses((status = 200, body = Presence))
)]
async fn say(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(which): Path<IncidentRef>,
    Body(line): Body<WorkingOn>,
) -> Result<Json<Presence>> {
    Ok(Json(presence::set_working_on(&app, &actor, which, line).await?))
}

/// Take back what you are working on
#[utoipa::path(delete, path = "/api/v1/incidents/{ref}/working-on", tag = "presence", responses((status = 204)))]
async fn done(State(app): State<App>, Caller(actor): Caller, Path(which): Path<IncidentRef>) -> Result<StatusCode> {
    presence::clear_working_on(&app, &actor, which).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is new to you
///
/// Up to where you, or the token's maker, have read the timeline, and the entries that others added since.
#[utoipa::path(
    get,
    path = "/api/v1/incidents/{ref}/reading",
    tag = "presence",
    responses((status = 200, body = Reading))
)]
async fn reading(State(app): State<App>, Caller(actor): Caller, Path(which): Path<IncidentRef>) -> Result<Json<Reading>> {
    Ok(Json(readings::of(&app, &actor, which).await?))
}

/// Up to where somebody has read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Mark {
    /// Sequence number of an event; the newest when it is left out.
    #[serde(default)]
    seq: Option<i64>,
}

/// Mark as read
///
/// The mark never goes back.
#[utoipa::path(
    put,
    path = "/api/v1/incidents/{ref}/reading",
    tag = "presence",
    request_body = Mark,
    responses((status = 200, body = Reading))
)]
async fn read(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(which): Path<IncidentRef>,
    Body(mark): Body<Mark>,
) -> Result<Json<Reading>> {
    Ok(Json(readings::mark(&app, &actor, which, mark.seq).await?))
}
