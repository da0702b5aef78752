//! The document against the routes, and the answers that no handler gives.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::Value;
use tower::ServiceExt;

use super::error::Error;
use super::*;
use crate::domain;

fn document() -> Value {
    serde_json::to_value(openapi()).expect("the document is JSON")
}

#[test]
fn the_routes_are_a_contract() {
    let mut document = openapi();
    let routes = document.paths.paths.iter_mut().flat_map(|(path, item)| {
        document::operations(item).map(move |(method, _)| format!("{path} {method}")).collect::<Vec<_>>()
    });
    let mut routes: Vec<String> = routes.collect();
    routes.sort();
    insta::assert_snapshot!(routes.join("\n"), @"
    /api/v1/alerts get
    /api/v1/alerts/{id} get
    /api/v1/attachments post
    /api/v1/attachments/{id} get
    /api/v1/audit get
    /api/v1/balancers get
    /api/v1/balancers post
    /api/v1/balancers/{id} delete
    /api/v1/balancers/{id} get
    /api/v1/balancers/{id} patch
    /api/v1/balancers/{id}/acknowledgements get
    /api/v1/balancers/{id}/acknowledgements post
    /api/v1/balancers/{id}/acknowledgements/{acknowledgement} delete
    /api/v1/balancers/{id}/snapshots get
    /api/v1/balancers/{id}/snapshots post
    /api/v1/check post
    /api/v1/events get
    /api/v1/incidents get
    /api/v1/incidents post
    /api/v1/incidents/{ref} delete
    /api/v1/incidents/{ref} get
    /api/v1/incidents/{ref} patch
    /api/v1/incidents/{ref}/alerts get
    /api/v1/incidents/{ref}/export get
    /api/v1/incidents/{ref}/postmortem get
    /api/v1/incidents/{ref}/presence get
    /api/v1/incidents/{ref}/reading get
    /api/v1/incidents/{ref}/reading put
    /api/v1/incidents/{ref}/restore post
    /api/v1/incidents/{ref}/series get
    /api/v1/incidents/{ref}/snapshots get
    /api/v1/incidents/{ref}/snapshots/{id} delete
    /api/v1/incidents/{ref}/snapshots/{id} put
    /api/v1/incidents/{ref}/tasks get
    /api/v1/incidents/{ref}/tasks post
    /api/v1/incidents/{ref}/timeline get
    /api/v1/incidents/{ref}/timeline post
    /api/v1/incidents/{ref}/timeline/{id} delete
    /api/v1/incidents/{ref}/timeline/{id} get
    /api/v1/incidents/{ref}/timeline/{id} patch
    /api/v1/incidents/{ref}/timeline/{id}/restore post
    /api/v1/incidents/{ref}/timeline/{id}/revisions get
    /api/v1/incidents/{ref}/working-on delete
    /api/v1/incidents/{ref}/working-on put
    /api/v1/integrations get
    /api/v1/integrations post
    /api/v1/integrations/{id} get
    /api/v1/integrations/{id} patch
    /api/v1/integrations/{id}/deliveries get
    /api/v1/integrations/{id}/key post
    /api/v1/search get
    /api/v1/snapshots/{a}/diff/{b} get
    /api/v1/snapshots/{id} get
    /api/v1/snapshots/{id}/findings get
    /api/v1/tasks get
    /api/v1/tasks/{id} get
    /api/v1/tasks/{id} patch
    /api/v1/tokens get
    /api/v1/tokens post
    /api/v1/tokens/{id} delete
    /api/v1/users get
    /api/v1/users post
    /api/v1/users/{id} patch
    /hooks/{key} post
    /hooks/{key} put
    /hooks/{key}/api/v2/alerts post
    /hooks/{key}/api/v2/alerts put
    /metrics get
    ");
}

#[test]
fn the_document_is_whole() {
    let document = document();
    let text = document.to_string();
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    for part in text.split("\"#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap_or_default();
        assert!(schemas.contains_key(name), "{name} is named and not described");
    }
    assert!(schemas.iter().all(|(_, schema)| schema.get("allOf").is_none()), "a composed schema was left");
    assert!(!text.contains("1970-01-01"), "the placeholder of a time is no default");
    let incident = &schemas["IncidentView"]["properties"];
    for field in ["reference", "title", "version", "durations", "warnings"] {
        assert!(incident.get(field).is_some(), "{field}");
    }
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let place = format!("{method} {path}");
            assert!(ids.insert(operation["operationId"].to_string()), "{place}: its id is taken");
            assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{place}");
            let names = operation["parameters"].as_array().into_iter().flatten();
            let names: Vec<&str> = names.filter(|p| p["in"] == "path").filter_map(|p| p["name"].as_str()).collect();
            assert_eq!(names.len(), path.matches('{').count(), "{place}");
            let problem = &operation["responses"]["503"]["content"]["application/problem+json"];
            assert_eq!(problem["schema"]["$ref"], "#/components/schemas/Problem", "{place}");
            assert_eq!(operation["security"].is_array(), path.starts_with("/hooks"), "{place}");
        }
    }
}

fn answering(error: impl Fn() -> Error + Clone + Send + Sync + 'static) -> Router {
    let handler = move || {
        let answer = error().into_response();
        async { answer }
    };
    Router::new().route("/hooks/{key}", get(handler)).layer(from_fn(error::finish))
}

async fn ask(router: Router, request: Request<Body>) -> (StatusCode, axum::http::HeaderMap, Value) {
    let (parts, body) = router.oneshot(request).await.expect("answers").into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    (parts.status, parts.headers, serde_json::from_slice(&bytes).unwrap_or_default())
}

#[tokio::test]
async fn every_error_has_its_status_and_document() {
    let conflict = || domain::Error::Conflict { what: "the task", current: Box::new(serde_json::json!({"version": 3})) };
    type Case = (fn() -> domain::Error, u16, &'static str);
    let cases: [Case; 8] = [
        (|| domain::Error::NotFound { what: "this task" }, 404, "not-found"),
        (|| domain::Error::SignInRequired, 401, "sign-in-required"),
        (|| domain::Error::Forbidden("no".into()), 403, "forbidden"),
        (|| domain::Error::invalid("title", "required", "write"), 422, "invalid"),
        (|| domain::Error::TooLarge("much".into()), 413, "too-large"),
        (|| domain::Error::Unavailable("later".into()), 503, "unavailable"),
        (|| domain::Error::Throttled { seconds: 9 }, 429, "throttled"),
        (|| domain::Error::PreconditionRequired("say"), 428, "precondition-required"),
    ];
    for (error, status, name) in cases {
        let request = Request::get("/hooks/secret").header("x-request-id", "7").body(Body::empty()).expect("request");
        let (got, headers, problem) = ask(answering(move || error().into()), request).await;
        assert_eq!((got.as_u16(), problem["status"].as_u64()), (status, Some(u64::from(status))), "{name}");
        assert_eq!(problem["type"], format!("urn:afterload:problem:{name}"));
        assert_eq!(
            (&headers["content-type"], problem["instance"].as_str()),
            (&"application/problem+json".parse().unwrap(), Some("urn:uuid:7"))
        );
        assert_eq!(headers.contains_key("retry-after"), [429, 503].contains(&status), "{name}");
        assert_eq!(headers.contains_key("www-authenticate"), status == 401, "{name}");
    }
    for (condition, status) in [(false, 409), (true, 412)] {
        let mut request = Request::get("/hooks/secret");
        if condition {
            request = request.header("if-match", "\"2\"");
        }
        let (got, _, problem) = ask(answering(move || conflict().into()), request.body(Body::empty()).expect("request")).await;
        assert_eq!((got.as_u16(), &problem["current"]["version"]), (status, &3.into()));
    }
}

#[tokio::test]
async fn faults_stay_opaque() {
    let request = Request::get("/hooks/secret").body(Body::empty()).expect("request");
    let (status, _, problem) = ask(answering(|| Error::fault("table incidents is broken")), request).await;
    assert_eq!((status.as_u16(), problem.to_string().contains("incidents")), (500, false));
}

#[tokio::test]
async fn the_link_to_the_next_page_keeps_the_filters() {
    let page = || async { extract::List { items: vec![1], next_cursor: Some("c2".into()) } };
    let router = Router::new().route("/api/v1/alerts", get(page)).layer(from_fn(error::finish));
    for (query, link) in [
        ("", "</api/v1/alerts?cursor=c2>; rel=\"next\""),
        ("?status=firing&cursor=c1&limit=5", "</api/v1/alerts?status=firing&limit=5&cursor=c2>; rel=\"next\""),
    ] {
        let request = Request::get(format!("/api/v1/alerts{query}")).body(Body::empty()).expect("request");
        let (_, headers, body) = ask(router.clone(), request).await;
        assert_eq!((headers["link"].to_str().unwrap(), &body["next_cursor"]), (link, &"c2".into()));
    }
}
