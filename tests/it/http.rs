//! The whole router without a socket: requests in, answers out.

use afterload::domain::access::{Actor, Scope};
use afterload::server;
use afterload::services::tokens;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;
use tower::ServiceExt;

use crate::world::World;

/// Somebody who sends requests: a bearer of a token, a browser with a cookie, or nobody.
#[derive(Clone)]
pub struct Client {
    router: Router,
    headers: Vec<(&'static str, String)>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|fault| panic!("{} {fault}: {}", self.status, self.text()))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The answer, when its status is the one wanted.
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self
    }

    /// The pointers of a problem document, which it must be.
    pub fn pointers(&self) -> Vec<String> {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        let errors = self.json()["errors"].clone();
        errors.as_array().into_iter().flatten().filter_map(|error| error["pointer"].as_str().map(str::to_owned)).collect()
    }
}

impl Client {
    pub fn nobody(world: &World) -> Self {
        Self { router: server::router(&world.app), headers: Vec::new() }
    }

    pub async fn token(world: &World, scopes: &[Scope]) -> Self {
        let (_, secret) = tokens::create(&world.app, &Actor::Console, "test", scopes.to_vec(), None).await.expect("made");
        Self::nobody(world).with("authorization", format!("Bearer {secret}"))
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }

    pub async fn send(&self, method: Method, path: &str, body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "afterload.test");
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let request = request.body(body.into()).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("the router answers");
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 64 * 1024 * 1024).await.expect("a body").to_vec();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, Body::empty()).await
    }

    pub async fn json(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.clone().with("content-type", "application/json").send(method, path, body.to_string()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.json(Method::POST, path, body).await
    }

    /// PATCH of the version that was read.
    pub async fn patch(&self, path: &str, version: i64, body: &Value) -> Answer {
        self.clone().with("if-match", format!("\"{version}\"")).json(Method::PATCH, path, body).await
    }
}
