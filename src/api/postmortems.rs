//! `/incidents/{ref}/postmortem` and `/incidents/{ref}/export`: the write-up in its forms.

use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, VARY};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attachments::save_as;
use super::error::Result;
use super::extract::{Accept, Caller, Json, Path, Query, word};
use crate::app::App;
use crate::domain::id::{AttachmentId, IncidentRef};
use crate::domain::incident::{Durations, Incident};
use crate::domain::snapshot::LinkedSnapshot;
use crate::domain::task::Task;
use crate::domain::timeline::Entry;
use crate::services::incidents;
use crate::services::postmortems::{self, Flavour};
use crate::text::export::Document;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show)).routes(routes!(export))
}

const JSON: &str = "application/json";
const MARKDOWN: &str = "text/markdown";
const HTML: &str = "text/html";
const ZIP: &str = "application/zip";

/// The parts of the write-up.
#[derive(Debug, Serialize, ToSchema)]
struct Postmortem {
    incident: Incident,
    durations: Durations,
    /// The pinned entries; where nobody pinned any, all that say more than a status or an alert.
    entries: Vec<Entry>,
    tasks: Vec<Task>,
    alerts: PostmortemAlerts,
    snapshots: Vec<LinkedSnapshot>,
    diffs: Vec<PostmortemDiff>,
    figures: Vec<PostmortemFigure>,
    images: Vec<PostmortemImage>,
}

#[derive(Debug, Serialize, ToSchema)]
struct PostmortemAlerts {
    count: i64,
    titles: Vec<String>,
}

/// From one snapshot to the next.
#[derive(Debug, Serialize, ToSchema)]
struct PostmortemDiff {
    balancer: String,
    from_number: i64,
    to_number: i64,
    from_hash: Option<String>,
    to_hash: Option<String>,
    /// One sentence for each change.
    changes: Vec<String>,
    /// The same as a unified diff.
    unified: String,
}

/// A chart of the flight recorder.
#[derive(Debug, Serialize, ToSchema)]
struct PostmortemFigure {
    id: String,
    alt: String,
    caption: String,
    svg: String,
}

/// A picture; its bytes are at `/attachments/{id}`.
#[derive(Debug, Serialize, ToSchema)]
struct PostmortemImage {
    id: AttachmentId,
    name: String,
    media_type: String,
}

impl From<Document> for Postmortem {
    fn from(document: Document) -> Self {
        let diff = |d: crate::text::export::ConfigDiff| PostmortemDiff {
            balancer: d.balancer,
            from_number: d.from_number,
            to_number: d.to_number,
            from_hash: d.from_hash,
            to_hash: d.to_hash,
            changes: d.changes,
            unified: d.unified,
        };
        let figure = |f: crate::text::export::Figure| PostmortemFigure { id: f.id, alt: f.alt, caption: f.caption, svg: f.svg };
        let image = |i: crate::text::export::Image| PostmortemImage { id: i.id, name: i.name, media_type: i.media_type };
        Self {
            incident: document.incident,
            durations: document.durations,
            entries: document.entries,
            tasks: document.tasks,
            alerts: PostmortemAlerts { count: document.alerts.count, titles: document.alerts.titles },
            snapshots: document.snapshots,
            diffs: document.diffs.into_iter().map(diff).collect(),
            figures: document.figures.into_iter().map(figure).collect(),
            images: document.images.into_iter().map(image).collect(),
        }
    }
}

/// The write-up, made from the incident's fields and pinned entries
///
/// Its parts as JSON, or the whole as Markdown or HTML, by `Accept`.
#[utoipa::path(
    get,
    path = "/api/v1/incidents/{ref}/postmortem",
    tag = "postmortems",
    responses(
        (status = 200, content((Postmortem = "application/json"), (String = "text/markdown"), (String = "text/html"))),
        (status = 406, description = "There is no such form of it")
    )
)]
async fn show(State(app): State<App>, Caller(actor): Caller, Path(which): Path<IncidentRef>, accept: Accept) -> Result<Response> {
    let form = accept.choose(&[JSON, MARKDOWN, HTML])?;
    let body = match form {
        JSON => {
            let document = postmortems::document(&app, &actor, which).await?;
            return Ok(([(VARY, "accept")], Json(Postmortem::from(document))).into_response());
        }
        MARKDOWN => postmortems::export(&app, &actor, which, Flavour::default()).await?,
        _ => postmortems::html(&app, &actor, which).await?,
    };
    Ok(([(CONTENT_TYPE, format!("{form}; charset=utf-8")), (VARY, "accept".to_owned())], body).into_response())
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ExportQuery {
    /// `plain`, `classic` (when left out) or `hugo`.
    flavour: Option<String>,
    /// The text with its pictures as files beside it, in one archive. `Accept: application/zip` asks for the same.
    #[serde(default)]
    bundle: bool,
}

/// The write-up as a file to keep
///
/// The same incident gives the same bytes.
#[utoipa::path(
    get,
    path = "/api/v1/incidents/{ref}/export",
    tag = "postmortems",
    params(ExportQuery),
    responses(
        (status = 200, content((String = "text/markdown"), (Vec<u8> = "application/zip"))),
        (status = 406, description = "There is no such form of it")
    )
)]
async fn export(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(which): Path<IncidentRef>,
    Query(query): Query<ExportQuery>,
    accept: Accept,
) -> Result<Response> {
    let flavour = query.flavour.map(|flavour| word("flavour", &flavour)).transpose()?.unwrap_or_default();
    let form = if query.bundle { ZIP } else { accept.choose(&[MARKDOWN, ZIP])? };
    let reference = incidents::find(&app, &actor, which).await?.reference;
    if form == ZIP {
        let archive = postmortems::zip(&app, &actor, which, flavour).await?;
        return Ok(file(ZIP, &format!("{reference}.zip"), archive));
    }
    let text = postmortems::export(&app, &actor, which, flavour).await?;
    Ok(file("text/markdown; charset=utf-8", &format!("{reference}.md"), text))
}

fn file(media_type: &'static str, name: &str, body: impl IntoResponse) -> Response {
    let headers = [(CONTENT_TYPE, media_type.to_owned()), (CONTENT_DISPOSITION, save_as(name)), (VARY, "accept".to_owned())];
    (headers, body).into_response()
}
