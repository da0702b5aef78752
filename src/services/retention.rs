//! What ends by age: raw deliveries, samples outside incidents, sessions, the log of changes, and for good what people
//! deleted some time ago. In small transactions with pauses between them; nothing of an incident under legal hold.

use std::time::Duration as Pause;

use chrono::Duration;
use uuid::Uuid;

use super::{Result, Unit, people};
use crate::app::App;
use crate::domain;
use crate::domain::access::Actor;
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::id::{IncidentId, IntegrationId};
use crate::domain::time::Timestamp;
use crate::store::{self, Conn, integrations, retention, search, sessions, settings};

/// People and hooks come in between two batches.
const PAUSE: Pause = Pause::from_millis(20);
/// What may still be brought back is not erased, also where clocks differ.
const GRACE_MINUTES: i64 = 60;
/// Stands from the first erased row until no copy of it is left in index and log.
const PURGE: &str = "purge_due";

/// Refuses to bring back what was deleted so long ago that it is being erased.
pub(super) fn still_there(app: &App, deleted_at: Option<Timestamp>) -> Result<()> {
    let days = app.config().keep_deleted_days;
    if days > 0 && deleted_at.is_some_and(|at| at < app.now() - Duration::days(days)) {
        return Err(domain::Error::NotFound { what: "what was deleted that long ago" }.into());
    }
    Ok(())
}

/// Drops what is older than the settings allow.
pub async fn expire(app: &App) -> Result<()> {
    let (now, config) = (app.now(), app.config());
    samples(app, now - Duration::days(config.keep_samples_days)).await?;
    let before = now - Duration::days(config.keep_deliveries_days);
    let known = integrations::list(&mut app.store().read().await?).await?;
    for integration in known {
        batches(app, Step::Deliveries(integration.id, before)).await?;
    }
    let idle = now - Duration::hours(people::SESSION_IDLE_HOURS);
    batches(app, Step::Sessions(now, idle)).await?;
    if config.keep_events_days > 0 {
        let before = now - Duration::days(config.keep_events_days);
        let seq = retention::first_young_event(&mut app.store().read().await?, before).await?;
        batches(app, Step::Events(seq)).await?;
    }
    if config.keep_deleted_days > 0 {
        erase(app, now - Duration::days(config.keep_deleted_days) - Duration::minutes(GRACE_MINUTES)).await?;
    }
    loop {
        let unowned = retention::unowned_blobs(&mut app.store().read().await?).await?;
        if unowned.is_empty() || once(app, Step::Blobs(&unowned)).await? == 0 {
            break;
        }
    }
    purge(app).await
}

async fn samples(app: &App, before: Timestamp) -> Result<()> {
    let db = app.store().samples();
    for balancer in retention::sampled(&mut db.read().await?).await? {
        loop {
            let mut conn = db.begin().await?;
            let dropped = retention::drop_samples(&mut conn, balancer, before).await?;
            conn.commit().await?;
            if dropped == 0 {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(())
}

/// What one transaction drops a batch of.
#[derive(Clone, Copy)]
enum Step<'a> {
    Deliveries(IntegrationId, Timestamp),
    /// Now, and the last use of those that ended by idleness.
    Sessions(Timestamp, Timestamp),
    /// All before this number.
    Events(i64),
    /// What hangs on a deleted incident.
    PartOf(IncidentId),
    /// A file of an incident that will be erased, where others name it.
    HandOver(IncidentId, Uuid),
    LooseFiles(Timestamp),
    Balancers(Timestamp),
    Blobs(&'a [Vec<u8>]),
}

impl Step<'_> {
    async fn take(self, conn: &mut Conn) -> store::Result<u64> {
        match self {
            Self::Deliveries(integration, before) => retention::drop_deliveries(conn, integration, before).await,
            Self::Sessions(now, idle) => sessions::remove_expired(conn, now, idle).await,
            Self::Events(seq) => retention::drop_events(conn, seq).await,
            Self::PartOf(incident) => retention::erase_part(conn, incident).await,
            Self::HandOver(incident, file) => retention::hand_over(conn, incident, file).await.map(u64::from),
            Self::LooseFiles(before) => retention::drop_loose_files(conn, before).await,
            Self::Balancers(before) => retention::drop_balancers(conn, before).await,
            Self::Blobs(hashes) => retention::drop_blobs(conn, hashes).await,
        }
    }
}

/// One transaction. What it deleted is to be purged, which is remembered in it.
async fn once(app: &App, step: Step<'_>) -> Result<u64> {
    let mut conn = app.store().begin().await?;
    let changed = step.take(&mut conn).await?;
    if changed > 0 {
        settings::set(&mut conn, PURGE, "yes").await?;
        conn.commit().await?;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(changed)
}

async fn batches(app: &App, step: Step<'_>) -> Result<()> {
    while once(app, step).await? > 0 {}
    Ok(())
}

/// For good: what people deleted before `before`.
async fn erase(app: &App, before: Timestamp) -> Result<()> {
    loop {
        let mut conn = app.store().begin().await?;
        let touched = retention::erase_entries(&mut conn, before).await?;
        if touched.is_empty() {
            break;
        }
        // In the same transaction: nobody would look for the files of what is gone.
        for incident in touched {
            retention::drop_unnamed_files(&mut conn, incident, before).await?;
        }
        settings::set(&mut conn, PURGE, "yes").await?;
        conn.commit().await?;
        tokio::time::sleep(PAUSE).await;
    }
    loop {
        let gone = retention::deleted_incidents(&mut app.store().read().await?, before).await?;
        let mut erased = 0;
        for incident in gone {
            erased += u64::from(erase_incident(app, incident, before).await?);
        }
        if erased == 0 {
            break;
        }
    }
    batches(app, Step::LooseFiles(before)).await?;
    batches(app, Step::Balancers(before)).await
}

async fn erase_incident(app: &App, incident: IncidentId, before: Timestamp) -> Result<bool> {
    batches(app, Step::PartOf(incident)).await?;
    let files = retention::files(&mut app.store().read().await?, incident).await?;
    for file in files {
        once(app, Step::HandOver(incident, file)).await?;
    }
    let mut unit = Unit::begin(app, &Actor::Recorder).await?;
    let erased = retention::erase_incident(&mut unit.conn, incident, before).await?;
    // Without the incident: what it was is gone.
    unit.event(NewEvent::new(EventKind::IncidentErased).subject(incident));
    if erased {
        settings::set(&mut unit.conn, PURGE, "yes").await?;
        unit.commit().await?;
    }
    Ok(erased)
}

/// Takes what was deleted also out of the search index and the write-ahead logs. One that cannot be emptied now, because
/// somebody reads an older state, is left to the next round.
async fn purge(app: &App) -> Result<()> {
    let due = settings::get(&mut app.store().read().await?, PURGE).await?.is_some();
    if due {
        let mut first = true;
        loop {
            let mut conn = app.store().begin().await?;
            let more = search::purge_step(&mut conn, first).await?;
            conn.commit().await?;
            first = false;
            if !more {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    let mut empty = true;
    for part in app.store().parts() {
        empty &= part.empty_log().await?;
    }
    if due && empty {
        let mut conn = app.store().begin().await?;
        settings::remove(&mut conn, PURGE).await?;
        conn.commit().await?;
    }
    Ok(())
}
