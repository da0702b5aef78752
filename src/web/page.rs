//! What every page shares: the frame around it, who looks at it, and the headers it is sent with.

use std::sync::Arc;

use askama::Template;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::{self, Error};
use super::format::Zone;
use super::{assets, extract};
use crate::app::App;
use crate::domain::access::{Actor, Permission};
use crate::domain::time::second;
use crate::services::space::{self, Level};

/// No inline script, no inline style, nothing from elsewhere.
pub const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The frame of one answer: what the base template needs.
#[derive(Debug, Clone, Default)]
pub struct Shell(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    actor: Option<Actor>,
    theme: &'static str,
    zone: Zone,
    here: String,
    request_id: String,
    fragment: bool,
    demo: bool,
    /// How much room the server's disk has.
    disk: Level,
}

impl Shell {
    pub fn actor(&self) -> Option<&Actor> {
        self.0.actor.as_ref()
    }

    /// The name on the chip.
    pub fn handle(&self) -> String {
        self.actor().map(ToString::to_string).unwrap_or_default()
    }

    pub fn initials(&self) -> String {
        super::format::initials(&self.handle())
    }

    /// Whether to offer something; whether it is allowed is decided by the services.
    pub fn may(&self, permission: Permission) -> bool {
        self.actor().is_some_and(|actor| actor.may(permission).is_ok())
    }

    pub fn may_write(&self) -> bool {
        self.may(Permission::WriteIncidents)
    }

    /// `light`, `dark` or empty for the system's choice.
    pub fn theme(&self) -> &'static str {
        self.0.theme
    }

    pub fn zone(&self) -> Zone {
        self.0.zone
    }

    /// Path and query of this page.
    pub fn here(&self) -> &str {
        &self.0.here
    }

    /// Whether the navigation entry `prefix` leads to where we are.
    pub fn is_at(&self, prefix: &str) -> bool {
        self.0.here.split(['?', '#']).next().unwrap_or_default().starts_with(prefix)
    }

    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// Whether the script asked, and wants a fragment instead of a whole page.
    pub fn wants_fragment(&self) -> bool {
        self.0.fragment
    }

    /// Whether everything here is made up and gone when the program ends.
    pub fn is_demo(&self) -> bool {
        self.0.demo
    }

    /// Whether only what cannot wait is saved.
    pub fn is_disk_full(&self) -> bool {
        self.0.disk == Level::Full
    }

    /// Whether the recorder waits for room.
    pub fn is_disk_low(&self) -> bool {
        self.0.disk == Level::Low
    }

    /// The address of an embedded file.
    pub fn asset(&self, name: &str) -> String {
        assets::url(name)
    }
}

impl<S: Sync> FromRequestParts<S> for Shell {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// A template as text.
pub fn render(template: &impl Template) -> Result<String, Error> {
    template.render().map_err(|fault| anyhow::Error::new(fault).context("a template did not render").into())
}

/// A template as an answer.
#[derive(Debug)]
pub struct Page<T>(pub T);

impl<T: Template> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        match render(&self.0) {
            Ok(html) => ([(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
            Err(fault) => fault.into_response(),
        }
    }
}

/// The middleware around all pages: finds out who asks, gives errors their page, adds the headers.
pub async fn frame(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    let request_id = text(headers, "x-request-id").map_or_else(|| app.uuid().to_string(), str::to_owned);
    let fragment = headers.contains_key("x-fragment");
    let theme = match extract::cookie(headers, "theme") {
        Some("light") => "light",
        Some("dark") => "dark",
        _ => "",
    };
    let zone = Zone::from_cookie(extract::cookie(headers, "zone").unwrap_or_default()).at(app.now());
    let here = request.uri().path_and_query().map(|p| p.as_str().to_owned()).unwrap_or_default();
    let signed_in = extract::who(&app, headers).await;
    let (actor, failure) = match signed_in {
        Ok(actor) => (actor, None),
        Err(failure) => (None, Some(failure)),
    };
    let (demo, disk) = (app.config().demo, space::level(&app));
    let shell = Shell(Arc::new(Inner { actor, theme, zone, here, request_id, fragment, demo, disk }));
    request.extensions_mut().insert(shell.clone());
    let mut response = match failure {
        Some(failure) => failure.into_response(),
        None => next.run(request).await,
    };
    if let Some(mut error) = response.extensions_mut().remove::<error::Shown>() {
        if let Some(since) = app.away_since().filter(|_| error.status == StatusCode::SERVICE_UNAVAILABLE) {
            error.detail += &format!(" It has not answered since {}.", second(since));
        }
        response = error::render(&shell, &error, response);
    }
    seal(&mut response);
    response
}

/// Headers that every page carries unless its handler said otherwise.
fn seal(response: &mut Response) {
    let defaults: [(HeaderName, &'static str); 6] = [
        (CONTENT_SECURITY_POLICY, CSP),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
        (HeaderName::from_static("referrer-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ];
    for (name, value) in defaults {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().filter(|value| !value.is_empty() && value.len() <= 80)
}

/// Where a form came from, if that is one of our own pages.
pub fn back(shell: &Shell, headers: &HeaderMap) -> String {
    let referer = headers.get("referer").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let path = referer.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
    extract::own_path(path.unwrap_or_default()).filter(|path| *path != shell.here()).unwrap_or("/").to_owned()
}

/// See other: the answer to a form.
pub fn see(path: &str) -> Response {
    match HeaderValue::from_str(path) {
        Ok(location) => (StatusCode::SEE_OTHER, [(axum::http::header::LOCATION, location)]).into_response(),
        Err(_) => StatusCode::SEE_OTHER.into_response(),
    }
}
