//! The HTTP server: routes put together, and what every request passes through. The listener is in [`listener`].

mod client;
mod listener;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::{CompressionLayer, Predicate, predicate::DefaultPredicate, predicate::NotForContentType};
use tower_http::csrf::CsrfLayer;
use uuid::Uuid;

use crate::app::{App, Peer};
use crate::domain;
use crate::domain::access::Actor;
use crate::metrics;
use crate::services::hooks::Intake;
use crate::{api, services, web};

pub use listener::serve;

/// Name of the header that carries the request id, on every answer.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// All routes of the product.
pub fn router(app: &App) -> Router {
    let intake = Intake::start(app);
    // Pages and the API change state only for requests of the same origin; hooks and bearer tokens carry
    // no cookie and have routes of their own.
    let pages = web::routes(app).layer(CsrfLayer::new());
    let compress = DefaultPredicate::new().and(NotForContentType::const_new("application/zip"));
    Router::new()
        .merge(pages)
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .merge(api::routes(app, intake))
        .layer(CompressionLayer::new().compress_when(compress))
        .layer(middleware::from_fn(headers))
        .layer(CatchPanicLayer::custom(on_panic))
        .layer(middleware::from_fn_with_state(app.clone(), identify))
        .with_state(app.clone())
}

/// Whether the database takes writes: what a balancer in front asks.
async fn ready(axum::extract::State(app): axum::extract::State<App>) -> Response {
    match services::health::ready(&app).await {
        Ok(()) => "ready\n".into_response(),
        Err(fault) => {
            tracing::warn!(%fault, "not ready");
            let why = match fault {
                services::Error::Domain(domain::Error::Full) => "the disk is full\n",
                _ => "the database cannot be written\n",
            };
            (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")], why).into_response()
        }
    }
}

/// For an address of its own, where only machines come: `/metrics` and nothing else, asked without a token.
pub fn watched(app: &App) -> Router {
    let open = async |axum::extract::State(app): axum::extract::State<App>| match services::health::metrics(&app, &Actor::Console)
        .await
    {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(fault) => {
            tracing::warn!(%fault, "the metrics could not be told");
            (StatusCode::SERVICE_UNAVAILABLE, "the database cannot be read\n").into_response()
        }
    };
    Router::new().route("/metrics", get(open)).with_state(app.clone())
}

/// Gives the request an id, and the same to the answer and the log.
async fn identify(axum::extract::State(app): axum::extract::State<App>, mut request: Request, next: Next) -> Response {
    let id = app.uuid();
    request.extensions_mut().insert(RequestId(id));
    // Error pages show the same id; what a client sent under this name is replaced.
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        request.headers_mut().insert(REQUEST_ID, value);
    }
    if let Some(Peer(peer)) = request.extensions().get().copied() {
        let asks = client::address(peer, request.headers(), &app.config().trusted_proxies);
        request.extensions_mut().insert(Peer(asks));
    }
    let method = request.method().clone();
    // Keys of hooks and codes of setup links are secrets: only the first part of the path is logged.
    let place = request.uri().path().split('/').nth(1).unwrap_or_default().to_owned();
    let began = tokio::time::Instant::now();
    let mut response = next.run(request).await;
    app.metrics().answered(&place, response.status().as_u16(), began.elapsed());
    if response.status().is_server_error() {
        tracing::warn!(request = %id, %method, place, status = response.status().as_u16(), "answered with an error");
    } else {
        tracing::debug!(request = %id, %method, place, status = response.status().as_u16(), "answered");
    }
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// The id of a request, found in its extensions.
#[derive(Debug, Clone, Copy)]
pub struct RequestId(pub Uuid);

/// Secure headers; a handler that set its own (attachments, static files) keeps them.
async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, web::page::CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    response
}

fn on_panic(cause: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let text = cause.downcast_ref::<String>().map(String::as_str).or_else(|| cause.downcast_ref::<&str>().copied());
    tracing::error!(cause = text.unwrap_or("unknown"), "a handler panicked");
    let body = "Something broke on our side. Nothing that was saved before is lost. The server's log has the details.";
    (StatusCode::INTERNAL_SERVER_ERROR, body).into_response()
}
