//! From what was read to a snapshot: redact, compare with the newest, store, tell the open incidents.

use std::io::{Read, Write};

use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::app::App;
use crate::balancer::change::Change;
use crate::balancer::model::{Gravity, Model, Notice};
use crate::balancer::source::{self, NoFiles};
use crate::balancer::state::State;
use crate::balancer::{self, diff, redact};
use crate::domain::Error;
use crate::domain::access::Actor;
use crate::domain::balancer::{Balancer, BalancerKind};
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::id::{BalancerId, SnapshotId};
use crate::domain::incident::Incident;
use crate::domain::snapshot::{Snapshot, SnapshotRole};
use crate::domain::time::Timestamp;
use crate::domain::timeline::{EntryFields, EntryKind, Evidence, Source};
use crate::services::recording::window;
use crate::services::{Result, Unit, secrets, timeline};
use crate::store::{balancers, blobs, incidents, snapshots};

/// What was read, with secrets gone: from here on nothing holds the raw text.
#[derive(Clone)]
pub(super) struct Captured {
    kind: BalancerKind,
    config: Option<String>,
    hash: Option<Vec<u8>>,
    state: Option<State>,
    notices: Vec<String>,
}

impl Captured {
    pub(super) async fn new(
        app: &App,
        kind: BalancerKind,
        config: Option<String>,
        state: Option<State>,
        mut notices: Vec<String>,
    ) -> Result<Self> {
        let key = app.redaction_key().clone();
        let work = tokio::task::spawn_blocking(move || {
            let config = config.filter(|text| {
                let known = balancer::is_config(kind, text);
                if !known {
                    // Any other file is neither kept nor quoted: it may hold anything.
                    notices
                        .push(format!("the config path leads to a file that is no config of {}; it was not kept", kind.said()));
                }
                known
            });
            let config = config.map(|text| redact::redact(kind, &text, &key).text);
            let hash = config.as_deref().map(|text| secrets::digest(text.as_bytes()));
            Self { kind, config, hash, state, notices }
        });
        Ok(work.await.map_err(anyhow::Error::from)?)
    }

    /// Whether `content` says the same. What could not be read this time is no change.
    fn says(&self, content: &snapshots::Content) -> bool {
        let same_config = self.config.is_none() || self.hash == content.config_hash;
        let same_state = match (&self.state, &content.state) {
            (None, _) => true,
            (Some(now), Some(old)) => now.decides_as(old),
            (Some(_), None) => false,
        };
        same_config && same_state
    }
}

/// What a reading is, seen from the newest snapshot.
pub(super) enum Compared {
    Same(Box<Snapshot>),
    Different(Box<Fresh>),
}

/// All that makes a snapshot, worked out before anybody waits for the database.
pub(super) struct Fresh {
    kind: BalancerKind,
    before: Option<Snapshot>,
    changes: Vec<String>,
    notices: Vec<String>,
    content: snapshots::Content,
    /// The config, to be stored under its hash; none where it is stored already.
    packed: Option<Vec<u8>>,
}

/// Holds what was read against the newest snapshot of the balancer.
pub(super) async fn compare(app: &App, balancer: BalancerId, mut captured: Captured) -> Result<Compared> {
    let mut conn = app.store().read().await?;
    let before = snapshots::list(&mut conn, balancer, None, 1).await?.into_iter().next();
    let mut content = snapshots::Content::default();
    if let Some(newest) = &before {
        content = snapshots::content(&mut conn, newest.id).await?.unwrap_or_default();
        if captured.says(&content) {
            return Ok(Compared::Same(Box::new(newest.clone())));
        }
    }
    let old_config = match &content.config_hash {
        Some(hash) => Some(blobs::get(&mut conn, hash).await?),
        None => None,
    };
    drop(conn);
    let work = tokio::task::spawn_blocking(move || -> Result<Fresh> {
        let old_config = old_config.as_deref().map(unpack).transpose()?;
        let packed = captured.config.as_deref().map(pack).transpose()?;
        // What could not be read now is carried over: the newest knowledge stays the newest.
        let config = captured.config.or_else(|| old_config.clone());
        let state = captured.state.or_else(|| content.state.clone());
        let new = Moment::new(captured.kind, config, state);
        let mut changes = Vec::new();
        if before.is_some() {
            changes = sentences(&Moment::new(captured.kind, old_config, content.state), &new);
        }
        let told = new.model.iter().flat_map(|model| &model.notices).filter(|notice| notice.gravity > Gravity::Note);
        let files = new.model.iter().flat_map(|model| &model.files).collect::<Vec<_>>();
        let file = |notice: &Notice| {
            files.get(notice.place.file()).filter(|_| files.len() > 1).map_or(String::new(), |file| format!("{file}, "))
        };
        captured
            .notices
            .extend(told.take(50).map(|notice| format!("{}line {}: {}", file(notice), notice.place.line(), notice.text)));
        let content = snapshots::Content { config_hash: captured.hash.or(content.config_hash), state: new.state };
        Ok(Fresh { kind: captured.kind, before, changes, notices: captured.notices, content, packed })
    });
    Ok(Compared::Different(Box::new(work.await.map_err(anyhow::Error::from)??)))
}

/// Keeps a snapshot and tells the open incidents; none when another one was kept since it was compared.
pub(super) async fn take(
    app: &App,
    unit: &mut Unit<'_>,
    balancer: &Balancer,
    fresh: Fresh,
    at: Timestamp,
    source: String,
) -> Result<Option<Snapshot>> {
    balancers::lock(&mut unit.conn, balancer.id).await?;
    let newest = snapshots::list(&mut unit.conn, balancer.id, None, 1).await?.into_iter().next();
    if newest.as_ref().map(|newest| newest.id) != fresh.before.as_ref().map(|before| before.id) {
        return Ok(None);
    }
    if let (Some(packed), Some(hash)) = (&fresh.packed, &fresh.content.config_hash) {
        blobs::put(&mut unit.conn, hash, packed).await?;
    }
    let snapshot = Snapshot {
        id: SnapshotId(app.uuid()),
        balancer_id: balancer.id,
        balancer: balancer.fields.name.clone(),
        number: snapshots::next_number(&mut unit.conn, balancer.id).await?,
        captured_at: at,
        kind: fresh.kind,
        config_hash: None,
        changes: fresh.changes,
        notices: fresh.notices,
        source,
        verdict: None,
    };
    snapshots::insert(&mut unit.conn, &snapshot, &fresh.content).await?;
    let data = json!({"balancer": snapshot.balancer, "number": snapshot.number, "changes": snapshot.changes});
    unit.event(NewEvent::new(EventKind::SnapshotTaken).subject(snapshot.id).data(data));
    for incident in incidents::open(&mut unit.conn).await? {
        // A snapshot that was sent later than it was taken may belong to no open incident.
        if snapshot.captured_at < window(&incident, unit.now).from {
            continue;
        }
        tie(app, unit, &incident, fresh.before.as_ref(), &snapshot).await?;
    }
    Ok(Some(snapshots::find(&mut unit.conn, snapshot.id).await?.unwrap_or(snapshot)))
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

/// What a balancer was at one moment: its redacted text, what that means, and its run-time state.
#[derive(Debug, Clone, Default)]
pub struct Moment {
    pub config: Option<String>,
    /// Without the state laid over it.
    pub model: Option<Model>,
    pub state: Option<State>,
}

impl Moment {
    pub fn new(kind: BalancerKind, config: Option<String>, state: Option<State>) -> Self {
        Self::with_version(kind, config, state, None)
    }

    /// The same with a version where the state tells none.
    pub fn with_version(kind: BalancerKind, config: Option<String>, state: Option<State>, version: Option<&str>) -> Self {
        let version = state.as_ref().and_then(|state| state.version.as_deref()).or(version);
        let read = |text: &str| balancer::parse(kind, &source::Source::split("config", text), &mut NoFiles, version);
        Self { model: config.as_deref().map(read), config, state }
    }

    /// The model with the run-time state laid over it.
    pub fn effective(&self) -> Option<Model> {
        let mut model = self.model.clone()?;
        if let Some(state) = &self.state {
            state.lay_over(&mut model);
        }
        Some(model)
    }
}

/// What changed between two moments, by consequence.
pub fn changes(before: &Moment, after: &Moment) -> Vec<Change> {
    let mut changes = diff::changes((before.model.as_ref(), before.state.as_ref()), (after.model.as_ref(), after.state.as_ref()));
    if let (Some(old), Some(new)) = (&before.config, &after.config) {
        let secret = |sentence| Change { sentence, ..Change::default() };
        changes.extend(diff::secret_changes(old, new).into_iter().map(secret));
    }
    changes
}

/// The same as sentences, one at least.
pub fn sentences(before: &Moment, after: &Moment) -> Vec<String> {
    let mut sentences: Vec<String> = changes(before, after).into_iter().map(|change| change.sentence).collect();
    if sentences.is_empty() {
        let same_text = before.config == after.config;
        let said = if same_text { "run-time details changed" } else { "config text changed, with the same meaning" };
        sentences.push(said.to_owned());
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
    /// What the balancer says of itself beside the config: `show servers state`, `/clusters?format=json`,
    /// `/api/rawdata`, `/reverse_proxy/upstreams`.
    #[serde(default)]
    pub state: Option<String>,
    /// The kind of the text, when it is not the balancer's.
    #[serde(default)]
    pub format: Option<BalancerKind>,
}

/// Keeps a snapshot that was sent by a person or an agent.
pub async fn take_pushed(app: &App, actor: &Actor, id: BalancerId, pushed: PushedSnapshot) -> Result<Snapshot> {
    let known = balancers::find(&mut app.store().read().await?, id).await?.ok_or_else(BalancerId::not_found)?;
    let kind = pushed.format.unwrap_or(known.fields.kind);
    let state = match pushed.state.as_deref().filter(|text| !text.trim().is_empty()) {
        Some(text) => Some(balancer::state(kind, text).map_err(|detail| Error::invalid("state", "not_understood", detail))?),
        None => None,
    };
    if !balancer::is_config(kind, &pushed.config) {
        let detail = format!("this text is no config of {}; send the whole config, or say its kind as `format`", kind.said());
        return Err(Error::invalid("config", "not_understood", detail).into());
    }
    let captured_at = pushed.captured_at.map(crate::domain::time::to_micros);
    if captured_at.is_some_and(|at| !crate::domain::time::is_meant(at)) {
        return Err(Error::invalid("captured_at", "out_of_range", "a time lies between the years 1970 and 9999").into());
    }
    let captured = Captured::new(app, kind, Some(pushed.config), state, Vec::new()).await?;
    loop {
        let fresh = match compare(app, id, captured.clone()).await? {
            Compared::Same(newest) => return Ok(*newest),
            Compared::Different(fresh) => *fresh,
        };
        let mut unit = Unit::begin(app, actor).await?;
        let balancer = balancers::find(&mut unit.conn, id).await?.ok_or_else(BalancerId::not_found)?;
        let at = captured_at.unwrap_or(unit.now);
        // Overtaken by another snapshot, it is compared with that one.
        if let Some(snapshot) = take(app, &mut unit, &balancer, fresh, at, actor.to_string()).await? {
            unit.commit().await?;
            return Ok(snapshot);
        }
    }
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
