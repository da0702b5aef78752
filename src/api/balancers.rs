//! `/balancers`.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::Result;
use super::extract::{Body, Caller, Created, IfMatch, List, MayMatch, Path, Tagged};
use crate::app::App;
use crate::domain::balancer::{Balancer, BalancerFields};
use crate::domain::id::BalancerId;
use crate::services::balancers::{self, Live};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(show, edit, delete))
}

/// A balancer and how it stands right now.
#[derive(Debug, Serialize, ToSchema)]
struct BalancerView {
    #[serde(flatten)]
    balancer: Balancer,
    live: Live,
}

fn tagged(balancer: Balancer) -> Tagged<Balancer> {
    Tagged(balancer.version, balancer)
}

/// All balancers
#[utoipa::path(get, path = "/api/v1/balancers", tag = "balancers", responses((status = 200, body = List<Balancer>)))]
async fn list(State(app): State<App>, Caller(actor): Caller) -> Result<List<Balancer>> {
    Ok(balancers::list(&app, &actor).await?.into())
}

/// Add a balancer
///
/// The recorder begins with its next tick.
#[utoipa::path(
    post,
    path = "/api/v1/balancers",
    tag = "balancers",
    request_body = BalancerFields,
    responses((status = 201, body = Balancer, headers(("Location" = String), ("ETag" = String))))
)]
async fn add(
    State(app): State<App>,
    Caller(actor): Caller,
    Body(fields): Body<BalancerFields>,
) -> Result<Created<Tagged<Balancer>>> {
    let balancer = balancers::add(&app, &actor, fields).await?;
    Ok(Created(format!("/api/v1/balancers/{}", balancer.id), tagged(balancer)))
}

/// One balancer, with its pools and servers as they stand
#[utoipa::path(
    get,
    path = "/api/v1/balancers/{id}",
    tag = "balancers",
    responses((status = 200, body = BalancerView, headers(("ETag" = String))))
)]
async fn show(State(app): State<App>, Caller(actor): Caller, Path(id): Path<BalancerId>) -> Result<Tagged<BalancerView>> {
    let balancer = balancers::find(&app, &actor, id).await?;
    let live = balancers::live(&app, &actor, id).await?;
    Ok(Tagged(balancer.version, BalancerView { balancer, live }))
}

/// Change a balancer
#[utoipa::path(
    patch,
    path = "/api/v1/balancers/{id}",
    tag = "balancers",
    params(IfMatch),
    request_body = BalancerFields,
    responses((status = 200, body = Balancer, headers(("ETag" = String))))
)]
async fn edit(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<BalancerId>,
    IfMatch(version): IfMatch,
    Body(patch): Body<Value>,
) -> Result<Tagged<Balancer>> {
    Ok(tagged(balancers::edit(&app, &actor, id, version, &patch).await?))
}

/// Forget a balancer, its snapshots and its samples
///
/// What incidents froze stays with them.
#[utoipa::path(delete, path = "/api/v1/balancers/{id}", tag = "balancers", params(MayMatch), responses((status = 204)))]
async fn delete(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<BalancerId>,
    matching: MayMatch,
) -> Result<StatusCode> {
    let balancer = balancers::find(&app, &actor, id).await?;
    matching.check(balancer.version, "the balancer", &balancer)?;
    balancers::delete(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
