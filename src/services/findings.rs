//! What the rules say of a snapshot, and what people know of already.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::recording::{self, Moment};
use super::snapshots::stored;
use super::{Result, Unit};
use crate::app::App;
use crate::balancer::audit::{self, Case};
use crate::balancer::model::Notice;
use crate::domain::Error;
use crate::domain::access::{Actor, Permission};
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::finding::{Acknowledgement, AcknowledgementFields};
use crate::domain::id::{AcknowledgementId, BalancerId, SnapshotId};
use crate::domain::snapshot::Snapshot;
use crate::store::{Conn, acknowledgements, balancers, snapshots};

/// One finding, and why it may stand where somebody said so.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Found {
    #[serde(flatten)]
    pub finding: audit::Finding,
    pub acknowledged: Option<Acknowledgement>,
}

/// What the rules say of one snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Findings {
    pub snapshot: Snapshot,
    /// The gravest first; what is acknowledged stands last.
    pub items: Vec<Found>,
    /// What the balancer itself would refuse or warn of, and what was not understood.
    pub notices: Vec<Notice>,
}

impl Findings {
    /// Findings that nobody has acknowledged.
    pub fn open(&self) -> impl Iterator<Item = &audit::Finding> {
        self.items.iter().filter(|found| found.acknowledged.is_none()).map(|found| &found.finding)
    }
}

pub async fn of_snapshot(app: &App, actor: &Actor, id: SnapshotId) -> Result<Findings> {
    actor.may(Permission::ReadBalancers)?;
    let mut conn = app.store().read().await?;
    let (snapshot, moment) = stored(&mut conn, id).await?;
    examine(app, &mut conn, snapshot, moment).await
}

/// Of its newest snapshot; none while there is none.
pub async fn of_balancer(app: &App, actor: &Actor, id: BalancerId) -> Result<Option<Findings>> {
    actor.may(Permission::ReadBalancers)?;
    let mut conn = app.store().read().await?;
    let Some(newest) = snapshots::list(&mut conn, id, None, 1).await?.into_iter().next() else { return Ok(None) };
    let (snapshot, moment) = stored(&mut conn, newest.id).await?;
    examine(app, &mut conn, snapshot, moment).await.map(Some)
}

/// A change is looked at against the snapshot before it.
async fn examine(app: &App, conn: &mut Conn, snapshot: Snapshot, now: Moment) -> Result<Findings> {
    let before = snapshots::list(conn, snapshot.balancer_id, Some(snapshot.number), 1).await?.into_iter().next();
    let before = match before {
        Some(before) if before.kind == snapshot.kind => Some(stored(conn, before.id).await?.1),
        _ => None,
    };
    let known = acknowledgements::of_balancer(conn, snapshot.balancer_id).await?;
    let at = app.now();
    let found = tokio::task::spawn_blocking(move || {
        let changes = before.as_ref().map(|before| recording::changes(before, &now));
        let model = now.effective()?;
        let before = before.and_then(|before| before.effective());
        let case = Case { model: &model, has_state: now.state.is_some(), before: before.as_ref().zip(changes.as_deref()) };
        Some((audit::audit(&case, &BTreeMap::new()), model.notices))
    });
    let (findings, notices) = found.await.map_err(anyhow::Error::from)?.unwrap_or_default();
    let covers = |finding: &audit::Finding| {
        let (pool, server) = (finding.pool.as_deref(), finding.server.as_deref());
        known.iter().find(|known| known.covers(finding.rule, pool, server, at)).cloned()
    };
    let mut items: Vec<Found> = findings.into_iter().map(|finding| Found { acknowledged: covers(&finding), finding }).collect();
    items.sort_by_key(|found| found.acknowledged.is_some());
    Ok(Findings { snapshot, items, notices })
}

/// Newest first, ended ones too.
pub async fn acknowledgements(app: &App, actor: &Actor, balancer: BalancerId) -> Result<Vec<Acknowledgement>> {
    actor.may(Permission::ReadBalancers)?;
    let mut conn = app.store().read().await?;
    balancers::find(&mut conn, balancer).await?.ok_or_else(BalancerId::not_found)?;
    Ok(acknowledgements::of_balancer(&mut conn, balancer).await?)
}

/// Says that a finding is known and may stand, for a reason and for a time.
pub async fn acknowledge(
    app: &App,
    actor: &Actor,
    balancer: BalancerId,
    fields: AcknowledgementFields,
) -> Result<Acknowledgement> {
    actor.may(Permission::WriteBalancers)?;
    let fields = fields.checked(app.now())?;
    if audit::rule(&fields.rule).is_none() {
        return Err(Error::invalid("rule", "unknown_word", "there is no rule of this id").into());
    }
    let mut unit = Unit::begin(app, actor).await?;
    balancers::find(&mut unit.conn, balancer).await?.ok_or_else(BalancerId::not_found)?;
    let new = Acknowledgement {
        id: AcknowledgementId(app.uuid()),
        balancer_id: balancer,
        fields,
        created_by: actor.to_string(),
        created_at: unit.now,
        ended_at: None,
        ended_by: None,
    };
    acknowledgements::insert(&mut unit.conn, &new).await?;
    let data = json!({"rule": new.fields.rule, "pool": new.fields.pool, "reason": new.fields.reason});
    unit.event(NewEvent::new(EventKind::FindingChanged).subject(new.id).data(data));
    unit.commit().await?;
    Ok(new)
}

/// From now on the finding counts again.
pub async fn withdraw(app: &App, actor: &Actor, balancer: BalancerId, id: AcknowledgementId) -> Result<()> {
    actor.may(Permission::WriteBalancers)?;
    let mut unit = Unit::begin(app, actor).await?;
    let known = acknowledgements::find(&mut unit.conn, id).await?.filter(|known| known.balancer_id == balancer);
    let known = known.ok_or_else(AcknowledgementId::not_found)?;
    let (now, by) = (unit.now, unit.actor().to_owned());
    if acknowledgements::end(&mut unit.conn, id, now, &by).await? {
        let data = json!({"rule": known.fields.rule, "pool": known.fields.pool, "ended": true});
        unit.event(NewEvent::new(EventKind::FindingChanged).subject(id).data(data));
        unit.commit().await?;
    }
    Ok(())
}
