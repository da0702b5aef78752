//! Accounts: who may do what.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::app::App;
use crate::domain::access::Role;
use crate::domain::id::PersonId;
use crate::domain::person::{NewPerson, Person};
use crate::services;
use crate::web::error::Result;
use crate::web::extract::{Form, Path, Session};
use crate::web::page::{Page, Shell, see};
use crate::web::sent::Sent;

#[derive(Template)]
#[template(path = "settings/people.html")]
pub struct List {
    shell: Shell,
    sent: Sent,
    people: Vec<Person>,
}

impl List {
    fn roles(&self) -> [(Role, &'static str); 4] {
        [
            (Role::Viewer, "reads"),
            (Role::Responder, "opens incidents, keeps timelines and tasks"),
            (Role::Editor, "writes postmortems, manages balancers"),
            (Role::Admin, "people, alert hooks, tokens, settings"),
        ]
    }
}

async fn page(app: &App, session: &Session, shell: Shell, sent: Sent) -> Result<Page<List>> {
    let people = services::people::list(app, &session.actor).await?;
    Ok(Page(List { shell, sent, people }))
}

pub async fn list(State(app): State<App>, session: Session, shell: Shell) -> Result<Page<List>> {
    page(&app, &session, shell, Sent::default().with("role", Role::Responder.as_str())).await
}

pub async fn add(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let sent = Sent::new(pairs);
    let new = sent.value("role").parse().map(|role| NewPerson {
        handle: sent.value("handle").to_owned(),
        password: sent.value("password").to_owned(),
        role,
    });
    let added = match new {
        Ok(new) => services::people::add(&app, &session.actor, new).await,
        Err(error) => Err(error.into()),
    };
    match added {
        Ok(_) => Ok(see("/settings/people")),
        Err(error) => {
            let sent = sent.without("password").refuse(error)?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&app, &session, shell, sent).await?).into_response())
        }
    }
}

#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    role: String,
    #[serde(default)]
    disabled: bool,
}

pub async fn set_role(
    State(app): State<App>,
    session: Session,
    Path(id): Path<PersonId>,
    Form(wanted): Form<Wanted>,
) -> Result<Response> {
    let role: Role = wanted.role.parse()?;
    services::people::set_role(&app, &session.actor, id, role).await?;
    Ok(see("/settings/people"))
}

pub async fn set_disabled(
    State(app): State<App>,
    session: Session,
    Path(id): Path<PersonId>,
    Form(wanted): Form<Wanted>,
) -> Result<Response> {
    services::people::set_disabled(&app, &session.actor, id, wanted.disabled).await?;
    Ok(see("/settings/people"))
}
