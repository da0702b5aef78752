//! Everything that can be found, from the box in the header.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use super::error::Result;
use super::extract::{Query, Session};
use super::page::{Page, Shell, see};
use super::sent::query;
use crate::app::App;
use crate::domain::access::Permission;
use crate::domain::id::Reference;
use crate::domain::search::excerpt::{Piece, excerpt, marked};
use crate::domain::search::{Filter, Found, Hit, Search};
use crate::domain::time::Timestamp;
use crate::services::{self, Page as Rows};

pub fn routes() -> Router<App> {
    Router::new().route("/search", get(show))
}

#[derive(Deserialize, Default)]
struct Asked {
    #[serde(default)]
    q: String,
    /// One kind of thing, chosen by a chip; empty for all.
    #[serde(default)]
    kind: String,
    cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "search.html")]
struct Results {
    shell: Shell,
    asked: Asked,
    search: Search,
    now: Timestamp,
    hits: Vec<Hit>,
    next: Option<String>,
}

impl Results {
    /// The same search for one kind of thing.
    fn of(&self, kind: &str) -> String {
        format!("/search{}", query(&[("q", &self.asked.q), ("kind", kind)]))
    }

    fn kinds(&self) -> impl Iterator<Item = &Found> {
        Found::ALL.iter().filter(|kind| **kind != Found::Balancer || self.shell.may(Permission::ReadBalancers))
    }

    fn title(&self, hit: &Hit) -> Vec<Piece> {
        marked(&hit.title, &self.search.wanted)
    }

    fn excerpt(&self, hit: &Hit) -> Vec<Piece> {
        excerpt(&hit.body, &self.search.wanted)
    }

    fn said(&self) -> String {
        self.search.said().join(", ")
    }

    /// The same words as beginnings of words, where that can find more.
    fn beginnings(&self) -> Option<String> {
        beginnings(&self.asked.q).map(|wider| format!("/search{}", query(&[("q", &wider), ("kind", &self.asked.kind)])))
    }

    fn words_alone(&self) -> Option<String> {
        let words = words_alone(&self.asked.q, self.now);
        let narrow = words != self.asked.q.trim() || !self.asked.kind.is_empty();
        (narrow && !words.is_empty()).then(|| format!("/search{}", query(&[("q", &words)])))
    }
}

/// A star behind every plain word; none where there is no such word.
fn beginnings(q: &str) -> Option<String> {
    let plain =
        |part: &str| part.ends_with(char::is_alphanumeric) && !part.contains([':', '"', '“', '„']) && !part.starts_with('-');
    if q.contains('"') || !q.split_whitespace().any(plain) {
        return None;
    }
    let parts = q.split_whitespace().map(|part| if plain(part) { format!("{part}*") } else { part.to_owned() });
    Some(parts.collect::<Vec<_>>().join(" "))
}

/// Without filters and without what is not wanted.
fn words_alone(q: &str, now: Timestamp) -> String {
    let narrows = |part: &str| !Search::parse(part, now, 0).filters.is_empty() || part.starts_with('-');
    if q.contains('"') {
        return q.trim().to_owned();
    }
    q.split_whitespace().filter(|part| !narrows(part)).collect::<Vec<_>>().join(" ")
}

/// Where a hit is read.
fn place(hit: &Hit) -> String {
    let incident = hit.incident.map(|reference| format!("/incidents/{reference}")).unwrap_or_default();
    match hit.found {
        Found::Incident => incident,
        // Old entries of a long timeline are only there when all are asked for.
        Found::Entry => format!("{incident}?all=1#entry-{}", hit.id),
        Found::Task => format!("{incident}#task-{}", hit.id),
        Found::Postmortem => format!("{incident}/postmortem"),
        Found::Balancer => format!("/balancers/{}", hit.id),
    }
}

async fn show(State(app): State<App>, session: Session, shell: Shell, Query(asked): Query<Asked>) -> Result<Response> {
    // Whoever types a reference wants the incident, not a list of what names it.
    let typed = asked.q.trim();
    if let Ok(reference) = typed.parse::<Reference>()
        && services::incidents::find(&app, &session.actor, reference.into()).await.is_ok()
    {
        return Ok(see(&format!("/incidents/{reference}")));
    }
    let mut search = Search::parse(typed, app.now(), shell.zone().minutes);
    if let (false, Ok(kind)) = (search.is_empty(), asked.kind.parse()) {
        search.filters.push((true, Filter::Found(kind)));
    }
    let cursor = asked.cursor.clone().filter(|cursor| !cursor.is_empty());
    let found = services::search::find(&app, &session.actor, &search, &Rows { limit: None, cursor }).await?;
    let next = found
        .next_cursor
        .map(|cursor| format!("/search{}", query(&[("q", &asked.q), ("kind", &asked.kind), ("cursor", &cursor)])));
    Ok(Page(Results { shell, asked, search, now: app.now(), hits: found.items, next }).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_widened_by_what_narrows_it() {
        let wider = |q| beginnings(q).unwrap_or_default();
        assert_eq!(wider(" dead lock* -x status:open web-3 "), "dead* lock* -x status:open web-3*");
        assert_eq!(["\"dead lock\" a", " lock*  status:open ", " "].map(beginnings), [None, None, None], "the same search again");
        let now = "2026-11-21T12:00:00Z".parse().expect("a time");
        assert_eq!(words_alone("dead status:open -x after:7d http://x", now), "dead http://x");
    }
}
