//! Reading alerts. They come in through `hooks`.

use super::lookup::{load, load_live};
use super::{Page, Paged, Result};
use crate::app::App;
use crate::domain::Error;
use crate::domain::access::{Actor, Permission};
use crate::domain::alert::Alert;
use crate::domain::id::{AlertId, IncidentRef};
use crate::store::alerts;

pub use crate::store::alerts::AlertFilter;

/// How many alerts of one incident are listed; the counts cover all.
pub const LISTED: i64 = 200;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AlertCounts {
    pub firing: i64,
    pub resolved: i64,
    /// Reports in all, repeats included.
    pub reports: i64,
}

/// At most [`LISTED`], firing first.
pub async fn of_incident(app: &App, actor: &Actor, which: IncidentRef) -> Result<Vec<Alert>> {
    let mut conn = app.store().read().await?;
    let incident = load_live(&mut conn, actor, which, Permission::ReadIncidents).await?;
    Ok(alerts::of_incident(&mut conn, incident.id, LISTED).await?)
}

pub async fn count_of_incident(app: &App, actor: &Actor, which: IncidentRef) -> Result<AlertCounts> {
    let mut conn = app.store().read().await?;
    let incident = load_live(&mut conn, actor, which, Permission::ReadIncidents).await?;
    let (firing, resolved, reports) = alerts::counts_of_incident(&mut conn, incident.id).await?;
    Ok(AlertCounts { firing, resolved, reports })
}

/// Last reported first.
pub async fn list(app: &App, actor: &Actor, filter: &AlertFilter, page: &Page) -> Result<Paged<Alert>> {
    actor.may(Permission::ReadAlerts)?;
    let (limit, before) = (page.limit()?, page.after()?);
    let rows = alerts::list(&mut app.store().read().await?, filter, actor.sees_only_as(), before, limit + 1).await?;
    Ok(Paged::from_rows(rows, limit, |alert| (alert.last_received_at, alert.id)))
}

pub async fn find(app: &App, actor: &Actor, id: AlertId) -> Result<Alert> {
    actor.may(Permission::ReadAlerts)?;
    let mut conn = app.store().read().await?;
    let alert = alerts::find(&mut conn, id).await?.ok_or_else(AlertId::not_found)?;
    if let Some(incident) = alert.incident_id {
        match load(&mut conn, actor, IncidentRef::Id(incident), Permission::ReadIncidents).await {
            Err(super::Error::Domain(Error::NotFound { .. })) => return Err(AlertId::not_found().into()),
            other => other.map(drop)?,
        }
    }
    Ok(alert)
}
