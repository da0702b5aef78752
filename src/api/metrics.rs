//! `/metrics`, for whoever watches Afterload itself.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::Result;
use super::extract::Caller;
use crate::app::App;
use crate::{metrics, services};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(read))
}

/// What this server counts about itself, as OpenMetrics text
///
/// Requests and their durations, how long each balancer has been silent, memory. Each server of an installation tells
/// of itself. `--metrics-listen` answers the same on an address of its own, without a token.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operations",
    responses((status = 200, body = String, content_type = "application/openmetrics-text"))
)]
async fn read(State(app): State<App>, Caller(actor): Caller) -> Result<impl IntoResponse> {
    Ok(([(CONTENT_TYPE, metrics::CONTENT_TYPE)], services::health::metrics(&app, &actor).await?))
}
