//! Who is in the room of an incident, and what each is working on.
//!
//! Being there leaves nothing in the event log: an open page renews one row every twenty seconds. What somebody says
//! that they are working on is theirs to take back, and each change of it is in the log of changes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::lookup::load_live;
use super::{Result, Unit};
use crate::app::App;
use crate::domain::access::{Actor, Permission};
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::id::{IncidentId, IncidentRef};
use crate::domain::presence::{HERE_FOR, LEAVES_AFTER, LINE_FOR, Presence, WorkingOn};
use crate::store::presence::Line;
use crate::store::{Conn, presence};

/// Those who are there first, then those who said what they work on and are away.
pub async fn of_incident(app: &App, actor: &Actor, which: IncidentRef) -> Result<Vec<Presence>> {
    let mut conn = app.store().read().await?;
    let incident = load_live(&mut conn, actor, which, Permission::ReadIncidents).await?;
    of(app, &mut conn, incident.id).await
}

async fn of(app: &App, conn: &mut Conn, incident: IncidentId) -> Result<Vec<Presence>> {
    let now = app.now();
    let somebody = |handle: String, here| Presence { handle, here, working_on: None, working_since: None };
    let here = presence::here(conn, incident, now).await?;
    let mut people: BTreeMap<String, Presence> = here.into_iter().map(|h| (h.clone(), somebody(h, true))).collect();
    for Line { handle, text, since } in presence::lines(conn, incident, now).await? {
        let person = people.entry(handle.clone()).or_insert_with(|| somebody(handle, false));
        (person.working_on, person.working_since) = (Some(text), Some(since));
    }
    let mut people: Vec<_> = people.into_values().collect();
    people.sort_by_key(|person| !person.here);
    Ok(people)
}

/// Says what the actor is working on, in the place of what they said before. The same line again keeps its beginning.
pub async fn set_working_on(app: &App, actor: &Actor, which: IncidentRef, new: WorkingOn) -> Result<Presence> {
    let WorkingOn { text } = new.checked()?;
    let mut unit = Unit::begin(app, actor).await?;
    let incident = load_live(&mut unit.conn, actor, which, Permission::WriteIncidents).await?;
    let (handle, now) = (actor.owner(), unit.now);
    let before = line_of(&mut unit, incident.id, &handle).await?;
    let same = before.is_some_and(|before| before.text == text);
    if !same {
        let line = Line { handle: handle.clone(), text: text.clone(), since: now };
        presence::set_line(&mut unit.conn, incident.id, &line, now + LINE_FOR).await?;
        unit.event(NewEvent::new(EventKind::WorkingChanged).incident(incident.id).data(json!({"working_on": text})));
        unit.commit().await?;
    }
    let people = of(app, &mut app.store().read().await?, incident.id).await?;
    let own = people.into_iter().find(|person| person.handle == handle);
    Ok(own.unwrap_or(Presence { handle, here: false, working_on: Some(text), working_since: Some(now) }))
}

/// Takes the actor's line back.
pub async fn clear_working_on(app: &App, actor: &Actor, which: IncidentRef) -> Result<()> {
    let mut unit = Unit::begin(app, actor).await?;
    let incident = load_live(&mut unit.conn, actor, which, Permission::WriteIncidents).await?;
    let handle = actor.owner();
    if line_of(&mut unit, incident.id, &handle).await?.is_none() {
        return Ok(());
    }
    presence::clear_line(&mut unit.conn, incident.id, &handle).await?;
    unit.event(NewEvent::new(EventKind::WorkingChanged).incident(incident.id).data(json!({"working_on": null})));
    unit.commit().await
}

async fn line_of(unit: &mut Unit<'_>, incident: IncidentId, handle: &str) -> Result<Option<Line>> {
    let lines = presence::lines(&mut unit.conn, incident, unit.now).await?;
    Ok(lines.into_iter().find(|line| line.handle == handle))
}

/// How long a page waits until it is written down that it is open.
const PATIENCE: Duration = Duration::from_millis(500);

/// One open page in the room of an incident. Dropping it gives the seat up.
pub struct Seat {
    app: App,
    id: Uuid,
    taken: bool,
}

impl Seat {
    pub fn new(app: &App) -> Self {
        Self { app: app.clone(), id: app.uuid(), taken: false }
    }

    /// Shows the actor as here until [`HERE_FOR`] is over. Returns after [`PATIENCE`] at the latest: where one connection
    /// writes for all, the row may come later, and no page waits for it.
    ///
    /// # Errors
    /// Not found once they do not see the incident any more.
    pub async fn keep(&mut self, actor: &Actor, incident: IncidentId) -> Result<()> {
        let first = !std::mem::replace(&mut self.taken, true);
        let writing = tokio::spawn(sit(self.app.clone(), self.id, actor.clone(), incident, first));
        match tokio::time::timeout(PATIENCE, writing).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(broken)) => Err(anyhow::Error::new(broken).into()),
            Err(_) => Ok(()),
        }
    }
}

async fn sit(app: App, seat: Uuid, actor: Actor, incident: IncidentId, first: bool) -> Result<()> {
    let mut conn = app.store().begin().await?;
    load_live(&mut conn, &actor, IncidentRef::Id(incident), Permission::ReadIncidents).await?;
    let now = app.now();
    if first {
        presence::clear_ended(&mut conn, now).await?;
    }
    presence::sit(&mut conn, seat, incident, &actor.owner(), now, now + HERE_FOR, now + LINE_FOR).await?;
    Ok(conn.commit().await?)
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Without a runtime the process ends, and the seat ends by itself soon after.
        if let (true, Ok(runtime)) = (self.taken, Handle::try_current()) {
            let (app, id) = (self.app.clone(), self.id);
            drop(runtime.spawn(async move {
                if let Err(fault) = leave(&app, id).await {
                    tracing::debug!(%fault, "a seat could not be given up; it ends by itself");
                }
            }));
        }
    }
}

async fn leave(app: &App, seat: Uuid) -> Result<()> {
    let mut conn = app.store().begin().await?;
    presence::leave(&mut conn, seat, app.now() + LEAVES_AFTER).await?;
    Ok(conn.commit().await?)
}
