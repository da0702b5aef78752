//! Several servers on one PostgreSQL: which of them records, and how each hears of what the others did.
//!
//! On SQLite there is one server, which leads and hears itself.

use uuid::Uuid;

use super::Result;
use crate::app::App;
use crate::store::db::Dialect;
use crate::store::{events, leases};

/// Seconds after which a leader that no longer answers is replaced.
pub const LEASE_SECONDS: i64 = 10;

/// The lease of the server that polls balancers and cleans up.
const LEADER: &str = "leader";

/// Whether more servers than this one can be there.
pub fn possible(app: &App) -> bool {
    app.store().dialect() == Dialect::Postgres
}

/// Whether this server, called `me`, leads for the next [`LEASE_SECONDS`].
pub async fn lead(app: &App, me: Uuid) -> Result<bool> {
    if !possible(app) {
        return Ok(true);
    }
    let mut conn = app.store().begin().await?;
    let leads = leases::hold(&mut conn, LEADER, me, LEASE_SECONDS).await?;
    conn.commit().await?;
    Ok(leads)
}

/// Lets another server lead at once.
pub async fn resign(app: &App, me: Uuid) -> Result<()> {
    if !possible(app) {
        return Ok(());
    }
    let mut conn = app.store().begin().await?;
    leases::release(&mut conn, LEADER, me).await?;
    Ok(conn.commit().await?)
}

/// Wakes those who follow the event log when another server wrote to it.
pub async fn listen(app: &App) -> Result<()> {
    let newest = events::latest(&mut app.store().read().await?).await?;
    app.bus().wake(newest);
    Ok(())
}
