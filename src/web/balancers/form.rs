//! Adding, changing and forgetting a balancer.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::domain::access::Permission;
use crate::domain::balancer::{Balancer, BalancerFields, BalancerKind};
use crate::domain::id::BalancerId;
use crate::services;
use crate::web::error::Result;
use crate::web::extract::{Form, Path, Session};
use crate::web::forms::{Edit, Field, Kind, Outcome};
use crate::web::page::{Page, Shell, see};
use crate::web::sent::Sent;

/// The editable fields, for forms that change what is there.
static FIELDS: [Field; 7] = [
    Field { path: "name", label: "Name", kind: Kind::Line },
    Field { path: "kind", label: "Kind", kind: Kind::Word },
    Field { path: "config_path", label: "Config file", kind: Kind::Line },
    Field { path: "state_address", label: "Run-time address", kind: Kind::Line },
    Field { path: "poll_seconds", label: "Seconds between two readings", kind: Kind::Count },
    Field { path: "paused", label: "Paused", kind: Kind::Flag },
    Field { path: "ask_program", label: "Ask the balancer's own program", kind: Kind::Flag },
];

#[derive(Template)]
#[template(path = "balancers/form.html")]
pub struct FormPage {
    shell: Shell,
    sent: Sent,
    /// The one that is changed; none when one is added.
    balancer: Option<Balancer>,
}

impl FormPage {
    fn kinds(&self) -> &'static [BalancerKind] {
        BalancerKind::ALL
    }

    fn action(&self) -> String {
        self.balancer.as_ref().map_or_else(|| "/balancers".to_owned(), |balancer| format!("/balancers/{}", balancer.id))
    }
}

pub async fn new(session: Session, shell: Shell) -> Result<Page<FormPage>> {
    session.actor.may(Permission::WriteBalancers)?;
    let sent = Sent::default().with("poll_seconds", BalancerFields::default().poll_seconds.to_string());
    Ok(Page(FormPage { shell, sent, balancer: None }))
}

pub async fn add(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let sent = Sent::new(pairs);
    let added = services::balancers::add(&app, &session.actor, fields(&sent)).await;
    match added {
        Ok(balancer) => Ok(see(&format!("/balancers/{}", balancer.id))),
        Err(error) => {
            let sent = sent.refuse(error)?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(FormPage { shell, sent, balancer: None })).into_response())
        }
    }
}

fn fields(sent: &Sent) -> BalancerFields {
    BalancerFields {
        name: sent.value("name").to_owned(),
        kind: sent.value("kind").parse().unwrap_or_default(),
        config_path: sent.value("config_path").to_owned(),
        state_address: sent.value("state_address").to_owned(),
        // What is no number is out of range as well, and the domain says so together with the rest.
        poll_seconds: sent.value("poll_seconds").trim().parse().unwrap_or_default(),
        ask_program: sent.value("ask_program") == "on",
        ..BalancerFields::default()
    }
}

pub async fn edit(State(app): State<App>, session: Session, shell: Shell, Path(id): Path<BalancerId>) -> Result<Page<FormPage>> {
    session.actor.may(Permission::WriteBalancers)?;
    let balancer = services::balancers::find(&app, &session.actor, id).await?;
    let json = serde_json::to_value(&balancer).map_err(anyhow::Error::from)?;
    let sent = FIELDS.iter().fold(Sent::default(), |sent, field| sent.with(field.path, field.shown(&json, shell.zone())));
    Ok(Page(FormPage { shell, sent, balancer: Some(balancer) }))
}

pub async fn save(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path(id): Path<BalancerId>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let actor = &session.actor;
    let edit = Edit::read(&FIELDS, &pairs)?;
    match edit.save(async |version, patch| services::balancers::edit(&app, actor, id, version, &patch).await).await? {
        Outcome::Saved(_) => Ok(see(&format!("/balancers/{id}"))),
        Outcome::Again(again) => Ok(again.page(&shell, &format!("/balancers/{id}"))),
    }
}

#[derive(Template)]
#[template(path = "balancers/delete.html")]
pub struct Farewell {
    shell: Shell,
    balancer: Balancer,
}

pub async fn ask_delete(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path(id): Path<BalancerId>,
) -> Result<Page<Farewell>> {
    session.actor.may(Permission::WriteBalancers)?;
    let balancer = services::balancers::find(&app, &session.actor, id).await?;
    Ok(Page(Farewell { shell, balancer }))
}

pub async fn delete(State(app): State<App>, session: Session, Path(id): Path<BalancerId>) -> Result<Response> {
    services::balancers::delete(&app, &session.actor, id).await?;
    Ok(see("/balancers"))
}
