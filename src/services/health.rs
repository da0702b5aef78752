//! Whether the installation can work.

use super::Result;
use crate::app::App;
use crate::domain::access::{Actor, Permission};
use crate::metrics::{Looked, Watched};
use crate::store::{balancers, events, settings};

/// `Ok` when a write reaches the disk.
pub async fn ready(app: &App) -> Result<()> {
    let mut conn = app.store().begin().await?;
    settings::set(&mut conn, "ready_probe", &app.now().timestamp().to_string()).await?;
    Ok(conn.commit().await?)
}

/// What the process counts about itself and how the recording goes, as OpenMetrics text.
pub async fn metrics(app: &App, actor: &Actor) -> Result<String> {
    actor.may(Permission::ReadBalancers)?;
    let mut conn = app.store().read().await?;
    let now = app.now();
    let watched = balancers::list(&mut conn).await?.into_iter().map(|balancer| Watched {
        name: balancer.fields.name,
        silent_for: balancer.last_answer_at.map(|at| (now - at).num_seconds()),
        failing: balancer.failing_since.is_some(),
    });
    let looked = Looked { balancers: watched.collect(), event_sequence: events::latest(&mut conn).await?, leads: app.leads() };
    Ok(app.metrics().text(&looked).map_err(anyhow::Error::from)?)
}
