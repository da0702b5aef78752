//! The incident that is going on: what its people write while somebody looks on.

use std::time::Duration;

use tokio::time::interval;

use super::edge::Edge;
use super::fill::Live;
use super::story::Told;
use crate::app::App;
use crate::domain::id::IncidentRef;
use crate::domain::presence::{SIGN_EVERY_SECONDS, WorkingOn};
use crate::domain::timeline::{EntryFields, EntryKind, NewEntry};
use crate::services::{presence, timeline};

/// How long they take for an entry.
const PACE: Duration = Duration::from_secs(40);
/// And once all is said, between two readings of the recorder's figures.
const QUIET_PACE: Duration = Duration::from_secs(240);
/// What the incident is about.
const POOL: &str = "be_shop";

/// Who else is in the room, and what they say that they work on.
const COLLEAGUES: [(&str, &str); 2] = [("jl", "reading the log of the patch job on app4"), ("rs", "going through app5 by hand")];

/// Keeps the colleagues in the room until the app ends.
pub async fn attend(app: App, live: Live) {
    let IncidentRef::Id(incident) = live.incident else { return };
    let mut seats = Vec::new();
    for (handle, text) in COLLEAGUES {
        let Some(actor) = live.people.get(handle) else { continue };
        if let Err(fault) = presence::set_working_on(&app, actor, live.incident, WorkingOn { text: text.into() }).await {
            tracing::warn!(%fault, "what {handle} works on could not be written");
        }
        seats.push((presence::Seat::new(&app), actor));
    }
    let mut sign = interval(Duration::from_secs(SIGN_EVERY_SECONDS));
    loop {
        tokio::select! {
            _ = sign.tick() => {}
            () = app.shutdown().cancelled() => return,
        }
        for (seat, actor) in &mut seats {
            if let Err(fault) = seat.keep(actor, incident).await {
                tracing::warn!(%fault, "a colleague could not be kept in the room");
            }
        }
    }
}

/// Writes until the app ends.
pub async fn run(app: App, edge: Edge, live: Live) {
    let mut waiting = live.later.iter();
    loop {
        let told = waiting.next();
        let pace = if told.is_some() { PACE } else { QUIET_PACE };
        tokio::select! {
            () = tokio::time::sleep(pace) => {}
            () = app.shutdown().cancelled() => return,
        }
        let outcome = match told.cloned().or_else(|| reading(&edge)) {
            Some(told) => write(&app, &live, told).await,
            None => Ok(()),
        };
        if let Err(fault) = outcome {
            tracing::warn!(%fault, "an entry of the live incident could not be written");
        }
    }
}

async fn write(app: &App, live: &Live, told: Told) -> crate::services::Result<()> {
    let Some(actor) = live.people.get(&told.by) else { return Ok(()) };
    let fields = EntryFields { occurred_at: app.now(), ..told.fields() };
    timeline::add(app, actor, live.incident, NewEntry { id: None, fields }).await.map(drop)
}

/// An observation from what the balancer counts now.
fn reading(edge: &Edge) -> Option<Told> {
    let (worst, waiting) = edge.worst(POOL)?;
    let title = if waiting < 1.0 {
        format!("Nobody waits in {POOL} at the moment; {} is the slowest with {:.0} ms", worst.name, worst.response_ms)
    } else {
        format!("{waiting:.0} requests wait in {POOL}, {:.0} of them for {}", worst.queue, worst.name)
    };
    let body = format!("`{}` answers in {:.0} ms and holds {:.0} requests.", worst.name, worst.response_ms, worst.sessions);
    Some(Told { by: "ao".into(), kind: EntryKind::Observation, title, body, ..Told::default() })
}
