//! Who asks, and what is asked for: an incident with everything that can hang on one.

use std::sync::atomic::{AtomicU64, Ordering};

use afterload::domain::access::{Actor, Role, Scope};
use afterload::domain::id::{BalancerId, IncidentId, IncidentRef};
use afterload::domain::integration::{Format, NewIntegration};
use afterload::domain::person::NewPerson;
use afterload::domain::task::TaskFields;
use afterload::domain::timeline::{EntryFields, NewEntry};
use afterload::services::{alerts, attachments, incidents, integrations, people, tasks, timeline, tokens};
use axum::http::Method;
use serde_json::json;
use uuid::Uuid;

use super::table::{About, Route};
use crate::api::Client;
use crate::web::Browser;
use crate::world::{World, admin};

/// Stands in everything that a restricted incident holds, and nowhere else.
pub const WORD: &str = "quagga";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Normal,
    Restricted,
    Deleted,
}

pub struct Scene<'a> {
    pub world: &'a World,
    /// The command line's own: what it makes is nobody's.
    machine: Client,
    pub hook: String,
    balancer: BalancerId,
    snapshots: [String; 2],
    made: AtomicU64,
}

pub struct Subject {
    pub reference: String,
    pub id: IncidentId,
    pub version: i64,
    entry: String,
    task: String,
    alert: String,
    file: String,
    balancer: String,
    snapshots: [String; 2],
    was: String,
}

pub struct Answer {
    pub status: u16,
    /// As it came, without the ids that were asked for and the request's own.
    pub text: String,
    pub whole: String,
}

enum Via {
    Program(Client),
    Page(Browser),
}

/// One who asks.
pub struct Caller {
    pub name: &'static str,
    via: Via,
    pub writes: bool,
    pub administers: bool,
    /// Whether restricted incidents are seen.
    pub named: bool,
    /// Holds the rights of the machine: has no maker, and decides within its scopes.
    pub machine: bool,
    nobody: bool,
}

impl<'a> Scene<'a> {
    pub async fn new(world: &'a World) -> Self {
        let machine = Client::admin(world).await;
        let fields = json!({"name": "edge", "kind": "haproxy", "config_path": "/etc/haproxy.cfg"});
        let balancer = machine.post("/api/v1/balancers", &fields).await.is(201)["id"].as_str().expect("id").to_owned();
        let mut snapshots = Vec::new();
        for weight in [1, 2] {
            let config =
                format!("frontend f\n  bind :80\n  default_backend b\nbackend b\n  server a 10.0.0.1:80 weight {weight}\n");
            let path = format!("/api/v1/balancers/{balancer}/snapshots");
            let taken = machine.send(Method::POST, &path, &[("content-type", "text/plain")], config).await.is(201);
            snapshots.push(taken["id"].as_str().expect("id").to_owned());
            world.clock.advance_seconds(60);
        }
        let new = NewIntegration { name: "monitoring".into(), format: Format::Generic };
        let (_, hook) = integrations::create(&world.app, &admin(), new).await.expect("made");
        let balancer = balancer.parse().expect("an id");
        let snapshots = snapshots.try_into().expect("two");
        Self { world, machine, hook, balancer, snapshots, made: AtomicU64::new(0) }
    }

    /// Roles with pages and with tokens, named and not; tokens of the command line; nobody.
    pub async fn callers(&self) -> Vec<Caller> {
        let world = self.world;
        let nobody =
            |name, via| Caller { name, via, writes: false, administers: false, named: false, machine: false, nobody: true };
        let mut callers = vec![
            nobody("a stranger's program", Via::Program(Client::anonymous(world))),
            nobody("a stranger's browser", Via::Page(Browser::new(world))),
        ];
        for (handle, role, names) in [
            ("vi", Role::Viewer, ["a viewer's browser", "a viewer's token"]),
            ("nv", Role::Viewer, ["a named viewer's browser", "a named viewer's token"]),
            ("re", Role::Responder, ["a responder's browser", "a responder's token"]),
            ("na", Role::Responder, ["a named responder's browser", "a named responder's token"]),
            ("ad", Role::Admin, ["an administrator's browser", "an administrator's token"]),
        ] {
            let (browser, person) = Browser::of(world, handle, role).await;
            let made = tokens::create(&world.app, &person.actor(), handle, vec![Scope::Admin], None).await.expect("a token");
            let program = Client { token: Some(made.1), ..Client::anonymous(world) };
            for (name, via) in names.into_iter().zip([Via::Page(browser), Via::Program(program)]) {
                let named = handle.starts_with('n');
                callers.push(Caller {
                    name,
                    via,
                    writes: role > Role::Viewer,
                    administers: role == Role::Admin,
                    named,
                    machine: false,
                    nobody: false,
                });
            }
        }
        let scopes = [Scope::IncidentsWrite, Scope::TasksWrite];
        let plain = Via::Program(Client::with(world, &scopes).await);
        let machine =
            |name, via, named| Caller { name, via, writes: true, administers: named, named, machine: true, nobody: false };
        callers.push(machine("a token of the command line", plain, false));
        callers.push(machine("an admin token of the command line", Via::Program(Client::admin(world).await), true));
        callers
    }

    /// A fresh incident with an entry, a task, an alert, a file and a snapshot.
    pub async fn subject(&self, state: State) -> Subject {
        let app = &self.world.app;
        let nth = self.made.fetch_add(1, Ordering::SeqCst);
        let report = json!({"title": format!("{WORD} {nth}"), "dedup_key": format!("{WORD}-{nth}"), "status": "firing"});
        let receipt = self.machine.post(&self.hook, &report).await.is(202);
        let reference = receipt["alerts"][0]["incident"].as_str().expect("a reference").to_owned();
        let which: IncidentRef = reference.parse().expect("a reference");
        let incident = incidents::find(app, &Actor::Console, which).await.expect("opened");
        let task = TaskFields { title: WORD.into(), due_on: Some("2026-01-01".parse().expect("a day")), ..TaskFields::default() };
        let (task, _) = tasks::add(app, &Actor::Console, which, None, task).await.expect("a task");
        let file = attachments::add(app, &Actor::Console, "quagga.txt", WORD.into()).await.expect("a file");
        let fields =
            EntryFields { title: WORD.into(), attachments: vec![file.id], occurred_at: app.now(), ..EntryFields::default() };
        let (entry, _) = timeline::add(app, &Actor::Console, which, NewEntry { id: None, fields }).await.expect("an entry");
        let alert = alerts::of_incident(app, &Actor::Console, which).await.expect("alerts")[0].id;
        let mut subject = Subject {
            reference,
            id: incident.id,
            version: incident.version,
            entry: entry.id.to_string(),
            task: task.id.to_string(),
            alert: alert.to_string(),
            file: file.id.to_string(),
            balancer: self.balancer.to_string(),
            snapshots: self.snapshots.clone(),
            was: "internal+".into(),
        };
        match state {
            State::Normal => {}
            State::Restricted => {
                self.account("na").await;
                self.account("nv").await;
                let patch = json!({"visibility": "restricted", "named": ["na", "nv"]});
                let after = incidents::edit(app, &Actor::Console, which, subject.version, &patch).await.expect("restricted");
                subject.version = after.version;
                subject.was = "restricted+na+nv".into();
            }
            State::Deleted => incidents::delete(app, &Actor::Console, which).await.expect("deleted"),
        }
        subject
    }

    /// Somebody who can be named.
    async fn account(&self, handle: &str) {
        let new = NewPerson { handle: handle.into(), password: "a long enough phrase".into(), role: Role::Responder };
        if !incidents::handles(&self.world.app, &Actor::Console).await.expect("handles").iter().any(|known| known == handle) {
            people::add(&self.world.app, &admin(), new).await.expect("added");
        }
    }
}

impl Subject {
    /// What never was. The balancer and its snapshots are there for everybody.
    pub fn ghost(scene: &Scene<'_>) -> Self {
        let id = |last: u128| Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 | last).to_string();
        Self {
            reference: "INC-9999".into(),
            id: IncidentId(Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0009)),
            version: 1,
            entry: id(1),
            task: id(2),
            alert: id(3),
            file: id(4),
            balancer: scene.balancer.to_string(),
            snapshots: scene.snapshots.clone(),
            was: "internal+".into(),
        }
    }

    /// Whether a text holds anything of it; its ids only where `ids` count.
    pub fn is_told_in(&self, text: &str, ids: bool) -> bool {
        let reference = text
            .match_indices(&self.reference)
            .any(|(at, found)| !text[at + found.len()..].starts_with(|c: char| c.is_ascii_digit()));
        let id =
            [&self.id.to_string(), &self.entry, &self.task, &self.alert, &self.file].iter().any(|id| text.contains(id.as_str()));
        text.contains(WORD) || (ids && (reference || id))
    }

    /// The address, each parameter filled by the noun before it.
    fn path(&self, pattern: &str) -> String {
        let mut filled: Vec<&str> = Vec::new();
        let nobody = "01990000-0000-7000-8000-000000000005";
        for part in pattern.split('/') {
            let before = filled.last().copied().unwrap_or_default();
            filled.push(match (part, before) {
                ("{ref}" | "{incident}", _) => &self.reference,
                ("{entry}", _) | ("{id}", "timeline") => &self.entry,
                ("{task}", _) | ("{id}", "tasks") => &self.task,
                ("{id}", "alerts") => &self.alert,
                ("{id}", "attachments") => &self.file,
                ("{balancer}", _) | ("{id}", "balancers") => &self.balancer,
                ("{a}" | "{before}" | "{snapshot}", _) | ("{id}", "snapshots") => &self.snapshots[1],
                ("{b}" | "{after}", _) => &self.snapshots[0],
                ("{part}", _) => "header",
                (parameter, _) if parameter.starts_with('{') => nobody,
                (word, _) => word,
            });
        }
        filled.join("/")
    }
}

impl Caller {
    pub fn is_nobody(&self) -> bool {
        self.nobody
    }

    pub fn is_program(&self) -> bool {
        matches!(self.via, Via::Program(_))
    }

    /// Whether the route is for such a caller: programs have the API, people the pages.
    pub fn takes(&self, route: &Route) -> bool {
        self.is_program() == ["/api/", "/hooks/", "/metrics"].iter().any(|place| route.path.starts_with(place))
    }

    pub async fn send(&self, route: &Route, subject: &Subject) -> Answer {
        let path = subject.path(route.path);
        // What hangs on an incident is at its first version.
        let inner = ["{id}", "{entry}", "{task}"].iter().any(|part| route.path.contains(part));
        let version = if inner { 1 } else { subject.version };
        let body = route.body.replace("VERSION", &version.to_string()).replace("WAS", &subject.was);
        let method: Method = route.method.parse().expect("a method");
        let (path, body) = match route.method {
            "GET" if !body.is_empty() => (format!("{path}?{body}"), String::new()),
            _ => (path, body),
        };
        let response = match &self.via {
            Via::Program(client) => {
                let tag = format!("\"{version}\"");
                let headers = [("content-type", "application/json"), ("if-match", tag.as_str())];
                client.raw(method, &path, if route.method == "GET" { &[] } else { &headers }, body).await
            }
            Via::Page(browser) => browser.raw(method, &path, body).await,
        };
        let (parts, body) = response.into_parts();
        let status = parts.status.as_u16();
        // A stream that is granted does not end.
        let bytes = match route.about == About::Follow && status == 200 {
            true => bytes::Bytes::new(),
            false => axum::body::to_bytes(body, 64 << 20).await.expect("a body"),
        };
        let whole = String::from_utf8_lossy(&bytes).into_owned();
        let request = parts.headers.get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
        let mut text = whole.replace(&request, "REQUEST");
        for id in [&subject.reference, &subject.entry, &subject.task, &subject.alert, &subject.file] {
            text = text.replace(id.as_str(), "ID");
        }
        Answer { status, text, whole }
    }
}
