//! Alerts: what a monitoring system said, folded into one row per key.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::id::{AlertId, IncidentId, IntegrationId};
use super::incident::{Severity, words};
use super::time::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    Firing,
    Acknowledged,
    Resolved,
}
words!(AlertStatus { Firing => "firing" / "Firing", Acknowledged => "acknowledged" / "Acknowledged", Resolved => "resolved" / "Resolved" });

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertSeverity {
    Critical,
    High,
    Medium,
    Low,
    Info,
    Unknown,
}
words!(AlertSeverity { Critical => "critical" / "critical", High => "high" / "high", Medium => "medium" / "medium", Low => "low" / "low", Info => "info" / "info", Unknown => "unknown" / "unknown" });

impl AlertSeverity {
    /// The words that senders use (reference: integrations.md 2.2). Numbers mean different things in
    /// different products and are left to each source's adapter.
    pub fn from_word(raw: &str) -> Self {
        match raw.trim().to_ascii_lowercase().as_str() {
            "p1" | "sev0" | "sev1" | "critical" | "crit" | "fatal" | "disaster" | "page" | "emergency" => Self::Critical,
            "p2" | "sev2" | "error" | "err" | "high" | "major" => Self::High,
            "p3" | "sev3" | "warning" | "warn" | "average" | "medium" | "minor" => Self::Medium,
            "p4" | "sev4" | "low" => Self::Low,
            "p5" | "info" | "informational" | "debug" | "none" => Self::Info,
            _ => Self::Unknown,
        }
    }

    /// The severity of an incident that such an alert opens.
    pub fn incident(self) -> Severity {
        match self {
            Self::Critical => Severity::Sev1,
            Self::High => Severity::Sev2,
            Self::Medium | Self::Unknown => Severity::Sev3,
            Self::Low | Self::Info => Severity::Sev4,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlertLink {
    /// `runbook`, `dashboard`, `source`, `silence`, `panel`, `image`.
    pub rel: String,
    pub href: String,
}

/// One alert as a sender reported it, before it meets what is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertReport {
    /// Identity within the integration, at most 512 bytes.
    pub dedup_key: String,
    /// What belongs to one incident: one open incident per integration and group key.
    pub group_key: String,
    pub status: AlertStatus,
    pub title: String,
    pub description: String,
    pub severity: AlertSeverity,
    /// The sender's own word.
    pub severity_raw: String,
    pub service: String,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub links: Vec<AlertLink>,
    pub started_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// All that one delivery said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reports {
    pub alerts: Vec<AlertReport>,
    /// Members of the group that the sender left out: unknown, not resolved.
    pub not_shown: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Alert {
    pub id: AlertId,
    /// Name of the integration.
    pub integration: String,
    pub integration_id: IntegrationId,
    pub dedup_key: String,
    pub group_key: String,
    pub status: AlertStatus,
    pub title: String,
    pub description: String,
    pub severity: AlertSeverity,
    pub severity_raw: String,
    pub service: String,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub links: Vec<AlertLink>,
    pub starts_at: DateTime<Utc>,
    pub ends_at: Option<DateTime<Utc>>,
    pub first_seen_at: DateTime<Utc>,
    pub last_received_at: DateTime<Utc>,
    /// How often it was reported while open.
    pub count: i64,
    pub incident_id: Option<IncidentId>,
}

/// A source time that cannot be meant (before 2000, or more than a day ahead) is replaced by when it was received.
pub fn plausible(at: Option<Timestamp>, received: Timestamp) -> Option<Timestamp> {
    at.filter(|at| at.timestamp() > 946_684_800 && *at < received + chrono::Duration::days(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severity_words_map_and_the_rest_is_unknown() {
        assert_eq!(AlertSeverity::from_word(" Critical "), AlertSeverity::Critical);
        assert_eq!(AlertSeverity::from_word("warning").incident(), Severity::Sev3);
        assert_eq!(AlertSeverity::from_word("5"), AlertSeverity::Unknown);
    }

    #[test]
    fn impossible_times_are_not_believed() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().expect("time");
        assert_eq!(plausible(Some("0001-01-01T00:00:00Z".parse().expect("time")), now), None);
        assert_eq!(plausible(Some("2030-01-01T00:00:00Z".parse().expect("time")), now), None);
        assert_eq!(plausible(Some(now), now), Some(now));
    }
}
