//! A legal hold: while it stands nothing of an incident is deleted, neither by a person nor by age. Who may say who sees
//! an incident may set and lift it, with a reason.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{Error, FieldErrors, Result};
use super::incident::Incident;
use super::time::minute;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hold {
    /// One line, plain text.
    pub reason: String,
    /// Who set it.
    pub by: String,
    pub at: DateTime<Utc>,
}

/// A reason that was given, cleaned.
pub fn reason(text: &str) -> Result<String> {
    let mut errors = FieldErrors::default();
    let reason = errors.line("reason", text);
    errors.into_result()?;
    Ok(reason)
}

impl Incident {
    /// Refuses to delete `what` while there is a hold.
    ///
    /// # Errors
    /// `Forbidden`, with who set the hold and who can lift it.
    pub fn lets_go_of(&self, what: &str) -> Result<()> {
        match &self.hold {
            None => Ok(()),
            Some(hold) => Err(Error::Forbidden(format!(
                "{} is under legal hold since {}, set by {} ({}): {what} stays; its commander, who opened it or an administrator can lift the hold first",
                self.reference,
                minute(hold.at),
                hold.by,
                hold.reason
            ))),
        }
    }
}
