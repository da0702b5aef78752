//! `/hooks/{key}`: where alerts come in.
//!
//! Statuses are chosen by what senders do with them: they repeat a 503 and drop what any 4xx refused, and
//! some follow a redirect with an empty GET and count it as sent. So there is no redirect and no 429 here,
//! and a body that is not understood is kept and still answered 202 where the sender would give up.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{Error, Result};
use super::extract::{Json, Path};
use crate::app::App;
use crate::domain;
use crate::domain::integration::Format;
use crate::services::hooks::{BODY_MAX, Intake, Receipt};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(deliver)).routes(routes!(deliver_alertmanager)).layer(DefaultBodyLimit::max(BODY_MAX))
}

/// Send alerts
///
/// The body is what the integration's format says, in any content type, at most 16 MiB. 202 means that it is
/// on disk; what was made of it is in the answer. A body that is not understood is kept and shown beside
/// the integration; the generic format answers 422, the others 202 with `error`.
#[utoipa::path(
    method(post, put),
    path = "/hooks/{key}",
    tag = "hooks",
    security(()),
    request_body(content_type = "application/json", description = "As the integration's format says"),
    responses((status = 202, body = Receipt))
)]
async fn deliver(
    State(app): State<App>,
    Extension(intake): Extension<Intake>,
    Path(key): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Receipt>)> {
    take(&app, &intake, &key, body).await
}

/// Send alerts as Prometheus does to an Alertmanager
#[utoipa::path(
    method(post, put),
    path = "/hooks/{key}/api/v2/alerts",
    tag = "hooks",
    security(()),
    request_body(content_type = "application/json", description = "An array of alerts"),
    responses((status = 202, body = Receipt))
)]
async fn deliver_alertmanager(
    State(app): State<App>,
    Extension(intake): Extension<Intake>,
    Path(key): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Receipt>)> {
    take(&app, &intake, &key, body).await
}

async fn take(app: &App, intake: &Intake, key: &str, body: Result<Bytes, BytesRejection>) -> Result<(StatusCode, Json<Receipt>)> {
    let body = body.map_err(|fault| Error::of_body(fault.status()))?;
    let (receipt, format) = intake.receive(app, key, body).await?;
    match receipt.error {
        Some(fault) if format == Format::Generic => Err(domain::Error::invalid("", "not_understood", fault).into()),
        _ => Ok((StatusCode::ACCEPTED, Json(receipt))),
    }
}
