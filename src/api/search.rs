//! `/search`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::error::Result;
use super::extract::{Caller, List, Query};
use crate::app::App;
use crate::domain::id::Reference;
use crate::domain::incident::{Severity, Status};
use crate::domain::search::excerpt::{excerpt, html, marked};
use crate::domain::search::{Found, Hit, Search, Term};
use crate::domain::timeline::EntryKind;
use crate::services::{Page, search};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(find))
}

/// One thing found. In `title_html` and `excerpt_html` all text is escaped; the only markup is `<mark>`.
#[derive(Debug, Serialize, ToSchema)]
struct HitView {
    kind: Found,
    /// Of the incident, the entry, the task or the balancer; a postmortem has the id of its incident.
    id: Uuid,
    /// The incident that it is or belongs to; null for a balancer.
    incident: Option<Reference>,
    /// Of that incident.
    severity: Option<Severity>,
    /// Of that incident.
    status: Option<Status>,
    entry_kind: Option<EntryKind>,
    /// When it happened.
    at: DateTime<Utc>,
    title: String,
    title_html: String,
    /// About two lines around what was found.
    excerpt_html: String,
}

fn view(hit: Hit, terms: &[Term]) -> HitView {
    HitView {
        kind: hit.found,
        id: hit.id,
        incident: hit.incident,
        severity: hit.severity,
        status: hit.status,
        entry_kind: hit.entry_kind,
        at: hit.at,
        title_html: html(&marked(&hit.title, terms)),
        excerpt_html: html(&excerpt(&hit.body, terms)),
        title: hit.title,
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SearchQuery {
    /// Words, "phrases", -without, beginnings*, and the filters `status:` `severity:` `kind:` `service:` `label:`
    /// `after:` `before:`. No text is an error; days are those of UTC.
    #[serde(default)]
    q: String,
    /// Rows wanted, at most 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Incidents, entries, tasks, postmortems and balancers by what they say, the best first
///
/// Of equals the newest come first; filters without words give incidents, the newest first. At most 1,000 come in all,
/// the newest that match.
#[utoipa::path(get, path = "/api/v1/search", tag = "search", params(SearchQuery), responses((status = 200, body = List<HitView>)))]
async fn find(State(app): State<App>, Caller(actor): Caller, Query(query): Query<SearchQuery>) -> Result<List<HitView>> {
    let asked = Search::parse(&query.q, app.now(), 0);
    let found = search::find(&app, &actor, &asked, &Page { limit: query.limit, cursor: query.cursor }).await?;
    let items = found.items.into_iter().map(|hit| view(hit, &asked.wanted)).collect();
    Ok(List { items, next_cursor: found.next_cursor })
}
