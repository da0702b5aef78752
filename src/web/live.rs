//! The live stream of one incident and of all: what changed, never what it says. The script fetches the
//! parts that changed, so rights are checked where pages are made.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use serde::Deserialize;
use tokio::time::Instant;

use super::error::Result;
use super::extract::{Path, Query, Session, cookie, session_cookie};
use super::incidents::presence::Beside;
use crate::app::App;
use crate::domain::access::Actor;
use crate::domain::event::Event;
use crate::domain::id::{IncidentId, IncidentRef};
use crate::services;

pub fn routes() -> Router<App> {
    Router::new().route("/live", get(all)).route("/incidents/{incident}/live", get(one))
}

/// Rows read at a time.
const BATCH: i64 = 200;
/// How long to wait for the bus before looking anyway: another process may have written.
const LOOK: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct Asked {
    after: Option<i64>,
}

async fn all(State(app): State<App>, session: Session, headers: HeaderMap, Query(asked): Query<Asked>) -> Result<Response> {
    follow(app, session.actor, None, &headers, &asked).await
}

async fn one(
    State(app): State<App>,
    session: Session,
    headers: HeaderMap,
    Path(which): Path<IncidentRef>,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let incident = services::incidents::find(&app, &session.actor, which).await?;
    follow(app, session.actor, Some(incident.id), &headers, &asked).await
}

/// What one stream remembers between two events.
struct Follower {
    app: App,
    /// The session's secret: who asks is asked for again each time.
    secret: String,
    actor: Actor,
    incident: Option<IncidentId>,
    seq: i64,
    waiting: std::vec::IntoIter<Event>,
    bus: tokio::sync::watch::Receiver<i64>,
    /// The people of the room, when this is the stream of one.
    beside: Option<Beside>,
    looked: Instant,
    /// What these people did and the stream has yet to say.
    aside: std::vec::IntoIter<(&'static str, serde_json::Value)>,
}

async fn follow(app: App, actor: Actor, incident: Option<IncidentId>, headers: &HeaderMap, asked: &Asked) -> Result<Response> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let seq = match last.or(asked.after) {
        Some(seq) => seq,
        None => services::events::latest(&app).await?,
    };
    let bus = app.bus().subscribe();
    let secret = cookie(headers, session_cookie(&app)).unwrap_or_default().to_owned();
    let beside = match incident {
        Some(incident) => Some(Beside::new(&app, &actor, incident).await),
        None => None,
    };
    let (waiting, aside) = (Vec::new().into_iter(), Vec::new().into_iter());
    let follower = Follower { app, secret, actor, incident, seq, waiting, bus, beside, looked: Instant::now(), aside };
    let events = stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15)).text("still here");
    let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

impl Follower {
    /// The next event; none when the session is over or its rights changed, the server stops or the log
    /// cannot be read. The browser then comes back by itself with the last id that it saw.
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if let Some(event) = self.waiting.next() {
                return Some(written(&event));
            }
            // Without an id: a browser that comes back names the last event of the log that it saw.
            if let Some((kind, data)) = self.aside.next() {
                return Some(sse::Event::default().event(kind).data(data.to_string()));
            }
            self.bus.mark_unchanged();
            let person = services::people::of_session(&self.app, &self.secret).await.ok()??;
            if person.actor() != self.actor {
                return None;
            }
            let (events, newest) = services::events::after(&self.app, &self.actor, self.seq, self.incident, BATCH).await.ok()?;
            let moved = newest > self.seq;
            self.seq = newest;
            self.waiting = events.into_iter();
            if let Some(beside) = self.beside.as_mut().filter(|_| self.looked.elapsed() >= LOOK) {
                self.looked = Instant::now();
                self.aside = beside.look(&self.app, &self.actor).await.into_iter();
            }
            if moved || self.aside.len() > 0 {
                continue;
            }
            tokio::select! {
                () = self.app.shutdown().cancelled() => return None,
                changed = self.bus.changed() => changed.ok()?,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}

/// `id` is the sequence number, `event` the kind, `data` where to look.
fn written(event: &Event) -> sse::Event {
    let data =
        serde_json::json!({"kind": event.kind, "subject": event.subject, "incident": event.incident_id, "by": event.actor});
    sse::Event::default().id(event.seq.to_string()).event(event.kind.clone()).data(data.to_string())
}
