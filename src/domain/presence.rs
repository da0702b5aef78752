//! Who is in the room of an incident, and the one line that each says about what they do. Not what they did: that
//! is the timeline's.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{FieldErrors, Result};

/// How long somebody counts as here after the last sign of life.
pub const HERE_FOR: TimeDelta = TimeDelta::seconds(45);
/// How often a page that is open gives a sign of life, in seconds: one that is lost shows nobody as gone.
pub const SIGN_EVERY_SECONDS: u64 = 20;
/// How long somebody whose page closed stays: a page that is loaded again is back before.
pub const LEAVES_AFTER: TimeDelta = TimeDelta::seconds(5);
/// A line of somebody who was away for so long is over: they left.
pub const LINE_FOR: TimeDelta = TimeDelta::minutes(30);
/// Longest line, in characters.
pub const LINE_MAX: usize = 120;

/// One person of the room: there, or away with a line that still stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Presence {
    /// Short name, such as `mk`.
    pub handle: String,
    /// Whether they have the room open now.
    pub here: bool,
    /// What they are working on, in their own words.
    pub working_on: Option<String>,
    /// Since when they are.
    pub working_since: Option<DateTime<Utc>>,
}

/// What somebody says that they are working on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkingOn {
    /// One line of at most 120 characters.
    pub text: String,
}

impl WorkingOn {
    pub fn checked(self) -> Result<Self> {
        let mut errors = FieldErrors::default();
        let text = errors.line("text", &self.text);
        let length = text.chars().count();
        if length > LINE_MAX {
            errors.push(
                "text",
                "too_long",
                format!("{length} characters; {LINE_MAX} fit beside a name, the rest is a timeline entry"),
            );
        }
        errors.into_result()?;
        Ok(Self { text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_short_line() {
        let read = |text: &str| WorkingOn { text: text.into() }.checked().map(|line| line.text);
        assert_eq!(read("  rolling back lb-2 ").expect("fits"), "rolling back lb-2");
        for bad in ["", "  ", "two\nlines", "nul\0", &"x".repeat(LINE_MAX + 1)] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
