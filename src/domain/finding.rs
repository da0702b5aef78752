//! Findings that people know of, and why they may stand for a while.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{FieldErrors, Result};
use super::id::{AcknowledgementId, BalancerId};
use super::time::Timestamp;

/// "We know": one rule, in one pool or in all, for a reason and for a time.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Acknowledgement {
    pub id: AcknowledgementId,
    pub balancer_id: BalancerId,
    #[serde(flatten)]
    pub fields: AcknowledgementFields,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub ended_by: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AcknowledgementFields {
    /// Id of the rule, such as `LB001`.
    pub rule: String,
    /// Where it is known; null for the whole balancer.
    pub pool: Option<String>,
    /// Null for the whole pool.
    pub server: Option<String>,
    /// Why it may stand.
    pub reason: String,
    /// When it counts again; null for never.
    pub expires_at: Option<DateTime<Utc>>,
}

impl AcknowledgementFields {
    /// Trims and checks; whether the rule exists is for those who know the rules.
    pub fn checked(mut self, now: Timestamp) -> Result<Self> {
        let mut errors = FieldErrors::default();
        self.rule = errors.line("rule", &self.rule);
        self.reason = errors.line("reason", &self.reason);
        let place = |text: Option<String>| text.filter(|text| !text.is_empty());
        (self.pool, self.server) = (place(self.pool.take()), place(self.server.take()));
        if self.expires_at.is_some_and(|at| at <= now) {
            errors.push("expires_at", "in_the_past", "name a time that is still to come, or none");
        }
        errors.into_result()?;
        Ok(self)
    }
}

impl Acknowledgement {
    /// Whether it holds at `now` for a finding of `rule` at this place.
    pub fn covers(&self, rule: &str, pool: Option<&str>, server: Option<&str>, now: Timestamp) -> bool {
        let holds = self.ended_at.is_none() && self.fields.expires_at.is_none_or(|at| now < at);
        let at = |wanted: &Option<String>, found: Option<&str>| wanted.is_none() || wanted.as_deref() == found;
        holds && self.fields.rule == rule && at(&self.fields.pool, pool) && at(&self.fields.server, server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::parse_rfc3339;

    #[test]
    fn it_covers_its_place_until_it_ends() {
        let (now, _) = parse_rfc3339("at", "2026-11-21T14:03:00Z").expect("a time");
        let fields = AcknowledgementFields {
            rule: "LB001".into(),
            pool: Some("web".into()),
            reason: "blue/green".into(),
            ..Default::default()
        };
        let refused = AcknowledgementFields { expires_at: Some(now), reason: " ".into(), ..fields.clone() }.checked(now);
        assert!(refused.is_err());
        let known = Acknowledgement {
            id: AcknowledgementId(uuid::Uuid::nil()),
            balancer_id: BalancerId(uuid::Uuid::nil()),
            fields: fields.checked(now).expect("good fields"),
            created_by: "mk".into(),
            created_at: now,
            ended_at: None,
            ended_by: None,
        };
        assert!(known.covers("LB001", Some("web"), Some("s1"), now));
        assert!(!known.covers("LB001", Some("api"), None, now) && !known.covers("LB002", Some("web"), None, now));
        let ended = Acknowledgement { ended_at: Some(now), ..known.clone() };
        assert!(!ended.covers("LB001", Some("web"), None, now));
        let mut short = known;
        short.fields.expires_at = Some(now);
        assert!(!short.covers("LB001", Some("web"), None, now));
    }
}
