//! What handlers take. Each rejection becomes a page in a person's words.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Multipart, Request};
use axum::http::header::{CONTENT_TYPE, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use serde::de::DeserializeOwned;

use super::error::Error;
use super::page::Shell;
use crate::app::App;
use crate::domain;
use crate::domain::access::Actor;
use crate::services;

/// The name of the session cookie. Over HTTPS it is bound to the host by its prefix. Browsers tell no ports apart: a demo
/// beside a real server on the same address must not sign anybody out there.
pub fn session_cookie(app: &App) -> &'static str {
    if app.config().demo {
        return "afterload_demo_session";
    }
    if app.config().secure_cookies() { "__Host-afterload_session" } else { "afterload_session" }
}

/// The value of one cookie.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// Who the session cookie belongs to; nobody when it is missing, unknown or over.
pub async fn who(app: &App, headers: &HeaderMap) -> Result<Option<Actor>, Error> {
    match cookie(headers, session_cookie(app)) {
        Some(secret) if !secret.is_empty() => Ok(services::people::by_session(app, secret).await?.map(|person| person.actor())),
        _ => Ok(None),
    }
}

/// A path on this very site: what `next` and `Referer` may lead to.
pub fn own_path(path: &str) -> Option<&str> {
    let inside = path.starts_with('/') && !path.starts_with("//") && !path.starts_with("/\\");
    (inside && path.len() <= 2_000 && path.chars().all(|c| c.is_ascii_graphic() && c != '\\')).then_some(path)
}

/// Somebody who is signed in. Everybody else is sent to the login page and comes back afterwards.
#[derive(Debug, Clone)]
pub struct Session {
    pub actor: Actor,
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let shell = parts.extensions.get::<Shell>();
        match shell.and_then(Shell::actor) {
            Some(actor) => Ok(Self { actor: actor.clone() }),
            None if parts.method == Method::GET && !shell.is_some_and(Shell::wants_fragment) => {
                let next = shell.map_or("/", Shell::here);
                Err(Error::sign_in(own_path(next).unwrap_or("/")))
            }
            None => Err(domain::Error::SignInRequired.into()),
        }
    }
}

/// Parts of the address. What does not parse is not there.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Error;

    #[expect(clippy::disallowed_types, reason = "this is the wrapper that the ban points to")]
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let found = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        found.map(|axum::extract::Path(value)| Self(value)).map_err(|_| Error::not_here())
    }
}

/// The query, repeated names and all. Unknown names are left alone: links of older pages keep working.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let query = parts.uri.query().unwrap_or_default();
        serde_html_form::from_str(query).map(Self).map_err(|fault| Error::unreadable(format!("the address: {fault}")))
    }
}

/// The fields of a form.
#[derive(Debug, Clone)]
pub struct Form<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let sent = request.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if !sent.starts_with("application/x-www-form-urlencoded") {
            return Err(Error::unreadable("the form came in a shape that is not a form's".to_owned()));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|fault| Error::of_body(fault.status()))?;
        serde_html_form::from_bytes(&bytes).map(Self).map_err(|fault| Error::unreadable(format!("the form: {fault}")))
    }
}

/// A form with files: its fields in order, and each file with its name.
#[derive(Debug, Default)]
pub struct Upload {
    pub fields: Vec<(String, String)>,
    pub files: Vec<(String, Bytes)>,
}

impl<S: Send + Sync> FromRequest<S> for Upload {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let sent = request.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if !sent.starts_with("multipart/form-data") {
            return Form::<Vec<(String, String)>>::from_request(request, state)
                .await
                .map(|Form(fields)| Self { fields, files: Vec::new() });
        }
        let mut parts = Multipart::from_request(request, state).await.map_err(|fault| Error::of_body(fault.status()))?;
        let mut upload = Self::default();
        while let Some(part) = parts.next_field().await.map_err(|fault| Error::of_body(fault.status()))? {
            let name = part.name().unwrap_or_default().to_owned();
            let file = part.file_name().map(str::to_owned);
            let bytes = part.bytes().await.map_err(|fault| Error::of_body(fault.status()))?;
            match file {
                Some(file) if !bytes.is_empty() => upload.files.push((file, bytes)),
                // An empty file field is how browsers say "none chosen".
                Some(_) => {}
                None => upload.fields.push((name, String::from_utf8_lossy(&bytes).into_owned())),
            }
        }
        Ok(upload)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_paths_of_this_site_are_followed() {
        for fine in ["/", "/incidents/INC-1?show=pinned"] {
            assert_eq!(own_path(fine), Some(fine));
        }
        for foreign in ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a\\b", "/a\r\nx: y", "javascript:x"] {
            assert_eq!(own_path(foreign), None, "{foreign:?}");
        }
    }

    #[test]
    fn one_cookie_is_found_among_many_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("not_zone=1; zone=60;theme=dark"));
        assert_eq!(
            (cookie(&headers, "zone"), cookie(&headers, "theme"), cookie(&headers, "zon")),
            (Some("60"), Some("dark"), None)
        );
    }
}
