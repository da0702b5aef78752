//! Plays the year: every step through the service that does it in earnest, with the clock held at its moment.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::Duration;
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket, UnixListener};

use super::clock::StageClock;
use super::edge::{self, Edge};
use super::recorded::{self, Past};
use super::story::{self, Alert, Asked, Moment, Small, Story, Told};
use super::{PEOPLE, silence};
use crate::app::App;
use crate::domain::access::Actor;
use crate::domain::balancer::{Balancer, BalancerFields, BalancerKind};
use crate::domain::id::{IncidentId, IncidentRef};
use crate::domain::incident::{IncidentFields, Milestones, Status};
use crate::domain::integration::{Format, NewIntegration};
use crate::domain::person::NewPerson;
use crate::domain::snapshot::SnapshotRole;
use crate::domain::task::{TaskFields, TaskStatus};
use crate::domain::time::Timestamp;
use crate::domain::timeline::{EntryFields, EntryKind, NewEntry};
use crate::services::hooks::Intake;
use crate::services::{Page, balancers, incidents, integrations, people, recording, snapshots, tasks, timeline};

/// How far the demo's past goes back.
const DAYS: i64 = 380;
/// For how long one balancer has not answered.
const SILENT_HOURS: i64 = 3;

/// What the live incident goes on with.
#[derive(Clone)]
pub struct Live {
    pub incident: IncidentRef,
    pub people: BTreeMap<String, Actor>,
    pub later: Vec<Told>,
}

pub struct Filled {
    pub live: Live,
    pub password: String,
    pub silence: Option<TcpSocket>,
}

/// Fills an empty installation up to `now`.
pub async fn fill(app: &App, clock: &StageClock, edge: &Edge, folder: &Path, now: Timestamp) -> anyhow::Result<Filled> {
    clock.hold(now - Duration::days(DAYS));
    let password = password(app);
    let people = accounts(app, &password).await?;
    let socket = folder.join("edge-1.sock");
    tokio::spawn(edge.clone().serve(UnixListener::bind(&socket)?, app.clone()));
    let admin = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
    let envoy = admin.local_addr()?;
    let answering = tokio::spawn(silence::answer(admin, story::MESH_CLUSTERS));

    let new = NewIntegration { name: "alertmanager".to_owned(), format: Format::Alertmanager };
    let (_, hook) = integrations::create(app, &people[PEOPLE[0].0], new).await?;
    let hook = (Intake::start(app), hook.trim_start_matches("/hooks/").to_owned());
    let mut stage = Stage { app, clock, edge, people, balancers: BTreeMap::new(), hook, now };
    stage.balancer("edge-1", BalancerKind::Haproxy, "edge-1.cfg", story::EDGE, folder, socket.display().to_string()).await?;
    stage.balancer("cache-1", BalancerKind::Nginx, "cache-1.conf", story::CACHE, folder, String::new()).await?;
    stage.balancer("mesh-1", BalancerKind::Envoy, "mesh-1.yaml", story::MESH, folder, format!("http://{envoy}")).await?;
    stage.year().await?;
    clock.hold(now - Duration::hours(SILENT_HOURS) - Duration::minutes(1));
    stage.poll("mesh-1").await?;
    answering.abort();
    // Waits for the port to be free.
    let _ = answering.await;
    let silence = silence::hold(envoy);
    clock.hold(now - Duration::hours(SILENT_HOURS));
    stage.poll("mesh-1").await?;
    let live = stage.live().await?;
    clock.hold(now);
    stage.poll("cache-1").await?;
    Ok(Filled { live, password, silence })
}

/// Fit to be typed, and nobody else's.
fn password(app: &App) -> String {
    let word = |bytes: &[u8]| bytes.iter().map(|byte| char::from(b'a' + byte % 26)).collect::<String>();
    let secret = app.secret();
    [&secret[..5], &secret[5..10], &secret[10..15]].map(word).join("-")
}

async fn accounts(app: &App, password: &str) -> anyhow::Result<BTreeMap<String, Actor>> {
    let add = async |(handle, role): (&str, _)| {
        let new = NewPerson { handle: handle.to_owned(), password: password.to_owned(), role };
        people::add(app, &Actor::Console, new).await.map(|person| (handle.to_owned(), person.actor()))
    };
    Ok(futures_util::future::try_join_all(PEOPLE.map(add)).await?.into_iter().collect())
}

struct Known {
    balancer: Balancer,
    path: std::path::PathBuf,
    text: String,
}

struct Stage<'a> {
    app: &'a App,
    clock: &'a StageClock,
    edge: &'a Edge,
    people: BTreeMap<String, Actor>,
    balancers: BTreeMap<String, Known>,
    /// Takes what Alertmanager sends, and its key.
    hook: (Intake, String),
    now: Timestamp,
}

/// One thing that happens in a story.
enum Step<'a> {
    Fired(&'a Alert),
    Ended(&'a Alert),
    Edit(&'a story::Edit, String),
    Declare,
    Entry(&'a Told),
    Status(Status),
}

impl Stage<'_> {
    fn actor(&self, handle: &str) -> anyhow::Result<&Actor> {
        self.people.get(handle).ok_or_else(|| anyhow::anyhow!("the demo has nobody called {handle}"))
    }

    fn known(&self, name: &str) -> anyhow::Result<&Known> {
        self.balancers.get(name).ok_or_else(|| anyhow::anyhow!("the demo has no balancer {name}"))
    }

    async fn balancer(
        &mut self,
        name: &str,
        kind: BalancerKind,
        file: &str,
        text: &str,
        folder: &Path,
        state: String,
    ) -> anyhow::Result<()> {
        let path = folder.join(file);
        let config_path = path.display().to_string();
        let fields =
            BalancerFields { name: name.to_owned(), kind, config_path, state_address: state, ..BalancerFields::default() };
        let balancer = balancers::add(self.app, self.actor(PEOPLE[0].0)?, fields).await?;
        self.balancers.insert(name.to_owned(), Known { balancer, path, text: String::new() });
        self.configure(name, text.to_owned()).await
    }

    /// Writes a config and lets the recorder find it.
    async fn configure(&mut self, name: &str, text: String) -> anyhow::Result<()> {
        let known = self.balancers.get_mut(name).ok_or_else(|| anyhow::anyhow!("the demo has no balancer {name}"))?;
        std::fs::write(&known.path, &text)?;
        known.text = text;
        if known.balancer.fields.kind == BalancerKind::Haproxy {
            self.edge.configure(&known.text);
        }
        self.poll(name).await
    }

    async fn poll(&self, name: &str) -> anyhow::Result<()> {
        Ok(recording::poll(self.app, &self.known(name)?.balancer).await?)
    }

    /// Everything that is over, in the order in which it happened.
    async fn year(&mut self) -> anyhow::Result<()> {
        enum Over {
            Story(Box<Story>),
            Small(Box<Small>),
        }
        let mut all: Vec<(i64, Over)> = Vec::new();
        all.extend(story::finished()?.into_iter().map(|story| (story.days_ago, Over::Story(Box::new(story)))));
        all.extend(story::small()?.into_iter().map(|small| (small.days_ago, Over::Small(Box::new(small)))));
        all.sort_by_key(|(days_ago, _)| -days_ago);
        for (days_ago, over) in all {
            let start = story::day(self.now, days_ago);
            match over {
                Over::Story(story) => {
                    self.play(&story, start).await?;
                }
                Over::Small(small) => self.small(&small, start).await?,
            }
        }
        Ok(())
    }

    /// The texts of all edits of a story, each applied to what the one before left.
    fn texts<'s>(&self, story: &'s Story) -> anyhow::Result<Vec<(&'s story::Edit, String)>> {
        let mut current: BTreeMap<&str, String> = BTreeMap::new();
        let mut texts = Vec::new();
        for edit in &story.config {
            let name = edit.balancer.as_str();
            let mut text = match current.remove(name) {
                Some(text) => text,
                None => self.known(name)?.text.clone(),
            };
            for (old, new) in &edit.replace {
                anyhow::ensure!(text.contains(old.as_str()), "“{old}” does not stand in the config of {name}");
                text = text.replace(old.as_str(), new);
            }
            current.insert(name, text.clone());
            texts.push((edit, text));
        }
        Ok(texts)
    }

    /// A story as it happened: declared when it was noticed, told as it went on, written up afterwards.
    async fn play(&mut self, story: &Story, start: Timestamp) -> anyhow::Result<IncidentId> {
        let when = |moment: Moment| moment.after(start);
        let Milestones { started, detected, .. } = opening(story, start);
        let (started, declared) = (started.unwrap_or(start), detected.unwrap_or(start) + Duration::seconds(70));
        let texts = self.texts(story)?;
        let end =
            story.milestones.resolved.map_or(self.now, |resolved| when(resolved) + Duration::minutes(recording::AFTER_MINUTES));

        let edge = self.known("edge-1")?;
        let mut models = vec![(Timestamp::MIN_UTC, edge::model(&edge.text))];
        let edits = texts.iter().filter(|(edit, _)| edit.balancer == "edge-1");
        models.extend(edits.map(|(edit, text)| (when(edit.at), edge::model(text))));
        let past = Past { from: started - Duration::minutes(recording::BEFORE_MINUTES), to: end, models };
        let (series, pools) = recorded::series(&story.traffic, &past, when);
        recording::keep_series(self.app, edge.balancer.id, series).await?;

        let mut steps: Vec<(Timestamp, Step<'_>)> = vec![(declared, Step::Declare)];
        let fired = opening(story, start).detected.unwrap_or(start);
        if let Some(alert) = &story.alert {
            steps.push((fired, Step::Fired(alert)));
            steps.extend(story.milestones.resolved.map(|resolved| (when(resolved), Step::Ended(alert))));
        }
        steps.extend(texts.into_iter().map(|(edit, text)| (when(edit.at), Step::Edit(edit, text))));
        steps.extend(story.entry.iter().map(|told| {
            let written = when(told.at) + Duration::minutes(told.late.unwrap_or(0)) + Duration::seconds(25);
            (written.max(declared + Duration::seconds(1)), Step::Entry(told))
        }));
        let known = &story.milestones;
        let moves =
            [(known.identified, Status::Identified), (known.mitigated, Status::Monitoring), (known.resolved, Status::Resolved)];
        steps.extend(moves.into_iter().filter_map(|(at, status)| Some((when(at?), Step::Status(status)))));
        steps.sort_by_key(|(at, _)| *at);

        let by = story.opening.roles.get("commander").map_or(PEOPLE[0].0, String::as_str);
        let service = story.opening.services.first().map_or("", String::as_str);
        let mut id = None;
        let which =
            |id: Option<IncidentId>| id.map(IncidentRef::Id).ok_or_else(|| anyhow::anyhow!("told before it was declared"));
        for (at, step) in steps {
            self.clock.hold(at);
            match step {
                Step::Fired(alert) => id = self.alert(alert.body(service, fired, None)).await?,
                Step::Ended(alert) => drop(self.alert(alert.body(service, fired, Some(at))).await?),
                // An alert opened it; whoever takes it says what it is.
                Step::Declare if id.is_some() => {
                    let IncidentFields { title, summary, severity, services, labels, roles, .. } = &story.opening;
                    let patch = json!({
                        "title": title, "summary": summary, "severity": severity, "services": services, "labels": labels,
                        "roles": roles, "milestones": opening(story, start),
                    });
                    self.edit(which(id)?, by, &patch).await?;
                }
                Step::Declare => {
                    let fields = IncidentFields { milestones: opening(story, start), ..story.opening.clone() };
                    id = Some(incidents::declare(self.app, self.actor(by)?, None, fields).await?.0.id);
                }
                Step::Edit(edit, text) => {
                    self.configure(&edit.balancer, text).await?;
                    if edit.fix {
                        self.fixed_by(&edit.balancer, which(id)?, by).await?;
                    }
                }
                Step::Entry(told) => {
                    let fields = EntryFields { occurred_at: when(told.at), ..told.fields() };
                    let new = NewEntry { id: None, fields };
                    timeline::add(self.app, self.actor(&told.by)?, which(id)?, new).await?;
                }
                Step::Status(status) => self.edit(which(id)?, by, &json!({"status": status})).await?,
            }
        }
        let id = id.ok_or_else(|| anyhow::anyhow!("a story was never declared"))?;
        if let Some(write_up) = &story.write_up {
            self.clock.hold(end + Duration::hours(20));
            self.edit(IncidentRef::Id(id), by, write_up).await?;
        }
        for asked in &story.task {
            self.clock.hold((end + Duration::hours(21)).min(self.now));
            self.ask(IncidentRef::Id(id), by, asked, start).await?;
        }
        self.clock.hold(self.now);
        recording::freeze(self.app, id).await?;
        if story.milestones.resolved.is_none() {
            // Not before: what it counts at the end must not be recorded at an earlier moment.
            self.edge.count_on(pools, end);
        }
        Ok(id)
    }

    /// Sends what Alertmanager would; answers which incident it belongs to.
    async fn alert(&self, body: serde_json::Value) -> anyhow::Result<Option<IncidentId>> {
        let (intake, key) = &self.hook;
        let (receipt, _) = intake.receive(self.app, key, body.to_string().into()).await?;
        anyhow::ensure!(receipt.error.is_none(), "an alert of the demo was not understood: {:?}", receipt.error);
        let Some(named) = receipt.alerts.first().and_then(|alert| alert.incident.as_deref()) else { return Ok(None) };
        Ok(Some(incidents::find(self.app, &Actor::Console, named.parse().map_err(anyhow::Error::msg)?).await?.id))
    }

    async fn edit(&self, which: IncidentRef, by: &str, patch: &serde_json::Value) -> anyhow::Result<()> {
        let version = incidents::find(self.app, &Actor::Console, which).await?.version;
        incidents::edit(self.app, self.actor(by)?, which, version, patch).await?;
        Ok(())
    }

    /// The newest snapshot is the one that ended it.
    async fn fixed_by(&self, name: &str, which: IncidentRef, by: &str) -> anyhow::Result<()> {
        let balancer = self.known(name)?.balancer.id;
        let newest = snapshots::list(self.app, &Actor::Console, balancer, &Page { limit: Some(1), cursor: None }).await?;
        let newest = newest.items.first().ok_or_else(|| anyhow::anyhow!("{name} has no snapshot"))?;
        Ok(snapshots::link(self.app, self.actor(by)?, which, newest.id, SnapshotRole::Fix).await?)
    }

    async fn ask(&self, which: IncidentRef, by: &str, asked: &Asked, start: Timestamp) -> anyhow::Result<()> {
        let (task, _) = tasks::add(self.app, self.actor(by)?, which, None, asked.fields(start)).await?;
        if matches!(asked.status, TaskStatus::Done | TaskStatus::WontDo) {
            let closed = start + Duration::days(asked.closed.or(asked.due).unwrap_or(7)) + Duration::hours(13);
            self.clock.hold(closed.min(self.now));
            let patch = json!({"status": asked.status, "wont_do_reason": asked.wont_do_reason});
            let owner = asked.owner.as_deref().unwrap_or(by);
            tasks::edit(self.app, self.actor(owner)?, task.id, task.version, &patch).await?;
        }
        Ok(())
    }

    async fn small(&self, small: &Small, start: Timestamp) -> anyhow::Result<()> {
        let started = small.at.after(start);
        let end = started + Duration::minutes(small.minutes);
        let first = small.told.first().map_or(2, |(minutes, ..)| *minutes);
        let milestones = Milestones {
            started: Some(started),
            detected: Some(started + Duration::minutes(first)),
            acknowledged: Some(started + Duration::minutes(first + 3)),
            resolved: Some(end),
            ..Milestones::default()
        };
        let fields = IncidentFields {
            title: small.title.clone(),
            summary: small.summary.clone(),
            kind: small.kind,
            severity: small.severity,
            status: Status::Resolved,
            milestones,
            root_cause: small.cause.clone(),
            services: vec![small.service.clone()],
            roles: BTreeMap::from([("commander".to_owned(), small.by.clone())]),
            ..IncidentFields::default()
        };
        self.clock.hold(end + Duration::minutes(15));
        let actor = self.actor(&small.by)?;
        let which = IncidentRef::Id(incidents::declare(self.app, actor, None, fields).await?.0.id);
        for (minutes, kind, title) in &small.told {
            let at = started + Duration::minutes(*minutes);
            let fields = EntryFields { kind: *kind, title: title.clone(), occurred_at: at, ..EntryFields::default() };
            timeline::add(self.app, actor, which, NewEntry { id: None, fields }).await?;
        }
        for asked in &small.task {
            self.clock.hold(end + Duration::minutes(40));
            self.ask(which, &small.by, asked, start).await?;
        }
        Ok(())
    }

    /// The one that is going on. Its moments count from its beginning.
    async fn live(&mut self) -> anyhow::Result<Live> {
        let mut story = story::live()?;
        let later = std::mem::take(&mut story.later);
        let start = self.now - Duration::minutes(23);
        let id = self.play(&story, start).await?;
        Ok(Live { incident: IncidentRef::Id(id), people: self.people.clone(), later })
    }
}

/// Those milestones that are known when it is declared. The others come with the status; who took it is noted here.
fn opening(story: &Story, start: Timestamp) -> Milestones {
    let known = &story.milestones;
    Milestones {
        started: Some(known.started.after(start)),
        detected: Some(known.detected.after(start)),
        acknowledged: Some(known.acknowledged.after(start)),
        ..Milestones::default()
    }
}

impl Told {
    pub fn fields(&self) -> EntryFields {
        EntryFields {
            kind: self.kind,
            title: self.title.clone(),
            body: self.body.clone(),
            state: self.state.filter(|_| self.kind == EntryKind::Hypothesis),
            looked_right: self.looked_right.clone(),
            ruled_out_by: self.ruled_out_by.clone(),
            options: self.options.clone(),
            pinned: self.pinned,
            ..EntryFields::default()
        }
    }
}

impl Asked {
    /// As it was when it was made.
    fn fields(&self, start: Timestamp) -> TaskFields {
        let closed = matches!(self.status, TaskStatus::Done | TaskStatus::WontDo);
        TaskFields {
            kind: self.kind,
            title: self.title.clone(),
            body: self.body.clone(),
            owner: self.owner.clone(),
            due_on: self.due.map(|days| (start + Duration::days(days)).date_naive()),
            priority: self.priority,
            status: if closed { TaskStatus::Open } else { self.status },
            wont_do_reason: String::new(),
            recurrence: self.recurrence,
            link: self.link.clone(),
        }
    }
}
