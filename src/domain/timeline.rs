//! Timeline entries: what was seen, thought, decided and done, including the wrong turns.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::error::{FieldErrors, Result};
use super::id::{AttachmentId, EntryId, IncidentId, SnapshotId};
use super::incident::words;
use super::time::{Timestamp, is_meant, to_micros};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    #[default]
    Note,
    Observation,
    Hypothesis,
    Action,
    Decision,
    Escalation,
    Communication,
    Alert,
    /// Config, deployment, rollback or flag.
    Change,
    Status,
    Recovery,
}
words!(EntryKind {
    Note => "note" / "Note",
    Observation => "observation" / "Observation",
    Hypothesis => "hypothesis" / "Hypothesis",
    Action => "action" / "Action",
    Decision => "decision" / "Decision",
    Escalation => "escalation" / "Escalation",
    Communication => "communication" / "Communication",
    Alert => "alert" / "Alert",
    Change => "change" / "Change",
    Status => "status" / "Status",
    Recovery => "recovery" / "Recovery",
});

impl EntryKind {
    /// What a person may choose in the composer, in its order.
    pub const BY_HAND: [Self; 9] = [
        Self::Note,
        Self::Observation,
        Self::Hypothesis,
        Self::Action,
        Self::Decision,
        Self::Escalation,
        Self::Communication,
        Self::Change,
        Self::Recovery,
    ];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HypothesisState {
    #[default]
    Open,
    Confirmed,
    /// The misleading path: kept, dimmed, with why it looked right and what ruled it out.
    RuledOut,
}
words!(HypothesisState { Open => "open" / "open", Confirmed => "confirmed" / "confirmed", RuledOut => "ruled_out" / "ruled out" });

/// One way that was weighed in a decision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DecisionOption {
    pub title: String,
    pub chosen: bool,
    /// Why it was taken or refused.
    pub reason: String,
}

/// What an entry leans on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Evidence {
    /// A slice of the flight recorder.
    Chart {
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        #[serde(default)]
        pool: Option<String>,
    },
    Snapshot {
        id: SnapshotId,
    },
    /// The change from one snapshot to the next.
    Diff {
        before: SnapshotId,
        after: SnapshotId,
    },
    /// Anything with an address; only http and https are linked.
    Link {
        href: String,
        #[serde(default)]
        text: String,
    },
}

/// Who or what wrote the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    #[default]
    Person,
    Integration,
    Recorder,
}
words!(Source { Person => "person" / "person", Integration => "integration" / "integration", Recorder => "recorder" / "recorder" });

/// Everything that may be edited afterwards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EntryFields {
    pub kind: EntryKind,
    /// One line, plain text.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// When it happened; may be corrected. `recorded_at` never changes.
    pub occurred_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    /// The offset that was typed, in minutes east of UTC.
    pub utc_offset_minutes: i32,
    /// Only for a hypothesis.
    pub state: Option<HypothesisState>,
    /// Why the hypothesis looked right.
    pub looked_right: String,
    /// What ruled it out.
    pub ruled_out_by: String,
    /// Only for a decision.
    pub options: Vec<DecisionOption>,
    pub evidence: Vec<Evidence>,
    pub attachments: Vec<AttachmentId>,
    /// Goes into the postmortem.
    pub pinned: bool,
}

impl Default for EntryFields {
    fn default() -> Self {
        Self {
            kind: EntryKind::Note,
            title: String::new(),
            body: String::new(),
            occurred_at: Timestamp::UNIX_EPOCH,
            ended_at: None,
            utc_offset_minutes: 0,
            state: None,
            looked_right: String::new(),
            ruled_out_by: String::new(),
            options: Vec::new(),
            evidence: Vec::new(),
            attachments: Vec::new(),
            pinned: false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Entry {
    pub id: EntryId,
    pub incident_id: IncidentId,
    #[serde(flatten)]
    pub fields: EntryFields,
    pub recorded_at: DateTime<Utc>,
    pub source: Source,
    /// Handle, integration name or `recorder`.
    pub author: String,
    /// 1 for an entry that was never edited.
    pub version: i64,
    pub edited_at: Option<DateTime<Utc>>,
    pub edited_by: Option<String>,
    pub deleted_at: Option<DateTime<Utc>>,
}

/// An earlier version of an entry, kept for ever.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Revision {
    pub version: i64,
    pub at: DateTime<Utc>,
    pub author: String,
    #[serde(flatten)]
    pub fields: EntryFields,
}

/// What POST takes: a client-made id makes a repeat harmless.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewEntry {
    pub id: Option<Uuid>,
    pub fields: EntryFields,
}

impl EntryFields {
    /// Normalises and checks. An entry needs a title or a body; a missing title is taken from the
    /// body's first line so that every list has something to show.
    pub fn checked(mut self) -> Result<Self> {
        let mut errors = FieldErrors::default();
        self.body = errors.text("body", &self.body);
        if self.title.trim().is_empty() {
            let first = self.body.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
            let cleaned: String = first.chars().filter(|c| !c.is_control()).collect();
            self.title = super::time::shorten(cleaned.trim_start_matches(['#', '>', '-', '*', ' ']), 160);
            if first == self.title {
                // It stands in the title now; twice would be noise.
                self.body = self.body.trim_start().strip_prefix(first).unwrap_or_default().trim_start_matches('\n').to_owned();
            }
        }
        if errors.0.is_empty() {
            self.title = errors.line("title", &self.title);
        }
        self.looked_right = errors.text("looked_right", &self.looked_right);
        self.ruled_out_by = errors.text("ruled_out_by", &self.ruled_out_by);
        if self.kind == EntryKind::Hypothesis {
            self.state = Some(self.state.unwrap_or_default());
        } else {
            self.state = None;
        }
        if self.options.len() > 20 {
            errors.push("options", "too_many", "at most 20 options are kept");
        }
        for (index, option) in self.options.iter_mut().enumerate() {
            option.title = errors.line(&format!("options/{index}/title"), &option.title);
            option.reason = errors.text(&format!("options/{index}/reason"), &option.reason);
        }
        if self.evidence.len() > 50 || self.attachments.len() > 50 {
            errors.push("evidence", "too_many", "at most 50 pieces of evidence and 50 attachments hang on one entry");
        }
        for (index, evidence) in self.evidence.iter().enumerate() {
            match evidence {
                Evidence::Link { href, .. } if !is_web_address(href) => {
                    errors.push(
                        &format!("evidence/{index}/href"),
                        "not_an_address",
                        "only http and https addresses are kept as links",
                    );
                }
                Evidence::Chart { from, to, .. } if from >= to || !is_meant(*from) || !is_meant(*to) => {
                    errors.push(&format!("evidence/{index}"), "empty_window", "the slice must end after it begins");
                }
                _ => {}
            }
        }
        if self.occurred_at.timestamp() <= 0 {
            errors.push("occurred_at", "required", "say when it happened, such as 2026-11-21T14:03:00Z");
        } else if !is_meant(self.occurred_at) || self.ended_at.is_some_and(|at| !is_meant(at)) {
            errors.push("occurred_at", "out_of_range", "a time lies between the years 1970 and 9999");
        }
        self.occurred_at = to_micros(self.occurred_at);
        self.ended_at = self.ended_at.map(to_micros);
        errors.into_result()?;
        Ok(self)
    }

    /// A hypothesis that was ruled out: the detour in the write-up.
    pub fn is_detour(&self) -> bool {
        self.state == Some(HypothesisState::RuledOut)
    }
}

/// Whether a string may become a link at all.
pub fn is_web_address(href: &str) -> bool {
    let lower = href.trim_start().to_ascii_lowercase();
    (lower.starts_with("https://") || lower.starts_with("http://")) && !href.chars().any(|c| c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(body: &str) -> EntryFields {
        EntryFields {
            body: body.into(),
            occurred_at: Timestamp::UNIX_EPOCH + chrono::Duration::days(20_000),
            ..Default::default()
        }
    }

    #[test]
    fn a_missing_title_comes_from_the_first_line() {
        let fields = entry("## DB looks fine\n\nCPU at 4 %").checked().expect("fine");
        assert_eq!((fields.title.as_str(), fields.body.starts_with("## DB")), ("DB looks fine", true));
        let fields = entry("restarted web3").checked().expect("fine");
        assert_eq!((fields.title.as_str(), fields.body.as_str()), ("restarted web3", ""));
        assert!(entry("  ").checked().is_err());
    }

    #[test]
    fn state_belongs_to_hypotheses_alone() {
        let note = EntryFields { state: Some(HypothesisState::Confirmed), ..entry("x") }.checked().expect("fine");
        assert_eq!(note.state, None);
        let guess = EntryFields { kind: EntryKind::Hypothesis, ..entry("cache again?") }.checked().expect("fine");
        assert_eq!(guess.state, Some(HypothesisState::Open));
    }

    #[test]
    fn hostile_links_and_empty_slices_are_refused() {
        let at = entry("x").occurred_at;
        let evidence = vec![
            Evidence::Link { href: "javascript:alert(1)".into(), text: String::new() },
            Evidence::Link { href: " HTTPS://status.example/".trim().into(), text: String::new() },
            Evidence::Chart { from: at, to: at, pool: None },
        ];
        let Err(super::super::Error::Invalid(errors)) = (EntryFields { evidence, ..entry("x") }).checked() else {
            panic!("accepted")
        };
        let pointers: Vec<_> = errors.0.iter().map(|e| e.pointer.as_str()).collect();
        assert_eq!(pointers, ["/evidence/0/href", "/evidence/2"]);
    }
}
