//! The log of everything that was done, for administrators.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;

use crate::app::App;
use crate::domain::event::Event;
use crate::services;
use crate::web::error::Result;
use crate::web::extract::{Query, Session};
use crate::web::page::{Page, Shell};

/// Events on one page.
const SHOWN: i64 = 100;

#[derive(Template)]
#[template(path = "settings/audit.html")]
pub struct Audit {
    shell: Shell,
    /// Newest first.
    events: Vec<Event>,
    /// Where the page of older ones ends.
    older: Option<i64>,
}

impl Audit {
    /// The small facts of an event as `name: value`.
    fn facts(&self, event: &Event) -> String {
        let said = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Array(all) => {
                all.iter().map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned)).collect::<Vec<_>>().join("; ")
            }
            other => other.to_string(),
        };
        let facts = event.data.as_object().into_iter().flatten().map(|(name, value)| format!("{name}: {}", said(value)));
        facts.collect::<Vec<_>>().join(" · ")
    }
}

#[derive(Deserialize)]
pub struct Asked {
    before: Option<i64>,
}

pub async fn show(State(app): State<App>, session: Session, shell: Shell, Query(asked): Query<Asked>) -> Result<Page<Audit>> {
    let newest = services::events::latest(&app).await?;
    let end = asked.before.map_or(newest, |before| before.saturating_sub(1).min(newest));
    let begin = end.saturating_sub(SHOWN).max(0);
    let mut events = services::events::audit(&app, &session.actor, begin, SHOWN).await?;
    events.retain(|event| event.seq <= end);
    events.reverse();
    Ok(Page(Audit { shell, events, older: (begin > 0).then_some(begin + 1) }))
}
