//! The statistics page as CSV (management guide, chapter 9.1: `;csv` after the page's path).
//!
//! Without `stats show-legends` the page tells neither addresses nor algorithms; it never tells configured weights,
//! the version, or that a server which is down is also drained. The runtime socket is the better source.

use super::stat::{self, Row};
use crate::record::{MAX_BYTES, ReadError};

pub(super) async fn read(url: &str, place: &str, http: &reqwest::Client) -> Result<Vec<Row>, ReadError> {
    let failed = |error: reqwest::Error| {
        // The error's own text would name the address, and with it a password.
        let error = error.without_url();
        let mut deepest: &dyn std::error::Error = &error;
        while let Some(source) = deepest.source() {
            deepest = source;
        }
        let why = deepest.to_string();
        ReadError::Unreachable { place: place.to_owned(), why }
    };
    let mut answer = http.get(csv_address(url)).send().await.map_err(failed)?;
    let status = answer.status();
    if !status.is_success() {
        let remedy = match status.as_u16() {
            300..=399 => "redirects are not followed, write the address that it leads to",
            401 | 403 => "it wants a login; write http://user:password@host/…, or better name the runtime socket",
            404 => "no page there, check the path against `stats uri`",
            503 => "HAProxy itself has no page at this path; check it against `stats uri`",
            _ => "check the address against `stats uri`",
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
    let text = String::from_utf8_lossy(&body);
    stat::parse_stat(&text).ok_or_else(|| ReadError::not_statistics(place, &text))
}

/// `;csv` belongs to the path: before a query, in place of other options such as `;norefresh`.
fn csv_address(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let (path, query) = (&url[..end], url[end..].split('#').next().unwrap_or_default());
    let path = path.split_once(';').map_or(path, |(path, _)| path);
    format!("{path};csv{query}")
}

#[cfg(test)]
mod tests {
    use super::csv_address;

    #[test]
    fn csv_is_asked_for_in_the_path() {
        assert_eq!(csv_address("http://h:1/stats"), "http://h:1/stats;csv");
        assert_eq!(csv_address("http://h:1/stats;norefresh?a=b#c"), "http://h:1/stats;csv?a=b");
        assert_eq!(csv_address("http://h:1/;csv"), "http://h:1/;csv");
    }
}
