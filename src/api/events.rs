//! `/events`: every change as it happens, and `/audit`: all of it for administrators.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{self, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::Result;
use super::extract::{Caller, List, Paging, Query, bearer};
use crate::app::App;
use crate::domain::Error;
use crate::domain::event::Event;
use crate::domain::id::{IncidentId, IncidentRef};
use crate::services::{events, incidents, tokens};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(follow)).routes(routes!(audit))
}

/// A comment is sent this often, so that proxies keep the connection open.
const PING: Duration = Duration::from_secs(15);
/// A command that writes beside the server on SQLite wakes nobody here: what it did is found this late.
const LOOK: Duration = Duration::from_secs(2);
const CROWDED: &str = "as many follow the changes as the server takes; ask for single pages, or come back in a while";
/// Events fetched at once.
const BATCH: i64 = 200;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventQuery {
    /// Reference or id of one incident; all that are visible when left out.
    incident: Option<String>,
}

/// Changes as they happen, as server-sent events
///
/// Each has its sequence number as `id`, its kind as `event` and the event as JSON in `data`. After a
/// reconnect, `Last-Event-ID` brings what was missed.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "events",
    params(EventQuery, ("Last-Event-ID" = Option<i64>, Header, description = "Begin after this event; with the next one when left out")),
    responses((status = 200, body = String, content_type = "text/event-stream"))
)]
async fn follow(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(query): Query<EventQuery>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>> + use<>>> {
    let incident = match query.incident {
        Some(which) => Some(incidents::find(&app, &actor, which.parse::<IncidentRef>()?).await?.id),
        None => None,
    };
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.trim().parse().ok());
    let slot = app.stream_slot().ok_or_else(|| Error::Unavailable(CROWDED.into()))?;
    let wake = app.bus().subscribe();
    let seq = match seen {
        Some(seq) => seq,
        None => events::latest(&app).await?,
    };
    // What the token may not read is said now, as an answer, and not by a stream that ends at once.
    events::after(&app, &actor, seq, incident, 1).await?;
    let token = bearer(&headers).unwrap_or_default().to_owned();
    let reader = Reader { app, token, incident, seq, wake, waiting: VecDeque::new(), _slot: slot };
    Ok(Sse::new(stream::unfold(reader, Reader::next)).keep_alive(KeepAlive::new().interval(PING)))
}

/// One who follows: where they are in the log, and what was fetched and not yet sent.
struct Reader {
    app: App,
    token: String,
    incident: Option<IncidentId>,
    seq: i64,
    wake: watch::Receiver<i64>,
    waiting: VecDeque<Event>,
    _slot: OwnedSemaphorePermit,
}

impl Reader {
    /// The next event; `None` ends the stream, and the client comes back with what it saw last.
    async fn next(mut self) -> Option<(Result<sse::Event, Infallible>, Self)> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                let data = serde_json::to_string(&event).unwrap_or_default();
                let sent = sse::Event::default().id(event.seq.to_string()).event(event.kind).data(data);
                return Some((Ok(sent), self));
            }
            self.wake.mark_unchanged();
            let before = self.seq;
            self.fetch().await?;
            if self.seq == before {
                self.wait().await?;
            }
        }
    }

    /// Asks for the token each time: a revoked one ends its streams.
    async fn fetch(&mut self) -> Option<()> {
        let actor = tokens::authenticate(&self.app, &self.token).await.ok()?;
        let (fresh, seq) = events::after(&self.app, &actor, self.seq, self.incident, BATCH).await.ok()?;
        self.seq = seq;
        self.waiting.extend(fresh);
        Some(())
    }

    async fn wait(&mut self) -> Option<()> {
        tokio::select! {
            woken = self.wake.changed() => woken.ok(),
            () = tokio::time::sleep(LOOK) => Some(()),
            () = self.app.shutdown().cancelled() => None,
        }
    }
}

/// The audit log, oldest first
///
/// For administrators. `cursor` is the sequence number of the last event seen.
#[utoipa::path(get, path = "/api/v1/audit", tag = "events", params(Paging), responses((status = 200, body = List<Event>)))]
async fn audit(State(app): State<App>, Caller(actor): Caller, Query(paging): Query<Paging>) -> Result<List<Event>> {
    let page = paging.page();
    let limit = page.limit()?;
    let bad = || Error::invalid("cursor", "not_a_cursor", "this is no cursor of ours; start again without one");
    let seq = page.cursor.map_or(Ok(0), |cursor| cursor.parse().map_err(|_| bad()))?;
    let mut items = events::audit(&app, &actor, seq, limit + 1).await?;
    let more = items.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    items.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next_cursor = items.last().filter(|_| more).map(|event| event.seq.to_string());
    Ok(List { items, next_cursor })
}
