//! What of each noun can be found. Nothing secret is in it: no password of an address, no address of a link (they may
//! hold keys), no config text, no raw alert.

use uuid::Uuid;

use super::Found;
use crate::domain::balancer::Balancer;
use crate::domain::id::IncidentId;
use crate::domain::incident::Incident;
use crate::domain::task::Task;
use crate::domain::time::Timestamp;
use crate::domain::timeline::{Entry, EntryKind, Evidence};

/// Bytes of a body that can be found; PostgreSQL keeps at most 1 MiB of words.
const BODY_MAX: usize = 250_000;

/// One thing that can be found, as it is kept for searching.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub found: Found,
    pub id: Uuid,
    /// What it belongs to and is hidden with; a balancer belongs to none.
    pub incident: Option<IncidentId>,
    pub entry_kind: Option<EntryKind>,
    /// When it happened.
    pub at: Timestamp,
    pub title: String,
    pub body: String,
}

impl Document {
    fn body(mut self, parts: &[&str]) -> Self {
        let parts: Vec<&str> = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).collect();
        self.body = parts.join("\n");
        self.body.truncate(self.body.floor_char_boundary(BODY_MAX));
        self
    }

    pub fn of_incident(incident: &Incident) -> Self {
        let fields = &incident.fields;
        let labels: Vec<String> = fields.labels.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let roles: Vec<String> = fields.roles.iter().map(|(role, handle)| format!("{role}: {handle}")).collect();
        let (services, labels, roles) = (fields.services.join(", "), labels.join(", "), roles.join(", "));
        let reference = incident.reference.to_string();
        let document = Self {
            found: Found::Incident,
            id: incident.id.0,
            incident: Some(incident.id),
            entry_kind: None,
            at: incident.beginning(),
            title: fields.title.clone(),
            body: String::new(),
        };
        document.body(&[&fields.summary, &fields.impact, &fields.detection, &services, &labels, &roles, &reference])
    }

    /// The write-up beside the incident; none where nothing of it is written.
    pub fn of_postmortem(incident: &Incident) -> Option<Self> {
        let fields = &incident.fields;
        let factors = fields.contributing_factors.join("\n");
        let lessons = &fields.lessons;
        let texts = [
            &fields.root_cause,
            &factors,
            &fields.resolution,
            &lessons.went_well,
            &lessons.went_badly,
            &lessons.lucky,
            &fields.conclusion,
        ]
        .map(String::as_str);
        let document = Self { found: Found::Postmortem, ..Self::of_incident(incident) }.body(&texts);
        (!document.body.is_empty()).then_some(document)
    }

    /// None for a deleted one.
    pub fn of_entry(entry: &Entry) -> Option<Self> {
        let fields = &entry.fields;
        let options: Vec<String> = fields.options.iter().map(|option| format!("{}: {}", option.title, option.reason)).collect();
        let links = fields.evidence.iter().filter_map(|evidence| match evidence {
            Evidence::Link { text, .. } => Some(text.as_str()),
            Evidence::Chart { .. } | Evidence::Snapshot { .. } | Evidence::Diff { .. } => None,
        });
        let (options, links) = (options.join("\n"), links.collect::<Vec<_>>().join("\n"));
        let document = Self {
            found: Found::Entry,
            id: entry.id.0,
            incident: Some(entry.incident_id),
            entry_kind: Some(fields.kind),
            at: fields.occurred_at,
            title: fields.title.clone(),
            body: String::new(),
        };
        let document = document.body(&[&fields.body, &fields.looked_right, &fields.ruled_out_by, &options, &links]);
        entry.deleted_at.is_none().then_some(document)
    }

    pub fn of_task(task: &Task) -> Self {
        let document = Self {
            found: Found::Task,
            id: task.id.0,
            incident: Some(task.incident_id),
            entry_kind: None,
            at: task.created_at,
            title: task.fields.title.clone(),
            body: String::new(),
        };
        document.body(&[&task.fields.body, &task.fields.wont_do_reason, task.fields.owner.as_deref().unwrap_or_default()])
    }

    pub fn of_balancer(balancer: &Balancer) -> Self {
        let fields = balancer.fields.masked();
        let document = Self {
            found: Found::Balancer,
            id: balancer.id.0,
            incident: None,
            entry_kind: None,
            at: balancer.created_at,
            title: fields.name,
            body: String::new(),
        };
        document.body(&[fields.kind.said(), &fields.config_path, &fields.state_address])
    }
}
