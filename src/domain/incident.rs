//! An incident: what is wrong, how bad, since when, and what was learned.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{Error, FieldErrors, Result};
use super::hold::Hold;
use super::id::{IncidentId, Reference};
use super::time::{Timestamp, is_meant, to_micros};

/// Gives an enum its stored words, in one place.
macro_rules! words {
    ($name:ident { $($variant:ident => $word:literal / $said:literal),* $(,)? }) => {
        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word in the database, the API and addresses.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// The word on a page.
            pub fn said(self) -> &'static str {
                match self { $(Self::$variant => $said),* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::error::Error;

            fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => {
                        let known = [$($word),*].join(", ");
                        Err($crate::domain::error::Error::invalid("", "unknown_word", format!("“{}” is none of {known}", $crate::domain::time::shorten(text, 40))))
                    }
                }
            }
        }
    };
}
pub(crate) use words;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Sev1,
    Sev2,
    #[default]
    Sev3,
    Sev4,
}
words!(Severity { Sev1 => "sev1" / "SEV1", Sev2 => "sev2" / "SEV2", Sev3 => "sev3" / "SEV3", Sev4 => "sev4" / "SEV4" });

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IncidentKind {
    #[default]
    Incident,
    NearMiss,
    Drill,
}
words!(IncidentKind { Incident => "incident" / "Incident", NearMiss => "near_miss" / "Near miss", Drill => "drill" / "Drill" });

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    #[default]
    Investigating,
    Identified,
    Monitoring,
    Resolved,
}
words!(Status { Investigating => "investigating" / "Investigating", Identified => "identified" / "Identified", Monitoring => "monitoring" / "Monitoring", Resolved => "resolved" / "Resolved" });

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    #[default]
    Internal,
    /// Only for the people who are named in `named` or hold a role.
    Restricted,
}
words!(Visibility { Internal => "internal" / "Internal", Restricted => "restricted" / "Restricted" });

/// Each is optional and may be corrected at any time; unknown stays unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Milestones {
    /// When people began to be affected.
    pub started: Option<DateTime<Utc>>,
    pub detected: Option<DateTime<Utc>>,
    pub acknowledged: Option<DateTime<Utc>>,
    pub identified: Option<DateTime<Utc>>,
    /// When people stopped being affected.
    pub mitigated: Option<DateTime<Utc>>,
    pub resolved: Option<DateTime<Utc>>,
}

impl Milestones {
    pub const NAMES: [&'static str; 6] = ["started", "detected", "acknowledged", "identified", "mitigated", "resolved"];

    pub fn get(&self, name: &str) -> Option<Timestamp> {
        match name {
            "started" => self.started,
            "detected" => self.detected,
            "acknowledged" => self.acknowledged,
            "identified" => self.identified,
            "mitigated" => self.mitigated,
            "resolved" => self.resolved,
            _ => None,
        }
    }

    fn in_order(&self) -> [(&'static str, Option<Timestamp>); 6] {
        Self::NAMES.map(|name| (name, self.get(name)))
    }

    /// All spans that two known milestones give, in seconds.
    pub fn durations(&self) -> Durations {
        let from = |end: Option<Timestamp>, start: Option<Timestamp>| Some((end? - start?).num_seconds());
        Durations {
            time_to_detect: from(self.detected, self.started),
            time_to_acknowledge: from(self.acknowledged, self.detected.or(self.started)),
            time_to_identify: from(self.identified, self.started),
            time_to_mitigate: from(self.mitigated, self.started),
            time_to_resolve: from(self.resolved, self.started),
            total: from(self.resolved.or(self.mitigated), self.started.or(self.detected)),
        }
    }

    /// Contradictions, said as warnings that name the field. They are never refusals: during an
    /// incident a wrong time that is kept is better than a right one that could not be saved.
    pub fn warnings(&self, now: Timestamp) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let known: Vec<_> = self.in_order().into_iter().filter_map(|(name, at)| Some((name, at?))).collect();
        for (index, (name, at)) in known.iter().enumerate() {
            if *at > now + Duration::minutes(2) {
                warnings
                    .push(Warning { field: format!("milestones/{name}"), detail: format!("“{name}” lies in the future") });
            }
            if let Some((before, earlier)) = known[..index].iter().max_by_key(|(_, at)| *at)
                && earlier > at
            {
                warnings.push(Warning {
                    field: format!("milestones/{name}"), detail: format!("“{name}” is before “{before}”")
                });
            }
        }
        warnings
    }
}

/// Seconds; null where a milestone is unknown. Never typed, always computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Durations {
    pub time_to_detect: Option<i64>,
    pub time_to_acknowledge: Option<i64>,
    pub time_to_identify: Option<i64>,
    pub time_to_mitigate: Option<i64>,
    pub time_to_resolve: Option<i64>,
    pub total: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Warning {
    /// The field that it is about, as a path.
    pub field: String,
    pub detail: String,
}

/// Figures beside the impact text; shares are fractions between 0 and 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ImpactFigures {
    pub users_share: Option<f64>,
    pub users: Option<i64>,
    pub failed_requests_share: Option<f64>,
    pub requests_lost: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Lessons {
    pub went_well: String,
    pub went_badly: String,
    pub lucky: String,
}

/// Everything that a person may write. Texts are Markdown unless said otherwise.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IncidentFields {
    /// One line, plain text.
    pub title: String,
    pub summary: String,
    pub kind: IncidentKind,
    pub severity: Severity,
    pub status: Status,
    pub visibility: Visibility,
    pub milestones: Milestones,
    pub impact: String,
    pub impact_figures: ImpactFigures,
    pub detection: String,
    pub root_cause: String,
    pub contributing_factors: Vec<String>,
    pub resolution: String,
    pub lessons: Lessons,
    pub conclusion: String,
    pub services: Vec<String>,
    pub labels: BTreeMap<String, String>,
    /// Role name to handle, such as `commander` to `mk`.
    pub roles: BTreeMap<String, String>,
    /// Handles of the people who see it while it is restricted, beside those who hold a role.
    pub named: Vec<String>,
    /// The incident's own zone for reading, in minutes east of UTC.
    pub utc_offset_minutes: i32,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Incident {
    pub id: IncidentId,
    pub reference: Reference,
    #[serde(flatten)]
    pub fields: IncidentFields,
    /// Handle of who opened it; `integration:NAME` or `token:NAME` where no person did.
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub deleted_at: Option<DateTime<Utc>>,
    /// The legal hold: while there is one, nothing of the incident is deleted.
    pub hold: Option<Hold>,
    /// Grows with every save; the ETag.
    pub version: i64,
}

/// What a list shows of an incident.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentLine {
    pub id: IncidentId,
    pub reference: Reference,
    pub title: String,
    pub kind: IncidentKind,
    pub severity: Severity,
    pub status: Status,
    pub visibility: Visibility,
    /// Whether it has a legal hold.
    pub is_held: bool,
    /// As [`Incident::beginning`].
    pub beginning: Timestamp,
    pub resolved: Option<Timestamp>,
    pub mitigated: Option<Timestamp>,
    pub services: Vec<String>,
    /// Who commands it.
    pub lead: Option<String>,
}

impl IncidentLine {
    pub fn is_open(&self) -> bool {
        self.status != Status::Resolved
    }

    /// As [`Incident::end`].
    pub fn end(&self) -> Option<Timestamp> {
        self.resolved.or(if self.is_open() { None } else { self.mitigated })
    }
}

impl IncidentFields {
    /// The texts without which a write-up says too little.
    pub const WRITE_UP: [&'static str; 3] = ["impact", "root_cause", "resolution"];

    /// Those of [`Self::WRITE_UP`] that are not written.
    pub fn unwritten(&self) -> Vec<&'static str> {
        let texts = [&self.impact, &self.root_cause, &self.resolution];
        Self::WRITE_UP.into_iter().zip(texts).filter(|(_, text)| text.trim().is_empty()).map(|(name, _)| name).collect()
    }

    /// Normalises and checks everything; all complaints come at once.
    pub fn checked(mut self) -> Result<Self> {
        let mut errors = FieldErrors::default();
        self.title = errors.line("title", &self.title);
        for (field, text) in [
            ("summary", &mut self.summary),
            ("impact", &mut self.impact),
            ("detection", &mut self.detection),
            ("root_cause", &mut self.root_cause),
            ("resolution", &mut self.resolution),
            ("conclusion", &mut self.conclusion),
            ("lessons/went_well", &mut self.lessons.went_well),
            ("lessons/went_badly", &mut self.lessons.went_badly),
            ("lessons/lucky", &mut self.lessons.lucky),
        ] {
            *text = errors.text(field, text);
        }
        self.contributing_factors = lines(&mut errors, "contributing_factors", &self.contributing_factors, 50);
        self.services = lines(&mut errors, "services", &self.services, 50);
        self.named = lines(&mut errors, "named", &self.named, 200);
        self.named.sort();
        self.named.dedup();
        for (name, pairs) in [("labels", &self.labels), ("roles", &self.roles)] {
            if pairs.len() > 64 {
                errors.push(name, "too_many", "at most 64 are kept");
            }
            for (key, value) in pairs {
                errors.line(&format!("{name}/{key}"), key);
                errors.optional_line(&format!("{name}/{key}"), value);
            }
        }
        self.roles.retain(|_, handle| !handle.trim().is_empty());
        for (name, share) in [
            ("users_share", self.impact_figures.users_share),
            ("failed_requests_share", self.impact_figures.failed_requests_share),
        ] {
            if share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
                errors.push(&format!("impact_figures/{name}"), "out_of_range", "a share lies between 0 and 1; 90 % is 0.9");
            }
        }
        for (name, count) in [("users", self.impact_figures.users), ("requests_lost", self.impact_figures.requests_lost)] {
            if count.is_some_and(|count| count < 0) {
                errors.push(&format!("impact_figures/{name}"), "out_of_range", "a count cannot be negative");
            }
        }
        for name in Milestones::NAMES {
            if self.milestones.get(name).is_some_and(|at| !is_meant(at)) {
                errors.push(&format!("milestones/{name}"), "out_of_range", "a time lies between the years 1970 and 9999");
            }
        }
        let m = &mut self.milestones;
        for at in [&mut m.started, &mut m.detected, &mut m.acknowledged, &mut m.identified, &mut m.mitigated, &mut m.resolved] {
            *at = at.map(to_micros);
        }
        errors.into_result()?;
        Ok(self)
    }

    /// What a change of status does to the milestones: entering a status stamps its milestone when it is
    /// still unknown; re-opening clears `resolved`.
    pub fn stamp_status(&mut self, before: Status, at: Timestamp) {
        let milestones = &mut self.milestones;
        match self.status {
            Status::Identified => milestones.identified = milestones.identified.or(Some(at)),
            Status::Monitoring => milestones.mitigated = milestones.mitigated.or(Some(at)),
            Status::Resolved => {
                milestones.mitigated = milestones.mitigated.or(Some(at));
                milestones.resolved = milestones.resolved.or(Some(at));
            }
            Status::Investigating => {}
        }
        if before == Status::Resolved && self.status != Status::Resolved {
            milestones.resolved = None;
        }
    }
}

fn lines(errors: &mut FieldErrors, field: &str, values: &[String], most: usize) -> Vec<String> {
    if values.len() > most {
        errors.push(field, "too_many", format!("{} given; at most {most} are kept", values.len()));
    }
    let cleaned =
        values.iter().take(most).enumerate().map(|(index, value)| errors.optional_line(&format!("{field}/{index}"), value));
    cleaned.filter(|line| !line.is_empty()).collect()
}

/// Refuses a re-opening without a word why.
pub fn check_status_change(before: Status, after: Status, reason: &str) -> Result<()> {
    if before == Status::Resolved && after != Status::Resolved && reason.trim().is_empty() {
        return Err(Error::invalid("status_reason", "required", "say in a few words why this is opened again"));
    }
    Ok(())
}

impl Incident {
    pub fn is_open(&self) -> bool {
        self.fields.status != Status::Resolved && self.deleted_at.is_none()
    }

    /// The best known beginning: `started`, else `detected`, else when it was written down.
    pub fn beginning(&self) -> Timestamp {
        self.fields.milestones.started.or(self.fields.milestones.detected).unwrap_or(self.created_at)
    }

    /// The best known end, when it is over.
    pub fn end(&self) -> Option<Timestamp> {
        self.fields.milestones.resolved.or(if self.is_open() { None } else { self.fields.milestones.mitigated })
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn at(minute: i64) -> Timestamp {
        chrono::Utc.timestamp_opt(1_700_000_000 + minute * 60, 0).single().expect("valid")
    }

    #[test]
    fn durations_come_from_milestones_alone() {
        let milestones = Milestones {
            started: Some(at(0)),
            detected: Some(at(2)),
            identified: Some(at(120)),
            mitigated: Some(at(180)),
            resolved: Some(at(210)),
            acknowledged: None,
        };
        let durations = milestones.durations();
        assert_eq!(
            (durations.time_to_detect, durations.time_to_identify, durations.time_to_resolve),
            (Some(120), Some(7200), Some(12_600))
        );
        assert_eq!((durations.time_to_acknowledge, durations.total), (None, Some(12_600)));
    }

    #[test]
    fn contradictions_warn_and_do_not_refuse() {
        let milestones =
            Milestones { started: Some(at(10)), resolved: Some(at(5)), detected: Some(at(99)), ..Default::default() };
        let fields: Vec<_> = milestones.warnings(at(20)).into_iter().map(|w| w.field).collect();
        assert_eq!(fields, ["milestones/detected", "milestones/resolved"]);
        assert!(IncidentFields { title: "x".into(), milestones, ..Default::default() }.checked().is_ok());
    }

    #[test]
    fn statuses_stamp_their_milestone_once_and_reopening_needs_a_reason() {
        let mut fields = IncidentFields { status: Status::Resolved, ..Default::default() };
        fields.stamp_status(Status::Monitoring, at(7));
        fields.stamp_status(Status::Resolved, at(9));
        assert_eq!((fields.milestones.mitigated, fields.milestones.resolved), (Some(at(7)), Some(at(7))));
        assert!(check_status_change(Status::Resolved, Status::Investigating, " ").is_err());
        assert!(check_status_change(Status::Resolved, Status::Investigating, "came back").is_ok());
        fields.status = Status::Investigating;
        fields.stamp_status(Status::Resolved, at(11));
        assert_eq!(fields.milestones.resolved, None);
    }

    #[test]
    fn times_that_nobody_means_are_refused() {
        let milestones = Milestones {
            resolved: Some(chrono::DateTime::<Utc>::MAX_UTC),
            started: Some(chrono::DateTime::<Utc>::MIN_UTC),
            ..Default::default()
        };
        let Err(Error::Invalid(errors)) = (IncidentFields { title: "x".into(), milestones, ..Default::default() }).checked()
        else {
            panic!("accepted")
        };
        assert_eq!(
            errors.0.iter().map(|e| e.pointer.as_str()).collect::<Vec<_>>(),
            ["/milestones/started", "/milestones/resolved"]
        );
    }

    #[test]
    fn all_complaints_come_at_once() {
        let fields = IncidentFields {
            title: String::new(),
            impact_figures: ImpactFigures { users_share: Some(90.0), users: Some(-1), ..Default::default() },
            ..Default::default()
        };
        let Err(Error::Invalid(errors)) = fields.checked() else { panic!("accepted") };
        let pointers: Vec<_> = errors.0.iter().map(|e| e.pointer.as_str()).collect();
        assert_eq!(pointers, ["/title", "/impact_figures/users_share", "/impact_figures/users"]);
    }
}
