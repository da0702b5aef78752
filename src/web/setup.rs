//! The first account, made with the one-time code that the server printed. Not there once somebody has
//! an account, and never shown while the database cannot say.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use super::error::{Error, Result};
use super::extract::{Form, Query};
use super::login::{user_agent, with_session};
use super::page::{Page, Shell, see};
use super::sent::Sent;
use crate::app::App;
use crate::domain::access::Role;
use crate::domain::person::NewPerson;
use crate::services;

pub fn routes() -> Router<App> {
    Router::new().route("/setup", get(show).post(claim))
}

#[derive(Template)]
#[template(path = "setup.html")]
struct Setup {
    shell: Shell,
    sent: Sent,
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    code: String,
}

async fn show(State(app): State<App>, shell: Shell, Query(asked): Query<Asked>) -> Result<Page<Setup>> {
    if !services::people::setup_open(&app).await? {
        return Err(Error::setup_done());
    }
    Ok(Page(Setup { shell, sent: Sent::default().with("code", asked.code) }))
}

async fn claim(
    State(app): State<App>,
    shell: Shell,
    headers: HeaderMap,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let sent = Sent::new(pairs);
    let new =
        NewPerson { handle: sent.value("handle").to_owned(), password: sent.value("password").to_owned(), role: Role::Admin };
    match services::people::claim_setup(&app, sent.value("code"), new, user_agent(&headers)).await {
        Ok((_, secret)) => Ok(with_session(&app, &secret, see("/"))),
        Err(error) => {
            let sent = sent.without("password").refuse(error)?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(Setup { shell, sent })).into_response())
        }
    }
}
