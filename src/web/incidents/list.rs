//! All incidents, filtered by what stands in the address, so that every view is a link.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::Duration;

use super::new;
use crate::app::App;
use crate::domain::error::FieldErrors;
use crate::domain::id::Reference;
use crate::domain::incident::{IncidentKind, IncidentLine, Severity, Status, Visibility};
use crate::domain::search::Search;
use crate::domain::time::{self, Timestamp};
use crate::services::incidents::IncidentFilter;
use crate::services::{self, Page as Rows};
use crate::web::error::Result;
use crate::web::extract::{Query, Session};
use crate::web::format::Zone;
use crate::web::page::{Page, Shell, see};
use crate::web::sent::{Sent, query};

pub fn routes() -> Router<App> {
    Router::new().route("/incidents", get(show).post(new::declare))
}

/// What may be filtered by, in the order of the address.
const NAMES: [&str; 8] = ["q", "status", "severity", "kind", "service", "label", "from", "to"];

#[derive(Template)]
#[template(path = "incidents/list.html")]
struct List {
    shell: Shell,
    sent: Sent,
    now: Timestamp,
    /// Where the live stream goes on from.
    seq: i64,
    incidents: Vec<IncidentLine>,
    older: Option<String>,
    /// Whether newer ones are on the pages before.
    is_later: bool,
}

impl List {
    /// This view with one filter set otherwise, from its beginning.
    fn with(&self, name: &str, value: &str) -> String {
        let pairs = NAMES.map(|known| (known, if known == name { value } else { self.sent.value(known) }));
        format!("/incidents{}", query(&pairs))
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.sent.value(name) == value
    }

    fn is_filtered(&self) -> bool {
        !self.used().is_empty()
    }

    /// Whether the filters that have no chip are in use, so that their form stands open.
    fn is_detailed(&self) -> bool {
        ["q", "kind", "service", "label", "from", "to"].iter().any(|name| !self.sent.value(name).trim().is_empty())
    }

    /// The filters in use, in words, each with the address of this view without it.
    fn used(&self) -> Vec<(String, String)> {
        let words = |name: &'static str| match name {
            "q" => "words",
            "from" => "from",
            "to" => "up to",
            other => other,
        };
        let used = NAMES.into_iter().filter(|name| !self.sent.value(name).trim().is_empty());
        used.map(|name| (format!("{}: {}", words(name), self.sent.value(name).trim()), self.with(name, ""))).collect()
    }
}

async fn show(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Response> {
    let mut sent = Sent::new(pairs);
    // Whoever searches for a reference wants the incident, not a list of one.
    if let Ok(reference) = sent.value("q").trim().parse::<Reference>()
        && services::incidents::find(&app, &session.actor, reference.into()).await.is_ok()
    {
        return Ok(see(&format!("/incidents/{reference}")));
    }
    let filter = read(&mut sent, shell.zone(), app.now());
    let seq = services::events::latest(&app).await?;
    let cursor = Some(sent.value("cursor").to_owned()).filter(|cursor| !cursor.is_empty());
    let is_later = cursor.is_some();
    let page = services::incidents::lines(&app, &session.actor, &filter, &Rows { limit: None, cursor }).await?;
    let older = page.next_cursor.map(|cursor| {
        let mut pairs = NAMES.map(|name| (name, sent.value(name))).to_vec();
        pairs.push(("cursor", &cursor));
        format!("/incidents{}", query(&pairs))
    });
    Ok(Page(List { shell, now: app.now(), seq, incidents: page.items, older, is_later, sent }).into_response())
}

/// The filter that the address asks for; what cannot be read is left out and said.
fn read(sent: &mut Sent, zone: Zone, now: Timestamp) -> IncidentFilter {
    let mut errors = FieldErrors::default();
    let word = |name: &str| Some(sent.value(name).trim()).filter(|word| !word.is_empty()).map(str::to_owned);
    let (status, severity, kind) = (word("status"), word("severity"), word("kind"));
    let service = word("service");
    let label = word("label").and_then(|label| match label.split_once('=') {
        Some((name, value)) => Some((name.trim().to_owned(), value.trim().to_owned())),
        None => {
            errors.push("label", "not_a_label", format!("“{}” has no value; write it like team=db", time::shorten(&label, 40)));
            None
        }
    });
    let q = word("q").map(|q| Search::parse(&q, now, zone.minutes).by_beginnings());
    let mut day = |name: &str| {
        let text = word(name)?;
        let at = time::parse_date(name, &text).and_then(|day| time::parse_local(name, &format!("{day}T00:00"), zone.minutes));
        at.map_err(|_| {
            errors.push(name, "not_a_date", format!("“{}” is not a day; write it like 2026-11-21", time::shorten(&text, 40)))
        })
        .ok()
    };
    let (from, to) = (day("from"), day("to"));
    let mut filter = IncidentFilter { service, label, q, from, to: to.map(|to| to + Duration::days(1)), ..Default::default() };
    match status.as_deref() {
        Some("open") => filter.open = Some(true),
        Some(word) => filter.status = known(word.parse::<Status>(), "status", &mut errors),
        None => {}
    }
    filter.severity = severity.and_then(|word| known(word.parse::<Severity>(), "severity", &mut errors));
    filter.kind = kind.and_then(|word| known(word.parse::<IncidentKind>(), "kind", &mut errors));
    sent.complain(errors);
    filter
}

fn known<T>(parsed: crate::domain::Result<T>, name: &str, errors: &mut FieldErrors) -> Option<T> {
    parsed.map_err(|error| errors.push(name, "unknown_word", error.to_string().trim_start_matches(": ").to_owned())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(pairs: &[(&str, &str)]) -> Sent {
        Sent::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn days_are_those_of_the_reader_and_both_ends_count() {
        let filter = read(
            &mut sent(&[("from", "2026-11-21"), ("to", "2026-11-21")]),
            Zone { minutes: 60, year: 0 },
            Timestamp::UNIX_EPOCH,
        );
        let at = |text: &str| Some(text.parse::<Timestamp>().expect("time"));
        assert_eq!((filter.from, filter.to), (at("2026-11-20T23:00:00Z"), at("2026-11-21T23:00:00Z")));
    }

    #[test]
    fn what_is_not_understood_is_said_and_hides_nothing() {
        let mut sent = sent(&[("status", "open"), ("severity", "sev9"), ("from", "soon"), ("kind", "drill"), ("label", "db")]);
        let filter = read(&mut sent, Zone::default(), Timestamp::UNIX_EPOCH);
        assert_eq!((filter.open, filter.severity, filter.kind), (Some(true), None, Some(IncidentKind::Drill)));
        assert!(sent.error("severity").is_some_and(|said| said.contains("sev9")) && sent.error("from").is_some());
        assert!(filter.label.is_none() && sent.error("label").is_some());
    }
}
