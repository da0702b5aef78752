//! `/attachments`: files for timeline entries.

use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::Result;
use super::extract::{Caller, Created, Json, Path, Query, Upload};
use crate::app::App;
use crate::domain::attachment::{Attachment, SIZE_MAX};
use crate::domain::id::AttachmentId;
use crate::services::attachments;

pub fn routes() -> OpenApiRouter<App> {
    // Room for the frame of a multipart form; the service has the word on the file itself.
    OpenApiRouter::new().routes(routes!(add)).routes(routes!(show)).layer(DefaultBodyLimit::max(SIZE_MAX + 64 * 1024))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AttachmentQuery {
    /// The file's name, when the body is the file itself.
    name: Option<String>,
}

/// Keep a file
///
/// The body is the file itself, or a multipart form with one file. At most 25 MiB. Its type is found from
/// its bytes. Name its id in `attachments` of an entry, or show it in Markdown as `/attachments/{id}`.
#[utoipa::path(
    post,
    path = "/api/v1/attachments",
    tag = "attachments",
    params(AttachmentQuery),
    request_body(content((Vec<u8> = "application/octet-stream"), (Vec<u8> = "multipart/form-data"))),
    responses((status = 201, body = Attachment, headers(("Location" = String))))
)]
async fn add(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(query): Query<AttachmentQuery>,
    upload: Upload,
) -> Result<Created<Json<Attachment>>> {
    let name = query.name.or(upload.name).unwrap_or_default();
    let attachment = attachments::add(&app, &actor, &name, upload.bytes).await?;
    Ok(Created(format!("/api/v1/attachments/{}", attachment.id), Json(attachment)))
}

/// A file
#[utoipa::path(
    get,
    path = "/api/v1/attachments/{id}",
    tag = "attachments",
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"))
)]
async fn show(State(app): State<App>, Caller(actor): Caller, Path(id): Path<AttachmentId>) -> Result<Response> {
    let (attachment, bytes) = attachments::fetch(&app, &actor, id).await?;
    let headers = [
        (CONTENT_TYPE, attachment.media_type.clone()),
        (CONTENT_DISPOSITION, save_as(&attachment.name)),
        // Nothing in a stranger's file may run, wherever it is opened.
        (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox".to_owned()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    Ok((headers, bytes).into_response())
}

/// `Content-Disposition` for a file to keep, with its name in any script (RFC 6266, RFC 8187).
pub fn save_as(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') { c } else { '_' };
    let ascii: String = name.chars().map(plain).collect();
    let encoded: String = name.bytes().fold(String::new(), |out, byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out + char::from(byte).encode_utf8(&mut [0; 4]),
        _ => format!("{out}%{byte:02X}"),
    });
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_any_script_survive_and_cannot_break_the_header() {
        assert_eq!(save_as("a.png"), "attachment; filename=\"a.png\"; filename*=UTF-8''a.png");
        assert_eq!(save_as("ü\r\n\";x"), "attachment; filename=\"____;x\"; filename*=UTF-8''%C3%BC%0D%0A%22%3Bx");
    }
}
