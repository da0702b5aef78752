//! Timeline entries: the composer, edits with history, deletes that can be undone.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use uuid::Uuid;

use super::parts::{Item, md};
use super::room::items;
use crate::app::App;
use crate::domain;
use crate::domain::access::Actor;
use crate::domain::composer::{self, Understood};
use crate::domain::error::FieldErrors;
use crate::domain::id::{EntryId, IncidentRef};
use crate::domain::incident::Incident;
use crate::domain::task::TaskFields;
use crate::domain::time::{self, Timestamp};
use crate::domain::timeline::{Entry, EntryFields, EntryKind, Evidence, HypothesisState, NewEntry, Revision};
use crate::services;
use crate::services::composer::Also;
use crate::web::error::Result;
use crate::web::extract::{Form, Path, Query, Session, Upload};
use crate::web::format::Zone;
use crate::web::forms::{ENTRY, Edit, Outcome, marks};
use crate::web::page::{Page, Shell, see};

/// What the composer sends, as pairs: a hidden id, the text, the kind, when it was begun, evidence.
struct Composed<'a> {
    pairs: &'a [(String, String)],
    now: Timestamp,
}

impl Composed<'_> {
    fn value(&self, name: &str) -> &str {
        self.pairs.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.trim())
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.pairs.iter().filter(move |(n, value)| n == name && !value.trim().is_empty()).map(|(_, value)| value.trim())
    }

    fn zone(&self) -> Zone {
        Zone::from_cookie(self.value("zone"))
    }

    /// When the first key was hit, unless that cannot be.
    fn begun(&self) -> Timestamp {
        let begun = time::parse_rfc3339("begun", self.value("begun")).ok().map(|(at, _)| at);
        begun.filter(|at| *at <= self.now + chrono::Duration::minutes(2)).unwrap_or(self.now)
    }

    /// The chip that was chosen; the note stands for "as the text says".
    fn chosen(&self) -> Option<EntryKind> {
        self.value("kind").parse().ok().filter(|kind| *kind != EntryKind::Note)
    }

    fn text(&self) -> &str {
        self.pairs.iter().find(|(n, _)| n == "text").map_or("", |(_, value)| value)
    }

    fn understood(&self) -> Understood {
        let mut understood = composer::understand(self.text(), self.begun(), self.zone().minutes);
        understood.kind = self.chosen().unwrap_or(understood.kind);
        understood
    }

    fn chart(&self) -> Result<Option<Evidence>, domain::Error> {
        if self.value("chart_from").is_empty() {
            return Ok(None);
        }
        let (from, _) = time::parse_rfc3339("chart_from", self.value("chart_from"))?;
        let (to, _) = time::parse_rfc3339("chart_to", self.value("chart_to"))?;
        let pool = Some(self.value("chart_pool").to_owned()).filter(|pool| !pool.is_empty());
        Ok(Some(Evidence::Chart { from, to, pool }))
    }

    fn entry(&self, understood: &Understood) -> Result<NewEntry, domain::Error> {
        let mut errors = FieldErrors::default();
        let id = match self.value("id") {
            "" => None,
            id => Uuid::parse_str(id).map_err(|_| errors.push("id", "not_an_id", "reload the page and send again")).ok(),
        };
        let attachments = self.all("attachment").filter_map(|id| id.parse().ok()).collect();
        errors.into_result()?;
        let fields = EntryFields {
            kind: understood.kind,
            body: understood.text.clone(),
            occurred_at: understood.occurred_at.unwrap_or(self.begun()),
            utc_offset_minutes: understood.utc_offset_minutes,
            evidence: self.chart()?.into_iter().collect(),
            attachments,
            pinned: !self.value("pinned").is_empty(),
            ..EntryFields::default()
        };
        Ok(NewEntry { id, fields })
    }
}

pub async fn add(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path(which): Path<IncidentRef>,
    upload: Upload,
) -> Result<Response> {
    let actor = &session.actor;
    let composed = Composed { pairs: &upload.fields, now: app.now() };
    let understood = composed.understood();
    let mut new = composed.entry(&understood)?;
    // Files that came with the form itself: without scripts, or when the upload by itself failed.
    for (name, bytes) in upload.files {
        let file = services::attachments::add(&app, actor, &name, bytes).await?;
        if new.fields.body.trim().is_empty() && new.fields.title.is_empty() {
            new.fields.title.clone_from(&file.name);
        }
        new.fields.attachments.push(file.id);
    }
    let composed = services::composer::compose(&app, actor, which, new.clone(), also(&understood)).await;
    let (entry, _) = match composed {
        // Another text in a form that was sent before: somebody went back and wrote on.
        Err(services::Error::Domain(domain::Error::Conflict { .. })) if new.id.is_some() => {
            services::composer::compose(&app, actor, which, NewEntry { id: None, ..new }, also(&understood)).await?
        }
        composed => composed?,
    };
    done(&app, actor, &shell, which, entry.id).await
}

/// `todo:` makes a task, `#sev2` sets the severity.
fn also(understood: &Understood) -> Also {
    let task = understood.is_task.then(|| TaskFields {
        title: time::shorten(understood.text.lines().next().unwrap_or_default(), 200),
        owner: understood.mentions.first().cloned(),
        ..TaskFields::default()
    });
    Also { task, severity: understood.severity }
}

#[derive(Template)]
#[template(path = "incidents/_understood.html")]
pub struct Chips {
    shell: Shell,
    understood: Understood,
    begun: Timestamp,
}

/// What the composer's text would become, as chips; saves nothing.
pub async fn understand(
    State(app): State<App>,
    _: Session,
    shell: Shell,
    Path(_): Path<IncidentRef>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Page<Chips> {
    let composed = Composed { pairs: &pairs, now: app.now() };
    let (understood, begun) = (composed.understood(), composed.begun());
    Page(Chips { shell, understood, begun })
}

#[derive(Template)]
#[template(source = "{% for item in self.0 %}{{ item|safe }}{% endfor %}", ext = "html")]
struct Items(Vec<Item>);

/// The entry as the script lays it into the page.
pub async fn fragment(app: &App, actor: &Actor, shell: &Shell, which: IncidentRef, id: EntryId) -> Result<Response> {
    let incident = services::incidents::find(app, actor, which).await?;
    let entry = services::timeline::find(app, actor, which, id).await?;
    let items = items(app, actor, shell, &incident, vec![entry]).await?;
    Ok(Page(Items(items)).into_response())
}

/// Back to the entry in the room, or the fresh entry for the script.
async fn done(app: &App, actor: &Actor, shell: &Shell, which: IncidentRef, id: EntryId) -> Result<Response> {
    if shell.wants_fragment() {
        return fragment(app, actor, shell, which, id).await;
    }
    let incident = services::incidents::find(app, actor, which).await?;
    Ok(see(&format!("/incidents/{}#entry-{id}", incident.reference)))
}

/// A link to one entry leads into the room.
pub async fn find(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path((which, id)): Path<(IncidentRef, EntryId)>,
) -> Result<Response> {
    done(&app, &session.actor, &shell, which, id).await
}

#[derive(Deserialize)]
pub struct Asked {
    /// The form is opened to rule a hypothesis out.
    rule_out: Option<String>,
}

#[derive(Template)]
#[template(path = "incidents/entry_edit.html")]
struct EditPage {
    shell: Shell,
    incident: Incident,
    entry: Entry,
    json: serde_json::Value,
    rule_out: bool,
}

#[derive(Template)]
#[template(path = "incidents/entry_edit.html", block = "form")]
struct EditFragment {
    shell: Shell,
    incident: Incident,
    entry: Entry,
    json: serde_json::Value,
    rule_out: bool,
}

macro_rules! form_values {
    ($($name:ident),*) => {$(
        impl $name {
            /// What the form writes for a field.
            fn value(&self, path: &str) -> String {
                ENTRY.iter().find(|field| field.path == path).map(|field| field.shown(&self.json, self.shell.zone())).unwrap_or_default()
            }

            fn kinds(&self) -> &'static [EntryKind] {
                EntryKind::ALL
            }

            fn states(&self) -> &'static [HypothesisState] {
                HypothesisState::ALL
            }

            /// The state that the form proposes.
            fn state(&self) -> HypothesisState {
                if self.rule_out { HypothesisState::RuledOut } else { self.entry.fields.state.unwrap_or_default() }
            }
        }
    )*};
}
form_values!(EditPage, EditFragment);

pub async fn form(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path((which, id)): Path<(IncidentRef, EntryId)>,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let incident = services::incidents::find(&app, &session.actor, which).await?;
    let entry = services::timeline::find(&app, &session.actor, which, id).await?;
    let json = serde_json::to_value(&entry).unwrap_or_default();
    let rule_out = asked.rule_out.is_some();
    if shell.wants_fragment() {
        Ok(Page(EditFragment { shell, incident, entry, json, rule_out }).into_response())
    } else {
        Ok(Page(EditPage { shell, incident, entry, json, rule_out }).into_response())
    }
}

pub async fn save(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path((which, id)): Path<(IncidentRef, EntryId)>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let actor = &session.actor;
    let app = &app;
    let act = |version, patch| async move { services::timeline::edit(app, actor, which, id, version, &patch).await };
    match Edit::read(&ENTRY, &pairs)?.save(act).await? {
        Outcome::Saved(_) => done(app, actor, &shell, which, id).await,
        Outcome::Again(again) => {
            let incident = services::incidents::find(app, actor, which).await?;
            Ok(again.page(&shell, &format!("/incidents/{}#entry-{id}", incident.reference)))
        }
    }
}

pub async fn delete(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path((which, id)): Path<(IncidentRef, EntryId)>,
) -> Result<Response> {
    services::timeline::delete(&app, &session.actor, which, id).await?;
    if shell.wants_fragment() {
        return fragment(&app, &session.actor, &shell, which, id).await;
    }
    let incident = services::incidents::find(&app, &session.actor, which).await?;
    Ok(see(&format!("/incidents/{}?show=deleted#entry-{id}", incident.reference)))
}

pub async fn restore(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path((which, id)): Path<(IncidentRef, EntryId)>,
) -> Result<Response> {
    services::timeline::restore(&app, &session.actor, which, id).await?;
    done(&app, &session.actor, &shell, which, id).await
}

/// One version beside the one before it.
struct Step {
    revision: Revision,
    /// Field by field: label and word marks.
    changes: Vec<(&'static str, askama::filters::Safe<String>)>,
}

#[derive(Template)]
#[template(path = "incidents/history.html")]
struct History {
    shell: Shell,
    incident: Incident,
    entry: Entry,
    /// Newest first.
    steps: Vec<Step>,
}

impl History {
    fn md(&self, text: &str) -> askama::filters::Safe<String> {
        md(text)
    }
}

pub async fn history(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path((which, id)): Path<(IncidentRef, EntryId)>,
) -> Result<Response> {
    let incident = services::incidents::find(&app, &session.actor, which).await?;
    let entry = services::timeline::find(&app, &session.actor, which, id).await?;
    let revisions = services::timeline::revisions(&app, &session.actor, which, id).await?;
    let written = |revision: &Revision| serde_json::to_value(&revision.fields).unwrap_or_default();
    let mut steps: Vec<Step> = Vec::with_capacity(revisions.len());
    let mut before: Option<serde_json::Value> = None;
    for revision in revisions {
        let now = written(&revision);
        let changes = before.iter().flat_map(|before| {
            ENTRY.iter().filter_map(|field| {
                let (old, new) = (field.shown(before, shell.zone()), field.shown(&now, shell.zone()));
                (old != new).then(|| (field.label, marks(&old, &new)))
            })
        });
        let changes = changes.collect();
        before = Some(now);
        steps.push(Step { revision, changes });
    }
    steps.reverse();
    Ok(Page(History { shell, incident, entry, steps }).into_response())
}
