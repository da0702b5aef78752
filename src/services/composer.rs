//! A note from the composer with everything that its text asks for, in one unit of work: all of it is
//! kept or none, so that a repeat after a failure loses nothing. What a text means is the domain's.

use super::lookup::load_live;
use super::{Result, Unit, incidents, tasks, timeline};
use crate::app::App;
use crate::domain::access::{Actor, Permission};
use crate::domain::id::IncidentRef;
use crate::domain::incident::{Incident, Severity};
use crate::domain::task::TaskFields;
use crate::domain::timeline::{Entry, NewEntry};

/// What a note asks for besides its entry.
#[derive(Debug, Clone, Default)]
pub struct Also {
    pub task: Option<TaskFields>,
    pub severity: Option<Severity>,
}

/// As [`timeline::add`], and with a fresh entry what it asks for besides.
pub async fn compose(app: &App, actor: &Actor, which: IncidentRef, new: NewEntry, also: Also) -> Result<(Entry, bool)> {
    let new = NewEntry { fields: new.fields.checked()?, ..new };
    let task = also.task.map(TaskFields::checked).transpose()?;
    let mut unit = Unit::urgent(app, actor).await?;
    let incident = load_live(&mut unit.conn, actor, which, Permission::WriteIncidents).await?;
    let (entry, fresh) = timeline::add_within(app, &mut unit, &incident, new).await?;
    if !fresh {
        return Ok((entry, false));
    }
    if let Some(fields) = task {
        actor.may(Permission::WriteTasks)?;
        tasks::add_within(app, &mut unit, &incident, None, fields).await?;
    }
    if let Some(severity) = also.severity.filter(|severity| *severity != incident.fields.severity) {
        let mut after = Incident { updated_at: unit.now, version: incident.version + 1, ..incident.clone() };
        after.fields.severity = severity;
        incidents::save(app, &mut unit, &incident, &after, "").await?;
    }
    unit.commit().await?;
    Ok((entry, true))
}
