//! The write-ups of everything that is over, and how far each is.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde::Deserialize;

use super::error::Result;
use super::extract::{Query, Session};
use super::page::{Page, Shell};
use super::sent::query;
use crate::app::App;
use crate::domain::incident::{Incident, IncidentFields};
use crate::services::incidents::IncidentFilter;
use crate::services::{self, Page as Rows};

pub fn routes() -> Router<App> {
    Router::new().route("/postmortems", get(list))
}

/// What of a write-up is not written, in words.
pub fn missing(fields: &IncidentFields) -> Vec<String> {
    fields.unwritten().into_iter().map(|name| name.replace('_', " ")).collect()
}

#[derive(Template)]
#[template(path = "postmortems.html")]
struct List {
    shell: Shell,
    incidents: Vec<Incident>,
    waiting: bool,
    older: Option<String>,
}

impl List {
    fn missing(&self, incident: &Incident) -> Vec<String> {
        missing(&incident.fields)
    }
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    show: String,
    cursor: Option<String>,
}

async fn list(State(app): State<App>, session: Session, shell: Shell, Query(asked): Query<Asked>) -> Result<Page<List>> {
    let waiting = asked.show == "waiting";
    let filter = IncidentFilter { open: Some(false), unwritten: waiting, ..Default::default() };
    let rows = Rows { limit: None, cursor: asked.cursor };
    let page = services::incidents::list(&app, &session.actor, &filter, &rows).await?;
    let older = page.next_cursor.map(|cursor| query(&[("show", &asked.show), ("cursor", &cursor)]));
    Ok(Page(List { shell, incidents: page.items, waiting, older }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_up_waits_for_what_nobody_wrote() {
        let mut fields = IncidentFields { root_cause: "a script".into(), resolution: "  \n".into(), ..Default::default() };
        assert_eq!(missing(&fields), ["impact", "resolution"]);
        fields.impact = "all".into();
        fields.resolution = "put back".into();
        assert!(missing(&fields).is_empty());
    }
}
