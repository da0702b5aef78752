//! The JSON API and the hooks, through the whole router.

mod access;
mod balancers;
pub mod events;
mod findings;
mod hooks;
mod incidents;
mod limits;
mod metrics;
mod postmortems;
mod timeline;

use afterload::domain::access::{Actor, Scope};
use afterload::server;
use afterload::services::tokens;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use bytes::Bytes;
use serde_json::Value;
use tower::ServiceExt;

use crate::world::World;

/// A program with a token, or without one.
#[derive(Clone)]
pub struct Client {
    pub router: Router,
    pub token: Option<String>,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Client {
    pub fn anonymous(world: &World) -> Self {
        Self { router: server::router(&world.app), token: None }
    }

    pub async fn with(world: &World, scopes: &[Scope]) -> Self {
        let (_, secret) = tokens::create(&world.app, &Actor::Console, "ci", scopes.to_vec(), None).await.expect("a token");
        Self { token: Some(secret), ..Self::anonymous(world) }
    }

    pub async fn admin(world: &World) -> Self {
        Self::with(world, &[Scope::Admin]).await
    }

    pub async fn raw(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> axum::response::Response {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.router.clone().oneshot(request.body(body.into()).expect("a request")).await.expect("an answer")
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let (parts, body) = self.raw(method, path, headers, body).await.into_parts();
        let body = axum::body::to_bytes(body, 64 << 20).await.expect("a body");
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, &[("content-type", "application/json")], body.to_string()).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, &[("content-type", "application/json")], body.to_string()).await
    }

    pub async fn patch(&self, path: &str, tag: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json"), ("if-match", tag)];
        self.send(Method::PATCH, path, &headers, body.to_string()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], "").await
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The answer's JSON when its status is the expected one.
    #[track_caller]
    pub fn is(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// The fields that a problem document names, with their codes.
    #[track_caller]
    pub fn problem(&self, status: u16) -> Vec<(String, String)> {
        let problem = self.is(status);
        assert_eq!(self.header("content-type"), "application/problem+json");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let errors = problem["errors"].as_array().into_iter().flatten();
        errors.map(|error| (text(&error["pointer"]), text(&error["code"]))).collect()
    }
}

pub fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(pointer, code)| ((*pointer).to_owned(), (*code).to_owned())).collect()
}
