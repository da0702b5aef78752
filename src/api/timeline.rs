//! `/incidents/{ref}/timeline`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::error::Result;
use super::extract::{Body, Caller, IfMatch, List, MayMatch, Paging, Path, Query, Tagged, made, take_id};
use crate::app::App;
use crate::domain::id::{EntryId, IncidentRef};
use crate::domain::time::{Timestamp, parse_rfc3339, rfc3339};
use crate::domain::timeline::{Entry, EntryFields, NewEntry, Revision};
use crate::domain::{self, patch};
use crate::services::timeline;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(show, edit, delete))
        .routes(routes!(restore))
        .routes(routes!(revisions))
}

fn tagged(entry: Entry) -> Tagged<Entry> {
    Tagged(entry.version, entry)
}

/// The timeline, in order of `occurred_at`
#[utoipa::path(
    get,
    path = "/api/v1/incidents/{ref}/timeline",
    tag = "timeline",
    params(Paging),
    responses((status = 200, body = List<Entry>))
)]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(which): Path<IncidentRef>,
    Query(paging): Query<Paging>,
) -> Result<List<Entry>> {
    Ok(timeline::page(&app, &actor, which, &paging.page()).await?.into())
}

/// A new entry. `occurred_at` is now when it is left out; the offset that it is written with is kept in
/// `utc_offset_minutes` unless that is given too.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is read as JSON, because the typed offset is part of it")]
struct NewTimelineEntry {
    /// Made by the client: sending the same entry again is harmless.
    id: Option<Uuid>,
    #[serde(flatten)]
    fields: EntryFields,
}

/// Add an entry
///
/// With an `id` of the client's, a repeated POST answers 200 with the entry that the first one made.
#[utoipa::path(
    post,
    path = "/api/v1/incidents/{ref}/timeline",
    tag = "timeline",
    request_body = NewTimelineEntry,
    responses(
        (status = 201, body = Entry, headers(("Location" = String), ("ETag" = String))),
        (status = 200, body = Entry, description = "It was there already", headers(("ETag" = String)))
    )
)]
async fn add(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(which): Path<IncidentRef>,
    Body(body): Body<Map<String, Value>>,
) -> Result<Response> {
    let new = new_entry(body, app.now())?;
    let (entry, fresh) = timeline::add(&app, &actor, which, new).await?;
    Ok(made(fresh, format!("/api/v1/incidents/{}/timeline/{}", entry.incident_id, entry.id), tagged(entry)))
}

fn new_entry(mut body: Map<String, Value>, now: Timestamp) -> domain::error::Result<NewEntry> {
    let id = take_id(&mut body)?;
    if body.get("occurred_at").is_none_or(Value::is_null) {
        body.insert("occurred_at".to_owned(), json!(rfc3339(now)));
    }
    Ok(NewEntry { id, fields: patch::read(Value::Object(with_offset(body)?))? })
}

/// Keeps the offset that `occurred_at` was written with, unless one is given.
fn with_offset(mut body: Map<String, Value>) -> domain::error::Result<Map<String, Value>> {
    if let Some(Value::String(text)) = body.get("occurred_at") {
        let (at, offset) = parse_rfc3339("occurred_at", text)?;
        // A `Z` says nothing about where somebody sits, and what was kept before may.
        let typed = !text.trim_end().ends_with(['Z', 'z']);
        body.insert("occurred_at".to_owned(), json!(rfc3339(at)));
        if typed && body.get("utc_offset_minutes").is_none_or(Value::is_null) {
            body.insert("utc_offset_minutes".to_owned(), json!(offset));
        }
    }
    Ok(body)
}

/// One entry
#[utoipa::path(
    get,
    path = "/api/v1/incidents/{ref}/timeline/{id}",
    tag = "timeline",
    responses((status = 200, body = Entry, headers(("ETag" = String))))
)]
async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((which, id)): Path<(IncidentRef, EntryId)>,
) -> Result<Tagged<Entry>> {
    Ok(tagged(timeline::find(&app, &actor, which, id).await?))
}

/// Correct an entry
///
/// The version before stays among the revisions.
#[utoipa::path(
    patch,
    path = "/api/v1/incidents/{ref}/timeline/{id}",
    tag = "timeline",
    params(IfMatch),
    request_body = EntryFields,
    responses((status = 200, body = Entry, headers(("ETag" = String))))
)]
async fn edit(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((which, id)): Path<(IncidentRef, EntryId)>,
    IfMatch(version): IfMatch,
    Body(patch): Body<Map<String, Value>>,
) -> Result<Tagged<Entry>> {
    let patch = Value::Object(with_offset(patch)?);
    Ok(tagged(timeline::edit(&app, &actor, which, id, version, &patch).await?))
}

/// Hide an entry
///
/// `restore` brings it back.
#[utoipa::path(
    delete,
    path = "/api/v1/incidents/{ref}/timeline/{id}",
    tag = "timeline",
    params(MayMatch),
    responses((status = 204))
)]
async fn delete(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((which, id)): Path<(IncidentRef, EntryId)>,
    matching: MayMatch,
) -> Result<StatusCode> {
    let entry = timeline::find(&app, &actor, which, id).await?;
    matching.check(entry.version, "the entry", &entry)?;
    timeline::delete(&app, &actor, which, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Bring a deleted entry back
#[utoipa::path(
    post,
    path = "/api/v1/incidents/{ref}/timeline/{id}/restore",
    tag = "timeline",
    responses((status = 200, body = Entry, headers(("ETag" = String))))
)]
async fn restore(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((which, id)): Path<(IncidentRef, EntryId)>,
) -> Result<Tagged<Entry>> {
    Ok(tagged(timeline::restore(&app, &actor, which, id).await?))
}

/// Every version of an entry, oldest first, the current one last
#[utoipa::path(
    get,
    path = "/api/v1/incidents/{ref}/timeline/{id}/revisions",
    tag = "timeline",
    responses((status = 200, body = List<Revision>))
)]
async fn revisions(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((which, id)): Path<(IncidentRef, EntryId)>,
) -> Result<List<Revision>> {
    Ok(timeline::revisions(&app, &actor, which, id).await?.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Error;

    fn read(body: Value) -> domain::error::Result<NewEntry> {
        let Value::Object(body) = body else { panic!("an object") };
        new_entry(body, "2026-11-21T14:00:00Z".parse().expect("time"))
    }

    #[test]
    fn the_typed_offset_is_kept_and_now_is_the_default() {
        let entry = read(json!({"title": "x", "occurred_at": "2026-11-21T15:03:00+01:00"})).expect("reads").fields;
        assert_eq!((rfc3339(entry.occurred_at).as_str(), entry.utc_offset_minutes), ("2026-11-21T14:03:00Z", 60));
        let entry = read(json!({"occurred_at": "2026-11-21T15:03:00+01:00", "utc_offset_minutes": -300})).expect("reads").fields;
        assert_eq!(entry.utc_offset_minutes, -300);
        let entry = read(json!({"title": "x", "id": "01890a5d-ac96-774b-bcce-b302099a8057"})).expect("reads");
        assert_eq!((rfc3339(entry.fields.occurred_at).as_str(), entry.id.is_some()), ("2026-11-21T14:00:00Z", true));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (body, pointer, code) in [
            (json!({"occurred_at": "2026-11-21T14:03:00"}), "/occurred_at", "not_a_time"),
            (json!({"ended_at": "14:03"}), "/ended_at", "not_a_time"),
            (json!({"id": 7}), "/id", "not_an_id"),
            (json!({"kind": "rumour"}), "/kind", "invalid"),
            (json!({"author": "mk"}), "/author", "unknown_field"),
            (json!({"occurred_at": 5}), "/occurred_at", "invalid"),
        ] {
            let Err(Error::Invalid(errors)) = read(body.clone()) else { panic!("accepted {body}") };
            assert_eq!((errors.0[0].pointer.as_str(), errors.0[0].code), (pointer, code), "{body}");
        }
    }
}
