//! The named parts of the room. Each is drawn into the page and served alone, so that the script can
//! lay the fresh one over the old one.

use std::borrow::Borrow;

use askama::Template;
use askama::filters::Safe;
use chrono::NaiveDate;
use uuid::Uuid;

use crate::domain::alert::{Alert, AlertStatus};
use crate::domain::attachment::Attachment;
use crate::domain::incident::{Durations, ImpactFigures, Incident, IncidentKind, Milestones, Severity, Status, Warning};
use crate::domain::snapshot::{LinkedSnapshot, SnapshotRole};
use crate::domain::task::{Priority, Recurrence, Task, TaskKind, TaskStatus};
use crate::domain::time::{Timestamp, rfc3339, shorten};
use crate::domain::timeline::{Entry, EntryKind, Evidence, HypothesisState, is_web_address};
use crate::services::alerts::AlertCounts;
use crate::signal::chart::{self, Size, Style};
use crate::signal::flight::FlightRecorder;
use crate::text::markdown;
use crate::web::format;
use crate::web::forms::{Field, INCIDENT};
use crate::web::page::Shell;

/// Safe HTML of a person's Markdown.
pub fn md(text: &str) -> Safe<String> {
    Safe(markdown::render(text))
}

/// How bad, since when, who leads, what now.
#[derive(Template)]
#[template(path = "incidents/_head.html")]
pub struct Head {
    pub shell: Shell,
    pub incident: Incident,
    pub now: Timestamp,
    /// The incident's own JSON, for the base texts of forms.
    pub json: serde_json::Value,
}

impl Head {
    pub fn new(shell: &Shell, incident: &Incident, now: Timestamp) -> Self {
        // The noun is made of strings, numbers and maps with text keys: it always serialises.
        let json = serde_json::to_value(incident).unwrap_or_default();
        Self { shell: shell.clone(), incident: incident.clone(), now, json }
    }

    fn durations(&self) -> Durations {
        self.incident.fields.milestones.durations()
    }

    fn warnings(&self) -> Vec<Warning> {
        self.incident.fields.milestones.warnings(self.now)
    }

    fn reached(&self, status: &Status) -> bool {
        *status < self.incident.fields.status
    }

    fn is_now(&self, status: &Status) -> bool {
        *status == self.incident.fields.status
    }

    fn role(&self, name: &str) -> &str {
        self.incident.fields.roles.get(name).map_or("", String::as_str)
    }

    /// The impact in one line: figures first, else the text's beginning.
    fn impact(&self) -> String {
        let figures = &self.incident.fields.impact_figures;
        let said = [
            figures.users_share.map(|share| format!("{} of users", format::percent(share))),
            figures.users.map(|users| format!("≈ {} users", format::count(users))),
            figures.failed_requests_share.map(|share| format!("{} of requests failed", format::percent(share))),
            figures.requests_lost.map(|lost| format!("{} requests lost", format::count(lost))),
        ];
        let said: Vec<_> = said.into_iter().flatten().take(2).collect();
        if said.is_empty() {
            shorten(self.incident.fields.impact.lines().next().unwrap_or_default(), 80)
        } else {
            said.join(", ")
        }
    }

    fn value(&self, path: &str) -> String {
        value(&self.json, path, &self.shell)
    }

    fn capital(&self, word: &str) -> String {
        word.chars().next().map(|c| c.to_uppercase().to_string() + &word[c.len_utf8()..]).unwrap_or_default()
    }
}

/// What the form writes for the field `path` of the incident.
fn value(json: &serde_json::Value, path: &str, shell: &Shell) -> String {
    let field: Option<&Field> = INCIDENT.iter().find(|field| field.path == path);
    field.map(|field| field.shown(json, shell.zone())).unwrap_or_default()
}

/// The traffic of the pools that were affected.
#[derive(Template)]
#[template(path = "incidents/_recorder.html")]
pub struct Recorder {
    pub shell: Shell,
    pub recorders: Vec<FlightRecorder>,
}

impl Recorder {
    fn wide(&self, recorder: &FlightRecorder) -> Safe<String> {
        Safe(chart::svg(recorder, Size::Wide, Style::Page))
    }

    fn narrow(&self, recorder: &FlightRecorder) -> Safe<String> {
        Safe(chart::svg(recorder, Size::Narrow, Style::Page))
    }

    fn table(&self, recorder: &FlightRecorder) -> Vec<chart::Row> {
        chart::table(recorder)
    }

    /// Where the time axis of the drawing ends.
    fn end(&self, recorder: &FlightRecorder) -> Timestamp {
        let length = recorder.step_seconds.saturating_mul(i64::try_from(recorder.times.len()).unwrap_or(i64::MAX));
        self.start(recorder) + chrono::Duration::try_seconds(length).unwrap_or_default()
    }

    fn start(&self, recorder: &FlightRecorder) -> Timestamp {
        recorder.times.first().copied().unwrap_or(recorder.window.from)
    }

    fn rfc(&self, at: impl Borrow<Timestamp>) -> String {
        rfc3339(*at.borrow())
    }

    /// `98.6 %`, or a dash where nothing is known.
    fn share(&self, share: &Option<f64>) -> String {
        share.map_or_else(|| "–".to_owned(), format::percent)
    }

    fn figure(&self, value: &Option<f64>) -> String {
        value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1}"))
    }
}

/// One entry of the timeline.
#[derive(Template)]
#[template(path = "incidents/_entry.html")]
pub struct Item {
    pub shell: Shell,
    pub reference: String,
    pub files: Vec<Attachment>,
    pub entry: Entry,
    /// The event that added it, when the reader has not seen it yet.
    pub unread: Option<i64>,
}

impl Item {
    pub fn new(shell: &Shell, incident: &Incident, files: Vec<Attachment>, entry: Entry) -> Self {
        Self { shell: shell.clone(), reference: incident.reference.to_string(), files, entry, unread: None }
    }

    pub fn date(&self) -> NaiveDate {
        self.shell.zone().date(self.entry.fields.occurred_at)
    }

    pub fn day(&self) -> String {
        self.shell.zone().day(self.entry.fields.occurred_at)
    }

    /// One sign a kind, beside its word.
    fn icon(&self) -> &'static str {
        match self.entry.fields.kind {
            EntryKind::Note => "·",
            EntryKind::Observation => "◎",
            EntryKind::Hypothesis => "?",
            EntryKind::Action => "▸",
            EntryKind::Decision => "◆",
            EntryKind::Escalation => "↗",
            EntryKind::Communication => "✉",
            EntryKind::Alert => "!",
            EntryKind::Change => "≠",
            EntryKind::Status => "●",
            EntryKind::Recovery => "✓",
        }
    }

    fn kind(&self) -> EntryKind {
        self.entry.fields.kind
    }

    fn is_guess(&self) -> bool {
        self.kind() == EntryKind::Hypothesis
    }

    fn is_open_guess(&self) -> bool {
        self.entry.fields.state == Some(HypothesisState::Open)
    }

    fn is_deleted(&self) -> bool {
        self.entry.deleted_at.is_some()
    }

    /// Address of this entry's forms.
    fn at(&self) -> String {
        format!("/incidents/{}/entries/{}", self.reference, self.entry.id)
    }

    fn body(&self) -> Safe<String> {
        md(&self.entry.fields.body)
    }

    fn md(&self, text: &str) -> Safe<String> {
        md(text)
    }

    fn rfc(&self, at: impl Borrow<Timestamp>) -> String {
        rfc3339(*at.borrow())
    }

    /// Where a link leads, once more checked before it becomes one.
    fn href<'a>(&self, href: &'a str) -> &'a str {
        if is_web_address(href) { href } else { "#" }
    }
}

/// Config changes, alerts, tasks and the write-up.
#[derive(Template)]
#[template(path = "incidents/_side.html")]
pub struct Side {
    pub shell: Shell,
    pub now: Timestamp,
    pub incident: Incident,
    pub json: serde_json::Value,
    pub alerts: Vec<Alert>,
    pub counts: AlertCounts,
    pub snapshots: Vec<LinkedSnapshot>,
    pub excerpt: Option<Excerpt>,
    pub tasks: Vec<Task>,
    /// The next task's, so that its form makes one however often it is sent.
    pub task_id: Uuid,
}

/// The change that matters most, as text.
pub struct Excerpt {
    pub before: LinkedSnapshot,
    pub after: LinkedSnapshot,
    /// One sentence each.
    pub changes: Vec<String>,
    pub lines: Vec<(&'static str, String)>,
    pub more: bool,
}

impl Excerpt {
    /// The first lines of a unified diff, with a class each.
    pub fn new(before: LinkedSnapshot, after: LinkedSnapshot, changes: Vec<String>, unified: &str) -> Self {
        const LINES: usize = 24;
        let body = unified.lines().filter(|line| !line.starts_with("---") && !line.starts_with("+++"));
        let class = |line: &str| match line.as_bytes().first() {
            Some(b'+') => "add",
            Some(b'-') => "del",
            Some(b'@') => "hunk",
            _ => "",
        };
        let lines: Vec<_> = body.clone().take(LINES).map(|line| (class(line), shorten(line, 300))).collect();
        Self { before, after, changes, more: body.count() > lines.len(), lines }
    }
}

/// One field of the write-up.
pub struct Written<'a> {
    pub path: &'static str,
    pub label: &'static str,
    pub hint: &'static str,
    pub text: &'a str,
}

impl Side {
    fn value(&self, path: &str) -> String {
        value(&self.json, path, &self.shell)
    }

    fn firing(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().filter(|alert| alert.status != AlertStatus::Resolved).take(20)
    }

    fn quiet(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().filter(|alert| alert.status == AlertStatus::Resolved).take(30)
    }

    fn done(&self) -> usize {
        self.tasks.iter().filter(|task| task.fields.is_closed()).count()
    }

    fn is_late(&self, task: &Task) -> bool {
        task.fields.is_overdue(self.now.date_naive())
    }

    fn task_value(&self, task: &Task, status: &TaskStatus) -> bool {
        task.fields.status == *status
    }

    fn due(&self, task: &Task) -> String {
        task.fields.due_on.map(|due| due.to_string()).unwrap_or_default()
    }

    /// How many parts of the write-up hold something.
    fn filled(&self) -> usize {
        let f = &self.incident.fields;
        let figures = f.impact_figures != ImpactFigures::default();
        self.written().iter().filter(|part| !part.text.is_empty()).count()
            + usize::from(!f.contributing_factors.is_empty())
            + usize::from(figures)
    }

    /// The beginning of a text, for the closed fold.
    fn gist(&self, text: &str) -> String {
        shorten(text.lines().next().unwrap_or_default(), 48)
    }

    fn written(&self) -> [Written<'_>; 9] {
        let f = &self.incident.fields;
        let part = |path, label, hint, text| Written { path, label, hint, text };
        [
            part("summary", "Summary", "Two sentences that a newcomer understands.", &f.summary),
            part("impact", "Impact", "Who felt it and how.", &f.impact),
            part("detection", "Detection", "Who or what noticed, and what would have noticed sooner.", &f.detection),
            part("root_cause", "Root cause", "What made it happen, as far as is known.", &f.root_cause),
            part("resolution", "Resolution", "What ended it.", &f.resolution),
            part("lessons/went_well", "What went well", "", &f.lessons.went_well),
            part("lessons/went_badly", "What went badly", "", &f.lessons.went_badly),
            part("lessons/lucky", "Where we were lucky", "", &f.lessons.lucky),
            part("conclusion", "Conclusion", "", &f.conclusion),
        ]
    }

    fn md(&self, text: &str) -> Safe<String> {
        md(text)
    }

    fn href<'a>(&self, href: &'a str) -> &'a str {
        if is_web_address(href) { href } else { "#" }
    }
}
