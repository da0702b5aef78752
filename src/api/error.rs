//! Failures as problem documents (RFC 9457): one mapping from what services say to status and words.
//!
//! A handler's error carries what is known where it arose; [`finish`], around all routes, adds the
//! request's id and writes the document. Faults of ours are logged there and stay opaque outside.

use axum::extract::{MatchedPath, Request};
use axum::http::header::{CONTENT_TYPE, IF_MATCH, LINK, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::domain;
use crate::domain::error::FieldError;
use crate::services;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What every failing answer holds, as `application/problem+json`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// Stable name of the kind of failure, such as `urn:afterload:problem:not-found`.
    pub r#type: String,
    /// The kind of failure in a few words.
    pub title: &'static str,
    /// The HTTP status once more.
    pub status: u16,
    /// What went wrong this time, and what to do.
    pub detail: String,
    /// The id of this request, to be found in the server's log and in the header `x-request-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Each thing that is wrong with the request's body or query.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// After a conflict: what is stored now, so that nothing has to be fetched or lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<Value>,
}

/// What a handler gives back when it cannot answer.
#[derive(Debug)]
pub struct Error(Box<Failure>);

/// Travels in the answer's extensions to [`finish`].
#[derive(Debug, Clone)]
struct Failure {
    status: StatusCode,
    detail: String,
    errors: Vec<FieldError>,
    current: Option<Value>,
    retry_after: Option<u64>,
    /// For the log alone.
    cause: Option<String>,
}

/// Seconds after which a request that met an overload or an absent database is worth repeating.
const RETRY_SECONDS: u64 = 5;
/// The same where somebody has to make room first.
const FULL_RETRY_SECONDS: u64 = 60;

impl Error {
    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let (detail, errors) = (detail.into(), Vec::new());
        Self(Box::new(Failure { status, detail, errors, current: None, retry_after: None, cause: None }))
    }

    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub fn unsupported(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
    }

    /// Asked too often; `seconds` until the next request is answered.
    pub fn throttled(seconds: u64, detail: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, detail);
        error.0.retry_after = Some(seconds);
        error
    }

    pub fn not_acceptable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_ACCEPTABLE, detail)
    }

    /// No such address.
    pub fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "nothing answers at this address; /api/openapi.json lists what does")
    }

    /// A body that could not be taken off the wire.
    pub fn of_body(status: StatusCode) -> Self {
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            return domain::Error::TooLarge("the body is larger than this address takes".to_owned()).into();
        }
        Self::bad_request("the body could not be read to its end; send it again")
    }

    pub fn fault(cause: impl std::fmt::Display) -> Self {
        let mut error = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "this is a fault of the server, not of the request; its log holds the cause under the id of this request",
        );
        error.0.cause = Some(format!("{cause:#}"));
        error
    }

    #[cfg(test)]
    pub fn pointers(&self) -> Vec<(&str, &str)> {
        self.0.errors.iter().map(|e| (e.pointer.as_str(), e.code)).collect()
    }

    #[cfg(test)]
    pub fn status(&self) -> u16 {
        self.0.status.as_u16()
    }
}

impl From<domain::Error> for Error {
    fn from(error: domain::Error) -> Self {
        use domain::Error as D;
        let detail = error.to_string();
        match error {
            D::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, detail),
            D::SignInRequired => Self::new(
                StatusCode::UNAUTHORIZED,
                "send a token that is alive as “Authorization: Bearer …”; `afterload token create` makes one",
            ),
            D::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, detail),
            D::Conflict { current, .. } => {
                let mut error = Self::new(StatusCode::CONFLICT, detail);
                error.0.current = Some(*current);
                error
            }
            D::Invalid(errors) => {
                let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
                error.0.errors = errors.0;
                error
            }
            D::TooLarge(_) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail),
            D::Unavailable(_) => {
                let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, detail);
                error.0.retry_after = Some(RETRY_SECONDS);
                error
            }
            D::Full => {
                let mut error = Self::new(StatusCode::INSUFFICIENT_STORAGE, detail);
                error.0.retry_after = Some(FULL_RETRY_SECONDS);
                error
            }
            D::Throttled { seconds } => Self::throttled(seconds, detail),
            D::PreconditionRequired(_) => Self::new(StatusCode::PRECONDITION_REQUIRED, detail),
        }
    }
}

impl From<services::Error> for Error {
    fn from(error: services::Error) -> Self {
        match error {
            services::Error::Domain(error) => error.into(),
            services::Error::Store(fault) => Self::fault(anyhow::Error::from(fault)),
            services::Error::Internal(fault) => Self::fault(fault),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.extensions_mut().insert(*self.0);
        response
    }
}

/// The position after the last row of a list; becomes the `Link` to the next page.
#[derive(Debug, Clone)]
pub struct NextCursor(pub String);

/// The middleware around all routes: writes problem documents and the links between pages.
pub async fn finish(request: Request, next: Next) -> Response {
    let uri = request.uri().clone();
    // The pattern, never the path: keys of hooks are secrets.
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let conditional = request.headers().contains_key(IF_MATCH);
    let id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let mut response = next.run(request).await;
    if let Some(NextCursor(cursor)) = response.extensions_mut().remove()
        && let Ok(link) = HeaderValue::from_str(&format!("<{}>; rel=\"next\"", at_cursor(&uri, &cursor)))
    {
        response.headers_mut().insert(LINK, link);
    }
    match response.extensions_mut().remove::<Failure>() {
        Some(failure) => document(failure, response, route.as_deref(), conditional, id),
        None => response,
    }
}

fn document(failure: Failure, bare: Response, route: Option<&str>, conditional: bool, id: Option<String>) -> Response {
    if let Some(cause) = &failure.cause {
        tracing::error!(request = id, route, cause, "a request failed");
    }
    // Without a condition in the request, a conflict is between two writers and not with what was read.
    let status = match failure.status {
        StatusCode::CONFLICT if conditional => StatusCode::PRECONDITION_FAILED,
        status => status,
    };
    let (name, title) = said(status);
    let problem = Problem {
        r#type: format!("urn:afterload:problem:{name}"),
        title,
        status: status.as_u16(),
        detail: failure.detail,
        instance: id.map(|id| format!("urn:uuid:{id}")),
        errors: failure.errors,
        current: failure.current,
    };
    let mut response = (status, serde_json::to_vec(&problem).unwrap_or_default()).into_response();
    let headers = response.headers_mut();
    headers.extend(bare.headers().iter().filter(|(name, _)| *name != CONTENT_TYPE).map(|(n, v)| (n.clone(), v.clone())));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(seconds) = failure.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"afterload\""));
    }
    response
}

/// Name and title of a kind of failure.
pub fn said(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::BAD_REQUEST => ("unreadable", "The request could not be read"),
        StatusCode::UNAUTHORIZED => ("sign-in-required", "A token is needed"),
        StatusCode::FORBIDDEN => ("forbidden", "This is not allowed"),
        StatusCode::NOT_FOUND => ("not-found", "There is nothing here"),
        StatusCode::METHOD_NOT_ALLOWED => ("method-not-allowed", "This address does not take this method"),
        StatusCode::NOT_ACCEPTABLE => ("not-acceptable", "There is no such form of it"),
        StatusCode::CONFLICT => ("conflict", "Somebody saved at the same moment"),
        StatusCode::PRECONDITION_FAILED => ("stale", "Somebody saved first"),
        StatusCode::PAYLOAD_TOO_LARGE => ("too-large", "This is too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("unsupported-media-type", "This kind of body is not understood here"),
        StatusCode::UNPROCESSABLE_ENTITY => ("invalid", "Something in the request needs another look"),
        StatusCode::PRECONDITION_REQUIRED => ("precondition-required", "Say which version is meant"),
        StatusCode::TOO_MANY_REQUESTS => ("throttled", "Too many requests"),
        StatusCode::INSUFFICIENT_STORAGE => ("disk-full", "The server's disk is full"),
        StatusCode::SERVICE_UNAVAILABLE => ("unavailable", "Not possible right now"),
        _ => ("fault", "Something broke on the server"),
    }
}

/// The address of the same list at another position.
fn at_cursor(uri: &Uri, cursor: &str) -> String {
    let kept = uri.query().unwrap_or_default().split('&');
    let mut query: Vec<&str> = kept.filter(|pair| !pair.is_empty() && pair.split('=').next() != Some("cursor")).collect();
    let cursor = format!("cursor={cursor}");
    query.push(&cursor);
    format!("{}?{}", uri.path(), query.join("&"))
}

/// The answer to an address that names nothing.
pub async fn nowhere() -> Error {
    Error::no_route()
}

/// The answer to a method that an address does not take; `Allow` says which it does.
pub async fn no_method() -> Error {
    Error::new(StatusCode::METHOD_NOT_ALLOWED, "this address does not take this method; the header Allow lists those it does")
}

/// The answer when a handler panicked.
pub fn panicked(cause: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let text = cause.downcast_ref::<String>().map(String::as_str).or_else(|| cause.downcast_ref::<&str>().copied());
    Error::fault(format!("a handler panicked: {}", text.unwrap_or("unknown"))).into_response()
}
