//! JSON over HTTP.
use crate::app::App;
use crate::services::hooks::Intake;
use axum::Router;
pub fn routes(_intake: Intake) -> Router<App> {
    Router::new()
}
pub fn openapi() -> utoipa::openapi::OpenApi {
    utoipa::openapi::OpenApiBuilder::new().build()
}
