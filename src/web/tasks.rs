//! Corrective tasks of all incidents, by when they are due.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use chrono::{Datelike, Duration, NaiveDate};
use serde::Deserialize;

use super::error::Result;
use super::extract::{Form, Path, Query, Session};
use super::forms::{Edit, Outcome, TASK};
use super::page::{Page, Shell, back, see};
use super::sent::query;
use crate::app::App;
use crate::domain::access::Permission;
use crate::domain::id::TaskId;
use crate::domain::task::{REMIND_DAYS, Reminder, Task, TaskStatus};
use crate::services::tasks::TaskFilter;
use crate::services::{self, Page as Rows};

pub fn routes() -> Router<App> {
    Router::new().route("/tasks", get(list)).route("/tasks/{task}", post(save))
}

/// Tasks under one heading.
struct Group {
    name: &'static str,
    tasks: Vec<Task>,
}

#[derive(Template)]
#[template(path = "tasks.html")]
struct List {
    shell: Shell,
    today: NaiveDate,
    show: Show,
    owner: String,
    handles: Vec<String>,
    groups: Vec<Group>,
    older: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Show {
    Mine,
    Overdue,
    Done,
    All,
    /// Words that are none of these come here as well.
    #[default]
    #[serde(other)]
    Open,
}

impl Show {
    const CHIPS: [(Self, &'static str, &'static str); 5] = [
        (Self::Open, "open", "Open"),
        (Self::Mine, "mine", "Mine"),
        (Self::Overdue, "overdue", "Overdue"),
        (Self::Done, "done", "Done"),
        (Self::All, "all", "All"),
    ];

    fn word(self) -> &'static str {
        Self::CHIPS.iter().find(|(show, ..)| *show == self).map_or("", |(_, word, _)| word)
    }
}

impl List {
    fn chips(&self) -> [(Show, &'static str, &'static str); 5] {
        Show::CHIPS
    }

    fn link(&self, word: &str) -> String {
        format!("/tasks{}", query(&[("show", word), ("owner", if word == "mine" { "" } else { &self.owner })]))
    }

    fn is_late(&self, task: &Task) -> bool {
        task.fields.is_overdue(self.today)
    }

    fn may_change(&self) -> bool {
        self.shell.may(Permission::WriteTasks)
    }

    fn due(&self, task: &Task) -> String {
        task.fields.due_on.map(|due| due.to_string()).unwrap_or_default()
    }

    /// Whether the task asks for its owner, in words; nothing for a closed one.
    fn reminder(&self, task: &Task) -> String {
        match task.fields.reminder(self.today) {
            Reminder::Never if task.fields.is_closed() => String::new(),
            Reminder::Never => "no day, so no reminder".to_owned(),
            Reminder::From(day) => format!("reminds from {}", self.day(&day)),
            Reminder::Now(0) => "reminds: due today".to_owned(),
            Reminder::Now(left) if left < 0 => format!("reminds: {} d late", -left),
            Reminder::Now(left) => format!("reminds: in {left} d"),
        }
    }

    /// `21 Nov`, with the year when it is another one.
    fn day(&self, due: &NaiveDate) -> String {
        due.format(if due.year() == self.today.year() { "%-d %b" } else { "%-d %b %Y" }).to_string()
    }
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    show: Show,
    #[serde(default)]
    owner: String,
    cursor: Option<String>,
}

async fn list(State(app): State<App>, session: Session, shell: Shell, Query(asked): Query<Asked>) -> Result<Page<List>> {
    let owner = if asked.show == Show::Mine { shell.handle() } else { asked.owner.trim().to_owned() };
    let filter = TaskFilter {
        status: (asked.show == Show::Done).then_some(TaskStatus::Done),
        open: matches!(asked.show, Show::Open | Show::Mine),
        overdue: asked.show == Show::Overdue,
        due_within: None,
        owner: Some(owner.clone()).filter(|owner| !owner.is_empty()),
    };
    let page = services::tasks::list(&app, &session.actor, &filter, &Rows { limit: Some(100), cursor: asked.cursor }).await?;
    let older =
        page.next_cursor.map(|cursor| query(&[("show", asked.show.word()), ("owner", &asked.owner), ("cursor", &cursor)]));
    let today = app.now().date_naive();
    let handles = services::incidents::handles(&app, &session.actor).await?;
    Ok(Page(List { shell, today, show: asked.show, owner: asked.owner, handles, groups: grouped(page.items, today), older }))
}

/// By due date, closed ones last; empty headings are left out.
fn grouped(tasks: Vec<Task>, today: NaiveDate) -> Vec<Group> {
    let mut groups: Vec<Group> =
        ["Overdue", "Within a week", "Later", "No date", "Closed"].map(|name| Group { name, tasks: Vec::new() }).into();
    for task in tasks {
        let place = match task.fields.due_on {
            _ if task.fields.is_closed() => 4,
            Some(due) if due < today => 0,
            Some(due) if due <= today + Duration::days(REMIND_DAYS) => 1,
            Some(_) => 2,
            None => 3,
        };
        groups[place].tasks.push(task);
    }
    groups.retain(|group| !group.tasks.is_empty());
    groups
}

async fn save(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    headers: HeaderMap,
    Path(id): Path<TaskId>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let actor = &session.actor;
    let edit = Edit::read(&TASK, &pairs)?;
    match edit.save(async |version, patch| services::tasks::edit(&app, actor, id, version, &patch).await).await? {
        Outcome::Saved(_) => Ok(see(&match back(&shell, &headers) {
            // Sent from the form that asked once more: its page is gone.
            page if page.starts_with("/tasks/") || page == "/" => "/tasks".to_owned(),
            page => page,
        })),
        Outcome::Again(again) => Ok(again.page(&shell, "/tasks")),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::id::{IncidentId, Reference};
    use crate::domain::task::TaskFields;

    #[test]
    fn tasks_stand_under_the_day_they_are_due() {
        let today: NaiveDate = "2026-11-21".parse().expect("a day");
        let task = |due: Option<&str>, status| Task {
            id: TaskId(Uuid::nil()),
            incident_id: IncidentId(Uuid::nil()),
            incident: Reference(1),
            fields: TaskFields { due_on: due.map(|due| due.parse().expect("a day")), status, ..Default::default() },
            created_by: "mk".into(),
            created_at: Default::default(),
            closed_at: None,
            version: 1,
        };
        let tasks = [
            task(Some("2026-11-20"), TaskStatus::Open),
            task(Some("2026-11-20"), TaskStatus::Done),
            task(Some("2026-11-21"), TaskStatus::InProgress),
            task(Some("2026-11-28"), TaskStatus::Open),
            task(Some("2026-11-29"), TaskStatus::Open),
        ];
        let groups = grouped(tasks.into(), today);
        let counts: Vec<_> = groups.iter().map(|group| (group.name, group.tasks.len())).collect();
        assert_eq!(counts, [("Overdue", 1), ("Within a week", 2), ("Later", 1), ("Closed", 1)]);
    }
}
