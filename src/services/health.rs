//! Whether the installation can work, and what it is.

use super::Result;
use crate::app::App;
use crate::domain::access::{Actor, Permission};
use crate::domain::time::Timestamp;
use crate::metrics::{Looked, Watched};
use crate::store::db::Dialect;
use crate::store::{Schema, balancers, checks, events, settings};

pub use crate::store::space::Room;

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
    let known = balancers::list(&mut conn).await?;
    let event_sequence = events::latest(&mut conn).await?;
    drop(conn);
    let answered = super::balancers::answers_of(app, &known).await?;
    let watched = known.into_iter().map(|balancer| Watched {
        silent_for: answered.get(&balancer.id).map(|at| (now - *at).num_seconds()),
        name: balancer.fields.name,
        failing: balancer.failing_since.is_some(),
    });
    let looked = Looked { balancers: watched.collect(), event_sequence, leads: app.leads() };
    Ok(app.metrics().text(&looked).map_err(anyhow::Error::from)?)
}

/// What an installation is and how it does.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    pub version: &'static str,
    /// Such as `SQLite 3.51.3`.
    pub database: String,
    /// Bytes of incident data and samples.
    pub size: u64,
    pub schema: Option<Schema>,
    /// What this version brings the schema up to.
    pub newest_schema: Schema,
    /// Whether more servers than this one can be there.
    pub replicas: bool,
    /// Whether this server polls the balancers.
    pub leads: bool,
    /// Of the disk that holds the data; none where that is another machine's.
    pub disk: Option<Room>,
    /// When `afterload backup` last wrote one.
    pub last_backup: Option<Timestamp>,
    /// Number of the newest event.
    pub events: i64,
}

/// For everybody who may see how the recording goes. It names no path and no address.
pub async fn about(app: &App, actor: &Actor) -> Result<About> {
    actor.may(Permission::ReadBalancers)?;
    let store = app.store();
    let mut conn = store.read().await?;
    let version = checks::version(&mut conn).await?;
    let last_backup = settings::get(&mut conn, settings::LAST_BACKUP).await?;
    let events = events::latest(&mut conn).await?;
    drop(conn);
    let kind = match store.dialect() {
        Dialect::Sqlite => "SQLite",
        Dialect::Postgres => "PostgreSQL",
    };
    Ok(About {
        version: env!("CARGO_PKG_VERSION"),
        database: format!("{kind} {version}"),
        size: store.size().await?,
        schema: store.schema().await?,
        newest_schema: Schema::newest(store.dialect())?,
        replicas: super::replicas::possible(app),
        leads: app.leads(),
        disk: store.space().and_then(|space| space.room().ok()),
        last_backup: last_backup.and_then(|at| at.parse().ok()),
        events,
    })
}
