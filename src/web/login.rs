//! Signing in and out. The cookie holds a random secret and nothing else.

use askama::Template;
use axum::extract::State;
use axum::http::header::{SET_COOKIE, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;

use super::error::Result;
use super::extract::{Form, Query, cookie, own_path, session_cookie};
use super::page::{Page, Shell, see};
use super::sent::Sent;
use crate::app::{App, Peer};
use crate::services;
use crate::services::people::SESSION_DAYS;

pub fn routes() -> Router<App> {
    Router::new().route("/login", get(show).post(enter)).route("/logout", post(leave))
}

#[derive(Template)]
#[template(path = "login.html")]
struct Login {
    shell: Shell,
    sent: Sent,
    /// Nobody has an account yet.
    newborn: bool,
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    next: String,
    /// Of a one-time link.
    #[serde(default)]
    code: String,
}

async fn show(State(app): State<App>, shell: Shell, headers: HeaderMap, Query(asked): Query<Asked>) -> Result<Response> {
    if shell.actor().is_some() {
        return Ok(see(own_path(&asked.next).unwrap_or("/")));
    }
    if !asked.code.is_empty() {
        return match services::people::claim_login(&app, &asked.code, user_agent(&headers)).await {
            Ok((_, secret)) => Ok(with_session(&app, &secret, see("/"))),
            Err(error) => {
                let sent = Sent::default().refuse(error)?;
                Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(Login { shell, sent, newborn: false })).into_response())
            }
        };
    }
    let newborn = services::people::setup_open(&app).await?;
    let sent = Sent::default().with("next", asked.next);
    Ok(Page(Login { shell, sent, newborn }).into_response())
}

async fn enter(
    State(app): State<App>,
    shell: Shell,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let sent = Sent::new(pairs);
    let peer = peer.map(|Extension(Peer(address))| address);
    let signed_in =
        services::people::sign_in(&app, sent.value("handle"), sent.value("password"), peer, user_agent(&headers)).await;
    match signed_in {
        Ok((_, secret)) => Ok(with_session(&app, &secret, see(own_path(sent.value("next")).unwrap_or("/")))),
        Err(error) => {
            let sent = sent.without("password").refuse(error)?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(Login { shell, sent, newborn: false })).into_response())
        }
    }
}

async fn leave(State(app): State<App>, headers: HeaderMap) -> Result<Response> {
    if let Some(secret) = cookie(&headers, session_cookie(&app)) {
        services::people::sign_out(&app, secret).await?;
    }
    Ok(signed_out(&app))
}

/// To the login page, without what the browser kept of the session.
pub fn signed_out(app: &App) -> Response {
    let mut response = with_cookie(app, "", 0, see("/login"));
    // Rooms may stay in a browser to be asked for again; what it keeps goes with the session.
    response.headers_mut().insert("clear-site-data", HeaderValue::from_static("\"cache\""));
    response
}

/// Hands the session's secret to the browser along with `response`.
pub fn with_session(app: &App, secret: &str, response: Response) -> Response {
    with_cookie(app, secret, SESSION_DAYS * 86_400, response)
}

fn with_cookie(app: &App, secret: &str, seconds: i64, mut response: Response) -> Response {
    let secure = if app.config().secure_cookies() { "; Secure" } else { "" };
    let text = format!("{}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}", session_cookie(app));
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().append(SET_COOKIE, value);
    }
    response
}

pub fn user_agent(headers: &HeaderMap) -> &str {
    headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
