//! Style sheets, scripts and pictures, embedded in the binary.
//!
//! All files live under one content hash (`/static/<hash>/js/app.js`), so that they may be cached for
//! ever and the relative imports of the modules stay inside one version. Nothing else is served here:
//! files that people uploaded come from [`super::attachments`].

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

#[derive(RustEmbed)]
#[folder = "static/"]
#[include = "*.css"]
#[include = "*.js"]
#[include = "*.svg"]
#[include = "*.txt"]
struct Files;

/// The style sheets, in the order in which they build on each other; served as one file.
const STYLES: [&str; 5] = ["css/tokens.css", "css/base.css", "css/components.css", "css/room.css", "css/pages.css"];
const STYLE: &str = "css/app.css";

struct File {
    plain: Bytes,
    gzip: Bytes,
    media_type: &'static str,
}

struct Assets {
    /// Twelve hex digits over all names and contents.
    hash: String,
    files: BTreeMap<String, File>,
}

static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
    let read = |name: &str| Files::get(name).map(|file| file.data.into_owned()).unwrap_or_default();
    let mut files: BTreeMap<String, File> = Files::iter()
        .filter(|name| !STYLES.contains(&name.as_ref()))
        .map(|name| {
            let plain = if name.starts_with("js/") { lean(&read(&name)) } else { read(&name) };
            (name.to_string(), File::new(&name, plain))
        })
        .collect();
    files.insert(STYLE.to_owned(), File::new(STYLE, STYLES.map(read).concat()));
    let mut digest = Sha256::new();
    for (name, file) in &files {
        digest.update(name.as_bytes());
        digest.update([0]);
        digest.update(&file.plain);
    }
    let hash = hex::encode(&digest.finalize()[..6]);
    Assets { hash, files }
});

/// A script without its indents and lines of comment: those are for readers of the source.
fn lean(script: &[u8]) -> Vec<u8> {
    let is_comment = |line: &str| line.starts_with("//") || (line.starts_with("/**") && line.ends_with("*/"));
    let lines = std::str::from_utf8(script).unwrap_or_default().lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !is_comment(line)).flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect()
}

impl File {
    fn new(name: &str, plain: Vec<u8>) -> Self {
        let media_type = match name.rsplit('.').next() {
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "text/plain; charset=utf-8",
        };
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        // Writing to a Vec cannot fail.
        let _ = encoder.write_all(&plain);
        let gzip = encoder.finish().unwrap_or_default();
        Self { plain: plain.into(), gzip: gzip.into(), media_type }
    }
}

/// The address of `name` (`css/app.css`), with the content hash.
pub fn url(name: &str) -> String {
    format!("/static/{}/{name}", ASSETS.hash)
}

/// Answers `/static/{hash}/{*name}`. A stale hash (a page that was open during an upgrade) gets the
/// present file, but may not keep it.
pub async fn serve(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches("/static/");
    let (hash, name) = path.split_once('/').unwrap_or_default();
    match ASSETS.files.get(name) {
        Some(file) => respond(file, hash == ASSETS.hash, request.headers()),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The icon that browsers ask for by themselves.
pub async fn favicon(request: Request) -> Response {
    ASSETS.files.get("favicon.svg").map_or(StatusCode::NOT_FOUND.into_response(), |file| respond(file, false, request.headers()))
}

fn respond(file: &File, fresh: bool, asked: &HeaderMap) -> Response {
    let etag = format!("\"{}\"", ASSETS.hash);
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.media_type));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    let keep = if fresh { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(keep));
    if let Ok(value) = HeaderValue::from_str(&etag) {
        headers.insert(ETAG, value);
    }
    if asked.get(IF_NONE_MATCH).is_some_and(|seen| seen.as_bytes() == etag.as_bytes()) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    let takes_gzip = asked.get(ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("gzip"));
    if takes_gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        *response.body_mut() = Body::from(file.gzip.clone());
    } else {
        *response.body_mut() = Body::from(file.plain.clone());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(path: &str, header: Option<(&str, &str)>) -> Response {
        let mut request = Request::builder().uri(path);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        serve(request.body(Body::empty()).expect("a request")).await
    }

    #[tokio::test]
    async fn files_are_served_for_ever_under_their_hash_and_not_under_another() {
        let fresh = get(&url("css/app.css"), Some(("accept-encoding", "gzip, br"))).await;
        assert_eq!(fresh.status(), StatusCode::OK);
        assert_eq!(fresh.headers()[CONTENT_ENCODING], "gzip");
        assert!(fresh.headers()[CACHE_CONTROL].to_str().expect("ascii").contains("immutable"));
        assert_eq!(get("/static/000000000000/css/app.css", None).await.headers()[CACHE_CONTROL], "no-cache");
        let tag = fresh.headers()[ETAG].to_str().expect("ascii").to_owned();
        assert_eq!(get(&url("js/app.js"), Some(("if-none-match", &tag))).await.status(), StatusCode::NOT_MODIFIED);
        for missing in ["/static/", "/static/x/../Cargo.toml", "/static/x/css/none.css"] {
            assert_eq!(get(missing, None).await.status(), StatusCode::NOT_FOUND, "{missing}");
        }
    }

    #[test]
    fn vendored_files_are_what_their_list_says() {
        #[derive(serde::Deserialize)]
        struct Vendored {
            file: String,
            sha256: String,
        }
        let list: Vec<Vendored> = serde_json::from_str(include_str!("../../static/vendor/vendor.json")).expect("a list");
        assert!(!list.is_empty());
        for vendored in list {
            let bytes = Files::get(&format!("vendor/{}", vendored.file)).expect("embedded").data;
            let found = hex::encode(Sha256::digest(&bytes));
            assert_eq!(found, vendored.sha256, "{}", vendored.file);
        }
    }

    #[test]
    fn our_scripts_stay_under_sixteen_kilobytes_on_the_wire() {
        // The palette comes when somebody asks for it.
        let ours = ASSETS.files.iter().filter(|(name, _)| name.starts_with("js/") && *name != "js/palette.js");
        let sizes: Vec<_> = ours.map(|(name, file)| (name, file.gzip.len())).collect();
        assert!(sizes.iter().map(|(_, size)| size).sum::<usize>() < 16 * 1024, "{sizes:?}");
    }
}
