//! Corrective tasks: they hang on an incident and outlive it.

use chrono::{DateTime, Datelike, Duration, Months, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{FieldErrors, Result};
use super::id::{IncidentId, Reference, TaskId};
use super::incident::words;
use super::timeline::is_web_address;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    Mitigate,
    #[default]
    Prevent,
    Detect,
    Process,
}
words!(TaskKind { Mitigate => "mitigate" / "Mitigate", Prevent => "prevent" / "Prevent", Detect => "detect" / "Detect", Process => "process" / "Process" });

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    #[default]
    Open,
    InProgress,
    Done,
    WontDo,
}
words!(TaskStatus { Open => "open" / "Open", InProgress => "in_progress" / "In progress", Done => "done" / "Done", WontDo => "wont_do" / "Won't do" });

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    High,
    #[default]
    Medium,
    Low,
}
words!(Priority { High => "high" / "High", Medium => "medium" / "Medium", Low => "low" / "Low" });

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Recurrence {
    Weekly,
    Monthly,
    Quarterly,
    Yearly,
}
words!(Recurrence { Weekly => "weekly" / "each week", Monthly => "monthly" / "each month", Quarterly => "quarterly" / "each quarter", Yearly => "yearly" / "each year" });

impl Recurrence {
    /// The first due date of the series after `done`, keeping the day of the month where it exists.
    pub fn next_after(self, due: NaiveDate, done: NaiveDate) -> NaiveDate {
        let step = |n: u32| match self {
            Self::Weekly => due.checked_add_days(chrono::Days::new(7 * u64::from(n))),
            Self::Monthly => due.checked_add_months(Months::new(n)),
            Self::Quarterly => due.checked_add_months(Months::new(3 * n)),
            Self::Yearly => due.checked_add_months(Months::new(12 * n)),
        };
        (1..=5_000).map_while(step).find(|next| *next > done && next.year() < 3000).unwrap_or(due)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TaskFields {
    pub kind: TaskKind,
    pub title: String,
    /// Markdown.
    pub body: String,
    /// One handle.
    pub owner: Option<String>,
    pub due_on: Option<NaiveDate>,
    pub priority: Priority,
    pub status: TaskStatus,
    /// Required with `wont_do`.
    pub wont_do_reason: String,
    pub recurrence: Option<Recurrence>,
    /// Where it is tracked elsewhere.
    pub link: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Task {
    pub id: TaskId,
    pub incident_id: IncidentId,
    pub incident: Reference,
    #[serde(flatten)]
    pub fields: TaskFields,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub closed_at: Option<DateTime<Utc>>,
    pub version: i64,
}

/// Days before its due date from which a task reminds its owner.
pub const REMIND_DAYS: i64 = 7;

/// Whether a task asks for its owner yet. It does so on their first page, also after the incident is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reminder {
    /// Closed, or without a day: it never does.
    Never,
    /// It will, from that day on.
    From(NaiveDate),
    /// It does: so many days are left, 0 is today, and a negative number is late.
    Now(i64),
}

impl TaskFields {
    pub fn reminder(&self, today: NaiveDate) -> Reminder {
        match self.due_on {
            Some(due) if !self.is_closed() => match (due - today).num_days() {
                left if left <= REMIND_DAYS => Reminder::Now(left),
                _ => Reminder::From(due - Duration::days(REMIND_DAYS)),
            },
            _ => Reminder::Never,
        }
    }

    pub fn checked(mut self) -> Result<Self> {
        let mut errors = FieldErrors::default();
        self.title = errors.line("title", &self.title);
        self.body = errors.text("body", &self.body);
        self.wont_do_reason = errors.text("wont_do_reason", &self.wont_do_reason);
        if self.status == TaskStatus::WontDo && self.wont_do_reason.trim().is_empty() {
            errors.push("wont_do_reason", "required", "say why this will not be done, so that nobody asks again");
        }
        self.owner = self.owner.take().map(|owner| errors.optional_line("owner", &owner)).filter(|owner| !owner.is_empty());
        self.link = self.link.take().map(|link| link.trim().to_owned()).filter(|link| !link.is_empty());
        if self.link.as_deref().is_some_and(|link| !is_web_address(link) || link.len() > 2_000) {
            errors.push("link", "not_an_address", "write a web address that begins with https:// or http://");
        }
        if self.recurrence.is_some() && self.due_on.is_none() {
            errors.push("due_on", "required", "a recurring task needs its first due date");
        }
        errors.into_result()?;
        Ok(self)
    }

    pub fn is_closed(&self) -> bool {
        matches!(self.status, TaskStatus::Done | TaskStatus::WontDo)
    }

    pub fn is_overdue(&self, today: NaiveDate) -> bool {
        !self.is_closed() && self.due_on.is_some_and(|due| due < today)
    }

    /// The task that follows a recurring one when it is done.
    pub fn successor(&self, done_on: NaiveDate) -> Option<Self> {
        let (recurrence, due) = (self.recurrence?, self.due_on?);
        if self.status != TaskStatus::Done {
            return None;
        }
        Some(Self { status: TaskStatus::Open, due_on: Some(recurrence.next_after(due, done_on)), ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect(text)
    }

    #[test]
    fn a_recurring_task_comes_back_after_today() {
        assert_eq!(Recurrence::Quarterly.next_after(day("2026-01-31"), day("2026-02-01")), day("2026-04-30"));
        assert_eq!(Recurrence::Weekly.next_after(day("2026-01-01"), day("2026-01-20")), day("2026-01-22"));
        let task = TaskFields {
            title: "Review".into(),
            status: TaskStatus::Done,
            due_on: Some(day("2026-01-31")),
            recurrence: Some(Recurrence::Yearly),
            ..Default::default()
        };
        assert_eq!(task.successor(day("2026-02-02")).and_then(|t| t.due_on), Some(day("2027-01-31")));
        assert_eq!(TaskFields { status: TaskStatus::WontDo, ..task }.successor(day("2026-02-02")), None);
    }

    #[test]
    fn a_task_reminds_from_a_week_before_it_is_due_until_it_is_closed() {
        let at = |due: Option<&str>, status| {
            TaskFields { due_on: due.map(day), status, ..Default::default() }.reminder(day("2026-11-21"))
        };
        assert_eq!(at(Some("2026-11-28"), TaskStatus::Open), Reminder::Now(7));
        assert_eq!(at(Some("2026-11-29"), TaskStatus::Open), Reminder::From(day("2026-11-22")));
        assert_eq!(at(Some("2026-11-20"), TaskStatus::InProgress), Reminder::Now(-1));
        assert_eq!([at(Some("2026-11-20"), TaskStatus::Done), at(None, TaskStatus::Open)], [Reminder::Never; 2]);
    }

    #[test]
    fn wont_do_needs_a_reason_and_links_are_web_addresses() {
        let task = TaskFields {
            title: "t".into(),
            status: TaskStatus::WontDo,
            link: Some("javascript:x".into()),
            recurrence: Some(Recurrence::Weekly),
            ..Default::default()
        };
        let Err(super::super::Error::Invalid(errors)) = task.checked() else { panic!("accepted") };
        let pointers: Vec<_> = errors.0.iter().map(|e| e.pointer.as_str()).collect();
        assert_eq!(pointers, ["/wont_do_reason", "/link", "/due_on"]);
    }
}
