//! One answer over HTTP, bounded in size; the caller holds the deadline.

use super::{MAX_BYTES, ReadError};

/// The body of a 2xx answer, with U+FFFD for what is not UTF-8. `place` is the address as it may be shown; `remedy` says
/// what to do about another status.
pub(super) async fn get(
    url: &str,
    place: &str,
    http: &reqwest::Client,
    remedy: impl Fn(u16) -> &'static str,
) -> Result<String, ReadError> {
    let failed = |error: reqwest::Error| {
        // The error's own text would name the address, and with it a password.
        let error = error.without_url();
        let mut deepest: &dyn std::error::Error = &error;
        while let Some(source) = deepest.source() {
            deepest = source;
        }
        ReadError::Unreachable { place: place.to_owned(), why: deepest.to_string() }
    };
    let mut answer = http.get(url).send().await.map_err(failed)?;
    let status = answer.status();
    if !status.is_success() {
        let remedy = match status.as_u16() {
            300..=399 => "redirects are not followed, write the address that it leads to",
            other => remedy(other),
        };
        return Err(ReadError::Status { place: place.to_owned(), status: status.as_u16(), remedy });
    }
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(failed)? {
        if body.len() + part.len() > MAX_BYTES {
            return Err(ReadError::Flood { place: place.to_owned() });
        }
        body.extend_from_slice(&part);
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}
