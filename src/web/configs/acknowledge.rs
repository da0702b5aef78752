//! Letting a finding stand: the reason, and until when.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::Duration;
use serde::Deserialize;

use crate::app::App;
use crate::balancer::audit;
use crate::domain::access::Permission;
use crate::domain::balancer::Balancer;
use crate::domain::finding::AcknowledgementFields;
use crate::domain::id::{AcknowledgementId, BalancerId};
use crate::services;
use crate::web::error::{Error, Result};
use crate::web::extract::{Form, Path, Query, Session};
use crate::web::page::{Page, Shell, see};
use crate::web::sent::Sent;

#[derive(Template)]
#[template(path = "configs/acknowledge.html")]
pub struct Ask {
    shell: Shell,
    sent: Sent,
    balancer: Balancer,
    rule: &'static audit::Rule,
}

/// Days for which it may stand, as the form offers them.
const DAYS: [(&str, &str); 4] = [("1", "until tomorrow"), ("7", "for a week"), ("30", "for 30 days"), ("", "for good")];

impl Ask {
    fn days(&self) -> [(&'static str, &'static str); 4] {
        DAYS
    }
}

#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    rule: String,
    #[serde(default)]
    pool: String,
    #[serde(default)]
    server: String,
}

pub async fn ask(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path(id): Path<BalancerId>,
    Query(asked): Query<Asked>,
) -> Result<Page<Ask>> {
    session.actor.may(Permission::WriteBalancers)?;
    let balancer = services::balancers::find(&app, &session.actor, id).await?;
    let rule = audit::rule(&asked.rule).ok_or_else(Error::not_here)?;
    let sent = Sent::default().with("rule", asked.rule).with("pool", asked.pool).with("server", asked.server).with("days", "7");
    Ok(Page(Ask { shell, sent, balancer, rule }))
}

pub async fn add(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path(id): Path<BalancerId>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let sent = Sent::new(pairs);
    let place = |name: &str| Some(sent.value(name).to_owned()).filter(|text| !text.is_empty());
    let days = sent.value("days").parse::<i64>().ok().filter(|days| (1..=3650).contains(days));
    let fields = AcknowledgementFields {
        rule: sent.value("rule").to_owned(),
        pool: place("pool"),
        server: place("server"),
        reason: sent.value("reason").to_owned(),
        expires_at: days.map(|days| app.now() + Duration::days(days)),
    };
    match services::findings::acknowledge(&app, &session.actor, id, fields).await {
        Ok(_) => Ok(see(&format!("/balancers/{id}"))),
        Err(error) => {
            let rule = audit::rule(sent.value("rule")).ok_or_else(Error::not_here)?;
            let sent = sent.refuse(error)?;
            let balancer = services::balancers::find(&app, &session.actor, id).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(Ask { shell, sent, balancer, rule })).into_response())
        }
    }
}

pub async fn end(
    State(app): State<App>,
    session: Session,
    Path((id, acknowledgement)): Path<(BalancerId, AcknowledgementId)>,
) -> Result<Response> {
    services::findings::withdraw(&app, &session.actor, id, acknowledgement).await?;
    Ok(see(&format!("/balancers/{id}")))
}
