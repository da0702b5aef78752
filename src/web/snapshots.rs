//! One snapshot as text, and what changed between two.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;

use super::error::{Error, Result};
use super::extract::{Path, Session};
use super::incidents::postmortem::download;
use super::page::{Page, Shell};
use crate::app::App;
use crate::balancer::diff::{Line, LineKind};
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

/// Lines of a config on one page; the rest is in the file.
const LINES: usize = 4_000;

#[derive(Template)]
#[template(path = "snapshots/show.html")]
struct Show {
    shell: Shell,
    detail: SnapshotDetail,
    before: Option<Snapshot>,
    after: Option<Snapshot>,
}

impl Show {
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.detail.config.iter().flat_map(|text| text.lines()).take(LINES).enumerate().map(|(index, line)| (index + 1, line))
    }

    fn is_cut(&self) -> bool {
        self.detail.config.as_ref().is_some_and(|text| text.lines().nth(LINES).is_some())
    }

    /// Whether a notice is about this line.
    fn is_noted(&self, line: &usize) -> bool {
        self.detail.model.iter().flat_map(|model| &model.notices).any(|notice| notice.line == *line)
    }
}

async fn show(State(app): State<App>, session: Session, shell: Shell, Path(id): Path<SnapshotId>) -> Result<Page<Show>> {
    let detail = services::snapshots::find(&app, &session.actor, id).await?;
    let of = detail.snapshot.balancer_id;
    let near = services::snapshots::list(&app, &session.actor, of, &Rows::first(Rows::MOST)).await?.items;
    let place = near.iter().position(|snapshot| snapshot.id == id);
    let before = place.and_then(|place| near.get(place + 1)).cloned();
    let after = place.and_then(|place| near.get(place.checked_sub(1)?)).cloned();
    Ok(Page(Show { shell, detail, before, after }))
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
) -> Result<Page<Compare>> {
    let diff = services::snapshots::compare(&app, &session.actor, before, after).await?;
    Ok(Page(Compare { shell, diff }))
}
