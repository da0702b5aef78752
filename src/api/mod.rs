//! JSON over HTTP under `/api/v1`, and the hooks that alerts come in by: one file a noun.
//!
//! A handler is: own extractors, one service call, an answer. No SQL, no permission checks and no business
//! rules here; who may do what is decided in the services. The nouns' JSON is that of the domain types.
//! Nobody is known by a cookie here, so nothing needs protection against forged requests.

mod alerts;
mod attachments;
mod balancers;
mod document;
mod error;
mod events;
mod extract;
mod findings;
mod hooks;
mod incidents;
mod integrations;
mod metrics;
mod people;
mod postmortems;
mod presence;
mod search;
mod series;
mod snapshots;
mod strict;
mod tasks;
mod timeline;
mod tokens;

use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::routing::{any, get};
use axum::{Extension, Router};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::services::hooks::Intake;

pub use error::Problem;

/// Largest JSON body, in bytes: ten full texts of an incident with room to spare.
const BODY_MAX: usize = 4 * 1024 * 1024;

/// Everything under `/api` and `/hooks`.
pub fn routes(intake: Intake) -> Router<App> {
    let (router, document) = described().split_for_parts();
    let document = axum::body::Bytes::from(document::complete(document).to_json().unwrap_or_default());
    let json = [(axum::http::header::CONTENT_TYPE, "application/json")];
    let mut everything = router.route("/api/openapi.json", get(|| async move { (json, document) }));
    // Programs get a problem document, never the page that people get.
    for nowhere in ["/api", "/api/", "/api/{*rest}", "/hooks", "/hooks/", "/hooks/{key}/", "/hooks/{key}/{*rest}"] {
        everything = everything.route(nowhere, any(error::nowhere));
    }
    everything
        .method_not_allowed_fallback(error::no_method)
        .layer(Extension(intake))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(from_fn(error::finish))
}

/// The OpenAPI document, without a running server.
pub fn openapi() -> utoipa::openapi::OpenApi {
    document::complete(described().into_openapi())
}

fn described() -> OpenApiRouter<App> {
    let json = OpenApiRouter::with_openapi(document::Api::openapi())
        .merge(incidents::routes())
        .merge(timeline::routes())
        .merge(presence::routes())
        .merge(tasks::routes())
        .merge(alerts::routes())
        .merge(series::routes())
        .merge(postmortems::routes())
        .merge(balancers::routes())
        .merge(metrics::routes())
        .merge(integrations::routes())
        .merge(people::routes())
        .merge(tokens::routes())
        .merge(search::routes())
        .merge(events::routes())
        .layer(DefaultBodyLimit::max(BODY_MAX));
    json.merge(snapshots::routes()).merge(findings::routes()).merge(attachments::routes()).merge(hooks::routes())
}

#[cfg(test)]
mod tests;
