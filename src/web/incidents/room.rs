//! The page of one incident, whole and in parts.

use std::collections::HashMap;

use askama::Template;
use askama::filters::Safe;
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::TimeDelta;
use serde::Deserialize;
use uuid::Uuid;

use super::parts::{Excerpt, Head, Item, Recorder, Side};
use super::presence::People;
use super::{edit, entries};
use crate::app::App;
use crate::balancer::change::Change;
use crate::domain::access::Actor;
use crate::domain::attachment::{Attachment, SIZE_MAX};
use crate::domain::id::{EntryId, IncidentRef};
use crate::domain::incident::Incident;
use crate::domain::reading::Reading;
use crate::domain::snapshot::{LinkedSnapshot, SnapshotRole};
use crate::domain::time::Timestamp;
use crate::domain::timeline::{Entry, EntryKind, Source};
use crate::services;
use crate::services::timeline::LIST_MAX;
use crate::web::error::{Error, Result};
use crate::web::extract::{Path, Query, Session};
use crate::web::fresh;
use crate::web::page::{Page, Shell};

/// Three polls.
const TOGETHER: TimeDelta = TimeDelta::seconds(15);
const RECENTLY: TimeDelta = TimeDelta::minutes(2);
/// A third of a pool's capacity, from which on the rules call a step a great one (LB003).
const MUCH_PERCENT: f64 = 33.0;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/incidents/{incident}", get(show).post(edit::save))
        .route("/incidents/{incident}/delete", post(edit::delete))
        .route("/incidents/{incident}/restore", post(edit::restore))
        .route("/incidents/{incident}/parts/{part}", get(part))
        .route("/incidents/{incident}/parts/timeline-entry/{entry}", get(entry_part))
        .route("/incidents/{incident}/composer", post(entries::understand))
        .route("/incidents/{incident}/entries", post(entries::add).layer(DefaultBodyLimit::max(SIZE_MAX + 1024 * 1024)))
        .route("/incidents/{incident}/entries/{entry}", get(entries::find).post(entries::save))
        .route("/incidents/{incident}/entries/{entry}/edit", get(entries::form))
        .route("/incidents/{incident}/entries/{entry}/history", get(entries::history))
        .route("/incidents/{incident}/entries/{entry}/delete", post(entries::delete))
        .route("/incidents/{incident}/entries/{entry}/restore", post(entries::restore))
        .route("/incidents/{incident}/tasks", post(edit::add_task))
        .route("/incidents/{incident}/tasks/{task}", post(edit::save_task))
        .route("/incidents/{incident}/snapshots/{snapshot}", post(edit::link_snapshot))
}

/// Entries drawn at once; earlier ones are a link away.
const SHOWN: usize = 300;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Show {
    #[default]
    All,
    Pinned,
    Changes,
    People,
    Deleted,
}

impl Show {
    const CHIPS: [(Self, &'static str, &'static str); 5] = [
        (Self::All, "All", ""),
        (Self::Pinned, "Pinned", "?show=pinned"),
        (Self::Changes, "Changes", "?show=changes"),
        (Self::People, "People", "?show=people"),
        (Self::Deleted, "Deleted", "?show=deleted"),
    ];

    fn is_all(self) -> bool {
        self == Self::All
    }

    fn takes(self, entry: &Entry) -> bool {
        let alive = entry.deleted_at.is_none();
        match self {
            Self::All => alive,
            Self::Pinned => alive && entry.fields.pinned,
            Self::Changes => alive && matches!(entry.fields.kind, EntryKind::Change | EntryKind::Status | EntryKind::Recovery),
            Self::People => alive && entry.source == Source::Person,
            Self::Deleted => !alive,
        }
    }
}

#[derive(Deserialize, Default)]
pub struct Asked {
    #[serde(default)]
    show: Show,
    /// All entries, however many.
    all: Option<String>,
}

#[derive(Template)]
#[template(path = "incidents/room.html")]
struct Room {
    shell: Shell,
    incident: Incident,
    head: Head,
    people: People,
    recorder: Recorder,
    items: Vec<Item>,
    side: Side,
    handles: Vec<String>,
    show: Show,
    /// Makes a form that is sent twice one entry.
    entry_id: Uuid,
    /// Entries that the filter takes, and of those the ones left out above.
    total: usize,
    earlier: usize,
    deleted: usize,
    /// Whether there are more entries than are read at once.
    cut: bool,
    /// Where the live stream goes on from.
    seq: i64,
    /// How far the reader has read.
    reading: Reading,
    /// The item below the line above what is new.
    new_from: Option<usize>,
}

impl Room {
    fn chips(&self) -> impl Iterator<Item = &(Show, &'static str, &'static str)> {
        Show::CHIPS.iter().filter(|(show, ..)| *show != Show::Deleted || self.deleted > 0 || self.show == Show::Deleted)
    }

    /// Whether a day rule stands above the item at `index`.
    fn opens_day(&self, index: &usize) -> bool {
        *index == 0 || self.items[*index].date() != self.items[*index - 1].date()
    }

    fn is_new_from(&self, index: &usize) -> bool {
        self.new_from == Some(*index)
    }

    /// ` since 14:03 UTC`, behind "3 new".
    fn since(&self) -> Safe<String> {
        let at = self.reading.read_at.map(|at| format!(" since {}", self.shell.zone().short(at)));
        Safe(at.unwrap_or_default())
    }

    /// Up to where the reader has read, for the script; -1 for who never did.
    fn read(&self) -> i64 {
        self.reading.seq.unwrap_or(-1)
    }

    /// The event that there is to be read: where the mark is, unless something came after it.
    fn newest(&self) -> i64 {
        match self.reading.seq {
            None => self.seq,
            Some(read) => self.reading.unread.last().map_or(read, |unread| unread.seq),
        }
    }

    fn composes(&self) -> bool {
        self.shell.may_write() && self.incident.deleted_at.is_none()
    }

    fn kinds(&self) -> [EntryKind; 9] {
        EntryKind::BY_HAND
    }
}

#[derive(Template)]
#[template(path = "incidents/deleted.html")]
struct Deleted {
    shell: Shell,
    incident: Incident,
}

async fn show(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path(which): Path<IncidentRef>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let actor = &session.actor;
    // Read before the rest: an event that falls between is sent twice rather than never.
    let seq = services::events::latest(&app).await?;
    let incident = services::incidents::find_any(&app, actor, which).await?;
    if incident.deleted_at.is_some() {
        return Ok(Page(Deleted { shell, incident }).into_response());
    }
    let people = People::of(&app, actor, &shell, &incident).await?;
    let tag = tag(&app, actor, &shell, &incident, &people).await?;
    if let Some(answer) = tag.as_ref().and_then(|tag| fresh::known(&headers, tag)) {
        return Ok(answer);
    }
    // Without a filter what is not drawn is not read either.
    let most = if asked.show.is_all() && asked.all.is_none() { SHOWN } else { LIST_MAX };
    let end = services::timeline::end(&app, actor, which, !asked.show.is_all(), most).await?;
    let cut = end.alive + end.deleted > LIST_MAX;
    let mut taken: Vec<_> = end.entries.into_iter().filter(|entry| asked.show.takes(entry)).collect();
    let total = if asked.show.is_all() { end.alive } else { taken.len() };
    if asked.all.is_none() {
        taken.drain(..taken.len().saturating_sub(SHOWN));
    }
    let earlier = if asked.all.is_some() { 0 } else { total.saturating_sub(taken.len()) };
    let mut items = items(&app, actor, &shell, &incident, taken).await?;
    let reading = services::readings::of(&app, actor, which).await?;
    let unread: HashMap<_, _> = reading.unread.iter().map(|unread| (unread.entry, unread.seq)).collect();
    for item in &mut items {
        item.unread = unread.get(&item.entry.id).copied();
    }
    // Entries that are not drawn count as the first.
    let hides_new =
        asked.show.is_all() && earlier > 0 && items.iter().filter(|item| item.unread.is_some()).count() < unread.len();
    let new_from = if hides_new { Some(0) } else { items.iter().position(|item| item.unread.is_some()) };
    let page = Page(Room {
        people,
        head: Head::new(&shell, &incident, app.now()),
        recorder: recorder(&app, actor, &shell, which).await?,
        side: side(&app, actor, &shell, &incident).await?,
        handles: services::incidents::handles(&app, actor).await?,
        items,
        show: asked.show,
        entry_id: app.uuid(),
        total,
        earlier,
        deleted: end.deleted,
        cut,
        seq,
        reading,
        new_from,
        shell,
        incident,
    })
    .into_response();
    Ok(match tag {
        Some(tag) if page.status() == StatusCode::OK => fresh::tagged(page, tag),
        _ => page,
    })
}

/// Of the page of an incident that is over; an open one tells the time, and is never the same twice, and what is
/// restricted stays in no browser. What is written in the room leaves an event of the incident when it changes; who is
/// there and how far the reader has read are asked for. The hour, or the minute for a while after the end, stands for
/// the rest: the recording, which may still grow, days on which tasks fall due, new names of balancers, and the people
/// that a field proposes.
async fn tag(app: &App, actor: &Actor, shell: &Shell, incident: &Incident, people: &People) -> Result<Option<HeaderValue>> {
    if incident.is_open() || incident.fields.is_restricted() {
        return Ok(None);
    }
    let now = app.now();
    let settled = now - incident.updated_at > TimeDelta::hours(2);
    let at = now.timestamp() / if settled { 3_600 } else { 60 };
    let newest = services::events::latest_of(app, incident.id).await?;
    let read = services::readings::seq(app, actor, incident.id).await?;
    let parts = [
        incident.id.to_string(),
        incident.version.to_string(),
        newest.to_string(),
        format!("{settled} {at} {read:?}"),
        people.state(),
    ];
    Ok(Some(fresh::tag(shell, &parts)))
}

/// Entries with the names and types of their files.
pub async fn items(app: &App, actor: &Actor, shell: &Shell, incident: &Incident, entries: Vec<Entry>) -> Result<Vec<Item>> {
    let ids: Vec<_> = entries.iter().flat_map(|entry| entry.fields.attachments.iter().copied()).collect();
    let files = services::attachments::of_ids(app, actor, &ids).await?;
    let of = |entry: &Entry| -> Vec<Attachment> {
        entry.fields.attachments.iter().filter_map(|id| files.iter().find(|file| file.id == *id).cloned()).collect()
    };
    Ok(entries.into_iter().map(|entry| Item::new(shell, incident, of(&entry), entry)).collect())
}

async fn recorder(app: &App, actor: &Actor, shell: &Shell, which: IncidentRef) -> Result<Recorder> {
    // The timeline must open even when the recordings cannot be read.
    let recorders = services::flight::recorder(app, actor, which).await.unwrap_or_else(|fault| {
        tracing::warn!(%fault, "the flight recorder of an incident cannot be read");
        Vec::new()
    });
    Ok(Recorder { shell: shell.clone(), recorders })
}

pub async fn side(app: &App, actor: &Actor, shell: &Shell, incident: &Incident) -> Result<Side> {
    let which = IncidentRef::Id(incident.id);
    let snapshots = services::snapshots::of_incident(app, actor, which).await?;
    let excerpt = excerpt(app, actor, &snapshots, incident.beginning()).await;
    Ok(Side {
        shell: shell.clone(),
        now: app.now(),
        json: serde_json::to_value(incident).unwrap_or_default(),
        incident: incident.clone(),
        alerts: services::alerts::of_incident(app, actor, which).await?,
        counts: services::alerts::count_of_incident(app, actor, which).await?,
        snapshots,
        excerpt,
        tasks: services::tasks::of_incident(app, actor, which).await?,
        task_id: app.uuid(),
    })
}

/// The change that a responder should see first: the last one, unless more than it had changed before, and that took
/// much of a pool's capacity away and is still so. Then all of it, the gravest first.
async fn excerpt(app: &App, actor: &Actor, snapshots: &[LinkedSnapshot], began: Timestamp) -> Option<Excerpt> {
    let (before, after) = telling_pair(snapshots, began)?;
    let compare = async |before: &LinkedSnapshot| {
        services::snapshots::compare(app, actor, before.snapshot.id, after.snapshot.id).await.ok()
    };
    let (mut from, mut diff) = (before, compare(before).await?);
    if let Some(first) = first_before(snapshots, before).filter(|_| !takes_much(&diff.changes))
        && let Some(whole) = compare(first).await.filter(|whole| takes_much(&whole.changes))
    {
        (from, diff) = (first, whole);
    }
    let sentences = diff.changes.into_iter().map(|change| change.sentence).collect();
    Some(Excerpt::new(from.clone(), after.clone(), sentences, &diff.unified))
}

fn takes_much(changes: &[Change]) -> bool {
    changes.iter().any(|change| change.lost_percent >= MUCH_PERCENT)
}

/// The oldest snapshot of the same balancer that is linked, where it is older than `than`.
fn first_before<'a>(snapshots: &'a [LinkedSnapshot], than: &LinkedSnapshot) -> Option<&'a LinkedSnapshot> {
    let (balancer, number) = (than.snapshot.balancer_id, than.snapshot.number);
    let older = snapshots.iter().filter(|s| s.snapshot.balancer_id == balancer && s.snapshot.number < number);
    older.min_by_key(|s| s.snapshot.number)
}

/// What changed last before the incident began, else first after it: a snapshot and one before it, of the same balancer.
/// A deployment writes a file and sets weights within seconds, which the recorder may read one after the other: what
/// follows within [`TOGETHER`] and what came within [`RECENTLY`] before is one change to people.
fn telling_pair(snapshots: &[LinkedSnapshot], began: Timestamp) -> Option<(&LinkedSnapshot, &LinkedSnapshot)> {
    let during = || snapshots.iter().filter(|s| s.role == SnapshotRole::During);
    let at = |s: &LinkedSnapshot| s.snapshot.captured_at;
    let last_before = during().filter(|s| at(s) <= began).max_by_key(|s| at(s));
    let first_after = || during().min_by_key(|s| at(s));
    let mut after = last_before.or_else(first_after).or(snapshots.iter().find(|s| s.role == SnapshotRole::Fix))?;
    let of_same = |s: &&LinkedSnapshot| s.snapshot.balancer_id == after.snapshot.balancer_id;
    let mut later: Vec<_> = during().filter(of_same).filter(|s| s.snapshot.number > after.snapshot.number).collect();
    let mut older: Vec<_> = snapshots.iter().filter(of_same).filter(|s| s.snapshot.number < after.snapshot.number).collect();
    later.sort_by_key(|s| s.snapshot.number);
    older.sort_by_key(|s| std::cmp::Reverse(s.snapshot.number));
    for next in later {
        if at(next) - at(after) > TOGETHER {
            break;
        }
        after = next;
    }
    let before = older.iter().find(|s| at(after) - at(s) >= RECENTLY).or(older.last())?;
    Some((before, after))
}

async fn part(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path((which, part)): Path<(IncidentRef, String)>,
) -> Result<Response> {
    let incident = services::incidents::find(&app, &session.actor, which).await?;
    match part.as_str() {
        "header" => Ok(Page(Head::new(&shell, &incident, app.now())).into_response()),
        "people" => Ok(Page(People::of(&app, &session.actor, &shell, &incident).await?).into_response()),
        "side" => Ok(Page(side(&app, &session.actor, &shell, &incident).await?).into_response()),
        "recorder" => Ok(Page(recorder(&app, &session.actor, &shell, which).await?).into_response()),
        _ => Err(Error::not_here()),
    }
}

async fn entry_part(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path((which, id)): Path<(IncidentRef, EntryId)>,
) -> Result<Response> {
    entries::fragment(&app, &session.actor, &shell, which, id).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::balancer::BalancerKind;
    use crate::domain::id::{BalancerId, SnapshotId};
    use crate::domain::snapshot::Snapshot;

    #[test]
    fn what_one_deployment_did_is_one_change() {
        let began = chrono::DateTime::from_timestamp(1_795_262_400, 0).expect("a time");
        let linked = |number: i64, seconds: i64| LinkedSnapshot {
            role: SnapshotRole::During,
            snapshot: Snapshot {
                id: SnapshotId(Uuid::from_u128(number as u128)),
                balancer_id: BalancerId(Uuid::nil()),
                balancer: "edge-1".into(),
                number,
                captured_at: began + TimeDelta::seconds(seconds),
                kind: BalancerKind::Haproxy,
                config_hash: None,
                changes: Vec::new(),
                notices: Vec::new(),
                source: "recorder".into(),
                verdict: None,
            },
        };
        let pair = |snapshots: &[LinkedSnapshot]| {
            telling_pair(snapshots, began).map(|(before, after)| (before.snapshot.number, after.snapshot.number))
        };
        // By socket at -7 s, by file at -2 s, read again at +3 s; put back after four minutes.
        let told = [linked(1, -900), linked(2, -7), linked(3, -2), linked(4, 3), linked(5, 240)];
        assert_eq!(pair(&told), Some((1, 4)));
        assert_eq!(pair(&[linked(1, -900), linked(2, -600), linked(3, -300)]), Some((2, 3)));
        assert_eq!(pair(&[linked(1, -60), linked(2, -30)]), Some((1, 2)), "the oldest there is");
        assert_eq!(pair(&[linked(1, -60)]), None);
    }
}
