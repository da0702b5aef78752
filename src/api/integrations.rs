//! `/integrations`.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::Result;
use super::extract::{Body, Caller, Created, Json, List, Paging, Path, Query};
use crate::app::App;
use crate::domain::id::IntegrationId;
use crate::domain::integration::{Delivery, Integration, NewIntegration};
use crate::services::integrations;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, edit))
        .routes(routes!(deliveries))
        .routes(routes!(rotate_key))
}

/// All integrations
#[utoipa::path(get, path = "/api/v1/integrations", tag = "integrations", responses((status = 200, body = List<Integration>)))]
async fn list(State(app): State<App>, Caller(actor): Caller) -> Result<List<Integration>> {
    Ok(integrations::list(&app, &actor).await?.into())
}

/// A new integration with its hook's path, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
struct CreatedIntegration {
    #[serde(flatten)]
    integration: Integration,
    #[serde(flatten)]
    hook: Hook,
}

/// Where the sender posts to. The key in it is a secret.
#[derive(Debug, Serialize, ToSchema)]
struct Hook {
    hook_path: String,
    /// The same with the address under which this server is reached.
    hook_url: String,
}

fn hook(app: &App, path: String) -> Hook {
    Hook { hook_url: format!("{}{path}", app.config().public_url()), hook_path: path }
}

/// Make an integration
///
/// The hook's path is in the answer this once and never again.
#[utoipa::path(
    post,
    path = "/api/v1/integrations",
    tag = "integrations",
    request_body = NewIntegration,
    responses((status = 201, body = CreatedIntegration, headers(("Location" = String))))
)]
async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Body(new): Body<NewIntegration>,
) -> Result<Created<Json<CreatedIntegration>>> {
    let (integration, path) = integrations::create(&app, &actor, new).await?;
    let place = format!("/api/v1/integrations/{}", integration.id);
    Ok(Created(place, Json(CreatedIntegration { integration, hook: hook(&app, path) })))
}

/// One integration
#[utoipa::path(get, path = "/api/v1/integrations/{id}", tag = "integrations", responses((status = 200, body = Integration)))]
async fn show(State(app): State<App>, Caller(actor): Caller, Path(id): Path<IntegrationId>) -> Result<Json<Integration>> {
    Ok(Json(integrations::find(&app, &actor, id).await?))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct IntegrationPatch {
    /// A disabled integration refuses its hook with 403.
    disabled: bool,
}

/// Disable or enable an integration
#[utoipa::path(
    patch,
    path = "/api/v1/integrations/{id}",
    tag = "integrations",
    request_body = IntegrationPatch,
    responses((status = 200, body = Integration))
)]
async fn edit(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<IntegrationId>,
    Body(patch): Body<IntegrationPatch>,
) -> Result<Json<Integration>> {
    integrations::set_disabled(&app, &actor, id, patch.disabled).await?;
    Ok(Json(integrations::find(&app, &actor, id).await?))
}

/// What came in, newest first
#[utoipa::path(
    get,
    path = "/api/v1/integrations/{id}/deliveries",
    tag = "integrations",
    params(Paging),
    responses((status = 200, body = List<Delivery>))
)]
async fn deliveries(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<IntegrationId>,
    Query(paging): Query<Paging>,
) -> Result<List<Delivery>> {
    integrations::find(&app, &actor, id).await?;
    Ok(integrations::deliveries(&app, &actor, id, &paging.page()).await?.into())
}

/// A new key
///
/// The one before works for another day, so that no alert is lost while senders change.
#[utoipa::path(post, path = "/api/v1/integrations/{id}/key", tag = "integrations", responses((status = 201, body = Hook)))]
async fn rotate_key(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<IntegrationId>,
) -> Result<(StatusCode, Json<Hook>)> {
    let path = integrations::rotate_key(&app, &actor, id).await?;
    Ok((StatusCode::CREATED, Json(hook(&app, path))))
}
