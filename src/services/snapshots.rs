//! Snapshots: reading, comparing, pushing, and tying them to incidents.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::lookup::load_live;
use super::recording::Moment;
use super::{Page, Paged, Result, Unit, recording};
use crate::app::App;
use crate::balancer::change::Change;
use crate::balancer::diff::{self, Line};
use crate::balancer::model::Model;
use crate::balancer::state::State;
use crate::domain::Error;
use crate::domain::access::{Actor, Permission};
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::id::{BalancerId, IncidentRef, Reference, SnapshotId};
use crate::domain::snapshot::{LinkedSnapshot, Snapshot, SnapshotRole};
use crate::domain::time::second;
use crate::store::{Conn, balancers, blobs, snapshots};

pub use super::recording::PushedSnapshot;

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct SnapshotDetail {
    #[serde(flatten)]
    pub snapshot: Snapshot,
    /// The config text, with its secrets redacted before it was ever stored.
    pub config: Option<String>,
    /// What the config means, with the run-time state laid over it.
    pub model: Option<Model>,
    pub state: Option<State>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct SnapshotDiff {
    pub before: Snapshot,
    pub after: Snapshot,
    /// By consequence.
    pub changes: Vec<Change>,
    pub lines: Vec<Line>,
    /// The same as a unified diff.
    pub unified: String,
}

/// Newest first.
pub async fn list(app: &App, actor: &Actor, balancer: BalancerId, page: &Page) -> Result<Paged<Snapshot>> {
    actor.may(Permission::ReadBalancers)?;
    let limit = page.limit()?;
    let before = page.after_text()?.map(|(number, _)| number.parse()).transpose();
    let before =
        before.map_err(|_| Error::invalid("cursor", "not_a_cursor", "this is no cursor of ours; start again without one"))?;
    let mut conn = app.store().read().await?;
    balancers::find(&mut conn, balancer).await?.ok_or_else(BalancerId::not_found)?;
    let rows = snapshots::list(&mut conn, balancer, before, limit + 1).await?;
    Ok(Paged::from_rows_by(rows, limit, |snapshot| (snapshot.number.to_string(), snapshot.id)))
}

/// The incidents that each of these is tied to, as far as the actor sees them.
pub async fn incidents_of(
    app: &App,
    actor: &Actor,
    ids: &[SnapshotId],
) -> Result<BTreeMap<SnapshotId, Vec<(Reference, SnapshotRole)>>> {
    actor.may(Permission::ReadIncidents)?;
    let mut found: BTreeMap<SnapshotId, Vec<_>> = BTreeMap::new();
    for (id, reference, role) in snapshots::incidents_of(&mut app.store().read().await?, ids, actor.sees_only_as()).await? {
        found.entry(id).or_default().push((reference, role));
    }
    Ok(found)
}

pub async fn find(app: &App, actor: &Actor, id: SnapshotId) -> Result<SnapshotDetail> {
    actor.may(Permission::ReadBalancers)?;
    let (snapshot, moment) = stored(&mut app.store().read().await?, id).await?;
    Ok(SnapshotDetail { model: moment.effective(), snapshot, config: moment.config, state: moment.state })
}

/// A snapshot and what the balancer was at that moment.
pub(super) async fn stored(conn: &mut Conn, id: SnapshotId) -> Result<(Snapshot, Moment)> {
    let snapshot = snapshots::find(conn, id).await?.ok_or_else(SnapshotId::not_found)?;
    let content = snapshots::content(conn, id).await?.unwrap_or_default();
    let config = match &content.config_hash {
        Some(hash) => Some(recording::unpack(&blobs::get(conn, hash).await?)?),
        None => None,
    };
    let kind = snapshot.kind;
    // A large config takes a while; who asks for something else must not wait for that.
    let moment = tokio::task::spawn_blocking(move || Moment::new(kind, config, content.state));
    Ok((snapshot, moment.await.map_err(anyhow::Error::from)?))
}

/// What changed from `a` to `b`, whichever of the two is older.
pub async fn compare(app: &App, actor: &Actor, a: SnapshotId, b: SnapshotId) -> Result<SnapshotDiff> {
    actor.may(Permission::ReadBalancers)?;
    let mut conn = app.store().read().await?;
    difference(&mut conn, a, b).await
}

/// The same on a connection, for those who may see it.
pub(super) async fn difference(conn: &mut Conn, a: SnapshotId, b: SnapshotId) -> Result<SnapshotDiff> {
    let ((before, was), (after, is)) = (stored(conn, a).await?, stored(conn, b).await?);
    let (old, new) = (was.config.as_deref().unwrap_or_default(), is.config.as_deref().unwrap_or_default());
    let name = |s: &Snapshot| format!("{} snapshot {} ({})", s.balancer, s.number, second(s.captured_at));
    Ok(SnapshotDiff {
        changes: recording::changes(&was, &is),
        lines: diff::lines(old, new, 3),
        unified: diff::unified(old, new, &name(&before), &name(&after), 3),
        before,
        after,
    })
}

/// Oldest first.
pub async fn of_incident(app: &App, actor: &Actor, which: IncidentRef) -> Result<Vec<LinkedSnapshot>> {
    let mut conn = app.store().read().await?;
    let incident = load_live(&mut conn, actor, which, Permission::ReadIncidents).await?;
    Ok(snapshots::of_incident(&mut conn, incident.id).await?)
}

/// Ties a snapshot to an incident, or changes how it stands to it.
pub async fn link(app: &App, actor: &Actor, which: IncidentRef, id: SnapshotId, role: SnapshotRole) -> Result<()> {
    let mut unit = Unit::begin(app, actor).await?;
    let incident = load_live(&mut unit.conn, actor, which, Permission::WriteIncidents).await?;
    snapshots::find(&mut unit.conn, id).await?.ok_or_else(SnapshotId::not_found)?;
    snapshots::link(&mut unit.conn, incident.id, id, role).await?;
    unit.event(NewEvent::new(EventKind::SnapshotLinked).incident(incident.id).subject(id).data(json!({"role": role})));
    unit.commit().await
}

pub async fn unlink(app: &App, actor: &Actor, which: IncidentRef, id: SnapshotId) -> Result<()> {
    let mut unit = Unit::begin(app, actor).await?;
    let incident = load_live(&mut unit.conn, actor, which, Permission::WriteIncidents).await?;
    incident.lets_go_of("the snapshot")?;
    if !snapshots::unlink(&mut unit.conn, incident.id, id).await? {
        return Err(SnapshotId::not_found().into());
    }
    unit.event(NewEvent::new(EventKind::SnapshotLinked).incident(incident.id).subject(id).data(json!({"role": null})));
    unit.commit().await
}

pub async fn push(app: &App, actor: &Actor, balancer: BalancerId, pushed: PushedSnapshot) -> Result<Snapshot> {
    actor.may(Permission::WriteBalancers)?;
    if pushed.config.len() > recording::CONFIG_MAX {
        return Err(Error::TooLarge(format!(
            "the config has {} bytes; at most {} are taken",
            pushed.config.len(),
            recording::CONFIG_MAX
        ))
        .into());
    }
    recording::take_pushed(app, actor, balancer, pushed).await
}
