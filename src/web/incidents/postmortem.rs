//! The write-up of one incident: as it will be read, and as files to keep.

use askama::Template;
use askama::filters::Safe;
use axum::Router;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use crate::app::App;
use crate::domain::id::IncidentRef;
use crate::domain::incident::{Durations, Incident};
use crate::services;
use crate::services::postmortems::Flavour;
use crate::web::error::Result;
use crate::web::extract::{Path, Query, Session};
use crate::web::format;
use crate::web::page::{Page, Shell};
use crate::web::postmortems::missing;

pub fn routes() -> Router<App> {
    Router::new().route("/incidents/{incident}/postmortem", get(show)).route("/incidents/{incident}/export", get(export))
}

#[derive(Template)]
#[template(path = "incidents/postmortem.html")]
struct Article {
    shell: Shell,
    incident: Incident,
    /// Safe HTML, made by `text`.
    body: Safe<String>,
}

impl Article {
    fn durations(&self) -> Durations {
        self.incident.fields.milestones.durations()
    }

    fn missing(&self) -> Vec<String> {
        missing(&self.incident.fields)
    }

    /// The figures beside the impact text, the one that says most first.
    fn impact(&self) -> Vec<String> {
        let figures = &self.incident.fields.impact_figures;
        let parts = [
            figures.users_share.map(|share| format!("{} of users", format::percent(share))),
            figures.users.map(|users| format!("{} users", format::count(users))),
            figures.failed_requests_share.map(|share| format!("{} of requests failed", format::percent(share))),
            figures.requests_lost.map(|lost| format!("{} requests lost", format::count(lost))),
        ];
        parts.into_iter().flatten().collect()
    }
}

async fn show(State(app): State<App>, session: Session, shell: Shell, Path(which): Path<IncidentRef>) -> Result<Page<Article>> {
    let incident = services::incidents::find(&app, &session.actor, which).await?;
    let html = services::postmortems::html(&app, &session.actor, which).await?;
    // The page has a title of its own, so the document's goes.
    let body = html.split_once("</h1>").map_or(html.as_str(), |(_, rest)| rest);
    // Figures scroll sideways on narrow screens; people's own text cannot hold this element.
    let body = body.replace("<figure>", "<figure tabindex=\"0\">");
    Ok(Page(Article { shell, incident, body: Safe(body) }))
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    flavour: String,
    #[serde(default)]
    bundle: String,
}

async fn export(
    State(app): State<App>,
    session: Session,
    Path(which): Path<IncidentRef>,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let flavour: Flavour = if asked.flavour.is_empty() { Flavour::default() } else { asked.flavour.parse()? };
    // The reference alone: titles hold what file systems cannot.
    let reference = services::incidents::find(&app, &session.actor, which).await?.reference;
    if matches!(asked.bundle.as_str(), "true" | "1") {
        let bytes = services::postmortems::zip(&app, &session.actor, which, flavour).await?;
        return Ok(download(bytes, "application/zip", &format!("{reference}.zip")));
    }
    let text = services::postmortems::export(&app, &session.actor, which, flavour).await?;
    Ok(download(text.into_bytes(), "text/markdown; charset=utf-8", &format!("{reference}.md")))
}

/// `name` holds only letters, digits, dots and dashes.
pub fn download(bytes: Vec<u8>, media_type: &'static str, name: &str) -> Response {
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    headers.insert(CONTENT_DISPOSITION, disposition.unwrap_or(HeaderValue::from_static("attachment")));
    response
}
