//! `/snapshots`, the snapshots of a balancer, and those tied to an incident.

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::Result;
use super::extract::{Body, BodyOrText, Caller, Created, Json, List, Paging, Path, Query};
use crate::app::App;
use crate::domain::id::{BalancerId, IncidentRef, SnapshotId};
use crate::domain::snapshot::{LinkedSnapshot, Snapshot, SnapshotRole};
use crate::services::snapshots::{self, PushedSnapshot, SnapshotDetail, SnapshotDiff};

/// A config of the largest size with its line breaks escaped as JSON.
pub(super) const BODY_MAX: usize = 2 * crate::services::recording::CONFIG_MAX;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(of_incident))
        .routes(routes!(link, unlink))
        .routes(routes!(list, push))
        .routes(routes!(show))
        .routes(routes!(compare))
        .layer(DefaultBodyLimit::max(BODY_MAX))
}

/// The snapshots tied to an incident, oldest first
#[utoipa::path(
    get,
    path = "/api/v1/incidents/{ref}/snapshots",
    tag = "snapshots",
    responses((status = 200, body = List<LinkedSnapshot>))
)]
async fn of_incident(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(which): Path<IncidentRef>,
) -> Result<List<LinkedSnapshot>> {
    Ok(snapshots::of_incident(&app, &actor, which).await?.into())
}

/// How the snapshot stands to the incident.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SnapshotLink {
    role: SnapshotRole,
}

/// Tie a snapshot to an incident, or change how it stands to it
#[utoipa::path(
    put,
    path = "/api/v1/incidents/{ref}/snapshots/{id}",
    tag = "snapshots",
    request_body = SnapshotLink,
    responses((status = 204))
)]
async fn link(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((which, id)): Path<(IncidentRef, SnapshotId)>,
    Body(link): Body<SnapshotLink>,
) -> Result<StatusCode> {
    snapshots::link(&app, &actor, which, id, link.role).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Untie a snapshot from an incident
#[utoipa::path(delete, path = "/api/v1/incidents/{ref}/snapshots/{id}", tag = "snapshots", responses((status = 204)))]
async fn unlink(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((which, id)): Path<(IncidentRef, SnapshotId)>,
) -> Result<StatusCode> {
    snapshots::unlink(&app, &actor, which, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The snapshots of a balancer, newest first
#[utoipa::path(
    get,
    path = "/api/v1/balancers/{id}/snapshots",
    tag = "snapshots",
    params(Paging),
    responses((status = 200, body = List<Snapshot>))
)]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<BalancerId>,
    Query(paging): Query<Paging>,
) -> Result<List<Snapshot>> {
    Ok(snapshots::list(&app, &actor, id, &paging.page()).await?.into())
}

/// Send a snapshot
///
/// As JSON, or the config alone as `text/plain`. Secrets are redacted before anything is stored. What is
/// the same as the newest snapshot adds none; the answer is that one.
#[utoipa::path(
    post,
    path = "/api/v1/balancers/{id}/snapshots",
    tag = "snapshots",
    request_body(content((PushedSnapshot = "application/json"), (String = "text/plain"))),
    responses((status = 201, body = Snapshot, headers(("Location" = String))))
)]
async fn push(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<BalancerId>,
    body: BodyOrText<PushedSnapshot>,
) -> Result<Created<Json<Snapshot>>> {
    let pushed = match body {
        BodyOrText::Json(pushed) => pushed,
        BodyOrText::Text(config) => PushedSnapshot { config, ..PushedSnapshot::default() },
    };
    let snapshot = snapshots::push(&app, &actor, id, pushed).await?;
    Ok(Created(format!("/api/v1/snapshots/{}", snapshot.id), Json(snapshot)))
}

/// One snapshot with its config, model and run-time state
#[utoipa::path(get, path = "/api/v1/snapshots/{id}", tag = "snapshots", responses((status = 200, body = SnapshotDetail)))]
async fn show(State(app): State<App>, Caller(actor): Caller, Path(id): Path<SnapshotId>) -> Result<Json<SnapshotDetail>> {
    Ok(Json(snapshots::find(&app, &actor, id).await?))
}

/// What changed from one snapshot to another
#[utoipa::path(get, path = "/api/v1/snapshots/{a}/diff/{b}", tag = "snapshots", responses((status = 200, body = SnapshotDiff)))]
async fn compare(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((a, b)): Path<(SnapshotId, SnapshotId)>,
) -> Result<Json<SnapshotDiff>> {
    Ok(Json(snapshots::compare(&app, &actor, a, b).await?))
}
