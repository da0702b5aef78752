//! The incident that is going on: what its people write while somebody looks on.

use std::time::Duration;

use super::edge::Edge;
use super::fill::Live;
use super::story::Told;
use crate::app::App;
use crate::domain::timeline::{EntryFields, EntryKind, NewEntry};
use crate::services::timeline;

/// How long they take for an entry.
const PACE: Duration = Duration::from_secs(40);
/// And once all is said, between two readings of the recorder's figures.
const QUIET_PACE: Duration = Duration::from_secs(240);
/// What the incident is about.
const POOL: &str = "be_shop";

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
