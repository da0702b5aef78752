//! Files: taken from the composer, given back with the type that their bytes have.

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::error::{Result, encode};
use super::extract::{Path, Session, Upload};
use crate::app::App;
use crate::domain;
use crate::domain::attachment::SIZE_MAX;
use crate::domain::id::AttachmentId;
use crate::services;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/attachments", post(add).layer(DefaultBodyLimit::max(SIZE_MAX + 1024 * 1024)))
        .route("/attachments/{id}", get(fetch))
}

/// Takes one file ahead of the entry that it will hang on; answers with its JSON.
async fn add(State(app): State<App>, session: Session, upload: Upload) -> Result<Response> {
    let Some((name, bytes)) = upload.files.into_iter().next() else {
        return Err(domain::Error::invalid("file", "required", "choose a file").into());
    };
    let file = services::attachments::add(&app, &session.actor, &name, bytes).await?;
    let json = serde_json::to_string(&file).map_err(anyhow::Error::from)?;
    Ok((StatusCode::CREATED, [(CONTENT_TYPE, "application/json")], json).into_response())
}

/// Images are shown, everything else is only ever downloaded; neither may run anything.
async fn fetch(State(app): State<App>, session: Session, Path(id): Path<AttachmentId>) -> Result<Response> {
    let (file, bytes) = services::attachments::fetch(&app, &session.actor, id).await?;
    let how = if file.is_image() { "inline" } else { "attachment" };
    let disposition = format!("{how}; filename*=UTF-8''{}", encode(&file.name).replace('/', "%2F"));
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    let text = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_TYPE, text(&file.media_type));
    headers.insert(CONTENT_DISPOSITION, text(&disposition));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    // The bytes of an id never change; but only those who are signed in may see them.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable"));
    Ok(response)
}
