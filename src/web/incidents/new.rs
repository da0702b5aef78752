//! Declaring an incident: two fields, and everything else when there is time for it.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::app::App;
use crate::domain;
use crate::domain::access::Permission;
use crate::domain::error::FieldErrors;
use crate::domain::incident::{IncidentFields, IncidentKind, Milestones, Severity, Status, Visibility};
use crate::domain::time::{self, Timestamp};
use crate::services;
use crate::web::error::Result;
use crate::web::extract::{Form, Query, Session};
use crate::web::format::Zone;
use crate::web::page::{Page, Shell, see};
use crate::web::sent::Sent;

pub fn routes() -> Router<App> {
    Router::new().route("/incidents/new", get(show))
}

#[derive(Template)]
#[template(path = "incidents/new.html")]
struct New {
    shell: Shell,
    sent: Sent,
}

impl New {
    /// Whether the fields under "more" hold something that must be seen.
    fn is_detailed(&self) -> bool {
        ["summary", "services", "started", "resolved", "over", "visibility"].iter().any(|name| !self.sent.value(name).is_empty())
            || self.sent.errors().iter().any(|error| error.pointer != "/title")
    }
}

/// Every offset that is in use somewhere, in minutes east of UTC, and its name.
pub fn zones() -> Vec<(i32, String)> {
    let odd = [-570, -210, 210, 270, 330, 345, 390, 525, 570, 630, 765];
    let mut minutes: Vec<i32> = (-12..=14).map(|hours| hours * 60).chain(odd).collect();
    minutes.sort_unstable();
    minutes.into_iter().map(|minutes| (minutes, time::offset_name(minutes))).collect()
}

async fn show(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Page<New>> {
    session.actor.may(Permission::WriteIncidents)?;
    let sent = Sent::new(pairs).with("severity", Severity::default().as_str()).with("zone", shell.zone().minutes.to_string());
    Ok(Page(New { shell, sent: sent.with("id", app.uuid().to_string()) }))
}

/// Answers the form. Times that contradict each other are taken; the room warns about them.
pub async fn declare(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let sent = Sent::new(pairs);
    let declared = match sent.id().and_then(|id| Ok((id, fields(&sent)?))) {
        Ok((id, fields)) => services::incidents::declare(&app, &session.actor, id, fields).await,
        Err(error) => Err(error.into()),
    };
    match declared {
        Ok((incident, _)) => Ok(see(&format!("/incidents/{}", incident.reference))),
        Err(error) => {
            // Nothing was made: a fresh id lets the form go through also when the old one was the trouble.
            let sent = sent.refuse(error)?.without("id").with("id", app.uuid().to_string());
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(New { shell, sent })).into_response())
        }
    }
}

fn fields(sent: &Sent) -> Result<IncidentFields, domain::Error> {
    let mut errors = FieldErrors::default();
    let zone = Zone::from_cookie(sent.value("zone"));
    let mut at = |name: &str| -> Option<Timestamp> {
        let text = sent.value(name).trim();
        if text.is_empty() {
            return None;
        }
        let wrong = || format!("“{}” is not a date with a time", time::shorten(text, 40));
        time::parse_local(name, text, zone.minutes).map_err(|_| errors.push(name, "not_a_time", wrong())).ok()
    };
    let milestones = Milestones { started: at("started"), resolved: at("resolved"), ..Milestones::default() };
    let severity =
        sent.value("severity").parse().map_err(|_| errors.push("severity", "unknown_word", "choose one of the four")).ok();
    let kind = match sent.value("kind") {
        "" => Some(IncidentKind::default()),
        word => word.parse().map_err(|_| errors.push("kind", "unknown_word", "choose one of the three")).ok(),
    };
    // The title is checked by the domain; its complaint comes together with these.
    let title = errors.line("title", sent.value("title"));
    errors.into_result()?;
    let over = sent.holds("over", "on") || milestones.resolved.is_some();
    Ok(IncidentFields {
        title,
        severity: severity.unwrap_or_default(),
        kind: kind.unwrap_or_default(),
        status: if over { Status::Resolved } else { Status::default() },
        summary: sent.value("summary").to_owned(),
        services: sent.value("services").split([',', '\n']).map(|name| name.trim().to_owned()).collect(),
        visibility: if sent.holds("visibility", "restricted") { Visibility::Restricted } else { Visibility::default() },
        milestones,
        utc_offset_minutes: zone.minutes,
        ..IncidentFields::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(pairs: &[(&str, &str)]) -> Sent {
        Sent::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn two_fields_are_enough_and_a_resolved_time_files_it_as_over() {
        let open = fields(&sent(&[("title", "Shop down"), ("severity", "sev1")])).expect("fits");
        assert_eq!((open.severity, open.status, open.kind), (Severity::Sev1, Status::Investigating, IncidentKind::Incident));
        let over = fields(&sent(&[
            ("title", "Shop was down"),
            ("severity", "sev2"),
            ("resolved", "2026-11-21T15:03"),
            ("zone", "60"),
            ("services", "shop, checkout,"),
        ]))
        .expect("fits");
        assert_eq!(over.status, Status::Resolved);
        assert_eq!(over.milestones.resolved.map(time::rfc3339).as_deref(), Some("2026-11-21T14:03:00Z"));
    }

    #[test]
    fn all_complaints_come_at_once() {
        let Err(domain::Error::Invalid(errors)) = fields(&sent(&[("severity", "sev9"), ("started", "soon")])) else {
            panic!("taken");
        };
        for name in ["title", "severity", "started"] {
            assert!(errors.of(name).is_some(), "{name}");
        }
    }
}
