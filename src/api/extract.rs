//! What handlers take and give. Each rejection becomes a problem document that names the place.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Multipart, Request};
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{Object, Required, Type};
use uuid::Uuid;

use super::error::{Error, NextCursor, Result};
use super::strict;
use crate::app::App;
use crate::domain;
use crate::domain::access::Actor;
use crate::domain::patch;
use crate::services::{self, Page, Paged};

/// Who the bearer token of the request stands for.
#[derive(Debug, Clone)]
pub struct Caller(pub Actor);

/// The secret in `Authorization: Bearer …`.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, secret) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim()).filter(|secret| !secret.is_empty())
}

impl FromRequestParts<App> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        // Found already where requests are counted.
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let secret = bearer(&parts.headers).ok_or(domain::Error::SignInRequired)?;
        Ok(Self(services::tokens::authenticate(app, secret).await?))
    }
}

/// Parts of the address. What does not parse is not there.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Error;

    #[expect(clippy::disallowed_types, reason = "this is the wrapper that the ban points to")]
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let found = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        found.map(|axum::extract::Path(value)| Self(value)).map_err(|_| Error::no_route())
    }
}

/// The query. Unknown names are refused where the type says so: a mistyped filter must not list everything.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        read_query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn read_query<T: DeserializeOwned>(query: &str) -> Result<T> {
    if query.contains("%00") {
        return Err(domain::Error::invalid("", "nul", "the query holds a NUL character; remove it and send again").into());
    }
    serde_path_to_error::deserialize(serde_html_form::Deserializer::from_bytes(query.as_bytes())).map_err(|fault| {
        let detail = fault.inner().to_string();
        let code = if detail.starts_with("unknown field") { "unknown_field" } else { "invalid" };
        domain::Error::invalid(&patch::pointer(fault.path()), code, detail).into()
    })
}

/// A word of one of the fixed lists, in the query parameter `field`.
pub fn word<T: std::str::FromStr<Err = domain::Error>>(field: &str, text: &str) -> Result<T> {
    text.parse().map_err(|fault: domain::Error| match fault {
        domain::Error::Invalid(errors) => {
            let detail = errors.0.into_iter().next().map(|e| e.detail).unwrap_or_default();
            domain::Error::invalid(field, "unknown_word", detail).into()
        }
        other => other.into(),
    })
}

/// A JSON document.
#[derive(Debug, Clone)]
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        let kind = media_type(request.headers());
        if kind != "application/json" && !(kind.starts_with("application/") && kind.ends_with("+json")) {
            return Err(Error::unsupported("send JSON, and say so: “Content-Type: application/json”"));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|fault| Error::of_body(fault.status()))?;
        let value = strict::parse(&bytes)?;
        // Lists would be read as the fields in their order.
        if value.is_array() {
            return Err(Error::bad_request("the body is a list; send one object: {\"field\": value, …}"));
        }
        Ok(Self(patch::read(value)?))
    }
}

/// A JSON document, or plain text as it is.
#[derive(Debug, Clone)]
pub enum BodyOrText<T> {
    Json(T),
    Text(String),
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for BodyOrText<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        if media_type(request.headers()) != "text/plain" {
            return Body::from_request(request, state).await.map(|Body(value)| Self::Json(value));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|fault| Error::of_body(fault.status()))?;
        // Comments in old encodings are common in configs and mean nothing to a balancer.
        Ok(Self::Text(String::from_utf8_lossy(&bytes).into_owned()))
    }
}

/// One file: the first of a multipart form, or the whole body, whatever it is called.
#[derive(Debug)]
pub struct Upload {
    pub name: Option<String>,
    pub bytes: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for Upload {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        if media_type(request.headers()) != "multipart/form-data" {
            let bytes = Bytes::from_request(request, state).await.map_err(|fault| Error::of_body(fault.status()))?;
            return Ok(Self { name: None, bytes });
        }
        let mut parts = Multipart::from_request(request, state).await.map_err(|fault| Error::of_body(fault.status()))?;
        while let Some(part) = parts.next_field().await.map_err(|fault| Error::of_body(fault.status()))? {
            if let Some(name) = part.file_name().map(str::to_owned) {
                let bytes = part.bytes().await.map_err(|fault| Error::of_body(fault.status()))?;
                return Ok(Self { name: Some(name), bytes });
            }
        }
        Err(domain::Error::invalid("file", "required", "the form holds no file").into())
    }
}

/// The media type without its parameters, in lower case.
fn media_type(headers: &HeaderMap) -> String {
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    sent.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The version that a change is meant for, from `If-Match: "7"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IfMatch(pub i64);

/// A tag that is well-formed and not ours matches no version, and the answer holds what is stored.
const NO_VERSION: i64 = -1;

impl IfMatch {
    fn read(headers: &HeaderMap) -> Result<Option<Self>> {
        let Some(value) = headers.get(IF_MATCH) else { return Ok(None) };
        let tag = value.to_str().unwrap_or_default().trim();
        let strong = tag.strip_prefix("W/").unwrap_or(tag);
        let inside = strong.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).filter(|inside| !inside.contains('"'));
        match inside {
            None => Err(Error::bad_request("If-Match takes one ETag as it was given, such as If-Match: \"3\"")),
            // Weak tags never match (RFC 9110, 13.1.1).
            Some(_) if strong.len() != tag.len() => Ok(Some(Self(NO_VERSION))),
            Some(version) => Ok(Some(Self(version.parse().unwrap_or(NO_VERSION)))),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        const MISSING: &str = "send the ETag of what you read as If-Match, so that nobody's change is overwritten";
        Self::read(&parts.headers)?.ok_or_else(|| domain::Error::PreconditionRequired(MISSING).into())
    }
}

impl utoipa::IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![if_match(Required::True)]
    }
}

/// The same where it may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MayMatch(pub Option<i64>);

impl MayMatch {
    /// Refuses when a version was named and another one is stored.
    pub fn check<T: Serialize>(self, version: i64, what: &'static str, current: &T) -> Result<()> {
        if self.0.is_none_or(|wanted| wanted == version) {
            return Ok(());
        }
        let current = Box::new(serde_json::to_value(current).unwrap_or_default());
        Err(domain::Error::Conflict { what, current }.into())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for MayMatch {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        Ok(Self(IfMatch::read(&parts.headers)?.map(|IfMatch(version)| version)))
    }
}

impl utoipa::IntoParams for MayMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![if_match(Required::False)]
    }
}

fn if_match(required: Required) -> Parameter {
    ParameterBuilder::new()
        .name("If-Match")
        .parameter_in(ParameterIn::Header)
        .required(required)
        .description(Some("The ETag of the version that the change is meant for."))
        .schema(Some(Object::with_type(Type::String)))
        .build()
}

/// What forms of an answer the client takes.
#[derive(Debug, Clone)]
pub struct Accept(String);

impl<S: Send + Sync> FromRequestParts<S> for Accept {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let values = parts.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        Ok(Self(values.collect::<Vec<_>>().join(",")))
    }
}

impl Accept {
    /// The offered media type that fits best; of equals the first (RFC 9110, 12.5.1).
    pub fn choose(&self, offered: &[&'static str]) -> Result<&'static str> {
        let best = offered.iter().rev().max_by_key(|kind| self.quality(kind)).filter(|kind| self.quality(kind) > 0);
        best.copied().ok_or_else(|| Error::not_acceptable(format!("it comes as {}", offered.join(", "))))
    }

    /// Thousandths; what the most specific range says.
    fn quality(&self, kind: &str) -> i64 {
        if self.0.trim().is_empty() {
            return 1000;
        }
        let family = kind.split('/').next().unwrap_or_default();
        let ranges = self.0.split(',').filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next()?.to_ascii_lowercase();
            let rank = match name.as_str() {
                "*/*" => 1,
                _ if name.strip_suffix("/*") == Some(family) => 2,
                _ if name == kind => 3,
                _ => return None,
            };
            let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
            Some((rank, (f64::clamp(quality, 0.0, 1.0) * 1000.0) as i64))
        });
        ranges.max().map_or(0, |(_, quality)| quality)
    }
}

/// An answer.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
            Err(fault) => Error::fault(fault).into_response(),
        }
    }
}

/// An answer with the version that a later change must name.
#[derive(Debug)]
pub struct Tagged<T>(pub i64, pub T);

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.1).into_response();
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", self.0)) {
            response.headers_mut().insert(ETAG, tag);
        }
        response
    }
}

/// Something new, and where it is.
#[derive(Debug)]
pub struct Created<T>(pub String, pub T);

impl<T: IntoResponse> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, [(LOCATION, self.0)], self.1).into_response()
    }
}

/// The answer to a POST that may be a repeat: 201 with its place for something `fresh`, else 200.
pub fn made<T: Serialize>(fresh: bool, place: String, answer: Tagged<T>) -> Response {
    if fresh { Created(place, answer).into_response() } else { answer.into_response() }
}

/// Takes the id that the client made out of a body of POST.
pub fn take_id(body: &mut Map<String, Value>) -> domain::error::Result<Option<Uuid>> {
    match body.remove("id") {
        None | Some(Value::Null) => Ok(None),
        Some(id) => match id.as_str().and_then(|id| Uuid::parse_str(id).ok()) {
            Some(id) => Ok(Some(id)),
            None => Err(domain::Error::invalid("id", "not_an_id", "the id is a UUID, best of version 7")),
        },
    }
}

/// One page of a list. The header `Link` leads to the next one.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    pub items: Vec<T>,
    /// Give it back as `cursor`; null on the last page.
    pub next_cursor: Option<String>,
}

impl<T> From<Paged<T>> for List<T> {
    fn from(paged: Paged<T>) -> Self {
        Self { items: paged.items, next_cursor: paged.next_cursor }
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }
}

impl<T: Serialize> IntoResponse for List<T> {
    fn into_response(self) -> Response {
        let next = self.next_cursor.clone();
        let mut response = Json(self).into_response();
        if let Some(cursor) = next {
            response.extensions_mut().insert(NextCursor(cursor));
        }
        response
    }
}

/// The query of a list without filters.
#[derive(Debug, Clone, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// Rows wanted, at most 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl Paging {
    pub fn page(self) -> Page {
        Page { limit: self.limit, cursor: self.cursor }
    }
}

#[cfg(test)]
mod tests;
