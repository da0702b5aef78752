//! Finding an incident for somebody: what they may not see is not there.

use super::Result;
use crate::domain::access::{Actor, Permission};
use crate::domain::id::{IncidentId, IncidentRef};
use crate::domain::incident::Incident;
use crate::store::{Conn, incidents};

/// Loads one that the actor may `permission`.
pub async fn load(conn: &mut Conn, actor: &Actor, which: IncidentRef, permission: Permission) -> Result<Incident> {
    actor.may(Permission::ReadIncidents)?;
    let incident = incidents::find(conn, which).await?.ok_or_else(IncidentId::not_found)?;
    actor.may_on(permission, &incident)?;
    Ok(incident)
}

/// As [`load`], but a deleted one is not found, whatever was wanted with it.
pub async fn load_live(conn: &mut Conn, actor: &Actor, which: IncidentRef, permission: Permission) -> Result<Incident> {
    let incident = load(conn, actor, which, Permission::ReadIncidents).await?;
    if incident.deleted_at.is_some() {
        return Err(IncidentId::not_found().into());
    }
    actor.may(permission)?;
    Ok(incident)
}
