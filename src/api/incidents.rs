//! `/incidents`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::error::Result;
use super::extract::{Body, Caller, IfMatch, List, MayMatch, Path, Query, Tagged, made, take_id};
use crate::app::App;
use crate::domain::id::IncidentRef;
use crate::domain::incident::{Durations, Incident, IncidentFields, IncidentKind, Severity, Status, Warning};
use crate::domain::search::Search;
use crate::domain::time::{Timestamp, parse_rfc3339};
use crate::domain::{Error, patch};
use crate::services::Page;
use crate::services::holds;
use crate::services::incidents::{self, IncidentFilter};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, declare))
        .routes(routes!(show, edit, delete))
        .routes(routes!(restore))
        .routes(routes!(hold))
        .routes(routes!(lift))
}

/// An incident with what follows from its milestones.
#[derive(Debug, Serialize, ToSchema)]
pub struct IncidentView {
    #[serde(flatten)]
    incident: Incident,
    durations: Durations,
    /// Contradictions; they never keep anything from being saved.
    warnings: Vec<Warning>,
}

fn view(app: &App, incident: Incident) -> Tagged<IncidentView> {
    let milestones = &incident.fields.milestones;
    let (durations, warnings) = (milestones.durations(), milestones.warnings(app.now()));
    Tagged(incident.version, IncidentView { incident, durations, warnings })
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct IncidentQuery {
    status: Option<Status>,
    /// Only open ones (true) or only resolved ones (false).
    open: Option<bool>,
    severity: Option<Severity>,
    kind: Option<IncidentKind>,
    service: Option<String>,
    /// A label and its value as `key:value`.
    label: Option<String>,
    /// What the incident or its write-up says: words, "phrases", -without and filters, as in `/search`; the beginning of
    /// a word is enough.
    q: Option<String>,
    /// Only those that began at or after this time.
    #[param(format = DateTime)]
    from: Option<String>,
    /// Only those that began before this time.
    #[param(format = DateTime)]
    to: Option<String>,
    /// Rows wanted, at most 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

impl IncidentQuery {
    fn split(self, now: Timestamp) -> Result<(IncidentFilter, Page)> {
        let time = |field: &str, text: Option<String>| -> Result<Option<Timestamp>> {
            Ok(text.map(|text| parse_rfc3339(field, &text)).transpose()?.map(|(at, _)| at))
        };
        let label = self.label.map(|label| match label.split_once(':') {
            Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
            None => Err(Error::invalid("label", "invalid", "write the label's name and value as name:value")),
        });
        let filter = IncidentFilter {
            status: self.status,
            open: self.open,
            severity: self.severity,
            kind: self.kind,
            service: self.service,
            label: label.transpose()?,
            q: self.q.map(|q| Search::parse(&q, now, 0).by_beginnings()),
            from: time("from", self.from)?,
            to: time("to", self.to)?,
            unwritten: false,
        };
        Ok((filter, Page { limit: self.limit, cursor: self.cursor }))
    }
}

/// Incidents, newest beginning first
#[utoipa::path(get, path = "/api/v1/incidents", tag = "incidents", params(IncidentQuery), responses((status = 200, body = List<Incident>)))]
async fn list(State(app): State<App>, Caller(actor): Caller, Query(query): Query<IncidentQuery>) -> Result<List<Incident>> {
    let (filter, page) = query.split(app.now())?;
    Ok(incidents::list(&app, &actor, &filter, &page).await?.into())
}

/// A new incident.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is read as JSON, so that unknown fields are refused")]
struct NewIncident {
    /// Made by the client: sending the same incident again is harmless.
    id: Option<Uuid>,
    #[serde(flatten)]
    fields: IncidentFields,
}

/// Open an incident, or write down one that is over
///
/// Only the title is required. With status `resolved` and milestones it is back-filled as already over.
/// With an `id` of the client's, a repeated POST answers 200 with the incident that the first one made.
#[utoipa::path(
    post,
    path = "/api/v1/incidents",
    tag = "incidents",
    request_body = NewIncident,
    responses(
        (status = 201, body = IncidentView, headers(("Location" = String), ("ETag" = String))),
        (status = 200, body = IncidentView, description = "It was there already", headers(("ETag" = String)))
    )
)]
async fn declare(State(app): State<App>, Caller(actor): Caller, Body(mut body): Body<Map<String, Value>>) -> Result<Response> {
    let id = take_id(&mut body)?;
    let (incident, fresh) = incidents::declare(&app, &actor, id, patch::read(Value::Object(body))?).await?;
    Ok(made(fresh, format!("/api/v1/incidents/{}", incident.reference), view(&app, incident)))
}

/// One incident
#[utoipa::path(
    get,
    path = "/api/v1/incidents/{ref}",
    tag = "incidents",
    responses((status = 200, body = IncidentView, headers(("ETag" = String))))
)]
async fn show(State(app): State<App>, Caller(actor): Caller, Path(which): Path<IncidentRef>) -> Result<Tagged<IncidentView>> {
    let incident = incidents::find(&app, &actor, which).await?;
    Ok(view(&app, incident))
}

/// Fields of an incident that change, with the reason that a re-opening needs.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a merge patch, which is read as JSON and laid over the fields")]
struct IncidentPatch {
    status_reason: Option<String>,
    #[serde(flatten)]
    fields: IncidentFields,
}

/// Change an incident
///
/// Changes of status and severity become timeline entries. Re-opening needs `status_reason`. `visibility` and `named`
/// are changed by the incident's commander, by who opened it and by administrators who see it; others get 403.
#[utoipa::path(
    patch,
    path = "/api/v1/incidents/{ref}",
    tag = "incidents",
    params(IfMatch),
    request_body = IncidentPatch,
    responses((status = 200, body = IncidentView, headers(("ETag" = String))))
)]
async fn edit(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(which): Path<IncidentRef>,
    IfMatch(version): IfMatch,
    Body(patch): Body<Value>,
) -> Result<Tagged<IncidentView>> {
    let incident = incidents::edit(&app, &actor, which, version, &patch).await?;
    Ok(view(&app, incident))
}

/// Take an incident out of every list
///
/// `restore` brings it back whole, as long as the server keeps what was deleted (30 days unless set otherwise). 403 while
/// it is under legal hold.
#[utoipa::path(delete, path = "/api/v1/incidents/{ref}", tag = "incidents", params(MayMatch), responses((status = 204)))]
async fn delete(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(which): Path<IncidentRef>,
    matching: MayMatch,
) -> Result<StatusCode> {
    let incident = incidents::find(&app, &actor, which).await?;
    matching.check(incident.version, "the incident", &incident)?;
    incidents::delete(&app, &actor, which).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Bring a deleted incident back
#[utoipa::path(
    post,
    path = "/api/v1/incidents/{ref}/restore",
    tag = "incidents",
    responses((status = 200, body = IncidentView, headers(("ETag" = String))))
)]
async fn restore(State(app): State<App>, Caller(actor): Caller, Path(which): Path<IncidentRef>) -> Result<Tagged<IncidentView>> {
    let incident = incidents::restore(&app, &actor, which).await?;
    Ok(view(&app, incident))
}

/// Why a legal hold is set or lifted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct HoldReason {
    /// One line, plain text.
    reason: String,
}

/// Set a legal hold, or give the one there is another reason
///
/// While it stands nothing of the incident is deleted: entries, files, recordings, links to snapshots and raw deliveries
/// stay, whatever their age, and deleting them answers 403. Set and lifted by the incident's commander, by who opened it
/// and by administrators who see it; others get 403. `hold` of the incident shows it.
#[utoipa::path(
    put,
    path = "/api/v1/incidents/{ref}/hold",
    tag = "incidents",
    request_body = HoldReason,
    responses((status = 200, body = IncidentView, headers(("ETag" = String))))
)]
async fn hold(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(which): Path<IncidentRef>,
    Body(body): Body<HoldReason>,
) -> Result<Tagged<IncidentView>> {
    let incident = holds::place(&app, &actor, which, &body.reason).await?;
    Ok(view(&app, incident))
}

/// Lift a legal hold
///
/// Deleting is possible again, and what is too old goes with the next clean-up.
#[utoipa::path(
    post,
    path = "/api/v1/incidents/{ref}/hold/lift",
    tag = "incidents",
    request_body = HoldReason,
    responses((status = 200, body = IncidentView, headers(("ETag" = String))))
)]
async fn lift(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(which): Path<IncidentRef>,
    Body(body): Body<HoldReason>,
) -> Result<Tagged<IncidentView>> {
    let incident = holds::lift(&app, &actor, which, &body.reason).await?;
    Ok(view(&app, incident))
}
