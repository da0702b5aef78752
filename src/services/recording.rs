//! The flight recorder's memory: what a poll becomes.
//!
//! Samples go to their own store at once. A snapshot is taken whenever the config text or the state that
//! decides where traffic goes differs from the newest one; open incidents get it as a `change` entry.
//! Nothing here is ever awaited by a person.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::time::Duration as StdDuration;

use chrono::Duration;
use serde_json::json;

use super::snapshots::PushedSnapshot;
use super::{Result, Unit, secrets, timeline};
use crate::app::App;
use crate::balancer::model::Model;
use crate::balancer::state::State;
use crate::balancer::{diff, haproxy, redact};
use crate::domain::Error;
use crate::domain::access::Actor;
use crate::domain::balancer::Balancer;
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::id::{BalancerId, IncidentId, IncidentRef, SnapshotId};
use crate::domain::incident::Incident;
use crate::domain::snapshot::{Snapshot, SnapshotRole};
use crate::domain::time::{Timestamp, Window, humane};
use crate::domain::timeline::{EntryFields, EntryKind, Evidence};
use crate::record::{self, Reading, Target};
use crate::signal::chunk;
use crate::signal::series::{Series, SeriesKey};
use crate::store::{Conn, balancers, blobs, incidents, samples, snapshots};

/// Largest config text that is kept, in bytes.
pub const CONFIG_MAX: usize = 16 * 1024 * 1024;
/// What an incident shows from before it began.
pub const BEFORE_MINUTES: i64 = 30;
/// What it shows after it was resolved.
const AFTER_MINUTES: i64 = 10;
/// A poll gives up after this long.
const POLL_DEADLINE: StdDuration = StdDuration::from_secs(8);

/// Reads one balancer once and keeps what it says. A failing balancer is recorded as such.
pub async fn poll(app: &App, balancer: &Balancer) -> Result<()> {
    let fields = &balancer.fields;
    let target = Target { kind: fields.kind, config_path: &fields.config_path, state_address: &fields.state_address };
    match record::read(&target, app.http(), POLL_DEADLINE).await {
        Ok(reading) => keep(app, balancer, reading).await,
        Err(fault) => note_failure(app, balancer, &fault.to_string()).await,
    }
}

async fn keep(app: &App, balancer: &Balancer, reading: Reading) -> Result<()> {
    let at = app.now();
    if !reading.samples.is_empty() {
        let mut conn = app.store().samples().begin().await?;
        samples::insert_frame(&mut conn, balancer.id, at, &chunk::encode_frame(&reading.samples)).await?;
        conn.commit().await?;
    }
    let trouble = (!reading.notices.is_empty()).then(|| reading.notices.join("; "));
    let captured = Captured::new(app, reading.config, reading.state, reading.notices);
    let mut conn = app.store().read().await?;
    let same = is_newest(&mut conn, balancer.id, &captured).await?;
    // The stored state decides, not the copy that the scheduler holds.
    let stored = balancers::find(&mut conn, balancer.id).await?;
    drop(conn);
    let Some(stored) = stored else { return Ok(()) };
    let stale = stored.last_answer_at.is_none_or(|last| at - last > Duration::seconds(60));
    if same && !stale && stored.failing_since.is_none() && stored.last_error == trouble {
        return Ok(());
    }
    let mut unit = Unit::begin(app, &Actor::Recorder).await?;
    balancers::note_answer(&mut unit.conn, balancer.id, at, trouble.as_deref()).await?;
    if let Some(since) = stored.failing_since {
        let data = json!({"name": stored.fields.name, "answers_again_after": humane(at - since)});
        unit.event(NewEvent::new(EventKind::BalancerChanged).subject(balancer.id).data(data));
    }
    if !same {
        take(app, &mut unit, &stored, captured, at, "recorder".to_owned()).await?;
    }
    unit.commit().await
}

async fn note_failure(app: &App, balancer: &Balancer, fault: &str) -> Result<()> {
    let stored = balancers::find(&mut app.store().read().await?, balancer.id).await?;
    let Some(stored) = stored else { return Ok(()) };
    if stored.last_error.as_deref() == Some(fault) {
        return Ok(());
    }
    let mut unit = Unit::begin(app, &Actor::Recorder).await?;
    let now = unit.now;
    balancers::note_failure(&mut unit.conn, balancer.id, now, fault).await?;
    if stored.failing_since.is_none() {
        let data = json!({"name": stored.fields.name, "failing": fault});
        unit.event(NewEvent::new(EventKind::BalancerChanged).subject(balancer.id).data(data));
        // The gap is part of the story of every incident that is going on.
        for incident in incidents::open(&mut unit.conn).await? {
            let title = format!("{} does not answer the recorder", stored.fields.name);
            let body = format!("{fault}\n\nThe chart has a gap from here until it answers again.");
            timeline::record(app, &mut unit, incident.id, EntryKind::Observation, title, body).await?;
        }
    }
    unit.commit().await
}

/// What was read, with secrets gone: from here on nothing holds the raw text.
struct Captured {
    config: Option<String>,
    model: Option<Model>,
    state: Option<State>,
    notices: Vec<String>,
}

impl Captured {
    fn new(app: &App, config: Option<String>, state: Option<State>, mut notices: Vec<String>) -> Self {
        let config = config.map(|text| redact::redact(&text, app.redaction_key()).text);
        let model = config.as_deref().map(haproxy::parse);
        notices.extend(model.iter().flat_map(|m| &m.notices).take(50).map(|n| format!("line {}: {}", n.line, n.text)));
        Self { config, model, state, notices }
    }

    fn hash(&self) -> Option<Vec<u8>> {
        self.config.as_deref().map(|text| secrets::digest(text.as_bytes()))
    }
}

/// Whether the newest snapshot says the same. What could not be read this time is no change.
async fn is_newest(conn: &mut Conn, balancer: BalancerId, captured: &Captured) -> Result<bool> {
    let Some(newest) = snapshots::list(conn, balancer, None, 1).await?.into_iter().next() else { return Ok(false) };
    let content = snapshots::content(conn, newest.id).await?.unwrap_or_default();
    let same_config = captured.config.is_none() || captured.hash() == content.config_hash;
    let same_state = captured.state.is_none() || captured.state == content.state;
    Ok(same_config && same_state)
}

async fn take(
    app: &App,
    unit: &mut Unit<'_>,
    balancer: &Balancer,
    mut captured: Captured,
    at: Timestamp,
    source: String,
) -> Result<Snapshot> {
    let before = snapshots::list(&mut unit.conn, balancer.id, None, 1).await?.into_iter().next();
    let content = match &before {
        Some(before) => snapshots::content(&mut unit.conn, before.id).await?.unwrap_or_default(),
        None => snapshots::Content::default(),
    };
    let old_config = match &content.config_hash {
        Some(hash) => Some(unpack(&blobs::get(&mut unit.conn, hash).await?)?),
        None => None,
    };
    // What could not be read now is carried over: the newest knowledge stays the newest.
    let carried_hash = if captured.config.is_none() { content.config_hash.clone() } else { None };
    if captured.config.is_none() {
        captured.model.clone_from(&content.model);
    }
    captured.state = captured.state.or_else(|| content.state.clone());
    let config_now = captured.config.clone().or_else(|| old_config.clone());
    let old = (old_config, content.model, content.state);
    let changes = match before {
        Some(_) => sentences(&old, &(config_now, captured.model.clone(), captured.state.clone())),
        None => Vec::new(),
    };
    let hash = match (&captured.config, captured.hash()) {
        (Some(text), Some(hash)) => {
            blobs::put(&mut unit.conn, &hash, &pack(text)?).await?;
            Some(hash)
        }
        _ => carried_hash,
    };
    let snapshot = Snapshot {
        id: SnapshotId(app.uuid()),
        balancer_id: balancer.id,
        balancer: balancer.fields.name.clone(),
        number: snapshots::next_number(&mut unit.conn, balancer.id).await?,
        captured_at: at,
        config_hash: None,
        changes,
        notices: captured.notices,
        source,
    };
    let content = snapshots::Content { config_hash: hash, model: captured.model, state: captured.state };
    snapshots::insert(&mut unit.conn, &snapshot, &content).await?;
    let data = json!({"balancer": snapshot.balancer, "number": snapshot.number, "changes": snapshot.changes});
    unit.event(NewEvent::new(EventKind::SnapshotTaken).subject(snapshot.id).data(data));
    for incident in incidents::open(&mut unit.conn).await? {
        tie(app, unit, &incident, before.as_ref(), &snapshot).await?;
    }
    Ok(snapshots::find(&mut unit.conn, snapshot.id).await?.unwrap_or(snapshot))
}

/// Ties a fresh snapshot to an open incident and says so on its timeline.
async fn tie(app: &App, unit: &mut Unit<'_>, incident: &Incident, before: Option<&Snapshot>, snapshot: &Snapshot) -> Result<()> {
    let role = if before.is_some() { SnapshotRole::During } else { SnapshotRole::Before };
    snapshots::link_if_new(&mut unit.conn, incident.id, snapshot.id, role).await?;
    unit.event(NewEvent::new(EventKind::SnapshotLinked).incident(incident.id).subject(snapshot.id).data(json!({"role": role})));
    let Some(before) = before else { return Ok(()) };
    let first = snapshot.changes.first().map_or("config changed", String::as_str);
    let fields = EntryFields {
        kind: EntryKind::Change,
        title: crate::domain::time::shorten(&format!("{}: {first}", snapshot.balancer), 280),
        body: list(snapshot.changes.get(1..).unwrap_or_default()),
        occurred_at: snapshot.captured_at,
        evidence: vec![Evidence::Diff { before: before.id, after: snapshot.id }],
        pinned: true,
        ..EntryFields::default()
    };
    timeline::record_fields(app, unit, incident.id, snapshot.balancer.clone(), fields).await.map(drop)
}

fn list(sentences: &[String]) -> String {
    // Names in a config are whatever their writer liked: keep them from becoming Markdown.
    sentences.iter().take(50).map(|sentence| format!("- `{}`\n", sentence.replace('`', "'"))).collect()
}

/// Config text, its model, and the run-time state of one moment.
pub(super) type Moment = (Option<String>, Option<Model>, Option<State>);

/// What changed between two moments, one sentence each, by consequence.
pub(super) fn sentences(before: &Moment, after: &Moment) -> Vec<String> {
    let mut sentences = match &after.2 {
        Some(state) if before.2.is_some() => diff::state_changes(before.2.as_ref(), state),
        _ => Vec::new(),
    };
    let by_file = match &after.1 {
        Some(model) if before.1.is_some() => diff::config_changes(before.1.as_ref(), model),
        _ => Vec::new(),
    };
    for sentence in by_file {
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
    if sentences.is_empty() && before.0 != after.0 {
        sentences.push("config text changed, with the same meaning".to_owned());
    } else if sentences.is_empty() {
        sentences.push("run-time details changed".to_owned());
    }
    sentences
}

/// Keeps a snapshot that was sent by a person or an agent.
pub async fn take_pushed(app: &App, actor: &Actor, id: BalancerId, pushed: PushedSnapshot) -> Result<Snapshot> {
    let state = match pushed.state.as_deref().filter(|text| !text.trim().is_empty()) {
        Some(text) => {
            let detail = "this is not an answer of `show servers state`; send its text from the line with the 1 on";
            Some(record::haproxy::stat::parse_state(text).ok_or_else(|| Error::invalid("state", "not_understood", detail))?)
        }
        None => None,
    };
    let captured = Captured::new(app, Some(pushed.config), state, Vec::new());
    let mut unit = Unit::begin(app, actor).await?;
    let balancer = balancers::find(&mut unit.conn, id).await?.ok_or_else(BalancerId::not_found)?;
    let at = pushed.captured_at.map_or(unit.now, crate::domain::time::to_micros);
    if is_newest(&mut unit.conn, id, &captured).await?
        && let Some(newest) = snapshots::list(&mut unit.conn, id, None, 1).await?.into_iter().next()
    {
        return Ok(newest);
    }
    let snapshot = take(app, &mut unit, &balancer, captured, at, actor.to_string()).await?;
    unit.commit().await?;
    Ok(snapshot)
}

fn pack(text: &str) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).map_err(anyhow::Error::from)?;
    Ok(encoder.finish().map_err(anyhow::Error::from)?)
}

pub(super) fn unpack(bytes: &[u8]) -> Result<String> {
    let mut text = String::new();
    flate2::read::DeflateDecoder::new(bytes).read_to_string(&mut text).map_err(anyhow::Error::from)?;
    Ok(text)
}

/// What an incident shows of the recording: from half an hour before it began to a little after its end.
pub fn window(incident: &Incident, now: Timestamp) -> Window {
    let from = incident.beginning() - Duration::minutes(BEFORE_MINUTES);
    let to = incident.end().map_or(now, |end| (end + Duration::minutes(AFTER_MINUTES)).min(now));
    Window { from, to: to.max(from + Duration::minutes(1)) }
}

/// Links what was live in the incident's window: the last snapshot before it, and those during it. What
/// people linked or chose is left alone.
pub(super) async fn link_window(conn: &mut Conn, incident: &Incident, now: Timestamp) -> Result<()> {
    let window = window(incident, now);
    for balancer in balancers::list(conn).await? {
        let mut during = snapshots::within(conn, balancer.id, window.from, window.to, 100).await?;
        let before = match snapshots::last_at(conn, balancer.id, window.from).await? {
            Some(before) => Some(before),
            // The recorder began inside the window: the first one stands for what was before.
            None if during.first().is_some_and(|first| first.captured_at <= incident.beginning()) => Some(during.remove(0)),
            None => None,
        };
        if let Some(before) = before {
            snapshots::link_if_new(conn, incident.id, before.id, SnapshotRole::Before).await?;
        }
        for snapshot in during {
            snapshots::link_if_new(conn, incident.id, snapshot.id, SnapshotRole::During).await?;
        }
    }
    Ok(())
}

/// All recorded series of a balancer within a window: packed chunks and single frames together.
pub(super) async fn series(app: &App, balancer: BalancerId, window: Window) -> Result<Vec<Series>> {
    let mut conn = app.store().samples().read().await?;
    let chunks = samples::chunks(&mut conn, balancer, window).await?;
    let frames = samples::frames(&mut conn, balancer, window).await?;
    drop(conn);
    let mut merged = Merged::default();
    for row in chunks {
        let points = chunk::decode(&row.bytes).map_err(anyhow::Error::from)?;
        merged.add(row.key, points.into_iter().filter(|(at, _)| window.contains(*at)));
    }
    for (at, bytes) in frames {
        for sample in chunk::decode_frame(&bytes).map_err(anyhow::Error::from)? {
            merged.add(sample.key, [(at, sample.value)]);
        }
    }
    Ok(merged.finish())
}

/// Points by series and time, whatever they came from.
#[derive(Default)]
struct Merged(BTreeMap<SeriesKey, BTreeMap<Timestamp, f64>>);

impl Merged {
    fn add(&mut self, key: SeriesKey, points: impl IntoIterator<Item = (Timestamp, f64)>) {
        self.0.entry(key).or_default().extend(points);
    }

    fn finish(self) -> Vec<Series> {
        self.0.into_iter().map(|(key, points)| Series { key, points: points.into_iter().collect() }).collect()
    }
}

/// What an incident has of one balancer.
pub struct Recorded {
    pub balancer_id: BalancerId,
    pub balancer: String,
    pub series: Vec<Series>,
}

/// The incident's recording: its own frozen copy, completed by what is still in the rolling store.
pub async fn of_incident(app: &App, incident: &Incident) -> Result<Vec<Recorded>> {
    let window = window(incident, app.now());
    let mut conn = app.store().read().await?;
    let frozen = samples::frozen(&mut conn, incident.id).await?;
    let live = balancers::list(&mut conn).await?;
    drop(conn);
    let mut by_balancer: BTreeMap<BalancerId, (String, Merged)> = BTreeMap::new();
    for row in frozen {
        let points = chunk::decode(&row.bytes).map_err(anyhow::Error::from)?;
        let (_, merged) = by_balancer.entry(row.balancer_id).or_insert_with(|| (row.balancer, Merged::default()));
        merged.add(row.key, points.into_iter().filter(|(at, _)| window.contains(*at)));
    }
    for balancer in live {
        let recorded = series(app, balancer.id, window).await?;
        if recorded.is_empty() {
            continue;
        }
        let (_, merged) = by_balancer.entry(balancer.id).or_insert_with(|| (balancer.fields.name, Merged::default()));
        for Series { key, points } in recorded {
            merged.add(key, points);
        }
    }
    let finished = by_balancer.into_iter().map(|(balancer_id, (balancer, merged))| Recorded {
        balancer_id,
        balancer,
        series: merged.finish(),
    });
    Ok(finished.collect())
}

/// Copies the incident's window so that it outlives retention.
pub async fn freeze(app: &App, id: IncidentId) -> Result<()> {
    let Some(incident) = incidents::find(&mut app.store().read().await?, IncidentRef::Id(id)).await? else { return Ok(()) };
    let recorded = of_incident(app, &incident).await?;
    let mut conn = app.store().begin().await?;
    for Recorded { balancer_id, balancer, series } in recorded {
        for Series { key, points } in series {
            let row = samples::FrozenRow { balancer_id, balancer: balancer.clone(), key, bytes: chunk::encode(&points).bytes };
            samples::freeze(&mut conn, id, &row).await?;
        }
    }
    Ok(conn.commit().await?)
}

/// [`freeze`] beside the caller, who does not wait for it.
pub(super) fn freeze_soon(app: &App, id: IncidentId) {
    let app = app.clone();
    tokio::spawn(async move {
        if let Err(fault) = freeze(&app, id).await {
            tracing::warn!(incident = %id, %fault, "the recording could not be frozen; the next round tries again");
        }
    });
}

/// Freezes every incident whose window may still grow.
pub async fn freeze_all(app: &App) -> Result<()> {
    let since = app.now() - Duration::minutes(AFTER_MINUTES + 5);
    let growing = incidents::recording(&mut app.store().read().await?, since).await?;
    for incident in growing {
        freeze(app, incident.id).await?;
    }
    Ok(())
}

/// Frames that are packed together at once, at least.
const PACK_FROM: i64 = 120;

/// Packs frames into chunks per series, but for the newest minute.
pub async fn pack_frames(app: &App) -> Result<()> {
    let db = app.store().samples();
    let waiting = samples::waiting(&mut db.read().await?).await?;
    for (balancer, count, oldest, newest) in waiting {
        if count < PACK_FROM {
            continue;
        }
        let window = Window { from: oldest, to: newest - Duration::seconds(60) };
        let frames = samples::frames(&mut db.read().await?, balancer, window).await?;
        let mut merged = Merged::default();
        for (at, bytes) in &frames {
            for sample in chunk::decode_frame(bytes).map_err(anyhow::Error::from)? {
                merged.add(sample.key, [(*at, sample.value)]);
            }
        }
        let Some((last, _)) = frames.last() else { continue };
        let packed = Window { from: window.from, to: *last + Duration::microseconds(1) };
        let mut conn = db.begin().await?;
        for Series { key, points } in merged.finish() {
            let chunk = chunk::encode(&points);
            let row = samples::ChunkRow { key, from: chunk.from, to: chunk.to, bytes: chunk.bytes };
            samples::insert_chunk(&mut conn, balancer, &row).await?;
        }
        samples::remove_frames(&mut conn, balancer, packed).await?;
        conn.commit().await?;
    }
    Ok(())
}

/// Drops what is older than the settings allow.
pub async fn expire(app: &App) -> Result<()> {
    let now = app.now();
    let config = app.config();
    let mut conn = app.store().samples().begin().await?;
    samples::expire(&mut conn, now - Duration::days(config.keep_samples_days)).await?;
    conn.commit().await?;
    let mut conn = app.store().begin().await?;
    crate::store::integrations::remove_deliveries_before(&mut conn, now - Duration::days(config.keep_deliveries_days)).await?;
    crate::store::sessions::remove_expired(&mut conn, now).await?;
    Ok(conn.commit().await?)
}
