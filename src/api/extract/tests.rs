use axum::body::Body as Raw;
use axum::http::Request;
use serde::Deserialize;

use super::*;
use crate::domain::incident::{IncidentFields, Status};
use crate::domain::task::TaskFields;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (axum::http::HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    pairs.iter().map(pair).collect()
}

fn post(kind: &str, body: impl Into<Raw>) -> axum::extract::Request {
    Request::post("/").header(CONTENT_TYPE, kind).body(body.into()).expect("a request")
}

async fn read<T: DeserializeOwned>(kind: &str, body: &str) -> Result<T> {
    Body::from_request(post(kind, body.to_owned()), &()).await.map(|Body(value)| value)
}

#[tokio::test]
async fn bodies_name_what_does_not_fit() {
    const JSON: &str = "application/json";
    for (kind, body, status, place) in [
        (JSON, r#"{"titel": "x"}"#, 422, Some(("/titel", "unknown_field"))),
        (JSON, r#"{"severity": "sev9"}"#, 422, Some(("/severity", "invalid"))),
        (JSON, r#"{"milestones": {"started": "2026-11-21T14:03"}}"#, 422, Some(("/milestones/started", "not_a_time"))),
        (JSON, r#"{"title": "a", "title": "b"}"#, 422, Some(("/", "duplicate_field"))),
        (JSON, r#"{"roles": {"commander": 7}}"#, 422, Some(("/roles/commander", "invalid"))),
        (JSON, "7", 422, Some(("/", "invalid"))),
        (JSON, "[]", 400, None),
        (JSON, "", 400, None),
        (JSON, "{", 400, None),
        ("text/plain", r#"{"title": "x"}"#, 415, None),
        ("application/x-www-form-urlencoded", "title=x", 415, None),
        ("", r#"{"title": "x"}"#, 415, None),
    ] {
        let error = read::<IncidentFields>(kind, body).await.expect_err(body);
        assert_eq!((error.status(), error.pointers().first().copied()), (status, place), "{body}");
    }
    let error = read::<TaskFields>(JSON, r#"{"due_on": "tomorrow"}"#).await.expect_err("no date");
    assert_eq!(error.pointers(), [("/due_on", "not_a_date")]);
    for kind in [JSON, "Application/JSON; charset=utf-8", "application/merge-patch+json"] {
        assert_eq!(read::<IncidentFields>(kind, r#"{"title": "x"}"#).await.expect(kind).title, "x");
    }
}

#[tokio::test]
async fn a_body_above_the_limit_is_too_large() {
    let app: axum::Router = axum::Router::new()
        .route("/", axum::routing::post(async |Body(_): Body<serde_json::Value>| ()))
        .layer(axum::extract::DefaultBodyLimit::max(10));
    let answer = tower::ServiceExt::oneshot(app, post("application/json", r#"{"title": "long"}"#)).await.expect("answers");
    assert_eq!(answer.status(), 413);
}

#[tokio::test]
async fn files_come_bare_or_in_a_form() {
    let bare = Upload::from_request(post("image/png", "PNG"), &()).await.expect("bare");
    assert_eq!((bare.name.as_deref(), &bare.bytes[..]), (None, &b"PNG"[..]));
    let form = "--x\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x\r\ncontent-disposition: form-data; \
        name=\"file\"; filename=\"g.png\"\r\n\r\nPNG\r\n--x--\r\n";
    let sent = Upload::from_request(post("multipart/form-data; boundary=x", form), &()).await.expect("form");
    assert_eq!((sent.name.as_deref(), &sent.bytes[..]), (Some("g.png"), &b"PNG"[..]));
    for (kind, body) in [("multipart/form-data; boundary=x", "--x--\r\n"), ("multipart/form-data", form)] {
        let error = Upload::from_request(post(kind, body), &()).await.expect_err("no file");
        assert!(matches!(error.status(), 400 | 422), "{}", error.status());
    }
}

#[test]
fn a_change_names_its_version_as_one_strong_tag() {
    let read = |value| IfMatch::read(&headers(&[("if-match", value)])).map(|tag| tag.map(|IfMatch(version)| version));
    assert_eq!(read("\"7\"").expect("a tag"), Some(7));
    for other in ["\"abc\"", "W/\"7\"", "\"\"", "\"99999999999999999999\""] {
        assert_eq!(read(other).expect(other), Some(NO_VERSION), "{other}");
    }
    for odd in ["7", "*", "\"1\", \"2\"", "\"1", ""] {
        assert_eq!(read(odd).expect_err(odd).status(), 400, "{odd}");
    }
    assert_eq!(IfMatch::read(&HeaderMap::new()).expect("none"), None);
}

#[test]
fn a_named_version_that_is_not_stored_is_refused_with_what_is() {
    assert!(MayMatch(None).check(3, "x", &1).is_ok());
    assert!(MayMatch(Some(3)).check(3, "x", &1).is_ok());
    assert_eq!(MayMatch(Some(2)).check(3, "x", &1).expect_err("stale").status(), 409);
}

#[test]
fn tokens_come_as_bearer_alone() {
    assert_eq!(bearer(&headers(&[("authorization", "bearer  afl_pat_x")])), Some("afl_pat_x"));
    for (name, value) in
        [("authorization", "Basic eDp5"), ("authorization", "Bearer "), ("authorization", "x"), ("cookie", "a=b")]
    {
        assert_eq!(bearer(&headers(&[(name, value)])), None, "{value}");
    }
}

#[test]
fn the_best_offered_form_is_chosen() {
    let choose = |accept: &str| Accept(accept.to_owned()).choose(&["application/json", "text/markdown", "text/html"]).ok();
    for (accept, chosen) in [
        ("", Some("application/json")),
        ("*/*", Some("application/json")),
        ("text/*", Some("text/markdown")),
        ("text/html;q=0.4, TEXT/markdown;q=0.5", Some("text/markdown")),
        ("*/*;q=0.1, text/html", Some("text/html")),
        ("text/*, text/markdown;q=0", Some("text/html")),
        ("image/png", None),
        ("application/json;q=0", None),
        ("text/html;q=NaN, ;;,,", None),
    ] {
        assert_eq!(choose(accept), chosen, "{accept}");
    }
}

#[test]
fn queries_name_the_parameter_that_does_not_fit() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Filter {
        status: Option<Status>,
        open: Option<bool>,
    }
    let read = |query: &str| read_query::<Filter>(query).map(|filter| (filter.status, filter.open));
    assert_eq!(read("status=resolved&open=true").expect("fits"), (Some(Status::Resolved), Some(true)));
    assert_eq!(read("").expect("fits"), (None, None));
    for (query, place) in [
        ("status=over", ("/status", "invalid")),
        ("open=perhaps", ("/open", "invalid")),
        ("statsu=resolved", ("/statsu", "unknown_field")),
        ("status=a%00", ("/", "nul")),
        ("open=true&open=false", ("/open", "invalid")),
    ] {
        assert_eq!(read(query).expect_err(query).pointers(), [place], "{query}");
    }
}

#[test]
fn words_of_the_query_are_relabelled() {
    let error = word::<Status>("flavour", "x").expect_err("no word");
    assert_eq!(error.pointers(), [("/flavour", "unknown_word")]);
}
