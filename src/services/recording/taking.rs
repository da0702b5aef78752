//! From what was read to a snapshot: redact, compare with the newest, store, tell the open incidents.

use std::io::{Read, Write};

use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::app::App;
use crate::balancer::model::Model;
use crate::balancer::state::State;
use crate::balancer::{diff, haproxy, redact};
use crate::domain::Error;
use crate::domain::access::Actor;
use crate::domain::balancer::Balancer;
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::id::{BalancerId, SnapshotId};
use crate::domain::incident::Incident;
use crate::domain::snapshot::{Snapshot, SnapshotRole};
use crate::domain::time::Timestamp;
use crate::domain::timeline::{EntryFields, EntryKind, Evidence, Source};
use crate::record;
use crate::services::recording::window;
use crate::services::{Result, Unit, secrets, timeline};
use crate::store::{Conn, balancers, blobs, incidents, snapshots};

/// Any other file is neither kept nor quoted: it may hold anything.
const NO_CONFIG: &str = "the config path leads to a file without any HAProxy section; it was not kept";

/// What was read, with secrets gone: from here on nothing holds the raw text.
pub(super) struct Captured {
    config: Option<String>,
    model: Option<Model>,
    state: Option<State>,
    notices: Vec<String>,
}

impl Captured {
    pub(super) fn new(app: &App, config: Option<String>, state: Option<State>, mut notices: Vec<String>) -> Self {
        let config = config.filter(|text| {
            let known = haproxy::is_config(text);
            if !known {
                notices.push(NO_CONFIG.to_owned());
            }
            known
        });
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
pub(super) async fn is_newest(conn: &mut Conn, balancer: BalancerId, captured: &Captured) -> Result<bool> {
    let Some(newest) = snapshots::list(conn, balancer, None, 1).await?.into_iter().next() else { return Ok(false) };
    let content = snapshots::content(conn, newest.id).await?.unwrap_or_default();
    let same_config = captured.config.is_none() || captured.hash() == content.config_hash;
    let same_state = captured.state.is_none() || captured.state == content.state;
    Ok(same_config && same_state)
}

pub(super) async fn take(
    app: &App,
    unit: &mut Unit<'_>,
    balancer: &Balancer,
    mut captured: Captured,
    at: Timestamp,
    source: String,
) -> Result<Snapshot> {
    balancers::lock(&mut unit.conn, balancer.id).await?;
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
        // A snapshot that was sent later than it was taken may belong to no open incident.
        if snapshot.captured_at < window(&incident, unit.now).from {
            continue;
        }
        tie(app, unit, &incident, before.as_ref(), &snapshot).await?;
    }
    Ok(snapshots::find(&mut unit.conn, snapshot.id).await?.unwrap_or(snapshot))
}

/// Ties a snapshot to an incident and says what changed on its timeline, once.
pub(super) async fn tie(
    app: &App,
    unit: &mut Unit<'_>,
    incident: &Incident,
    before: Option<&Snapshot>,
    snapshot: &Snapshot,
) -> Result<()> {
    let role = SnapshotRole::During;
    if !snapshots::link_if_new(&mut unit.conn, incident.id, snapshot.id, role).await? {
        return Ok(());
    }
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
    timeline::record_fields(app, unit, incident.id, Source::Recorder, snapshot.balancer.clone(), fields).await.map(drop)
}

fn list(sentences: &[String]) -> String {
    // Names in a config are whatever their writer liked: keep them from becoming Markdown.
    sentences.iter().take(50).map(|sentence| format!("- `{}`\n", sentence.replace('`', "'"))).collect()
}

/// Config text, its model, and the run-time state of one moment.
pub type Moment = (Option<String>, Option<Model>, Option<State>);

/// What changed between two moments, one sentence each, by consequence.
pub fn sentences(before: &Moment, after: &Moment) -> Vec<String> {
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

/// A snapshot that somebody sends instead of the recorder reading it.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PushedSnapshot {
    /// When it was read; now when not said.
    #[serde(default)]
    pub captured_at: Option<chrono::DateTime<chrono::Utc>>,
    pub config: String,
    /// Answer of `show servers state`, beside the config.
    #[serde(default)]
    pub state: Option<String>,
    /// Word of the balancer's kind, when it differs from the stored one.
    #[serde(default)]
    pub format: Option<String>,
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
    if !haproxy::is_config(&pushed.config) {
        let detail = "this text has no HAProxy section (global, defaults, frontend, backend, listen); send the whole config";
        return Err(Error::invalid("config", "not_understood", detail).into());
    }
    let captured = Captured::new(app, Some(pushed.config), state, Vec::new());
    let mut unit = Unit::begin(app, actor).await?;
    let balancer = balancers::find(&mut unit.conn, id).await?.ok_or_else(BalancerId::not_found)?;
    let at = pushed.captured_at.map_or(unit.now, crate::domain::time::to_micros);
    if !crate::domain::time::is_meant(at) {
        return Err(Error::invalid("captured_at", "out_of_range", "a time lies between the years 1970 and 9999").into());
    }
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

pub fn unpack(bytes: &[u8]) -> Result<String> {
    let mut text = String::new();
    flate2::read::DeflateDecoder::new(bytes).read_to_string(&mut text).map_err(anyhow::Error::from)?;
    Ok(text)
}
