//! All snapshots of one balancer, page by page, and the choice of any two on a page to be compared.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::app::App;
use crate::domain::balancer::Balancer;
use crate::domain::id::{BalancerId, Reference, SnapshotId};
use crate::domain::snapshot::{Snapshot, SnapshotRole};
use crate::services::{self, Page as Rows};
use crate::web::error::Result;
use crate::web::extract::{Path, Query, Session};
use crate::web::page::{Page, Shell, see};
use crate::web::sent::query;

/// Snapshots on one page.
const SHOWN: i64 = 50;

#[derive(Template)]
#[template(path = "balancers/history.html")]
struct History {
    shell: Shell,
    balancer: Balancer,
    /// Newest first.
    snapshots: Vec<Snapshot>,
    incidents: BTreeMap<SnapshotId, Vec<(Reference, SnapshotRole)>>,
    older: Option<String>,
    /// Where this page begins; none on the first, that of the newest.
    cursor: Option<String>,
    /// Compared with itself.
    same: bool,
}

#[derive(Deserialize)]
pub struct Asked {
    cursor: Option<String>,
    /// The two to compare.
    before: Option<SnapshotId>,
    after: Option<SnapshotId>,
}

impl History {
    fn day(&self, snapshot: &Snapshot) -> String {
        self.shell.zone().day(snapshot.captured_at)
    }

    /// Whether the snapshot at `index` is the first of its day on this page.
    fn opens_day(&self, index: &usize) -> bool {
        let date = |index: usize| self.snapshots.get(index).map(|snapshot| self.shell.zone().date(snapshot.captured_at));
        *index == 0 || date(*index) != date(index - 1)
    }

    fn tied(&self, snapshot: &Snapshot) -> &[(Reference, SnapshotRole)] {
        self.incidents.get(&snapshot.id).map_or(&[], Vec::as_slice)
    }
}

pub async fn show(
    State(app): State<App>,
    session: Session,
    shell: Shell,
    Path(id): Path<BalancerId>,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let same = match (asked.before, asked.after) {
        (Some(before), Some(after)) if before != after => return Ok(see(&format!("/snapshots/{before}/diff/{after}"))),
        (before, after) => before.is_some() && before == after,
    };
    let actor = &session.actor;
    let balancer = services::balancers::find(&app, actor, id).await?;
    let cursor = asked.cursor;
    let page = services::snapshots::list(&app, actor, id, &Rows { limit: Some(SHOWN), cursor: cursor.clone() }).await?;
    let ids: Vec<_> = page.items.iter().map(|snapshot| snapshot.id).collect();
    let incidents = services::snapshots::incidents_of(&app, actor, &ids).await?;
    let older = page.next_cursor.map(|cursor| query(&[("cursor", &cursor)]));
    Ok(Page(History { shell, balancer, snapshots: page.items, incidents, older, cursor, same }).into_response())
}
