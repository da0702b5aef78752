//! Snapshots: a balancer's config and run-time state at a moment.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::balancer::BalancerKind;
use super::id::{BalancerId, SnapshotId};
use super::incident::words;

/// What a list shows; the config text and the state are fetched apart.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Snapshot {
    pub id: SnapshotId,
    pub balancer_id: BalancerId,
    pub balancer: String,
    /// Counts up per balancer.
    pub number: i64,
    pub captured_at: DateTime<Utc>,
    /// Whose config it is.
    pub kind: BalancerKind,
    /// `sha256:` of the redacted config text; null when no config was read.
    pub config_hash: Option<String>,
    /// What changed against the snapshot before, one sentence each; empty for the first.
    pub changes: Vec<String>,
    /// What could not be read or understood.
    pub notices: Vec<String>,
    /// `recorder`, or who sent it.
    pub source: String,
    /// What the balancer's own program said of the config, where it was asked.
    pub verdict: Option<Verdict>,
}

/// The answer of `haproxy -c`, `nginx -t` and the like.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Verdict {
    /// Such as `haproxy -c`.
    pub program: String,
    /// The version of that program, which need not be the one that runs.
    pub version: Option<String>,
    /// Whether it would start with this config.
    pub accepted: bool,
    /// What it printed, secrets taken out, cut after 16 KiB.
    pub output: String,
}

/// How a snapshot stands to an incident's window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotRole {
    /// The last one before the incident began.
    Before,
    During,
    /// The one that people say ended it.
    Fix,
    After,
}
words!(SnapshotRole { Before => "before" / "before", During => "during" / "during", Fix => "fix" / "fix", After => "after" / "after" });

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LinkedSnapshot {
    pub role: SnapshotRole,
    #[serde(flatten)]
    pub snapshot: Snapshot,
}
