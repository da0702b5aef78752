//! Balancers: adding, changing, and how they stand right now.

use std::collections::BTreeMap;

use chrono::Duration;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Result, Unit, recording};
use crate::app::App;
use crate::balancer::model::{Pool, Role, Server};
use crate::balancer::state::Admin;
use crate::domain::access::{Actor, Permission};
use crate::domain::balancer::{Balancer, BalancerFields};
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::id::BalancerId;
use crate::domain::time::{Timestamp, Window};
use crate::domain::{Error, patch};
use crate::signal::rates;
use crate::signal::series::{Metric, Series, SeriesKey};
use crate::store::{Conn, balancers, samples, snapshots};

pub async fn list(app: &App, actor: &Actor) -> Result<Vec<Balancer>> {
    actor.may(Permission::ReadBalancers)?;
    let known = balancers::list(&mut app.store().read().await?).await?;
    Ok(known.into_iter().map(shown).collect())
}

/// The last poll of each that got an answer, to the second where it brought figures.
pub async fn answered(app: &App, actor: &Actor) -> Result<BTreeMap<BalancerId, Timestamp>> {
    actor.may(Permission::ReadBalancers)?;
    let known = balancers::list(&mut app.store().read().await?).await?;
    answers_of(app, &known).await
}

/// The same of these. Their own field is written once a minute at most.
pub(super) async fn answers_of(app: &App, known: &[Balancer]) -> Result<BTreeMap<BalancerId, Timestamp>> {
    let mut at: BTreeMap<_, _> = known.iter().filter_map(|balancer| Some((balancer.id, balancer.last_answer_at?))).collect();
    for (id, measured) in samples::newest(&mut app.store().samples().read().await?).await? {
        at.entry(id).and_modify(|at| *at = measured.max(*at)).or_insert(measured);
    }
    Ok(at)
}

/// With their passwords, for the recorder alone.
pub async fn for_recorder(app: &App) -> Result<Vec<Balancer>> {
    Ok(balancers::list(&mut app.store().read().await?).await?)
}

fn shown(balancer: Balancer) -> Balancer {
    Balancer { fields: balancer.fields.masked(), ..balancer }
}

pub async fn find(app: &App, actor: &Actor, id: BalancerId) -> Result<Balancer> {
    actor.may(Permission::ReadBalancers)?;
    load(&mut app.store().read().await?, id).await.map(shown)
}

async fn load(conn: &mut Conn, id: BalancerId) -> Result<Balancer> {
    Ok(balancers::find(conn, id).await?.ok_or_else(BalancerId::not_found)?)
}

/// The recorder begins with its next tick.
pub async fn add(app: &App, actor: &Actor, fields: BalancerFields) -> Result<Balancer> {
    actor.may(Permission::WriteBalancers)?;
    let fields = fields.checked()?;
    let mut unit = Unit::begin(app, actor).await?;
    let balancer = Balancer {
        id: BalancerId(app.uuid()),
        fields,
        created_at: unit.now,
        version: 1,
        last_answer_at: None,
        failing_since: None,
        last_error: None,
    };
    balancers::insert(&mut unit.conn, &balancer).await.map_err(name_taken)?;
    note(&mut unit, &balancer, "added");
    unit.commit().await?;
    Ok(shown(balancer))
}

fn name_taken(fault: crate::store::Error) -> super::Error {
    if fault.is_unique_in("balancers") {
        return Error::invalid("name", "taken", "another balancer has this name; choose a different one").into();
    }
    fault.into()
}

fn note(unit: &mut Unit<'_>, balancer: &Balancer, what: &str) {
    let data = json!({"name": balancer.fields.name, "what": what});
    unit.event(NewEvent::new(EventKind::BalancerChanged).subject(balancer.id).data(data));
}

pub async fn edit(app: &App, actor: &Actor, id: BalancerId, expected_version: i64, patch: &Value) -> Result<Balancer> {
    actor.may(Permission::WriteBalancers)?;
    let mut unit = Unit::begin(app, actor).await?;
    let before = load(&mut unit.conn, id).await?;
    let conflict = || Error::Conflict {
        what: "the balancer",
        current: Box::new(serde_json::to_value(shown(before.clone())).unwrap_or_default()),
    };
    if before.version != expected_version {
        return Err(conflict().into());
    }
    let fields: BalancerFields = patch::apply(&before.fields.masked(), patch)?;
    let fields = fields.unmasked(&before.fields).checked()?;
    if fields == before.fields {
        return Ok(shown(before));
    }
    let after = Balancer { fields, version: before.version + 1, ..before.clone() };
    if !balancers::update(&mut unit.conn, &after, before.version).await.map_err(name_taken)? {
        return Err(conflict().into());
    }
    note(&mut unit, &after, "changed");
    unit.commit().await?;
    Ok(shown(after))
}

/// Forgets the balancer, its samples, and the snapshots that no incident keeps.
pub async fn delete(app: &App, actor: &Actor, id: BalancerId) -> Result<()> {
    actor.may(Permission::WriteBalancers)?;
    // What was measured up to now goes into the incidents that need it.
    recording::freeze_all(app).await?;
    let mut unit = Unit::begin(app, actor).await?;
    let balancer = load(&mut unit.conn, id).await?;
    balancers::remove(&mut unit.conn, id, unit.now).await?;
    note(&mut unit, &balancer, "deleted");
    unit.commit().await?;
    let mut conn = app.store().samples().begin().await?;
    samples::remove_balancer(&mut conn, id).await?;
    Ok(conn.commit().await?)
}

/// How a balancer stands, from the samples of the last minute and its newest snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Live {
    /// When the newest sample was taken.
    pub at: Option<chrono::DateTime<chrono::Utc>>,
    /// Length of the window that rates and shares are computed over, in seconds.
    pub window_seconds: i64,
    pub version: Option<String>,
    pub pools: Vec<LivePool>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LivePool {
    pub name: String,
    pub algorithm: Option<String>,
    pub persistence: Vec<String>,
    /// Requests per second.
    pub rate: Option<f64>,
    /// 5xx answers per request, between 0 and 1.
    pub error_ratio: Option<f64>,
    pub servers: Vec<LiveServer>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LiveServer {
    pub name: String,
    pub address: Option<String>,
    /// The weight in the config.
    pub weight_file: Option<u32>,
    /// The weight in force.
    pub weight: Option<u32>,
    pub admin: Admin,
    pub backup: bool,
    pub up: Option<bool>,
    /// Share of the pool's requests, between 0 and 1; none while there is no traffic.
    pub share: Option<f64>,
    /// The share that the weights promise.
    pub expected: Option<f64>,
    pub rate: Option<f64>,
    pub error_ratio: Option<f64>,
    pub sessions: Option<f64>,
    pub queue: Option<f64>,
    pub response_ms: Option<f64>,
}

const LIVE_SECONDS: i64 = 60;

pub async fn live(app: &App, actor: &Actor, id: BalancerId) -> Result<Live> {
    actor.may(Permission::ReadBalancers)?;
    let mut conn = app.store().read().await?;
    load(&mut conn, id).await?;
    let newest = snapshots::list(&mut conn, id, None, 1).await?.into_iter().next();
    let moment = match newest {
        Some(snapshot) => super::snapshots::stored(&mut conn, snapshot.id).await?.1,
        None => recording::Moment::default(),
    };
    drop(conn);
    let (model, state) = (moment.model.unwrap_or_default(), moment.state.unwrap_or_default());
    let now = app.now();
    let window = Window { from: now - Duration::seconds(LIVE_SECONDS), to: now + Duration::seconds(1) };
    let series = recording::series(app, id, window).await?;
    let measured = Measured::new(&series);
    let mut names: Vec<&str> = state.pools.iter().map(|pool| pool.name.as_str()).collect();
    for pool in model.pools.iter().filter(|pool| !pool.servers.is_empty()) {
        if !names.contains(&pool.name.as_str()) {
            names.push(&pool.name);
        }
    }
    let pools = names.into_iter().map(|name| live_pool(name, state.pool(name), model.pool(name), &measured)).collect();
    Ok(Live { at: measured.newest, window_seconds: LIVE_SECONDS, version: state.version, pools })
}

fn live_pool(
    name: &str,
    state: Option<&crate::balancer::state::PoolState>,
    model: Option<&crate::balancer::model::Pool>,
    measured: &Measured<'_>,
) -> LivePool {
    let mut servers: Vec<&str> = state.map(|pool| pool.servers.iter().map(|s| s.name.as_str()).collect()).unwrap_or_default();
    if servers.is_empty() {
        servers = model.map(|pool| pool.servers.iter().map(|s| s.name.as_str()).collect()).unwrap_or_default();
    }
    let requests = |server: &str| measured.delta(name, Some(server), Metric::Requests);
    let total: f64 = servers.iter().filter_map(|server| requests(server)).sum();
    let grouped = model.map(Pool::grouped_shares).unwrap_or_default();
    let live_server = |server: &&str| {
        let running = state.and_then(|pool| pool.server(server));
        let written = model.and_then(|pool| pool.server(server));
        let served = requests(server);
        LiveServer {
            name: (*server).to_owned(),
            address: running.and_then(|s| s.address.clone()).or_else(|| written.map(|s| s.address.clone())),
            weight_file: written.map(Server::configured_weight).or(running.and_then(|s| s.weight_configured)),
            weight: running.map(|s| s.weight),
            admin: running.map(|s| s.admin).unwrap_or_default(),
            backup: running.map(|s| s.backup).or(written.map(|s| s.role == Role::Backup)).unwrap_or_default(),
            up: measured.last(name, Some(server), Metric::Up).map(|up| up > 0.0),
            share: served.filter(|_| total > 0.0).map(|served| served / total),
            expected: grouped
                .get(server)
                .copied()
                .or_else(|| state.and_then(|pool| running.and_then(|s| pool.expected_share(s)))),
            rate: measured.rate(name, Some(server), Metric::Requests),
            error_ratio: ratio(measured.delta(name, Some(server), Metric::Responses5xx), served),
            sessions: measured.last(name, Some(server), Metric::Sessions),
            queue: measured.last(name, Some(server), Metric::Queue),
            response_ms: measured.last(name, Some(server), Metric::ResponseTime),
        }
    };
    LivePool {
        name: name.to_owned(),
        algorithm: model.and_then(|pool| pool.algorithm.name.clone()).or_else(|| state.and_then(|pool| pool.algorithm.clone())),
        persistence: model.map(|pool| pool.persistence.iter().map(|p| p.said.clone()).collect()).unwrap_or_default(),
        rate: measured.rate(name, None, Metric::Requests),
        error_ratio: ratio(measured.delta(name, None, Metric::Responses5xx), measured.delta(name, None, Metric::Requests)),
        servers: servers.iter().map(live_server).collect(),
    }
}

fn ratio(part: Option<f64>, whole: Option<f64>) -> Option<f64> {
    let (part, whole) = (part?, whole?);
    (whole > 0.0).then(|| (part / whole).clamp(0.0, 1.0))
}

/// Sums and last values of the window's series.
struct Measured<'a> {
    by_key: BTreeMap<&'a SeriesKey, &'a Series>,
    newest: Option<Timestamp>,
}

impl<'a> Measured<'a> {
    fn new(series: &'a [Series]) -> Self {
        let newest = series.iter().filter_map(|s| s.points.last()).map(|(at, _)| *at).max();
        Self { by_key: series.iter().map(|s| (&s.key, s)).collect(), newest }
    }

    fn find(&self, pool: &str, server: Option<&str>, metric: Metric) -> Option<&'a Series> {
        let key = SeriesKey { pool: pool.to_owned(), server: server.map(str::to_owned), metric };
        self.by_key.get(&key).copied()
    }

    fn last(&self, pool: &str, server: Option<&str>, metric: Metric) -> Option<f64> {
        let (at, value) = *self.find(pool, server, metric)?.points.last()?;
        // A server that is gone from the newest poll has no present value.
        (Some(at) == self.newest).then_some(value)
    }

    fn delta(&self, pool: &str, server: Option<&str>, metric: Metric) -> Option<f64> {
        let rates = rates::rate(&self.find(pool, server, metric)?.points);
        (!rates.is_empty()).then(|| rates.iter().map(|rate| rate.delta).sum())
    }

    fn rate(&self, pool: &str, server: Option<&str>, metric: Metric) -> Option<f64> {
        let rates = rates::rate(&self.find(pool, server, metric)?.points);
        let seconds: f64 = rates.iter().map(|rate| rate.seconds).sum();
        (seconds > 0.0).then(|| rates.iter().map(|rate| rate.delta).sum::<f64>() / seconds)
    }
}
