//! The flight recorder's memory: what a poll becomes.
//!
//! Samples go to their own store at once. A snapshot is taken whenever the config text or the state that
//! decides where traffic goes differs from the newest one; open incidents get it as a `change` entry.
//! Nothing here is ever awaited by a person.

mod taking;
mod upkeep;
mod verdict;
mod window;

use std::time::Duration as StdDuration;

use chrono::Duration;
use serde_json::json;

use super::space::{self, Level};
use super::{Result, Unit, timeline};
use crate::app::App;
use crate::domain::access::Actor;
use crate::domain::balancer::Balancer;
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::time::{Timestamp, humane};
use crate::domain::timeline::EntryKind;
use crate::record::{self, Reading, Target};
use crate::signal::chunk;
use crate::signal::series::Sample;
use crate::store::{balancers, incidents, samples};

use taking::{Captured, Compared, compare, take};
pub(super) use taking::{Moment, changes, unpack};
pub use taking::{PushedSnapshot, take_pushed};
pub(super) use upkeep::freeze_soon;
pub use upkeep::{freeze, freeze_all, keep_series, pack_frames};
pub use window::{AFTER_MINUTES, BEFORE_MINUTES, Recorded, of_incident, settled_window, window};
pub(super) use window::{link_window, series};

/// Largest config text that is kept, in bytes.
pub const CONFIG_MAX: usize = 16 * 1024 * 1024;
/// A poll gives up after this long.
const POLL_DEADLINE: StdDuration = StdDuration::from_secs(8);

/// Reads one balancer once and keeps what it says. A failing balancer is recorded as such.
pub async fn poll(app: &App, balancer: &Balancer) -> Result<()> {
    let fields = &balancer.fields;
    let target = Target { kind: fields.kind, config_path: &fields.config_path, state_address: &fields.state_address };
    match record::read(&target, app.http(), POLL_DEADLINE).await {
        Ok(reading) => keep(app, balancer, reading).await,
        Err(fault) => note_failure(app, balancer, &fault.to_string()).await,
    }
}

async fn keep(app: &App, balancer: &Balancer, reading: Reading) -> Result<()> {
    let at = app.now();
    if !reading.samples.is_empty()
        && let Err(fault) = keep_samples(app, balancer, at, &reading.samples).await
    {
        // A gap in the chart; what changed is noted all the same.
        tracing::warn!(balancer = %balancer.fields.name, %fault, "samples could not be kept");
    }
    // With an address for its state that does not answer, the balancer is not seen at all.
    let blind = !balancer.fields.state_address.is_empty() && reading.state.is_none();
    let trouble = (!reading.notices.is_empty()).then(|| reading.notices.join("; "));
    let captured = Captured::new(app, balancer.fields.kind, reading.config, reading.state, reading.notices).await?;
    let fresh = match compare(app, balancer.id, captured).await? {
        Compared::Same(_) => None,
        Compared::Different(fresh) => Some(*fresh),
    };
    // The stored state decides, not the copy that the scheduler holds.
    let stored = balancers::find(&mut app.store().read().await?, balancer.id).await?;
    let Some(stored) = stored else { return Ok(()) };
    let stale = stored.last_answer_at.is_none_or(|last| at - last > Duration::seconds(60));
    let answered = !blind && (stale || stored.failing_since.is_some() || stored.last_error != trouble);
    if fresh.is_some() || answered {
        let mut unit = Unit::begin(app, &Actor::Recorder).await?;
        if !blind {
            balancers::note_answer(&mut unit.conn, balancer.id, at, trouble.as_deref()).await?;
            if let Some(since) = stored.failing_since {
                let data = json!({"name": stored.fields.name, "answers_again_after": humane(at - since)});
                unit.event(NewEvent::new(EventKind::BalancerChanged).subject(balancer.id).data(data));
            }
        }
        let mut taken = None;
        if let Some(fresh) = fresh {
            // Overtaken by a snapshot that somebody sent: the next reading is compared with that one.
            taken = take(app, &mut unit, &stored, fresh, at, "recorder".to_owned()).await?;
        }
        unit.commit().await?;
        if let Some(snapshot) = taken {
            verdict::ask_soon(app, &stored, snapshot.id);
        }
    }
    match blind {
        true => note_failure(app, balancer, trouble.as_deref().unwrap_or("the state could not be read")).await,
        false => Ok(()),
    }
}

async fn keep_samples(app: &App, balancer: &Balancer, at: Timestamp, read: &[Sample]) -> Result<()> {
    // What people write needs the room that is left.
    if space::level(app) != Level::Plenty {
        return Ok(());
    }
    let mut conn = app.store().samples().begin().await?;
    samples::insert_frame(&mut conn, balancer.id, at, &chunk::encode_frame(read)).await?;
    Ok(conn.commit().await?)
}

async fn note_failure(app: &App, balancer: &Balancer, fault: &str) -> Result<()> {
    let stored = balancers::find(&mut app.store().read().await?, balancer.id).await?;
    let Some(stored) = stored else { return Ok(()) };
    if stored.last_error.as_deref() == Some(fault) {
        return Ok(());
    }
    let mut unit = Unit::begin(app, &Actor::Recorder).await?;
    let now = unit.now;
    balancers::note_failure(&mut unit.conn, balancer.id, now, fault).await?;
    if stored.failing_since.is_none() {
        let data = json!({"name": stored.fields.name, "failing": fault});
        unit.event(NewEvent::new(EventKind::BalancerChanged).subject(balancer.id).data(data));
        // The gap is part of the story of every incident that is going on.
        for incident in incidents::open(&mut unit.conn).await? {
            let title = format!("{} does not answer the recorder", stored.fields.name);
            let body = format!("{fault}\n\nThe chart has a gap from here until it answers again.");
            timeline::record(app, &mut unit, incident.id, EntryKind::Observation, title, body).await?;
        }
    }
    unit.commit().await
}
