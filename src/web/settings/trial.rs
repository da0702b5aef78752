//! Trying out an alert hook: what would be understood of a body, and what it would do. Nothing is stored.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::app::App;
use crate::domain::id::{DeliveryId, IntegrationId};
use crate::domain::integration::{Delivery, Integration};
use crate::services::hooks::{self, Fate, Trial, Tried};
use crate::services::{self, Page as Rows};
use crate::web::error::Result;
use crate::web::extract::{Form, Path, Query, Session};
use crate::web::page::{Page, Shell};
use crate::web::sent::Sent;

/// Largest form: a body of which every byte is encoded as three.
pub const FORM_MAX: usize = 3 * hooks::TRIAL_MAX + 64 * 1024;

#[derive(Template)]
#[template(path = "settings/trial.html")]
pub struct TrialPage {
    shell: Shell,
    integration: Integration,
    sent: Sent,
    /// The newest delivery that is still kept.
    last: Option<Delivery>,
    /// What the text in the field is.
    origin: &'static str,
    outcome: Option<Outcome>,
}

enum Outcome {
    Understood(Box<Trial>),
    /// The place in the body, and what is wrong there.
    Not {
        place: String,
        detail: String,
    },
}

impl TrialPage {
    /// In words what an alert would do.
    fn does(&self, tried: &Tried) -> &'static str {
        match (tried.action, &tried.fate) {
            ("fired", Fate::Opens(_)) => "opens a new incident",
            ("fired", Fate::Joins(_)) => "fires, and joins",
            ("repeated", Fate::Joins(_)) => "is fired already and counts up in",
            ("resolved", Fate::Joins(_)) => "resolves in",
            ("resolved", _) => "resolves",
            ("ignored", _) => "does nothing: what it resolves is not open, or it is an old report that came late",
            _ => "is counted",
        }
    }

    fn is_opening(&self, tried: &Tried, place: &usize) -> bool {
        tried.fate == Fate::Opens(*place)
    }

    /// How many of the listed alerts go into the incident at `place`.
    fn members(&self, trial: &Trial, place: &usize) -> usize {
        trial.alerts.iter().filter(|tried| self.is_opening(tried, place)).count()
    }
}

#[derive(Deserialize)]
pub struct Asked {
    /// The delivery to try once more.
    delivery: Option<DeliveryId>,
}

pub async fn ask(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path(id): Path<IntegrationId>,
    Query(asked): Query<Asked>,
) -> Result<Page<TrialPage>> {
    let mut page = page(&app, &session, shell, id, Sent::default()).await?;
    let (origin, body) = match asked.delivery {
        Some(delivery) => match hooks::body(&app, &session.actor, id, delivery).await? {
            Some(body) => ("what came in with that delivery", body),
            None => ("nothing: that delivery is too large to be tried here", String::new()),
        },
        None => ("a sample of what this source sends", hooks::sample(&app, page.integration.format)),
    };
    page.sent = Sent::default().with("body", body);
    page.origin = origin;
    Ok(Page(page))
}

pub async fn run(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path(id): Path<IntegrationId>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let sent = Sent::new(pairs);
    let tried = hooks::try_out(&app, &session.actor, id, sent.value("body").to_owned()).await;
    let mut page = page(&app, &session, shell, id, sent).await?;
    page.outcome = Some(match tried {
        Ok(Ok(trial)) => Outcome::Understood(Box::new(trial)),
        Ok(Err(fault)) => Outcome::Not { place: fault.place, detail: fault.detail },
        Err(error) => {
            page.sent = page.sent.refuse(error)?;
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(page)).into_response());
        }
    });
    Ok(Page(page).into_response())
}

async fn page(app: &App, session: &Session, shell: Shell, id: IntegrationId, sent: Sent) -> Result<TrialPage> {
    let integration = services::integrations::find(app, &session.actor, id).await?;
    let last = services::integrations::deliveries(app, &session.actor, id, &Rows::first(1)).await?.items.pop();
    Ok(TrialPage { shell, integration, sent, last, origin: "what you tried", outcome: None })
}
