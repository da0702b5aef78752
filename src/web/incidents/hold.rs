//! The legal hold of an incident: the page that says it, and the forms that set and lift it with a reason.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::app::App;
use crate::domain::id::IncidentRef;
use crate::domain::incident::Incident;
use crate::services::{self, holds};
use crate::web::error::Result;
use crate::web::extract::{Form, Path, Session};
use crate::web::page::{Page, Shell, see};
use crate::web::sent::Sent;

pub fn routes() -> Router<App> {
    let save = |lifts| {
        move |State(app), session, shell, Path(which), Form(pairs)| async move { save(app, session, shell, which, pairs, lifts).await }
    };
    Router::new()
        .route("/incidents/{incident}/hold", get(show).post(save(false)))
        .route("/incidents/{incident}/hold/lift", post(save(true)))
}

#[derive(Template)]
#[template(path = "incidents/hold.html")]
struct HoldPage {
    shell: Shell,
    incident: Incident,
    sent: Sent,
    /// Whether the reader may set and lift it.
    decides: bool,
}

async fn page(app: &App, session: &Session, shell: Shell, which: IncidentRef, sent: Sent) -> Result<Page<HoldPage>> {
    let incident = services::incidents::find(app, &session.actor, which).await?;
    let decides = session.actor.decides_who_sees(&incident);
    Ok(Page(HoldPage { shell, incident, sent, decides }))
}

async fn show(State(app): State<App>, session: Session, shell: Shell, Path(which): Path<IncidentRef>) -> Result<Page<HoldPage>> {
    page(&app, &session, shell, which, Sent::default()).await
}

/// Sets or lifts it; then back to the room, or the form again with what is wrong in it.
async fn save(
    app: App,
    session: Session,
    shell: Shell,
    which: IncidentRef,
    pairs: Vec<(String, String)>,
    lifts: bool,
) -> Result<Response> {
    let (sent, actor) = (Sent::new(pairs), &session.actor);
    let outcome = match lifts {
        true => holds::lift(&app, actor, which, sent.value("reason")).await,
        false => holds::place(&app, actor, which, sent.value("reason")).await,
    };
    match outcome {
        Ok(incident) => Ok(see(&format!("/incidents/{}", incident.reference))),
        Err(error) => {
            let sent = sent.refuse(error)?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&app, &session, shell, which, sent).await?).into_response())
        }
    }
}
