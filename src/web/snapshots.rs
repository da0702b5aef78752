//! One snapshot as text, and what changed between two.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use super::configs::{FindingList, Meaning, Text, anchor};
use super::error::{Error, Result};
use super::extract::{Path, Query, Session};
use super::incidents::postmortem::download;
use super::page::{Page, Shell};
use crate::app::App;
use crate::balancer::diff::{self, Line, LineKind};
use crate::balancer::source::Place;
use crate::domain::id::SnapshotId;
use crate::domain::snapshot::Snapshot;
use crate::services::snapshots::{SnapshotDetail, SnapshotDiff};
use crate::services::{self, Page as Rows};

pub fn routes() -> Router<App> {
    Router::new()
        .route("/snapshots/{snapshot}", get(show))
        .route("/snapshots/{snapshot}/config", get(config))
        .route("/snapshots/{before}/diff/{after}", get(compare))
}

#[derive(Template)]
#[template(path = "snapshots/show.html")]
struct Show {
    shell: Shell,
    detail: SnapshotDetail,
    before: Option<Snapshot>,
    after: Option<Snapshot>,
    findings: FindingList,
    /// Findings that nobody let stand.
    open: usize,
    meaning: Meaning,
    text: Option<Text>,
}

async fn show(State(app): State<App>, session: Session, shell: Shell, Path(id): Path<SnapshotId>) -> Result<Page<Show>> {
    let detail = services::snapshots::find(&app, &session.actor, id).await?;
    let of = detail.snapshot.balancer_id;
    let near = services::snapshots::list(&app, &session.actor, of, &Rows::first(Rows::MOST)).await?.items;
    let place = near.iter().position(|snapshot| snapshot.id == id);
    let before = place.and_then(|place| near.get(place + 1)).cloned();
    let after = place.and_then(|place| near.get(place.checked_sub(1)?)).cloned();
    let findings = services::findings::of_snapshot(&app, &session.actor, id).await?;
    let open = findings.open().count();
    let download = Some(format!("/snapshots/{id}/config"));
    let text = detail.config.as_deref().map(|config| Text::new(config, &findings.items, &findings.notices, download));
    let model = detail.model.clone().unwrap_or_default();
    let files = model.files.clone();
    // A finding that is let stand is so for the balancer as it is now.
    let findings = FindingList {
        shell: shell.clone(),
        found: findings.items,
        page: String::new(),
        files,
        balancer: after.is_none().then_some(of),
    };
    Ok(Page(Show { shell, detail, before, after, findings, open, meaning: Meaning::new(model), text }))
}

async fn config(State(app): State<App>, session: Session, Path(id): Path<SnapshotId>) -> Result<Response> {
    let detail = services::snapshots::find(&app, &session.actor, id).await?;
    let text = detail.config.ok_or_else(Error::not_here)?;
    Ok(download(text.into_bytes(), "text/plain; charset=utf-8", &format!("snapshot-{}.cfg", detail.snapshot.number)))
}

#[derive(Template)]
#[template(path = "snapshots/diff.html")]
struct Compare {
    shell: Shell,
    diff: SnapshotDiff,
    /// Both texts beside each other instead of one below the other.
    split: bool,
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    view: String,
}

impl Compare {
    /// The class of a line and the sign before it.
    fn look(&self, line: &Line) -> (&'static str, &'static str) {
        match line.kind {
            LineKind::Same => ("same", " "),
            LineKind::Removed => ("del", "−"),
            LineKind::Added => ("add", "+"),
            LineKind::Gap => ("hunk", " "),
        }
    }

    fn rows(&self) -> Vec<(Option<&Line>, Option<&Line>)> {
        diff::side_by_side(&self.diff.lines)
    }

    /// The lines of a change on one side, linked to the snapshot's page.
    fn lines(&self, snapshot: &Snapshot, places: &[Place]) -> Vec<(String, usize)> {
        let line = |place: &Place| (format!("/snapshots/{}#{}", snapshot.id, anchor(place.file(), place.line())), place.line());
        places.iter().filter(|place| place.line() > 0).take(3).map(line).collect()
    }

    fn number(&self, number: &Option<usize>) -> String {
        number.map(|number| number.to_string()).unwrap_or_default()
    }

    /// Why there is nothing to see in the text.
    fn silence(&self) -> &'static str {
        match (&self.diff.before.config_hash, &self.diff.after.config_hash) {
            (None, None) => "No config text was read for either of the two.",
            (before, after) if before == after => "The config text is the same; only what runs was changed.",
            _ => "The texts differ in nothing that can be shown.",
        }
    }
}

async fn compare(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path((before, after)): Path<(SnapshotId, SnapshotId)>,
    Query(asked): Query<Asked>,
) -> Result<Page<Compare>> {
    let diff = services::snapshots::compare(&app, &session.actor, before, after).await?;
    Ok(Page(Compare { shell, diff, split: asked.view == "split" }))
}
