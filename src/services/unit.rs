//! One unit of work: a transaction, the events it will leave behind, and the wake-up after it.

use std::collections::HashMap;

use crate::app::App;
use crate::domain::access::Actor;
use crate::domain::event::NewEvent;
use crate::domain::id::IncidentId;
use crate::domain::time::Timestamp;
use crate::domain::timeline::Source;
use crate::services::Result;
use crate::store::incidents::Told;
use crate::store::{Conn, events};

pub struct Unit<'a> {
    app: &'a App,
    pub conn: Conn,
    pub now: Timestamp,
    actor: String,
    source: Source,
    events: Vec<(String, NewEvent)>,
    /// What a unit that carries many deliveries has learnt of incidents, so that it asks once. None of it changes within
    /// the unit but by the unit itself.
    told: HashMap<IncidentId, Told>,
}

impl<'a> Unit<'a> {
    pub async fn begin(app: &'a App, actor: &Actor) -> Result<Self> {
        let conn = app.store().begin().await?;
        Ok(Self::on(app, actor, conn))
    }

    /// The same for what writes many rows at once, such as a group of deliveries.
    pub async fn bulk(app: &'a App, actor: &Actor) -> Result<Self> {
        let conn = app.store().begin_bulk().await?;
        Ok(Self::on(app, actor, conn))
    }

    /// The same for what a person cannot wait with when the disk is full; machines can.
    pub async fn urgent(app: &'a App, actor: &Actor) -> Result<Self> {
        let conn = match actor {
            Actor::Person { .. } => app.store().begin_urgent().await?,
            _ => app.store().begin().await?,
        };
        Ok(Self::on(app, actor, conn))
    }

    fn on(app: &'a App, actor: &Actor, conn: Conn) -> Self {
        let (now, who) = (app.now(), actor.to_string());
        Self { app, conn, now, actor: who, source: source(actor), events: Vec::new(), told: HashMap::new() }
    }

    /// The name shown beside what is done in this unit.
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// What kind of author that is.
    pub fn source(&self) -> Source {
        self.source
    }

    pub fn event(&mut self, event: NewEvent) {
        self.events.push((self.actor.clone(), event));
    }

    /// Goes on under another name: one unit may carry the work of several senders.
    pub fn act_as(&mut self, actor: &Actor) {
        self.actor = actor.to_string();
        self.source = source(actor);
    }

    /// What [`Self::remember`] was told of this incident.
    pub fn told(&self, incident: IncidentId) -> Option<Told> {
        self.told.get(&incident).cloned()
    }

    pub fn remember(&mut self, incident: IncidentId, told: Told) {
        self.told.insert(incident, told);
    }

    /// A point to which [`Self::rewind`] returns.
    pub async fn mark(&mut self) -> Result<usize> {
        self.conn.savepoint().await?;
        Ok(self.events.len())
    }

    /// Keeps what was done since the mark.
    pub async fn keep(&mut self) -> Result<()> {
        Ok(self.conn.release_savepoint().await?)
    }

    /// Undoes what was done since the mark, events included.
    pub async fn rewind(&mut self, mark: usize) -> Result<()> {
        self.events.truncate(mark);
        self.told.clear();
        Ok(self.conn.rollback_to_savepoint().await?)
    }

    /// Appends the events, makes everything durable, then wakes who waits.
    pub async fn commit(mut self) -> Result<()> {
        let newest = events::append(&mut self.conn, self.now, &self.events).await?;
        self.conn.commit().await?;
        self.app.bus().wake(newest);
        Ok(())
    }
}

fn source(actor: &Actor) -> Source {
    match actor {
        Actor::Integration { .. } => Source::Integration,
        Actor::Recorder => Source::Recorder,
        Actor::Person { .. } | Actor::Token { .. } | Actor::Console => Source::Person,
    }
}
