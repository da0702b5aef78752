//! Asking the balancer's own program about a config that was just recorded.

use std::path::PathBuf;

use crate::app::App;
use crate::balancer::redact;
use crate::domain::balancer::Balancer;
use crate::domain::id::SnapshotId;
use crate::domain::snapshot::Verdict;
use crate::domain::time::shorten;
use crate::record;
use crate::services::Result;
use crate::store::snapshots;

/// Characters of its output that are kept.
const OUTPUT_MAX: usize = 16 * 1024;

/// Beside the caller, who does not wait: the program may take seconds, and the next poll must not.
pub fn ask_soon(app: &App, balancer: &Balancer, snapshot: SnapshotId) {
    let fields = &balancer.fields;
    if !fields.ask_program || fields.config_path.is_empty() {
        return;
    }
    let (app, kind, path) = (app.clone(), fields.kind, PathBuf::from(&fields.config_path));
    tokio::spawn(async move {
        let asked = tokio::task::spawn_blocking(move || record::verdict::ask(kind, &[path.as_path()], record::verdict::WITHIN));
        let verdict = match asked.await {
            Ok(Ok(told)) => {
                let output = redact::redact(kind, &told.output, app.redaction_key()).text;
                let output = shorten(&output.replace('\0', "\u{fffd}"), OUTPUT_MAX);
                Verdict { program: told.program, version: told.version, accepted: told.accepted, output }
            }
            Ok(Err(why)) => return tracing::warn!(%snapshot, %why, "the balancer's program could not be asked"),
            Err(fault) => return tracing::warn!(%snapshot, %fault, "asking the balancer's program broke off"),
        };
        if let Err(fault) = keep(&app, snapshot, &verdict).await {
            tracing::warn!(%snapshot, %fault, "what the balancer's program said could not be kept");
        }
    });
}

async fn keep(app: &App, snapshot: SnapshotId, verdict: &Verdict) -> Result<()> {
    let mut conn = app.store().begin().await?;
    snapshots::set_verdict(&mut conn, snapshot, verdict).await?;
    Ok(conn.commit().await?)
}
