//! How far somebody has read an incident, and what came since. Their own business: nobody else is told.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::id::EntryId;

/// What is new to somebody who was here before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Reading {
    /// Sequence number of the last event that they have seen; null for who never read to the end.
    pub seq: Option<i64>,
    /// When that was.
    pub read_at: Option<DateTime<Utc>>,
    /// What others added to the timeline since, in the order in which it was written. Empty where `seq` is null.
    pub unread: Vec<Unread>,
}

/// An entry that somebody has not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Unread {
    pub entry: EntryId,
    /// The event that added it.
    pub seq: i64,
}
