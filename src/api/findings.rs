//! What the rules say of a snapshot, what is known of already, and `/check` for a config that is only tried.

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::Result;
use super::extract::{Body, BodyOrText, Caller, Created, Json, List, Path};
use super::snapshots::BODY_MAX;
use crate::app::App;
use crate::domain::finding::{Acknowledgement, AcknowledgementFields};
use crate::domain::id::{AcknowledgementId, BalancerId, SnapshotId};
use crate::services::checks::{self, Candidate, Checked};
use crate::services::findings::{self, Findings};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(of_snapshot))
        .routes(routes!(list, acknowledge))
        .routes(routes!(withdraw))
        .routes(routes!(check))
        // A candidate may come with the config that it would replace.
        .layer(DefaultBodyLimit::max(2 * BODY_MAX))
}

/// What the rules say of a snapshot
///
/// The gravest first, what somebody acknowledged last. Rules about changes look at the snapshot before it.
#[utoipa::path(get, path = "/api/v1/snapshots/{id}/findings", tag = "findings", responses((status = 200, body = Findings)))]
async fn of_snapshot(State(app): State<App>, Caller(actor): Caller, Path(id): Path<SnapshotId>) -> Result<Json<Findings>> {
    Ok(Json(findings::of_snapshot(&app, &actor, id).await?))
}

/// Findings of a balancer that people let stand, newest first
#[utoipa::path(
    get,
    path = "/api/v1/balancers/{id}/acknowledgements",
    tag = "findings",
    responses((status = 200, body = List<Acknowledgement>))
)]
async fn list(State(app): State<App>, Caller(actor): Caller, Path(id): Path<BalancerId>) -> Result<List<Acknowledgement>> {
    Ok(findings::acknowledgements(&app, &actor, id).await?.into())
}

/// Let a finding stand, for a reason and for a time
#[utoipa::path(
    post,
    path = "/api/v1/balancers/{id}/acknowledgements",
    tag = "findings",
    request_body = AcknowledgementFields,
    responses((status = 201, body = Acknowledgement, headers(("Location" = String))))
)]
async fn acknowledge(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<BalancerId>,
    Body(fields): Body<AcknowledgementFields>,
) -> Result<Created<Json<Acknowledgement>>> {
    let new = findings::acknowledge(&app, &actor, id, fields).await?;
    Ok(Created(format!("/api/v1/balancers/{id}/acknowledgements/{}", new.id), Json(new)))
}

/// Let the finding count again
#[utoipa::path(
    delete,
    path = "/api/v1/balancers/{id}/acknowledgements/{acknowledgement}",
    tag = "findings",
    responses((status = 204))
)]
async fn withdraw(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((id, acknowledgement)): Path<(BalancerId, AcknowledgementId)>,
) -> Result<StatusCode> {
    findings::withdraw(&app, &actor, id, acknowledgement).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Try a config: what it means, what the rules say, what it would change
///
/// As JSON, or the config alone as `text/plain`. Nothing of it is stored.
#[utoipa::path(
    post,
    path = "/api/v1/check",
    tag = "findings",
    request_body(content((Candidate = "application/json"), (String = "text/plain"))),
    responses((status = 200, body = Checked))
)]
async fn check(State(app): State<App>, Caller(actor): Caller, body: BodyOrText<Candidate>) -> Result<Json<Checked>> {
    let candidate = match body {
        BodyOrText::Json(candidate) => candidate,
        BodyOrText::Text(config) => Candidate { config, ..Candidate::default() },
    };
    Ok(Json(checks::check(&app, &actor, candidate).await?))
}
