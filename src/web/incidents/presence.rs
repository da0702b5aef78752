//! The people of a room: who is there, what each works on, and how far the reader has read.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;

use crate::app::App;
use crate::domain::access::Actor;
use crate::domain::id::{IncidentId, IncidentRef};
use crate::domain::incident::Incident;
use crate::domain::presence::{self, LINE_MAX, Presence, WorkingOn};
use crate::domain::time::Timestamp;
use crate::services;
use crate::web::error::Result;
use crate::web::extract::{Form, Path, Session};
use crate::web::format;
use crate::web::page::{Page, Shell, see};
use crate::web::sent::Sent;

pub fn routes() -> Router<App> {
    Router::new().route("/incidents/{incident}/working-on", post(work)).route("/incidents/{incident}/read", post(read))
}

/// The strip of names above the timeline.
#[derive(Template)]
#[template(path = "incidents/_people.html")]
pub struct People {
    pub shell: Shell,
    reference: String,
    people: Vec<Presence>,
    /// What the reader said that they work on.
    own: Option<(String, Timestamp)>,
    now: Timestamp,
    /// What is wrong with the line that was sent, and the line.
    refused: Option<(String, String)>,
}

impl People {
    /// Who looks at the room is in it, also before their page said so.
    pub async fn of(app: &App, actor: &Actor, shell: &Shell, incident: &Incident) -> Result<Self> {
        let mut people = services::presence::of_incident(app, actor, IncidentRef::Id(incident.id)).await?;
        let me = actor.owner();
        let own = people.iter().position(|person| person.handle == me).map(|at| people.remove(at));
        let own = own.unwrap_or(Presence { handle: me, here: true, working_on: None, working_since: None });
        let line = own.working_on.clone().zip(own.working_since);
        people.insert(0, Presence { here: true, ..own });
        Ok(Self {
            shell: shell.clone(),
            reference: incident.reference.to_string(),
            people,
            own: line,
            now: app.now(),
            refused: None,
        })
    }

    /// Who is there with what they work on, as a tag of the page takes it.
    pub fn state(&self) -> String {
        format!("{:?}", self.people)
    }

    fn is_me(&self, index: &usize) -> bool {
        *index == 0
    }

    /// What stands in the field.
    fn typed(&self) -> &str {
        let own = self.own.as_ref().map_or("", |(text, _)| text.as_str());
        self.refused.as_ref().map_or(own, |(_, typed)| typed.as_str())
    }

    /// Whether the reader's own line is so old that it may be over.
    fn is_stale(&self) -> bool {
        self.own.as_ref().is_some_and(|(_, since)| self.now - *since >= presence::LINE_FOR)
    }
}

async fn work(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path(which): Path<IncidentRef>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let actor = &session.actor;
    let sent = Sent::new(pairs);
    let text = sent.value("text").trim().to_owned();
    let outcome = if text.is_empty() || sent.holds("done", "1") {
        services::presence::clear_working_on(&app, actor, which).await
    } else {
        services::presence::set_working_on(&app, actor, which, WorkingOn { text: text.clone() }).await.map(drop)
    };
    let refused = match outcome {
        Ok(()) => None,
        // The script keeps the form as it is, and shows the reason beside it.
        Err(fault) if shell.wants_fragment() => return Err(fault.into()),
        Err(fault) => sent.refuse(fault)?.error("text").map(|detail| (detail.to_owned(), text)),
    };
    let incident = services::incidents::find(&app, actor, which).await?;
    if refused.is_none() && !shell.wants_fragment() {
        return Ok(see(&format!("/incidents/{}", incident.reference)));
    }
    let people = People { refused, ..People::of(&app, actor, &shell, &incident).await? };
    if people.refused.is_none() {
        return Ok(Page(people).into_response());
    }
    Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(Again { shell, people })).into_response())
}

/// The line that was refused, on a page of its own.
#[derive(Template)]
#[template(path = "incidents/working_on.html")]
struct Again {
    shell: Shell,
    people: People,
}

/// Up to where the reader has read: what the form or the script says, which stands at an event.
async fn read(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path(which): Path<IncidentRef>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let seq = Sent::new(pairs).value("seq").parse().ok();
    services::readings::mark(&app, &session.actor, which, seq).await?;
    if shell.wants_fragment() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let incident = services::incidents::find(&app, &session.actor, which).await?;
    Ok(see(&format!("/incidents/{}", incident.reference)))
}

/// What a page that is open in the room is told besides the events: that the people changed, or that its reader read on
/// in another tab.
pub struct Beside {
    incident: IncidentId,
    seat: services::presence::Seat,
    sat: Option<tokio::time::Instant>,
    people: Vec<Presence>,
    read: Option<i64>,
}

impl Beside {
    /// Takes a seat, and notes how the room is before the page asks.
    pub async fn new(app: &App, actor: &Actor, incident: IncidentId) -> Self {
        let seat = services::presence::Seat::new(app);
        let mut beside = Self { incident, seat, sat: None, people: Vec::new(), read: None };
        beside.look(app, actor).await;
        beside
    }

    /// What changed since the last look, as names of events with their data. Nobody's stream ends over this: who cannot
    /// be written down or asked for now is at the next look.
    pub async fn look(&mut self, app: &App, actor: &Actor) -> Vec<(&'static str, serde_json::Value)> {
        if self.sat.is_none_or(|sat| sat.elapsed().as_secs() >= presence::SIGN_EVERY_SECONDS) {
            self.sat = Some(tokio::time::Instant::now());
            if let Err(fault) = self.seat.keep(actor, self.incident).await {
                tracing::debug!(%fault, "who is in a room could not be written");
            }
        }
        let mut news = Vec::new();
        if let Ok(people) = services::presence::of_incident(app, actor, IncidentRef::Id(self.incident)).await
            && people != self.people
        {
            self.people = people;
            news.push(("presence", serde_json::json!({})));
        }
        if let Ok(read) = services::readings::seq(app, actor, self.incident).await
            && read != self.read
        {
            self.read = read;
            news.push(("read", serde_json::json!({"seq": read})));
        }
        news
    }
}
