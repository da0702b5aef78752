//! The statistics page as CSV (management guide, chapter 9.1: `;csv` after the page's path).
//!
//! Without `stats show-legends` the page tells neither addresses nor algorithms; it never tells configured weights,
//! the version, or that a server which is down is also drained. The runtime socket is the better source.

use super::stat::{Row, parse_stat};
use crate::record::{ReadError, http};

pub(super) async fn read(url: &str, place: &str, http: &reqwest::Client) -> Result<Vec<Row>, ReadError> {
    let text = http::get(&csv_address(url), place, http, |status| match status {
        401 | 403 => "it wants a login; write http://user:password@host/…, or better name the runtime socket",
        404 => "no page there, check the path against `stats uri`",
        503 => "HAProxy itself has no page at this path; check it against `stats uri`",
        _ => "check the address against `stats uri`",
    })
    .await?;
    parse_stat(&text).ok_or_else(|| ReadError::not_statistics(place, &text))
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
