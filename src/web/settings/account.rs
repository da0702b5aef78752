//! One's own account: password, and how pages look.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::app::App;
use crate::services;
use crate::web::error::Result;
use crate::web::extract::{Form, Query, Session, cookie, session_cookie};
use crate::web::page::{Page, Shell, see};
use crate::web::sent::Sent;

#[derive(Template)]
#[template(path = "settings/account.html")]
pub struct Account {
    shell: Shell,
    sent: Sent,
    /// The password was changed just now.
    changed: bool,
}

#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    changed: String,
}

pub async fn show(_: Session, shell: Shell, Query(asked): Query<Asked>) -> Page<Account> {
    Page(Account { shell, sent: Sent::default(), changed: !asked.changed.is_empty() })
}

pub async fn change_password(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    headers: HeaderMap,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let sent = Sent::new(pairs);
    let secret = cookie(&headers, session_cookie(&app)).unwrap_or_default();
    let (current, new) = (sent.value("current"), sent.value("password"));
    match services::people::change_password(&app, &session.actor, current, new, secret).await {
        Ok(()) => Ok(see("/settings/account?changed=password")),
        Err(error) => {
            let sent = sent.without("current").without("password").refuse(error)?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(Account { shell, sent, changed: false })).into_response())
        }
    }
}
