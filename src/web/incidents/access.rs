//! Who sees an incident: the page that says it, and the form that changes it after a second look.

use std::collections::BTreeSet;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use crate::app::App;
use crate::domain;
use crate::domain::error::FieldErrors;
use crate::domain::id::IncidentRef;
use crate::domain::incident::{Incident, IncidentFields, Visibility};
use crate::services;
use crate::web::error::Result;
use crate::web::extract::{Form, Path, Session};
use crate::web::page::{Page, Shell, see};
use crate::web::sent::Sent;

pub fn routes() -> Router<App> {
    Router::new().route("/incidents/{incident}/access", get(show).post(save))
}

#[derive(Template)]
#[template(path = "incidents/access.html")]
struct Access {
    shell: Shell,
    incident: Incident,
    /// Accounts that can be named.
    handles: BTreeSet<String>,
    sent: Sent,
    /// Whether the reader may change it.
    decides: bool,
    /// What would stand after saving, to be looked at once more.
    asked: Option<IncidentFields>,
}

impl Access {
    fn was(&self) -> String {
        mark(&self.incident.fields)
    }

    fn roles(&self, handle: &str) -> String {
        let roles = self.incident.fields.roles.iter().filter(|(_, held)| *held == handle).map(|(role, _)| role.as_str());
        roles.collect::<Vec<_>>().join(", ")
    }

    /// Those who see it now and would not any more.
    fn losing(&self, asked: &IncidentFields) -> usize {
        let (now, then) = (&self.incident.fields, asked.people());
        self.handles
            .iter()
            .filter(|handle| !now.is_restricted() || now.people().contains(handle.as_str()))
            .filter(|handle| !then.contains(handle.as_str()))
            .count()
    }
}

/// What a form was drawn from: another answer than this one's means that somebody was faster.
fn mark(fields: &IncidentFields) -> String {
    format!("{} {}", fields.visibility.as_str(), fields.named.join(" "))
}

async fn page(app: &App, session: &Session, shell: Shell, incident: Incident, sent: Sent) -> Result<Access> {
    let mut handles: BTreeSet<String> = services::incidents::handles(app, &session.actor).await?.into_iter().collect();
    handles.extend(incident.fields.named.iter().cloned());
    Ok(Access { decides: session.actor.decides_who_sees(&incident), shell, incident, handles, sent, asked: None })
}

async fn show(State(app): State<App>, session: Session, shell: Shell, Path(which): Path<IncidentRef>) -> Result<Page<Access>> {
    let incident = services::incidents::find(&app, &session.actor, which).await?;
    let named = incident.fields.named.iter().map(|handle| ("named".to_owned(), handle.clone()));
    let sent = Sent::new(named.collect()).with("visibility", incident.fields.visibility.as_str());
    Ok(Page(page(&app, &session, shell, incident, sent).await?))
}

async fn save(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path(which): Path<IncidentRef>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let actor = &session.actor;
    let incident = services::incidents::find(&app, actor, which).await?;
    let mut sent = Sent::new(pairs);
    let mut fields = incident.fields.clone();
    fields.visibility = sent.value("visibility").parse()?;
    fields.named = sent.all("named").map(str::to_owned).collect();
    let patch = json!({"visibility": fields.visibility, "named": fields.named});
    // Said now rather than after the second look.
    let settled = fields.checked().and_then(|mut fields| {
        domain::visibility::settle(actor, Some(&incident), &mut fields)?;
        Ok(fields)
    });
    let fields = match settled {
        Ok(fields) => fields,
        Err(error) => {
            let sent = sent.refuse(error)?;
            return Ok(
                (StatusCode::UNPROCESSABLE_ENTITY, Page(page(&app, &session, shell, incident, sent).await?)).into_response()
            );
        }
    };
    if sent.value("was") != mark(&incident.fields) {
        sent.complain(FieldErrors::one(
            "was",
            "changed",
            "Somebody changed this meanwhile: what stands now is said above the form.",
        ));
        return Ok((StatusCode::CONFLICT, Page(page(&app, &session, shell, incident, sent).await?)).into_response());
    }
    if !sent.holds("sure", "on") {
        let page = page(&app, &session, shell, incident, sent).await?;
        return Ok(Page(Access { asked: Some(fields), ..page }).into_response());
    }
    let saved = services::incidents::edit(&app, actor, which, incident.version, &patch).await;
    match saved {
        Ok(after) if actor.sees(&after) => Ok(see(&format!("/incidents/{}", after.reference))),
        // Who took their own name off has nothing left to look at here.
        Ok(_) => Ok(see("/incidents")),
        Err(error) => {
            let sent = sent.refuse(error)?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(page(&app, &session, shell, incident, sent).await?)).into_response())
        }
    }
}
