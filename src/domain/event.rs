//! What happened, as one append-only row per change.
//!
//! The same row is the audit log, the live stream (with replay by sequence number) and the wake-up.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::id::IncidentId;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum EventKind {
    #[serde(rename = "incident.opened")]
    IncidentOpened,
    #[serde(rename = "incident.changed")]
    IncidentChanged,
    #[serde(rename = "incident.deleted")]
    IncidentDeleted,
    #[serde(rename = "timeline.added")]
    TimelineAdded,
    #[serde(rename = "timeline.changed")]
    TimelineChanged,
    #[serde(rename = "timeline.deleted")]
    TimelineDeleted,
    /// Somebody said what they are working on, or took it back.
    #[serde(rename = "working.changed")]
    WorkingChanged,
    #[serde(rename = "task.changed")]
    TaskChanged,
    #[serde(rename = "alert.changed")]
    AlertChanged,
    #[serde(rename = "snapshot.taken")]
    SnapshotTaken,
    #[serde(rename = "snapshot.linked")]
    SnapshotLinked,
    #[serde(rename = "balancer.changed")]
    BalancerChanged,
    #[serde(rename = "finding.changed")]
    FindingChanged,
    #[serde(rename = "integration.changed")]
    IntegrationChanged,
    #[serde(rename = "person.changed")]
    PersonChanged,
    #[serde(rename = "session.opened")]
    SessionOpened,
    #[serde(rename = "session.refused")]
    SessionRefused,
    #[serde(rename = "token.changed")]
    TokenChanged,
}

impl EventKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IncidentOpened => "incident.opened",
            Self::IncidentChanged => "incident.changed",
            Self::IncidentDeleted => "incident.deleted",
            Self::TimelineAdded => "timeline.added",
            Self::TimelineChanged => "timeline.changed",
            Self::TimelineDeleted => "timeline.deleted",
            Self::WorkingChanged => "working.changed",
            Self::TaskChanged => "task.changed",
            Self::AlertChanged => "alert.changed",
            Self::SnapshotTaken => "snapshot.taken",
            Self::SnapshotLinked => "snapshot.linked",
            Self::BalancerChanged => "balancer.changed",
            Self::FindingChanged => "finding.changed",
            Self::IntegrationChanged => "integration.changed",
            Self::PersonChanged => "person.changed",
            Self::SessionOpened => "session.opened",
            Self::SessionRefused => "session.refused",
            Self::TokenChanged => "token.changed",
        }
    }
}

/// A change that is about to be written with the transaction that made it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    pub kind: EventKind,
    pub incident_id: Option<IncidentId>,
    /// The entry, task, alert, snapshot, … that changed.
    pub subject: Option<Uuid>,
    /// Small facts for readers, such as old and new status. Never a secret.
    pub data: serde_json::Value,
}

impl NewEvent {
    pub fn new(kind: EventKind) -> Self {
        Self { kind, incident_id: None, subject: None, data: serde_json::Value::Null }
    }

    pub fn incident(mut self, id: IncidentId) -> Self {
        self.incident_id = Some(id);
        self
    }

    pub fn subject(mut self, id: impl Into<Uuid>) -> Self {
        self.subject = Some(id.into());
        self
    }

    pub fn data(mut self, data: serde_json::Value) -> Self {
        self.data = data;
        self
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Event {
    /// Grows by commit order; the `id:` of the server-sent event.
    pub seq: i64,
    pub at: DateTime<Utc>,
    pub kind: String,
    pub actor: String,
    pub incident_id: Option<IncidentId>,
    pub subject: Option<Uuid>,
    pub data: serde_json::Value,
}
