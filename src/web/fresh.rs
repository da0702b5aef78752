//! Pages that a browser has already: asked again, they are answered with 304 when nothing they show has changed.
//!
//! The tag is made of what the page depends on, before any of it is read: that is what makes the answer cheap. Pages
//! without a tag keep `no-store`; those with one may stay in the reader's own browser, which must ask each time.

use axum::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::page::Shell;

/// A tag for what `shell` says of the reader and the address, and for `parts`, which move with what is shown.
pub fn tag(shell: &Shell, parts: &[String]) -> HeaderValue {
    let zone = shell.zone();
    let disk = (shell.is_disk_full(), shell.is_disk_low());
    let reader = format!("{:?} {} {} {} {disk:?}", shell.actor(), shell.theme(), zone.minutes, zone.name());
    let mut hash = Sha256::new();
    for part in [env!("CARGO_PKG_VERSION"), &crate::web::assets::url("css/app.css"), &reader, shell.here()] {
        hash.update(part);
        hash.update([0]);
    }
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    let hex = hex::encode(&hash.finalize()[..16]);
    // Weak: the same to a reader, while ids of forms and positions in the stream differ.
    HeaderValue::from_str(&format!("W/\"{hex}\"")).unwrap_or(HeaderValue::from_static(""))
}

/// The whole answer when the reader has the page with this tag.
pub fn known(headers: &HeaderMap, tag: &HeaderValue) -> Option<Response> {
    let asked = headers.get(IF_NONE_MATCH)?.to_str().ok()?;
    let tag_text = tag.to_str().ok()?;
    let known = asked.split(',').any(|one| one.trim() == tag_text);
    known.then(|| tagged(StatusCode::NOT_MODIFIED.into_response(), tag.clone()))
}

pub fn tagged(mut response: Response, tag: HeaderValue) -> Response {
    let headers = response.headers_mut();
    headers.insert(ETAG, tag);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(VARY, HeaderValue::from_static("cookie, accept-encoding"));
    response
}
