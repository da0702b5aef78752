//! The editable fields of each noun, and how each kind of field is written in a form.

use chrono::NaiveDate;
use serde_json::{Value, json};

use crate::domain::time::{self, Timestamp};
use crate::web::format::Zone;

/// How a field is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Line,
    /// Markdown.
    Text,
    /// One value a line.
    Lines,
    /// `key=value`, one a line.
    Pairs,
    /// One of a few words; empty for none.
    Word,
    /// A local date and time; empty for unknown.
    Time,
    Date,
    /// A share, written in percent.
    Percent,
    Count,
    Flag,
    /// What a decision weighed: one a line, `+` before the chosen one, `: ` before the reason.
    Options,
}

/// One editable field.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// Its place in the noun's JSON, and its name in forms.
    pub path: &'static str,
    pub label: &'static str,
    pub kind: Kind,
}

const fn field(path: &'static str, label: &'static str, kind: Kind) -> Field {
    Field { path, label, kind }
}

pub static INCIDENT: [Field; 32] = [
    field("title", "Title", Kind::Line),
    field("severity", "Severity", Kind::Word),
    field("status", "Status", Kind::Word),
    field("kind", "Kind", Kind::Word),
    field("services", "Services", Kind::Lines),
    field("labels", "Labels", Kind::Pairs),
    field("roles/commander", "Commander", Kind::Word),
    field("roles/scribe", "Scribe", Kind::Word),
    field("utc_offset_minutes", "Zone of the incident", Kind::Count),
    field("milestones/started", "Started", Kind::Time),
    field("milestones/detected", "Detected", Kind::Time),
    field("milestones/acknowledged", "Acknowledged", Kind::Time),
    field("milestones/identified", "Identified", Kind::Time),
    field("milestones/mitigated", "Mitigated", Kind::Time),
    field("milestones/resolved", "Resolved", Kind::Time),
    field("summary", "Summary", Kind::Text),
    field("impact", "Impact", Kind::Text),
    field("impact_figures/users_share", "Share of users, %", Kind::Percent),
    field("impact_figures/users", "Users", Kind::Count),
    field("impact_figures/failed_requests_share", "Failed requests, %", Kind::Percent),
    field("impact_figures/requests_lost", "Requests lost", Kind::Count),
    field("detection", "Detection", Kind::Text),
    field("root_cause", "Root cause", Kind::Text),
    field("contributing_factors", "Contributing factors, one a line", Kind::Lines),
    field("resolution", "Resolution", Kind::Text),
    field("lessons/went_well", "What went well", Kind::Text),
    field("lessons/went_badly", "What went badly", Kind::Text),
    field("lessons/lucky", "Where we were lucky", Kind::Text),
    field("conclusion", "Conclusion", Kind::Text),
    field("roles/communications", "Communications", Kind::Word),
    field("roles/operations", "Operations", Kind::Word),
    field("roles/observer", "Observer", Kind::Word),
];

pub static ENTRY: [Field; 10] = [
    field("title", "Title", Kind::Line),
    field("body", "Text", Kind::Text),
    field("kind", "Kind", Kind::Word),
    field("occurred_at", "Happened at", Kind::Time),
    field("ended_at", "Ended at", Kind::Time),
    field("state", "State of the hypothesis", Kind::Word),
    field("looked_right", "Why it looked right", Kind::Text),
    field("ruled_out_by", "What ruled it out", Kind::Text),
    field("options", "Options weighed", Kind::Options),
    field("pinned", "In the postmortem", Kind::Flag),
];

pub static TASK: [Field; 10] = [
    field("title", "Title", Kind::Line),
    field("body", "Details", Kind::Text),
    field("kind", "Kind", Kind::Word),
    field("owner", "Owner", Kind::Word),
    field("due_on", "Due", Kind::Date),
    field("priority", "Priority", Kind::Word),
    field("status", "State", Kind::Word),
    field("wont_do_reason", "Why it will not be done", Kind::Text),
    field("recurrence", "Repeats", Kind::Word),
    field("link", "Tracked at", Kind::Word),
];

impl Field {
    /// What stands in this field of `noun` (its JSON), as a form writes it.
    pub fn shown(&self, noun: &Value, zone: Zone) -> String {
        let value = self.path.split('/').try_fold(noun, |value, name| value.get(name));
        value.map(|value| self.kind.show(value, zone)).unwrap_or_default()
    }

    /// Whether the field is best written in several lines.
    pub fn is_long(&self) -> bool {
        matches!(self.kind, Kind::Text | Kind::Lines | Kind::Pairs | Kind::Options)
    }

    /// The `type` of its input.
    pub fn input_type(&self) -> &'static str {
        match self.kind {
            Kind::Time => "datetime-local",
            Kind::Date => "date",
            _ => "text",
        }
    }

    pub fn is_flag(&self) -> bool {
        self.kind == Kind::Flag
    }
}

impl Kind {
    fn show(self, value: &Value, zone: Zone) -> String {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match (self, value) {
            (_, Value::Null) => String::new(),
            (Self::Lines, Value::Array(items)) => items.iter().map(text).collect::<Vec<_>>().join("\n"),
            (Self::Pairs, Value::Object(pairs)) => {
                pairs.iter().map(|(key, value)| format!("{key}={}", text(value))).collect::<Vec<_>>().join("\n")
            }
            (Self::Time, Value::String(at)) => at.parse::<Timestamp>().map_or_else(|_| at.clone(), |at| zone.input(at)),
            (Self::Percent, Value::Number(share)) => percent(share.as_f64().unwrap_or_default()),
            (Self::Flag, Value::Bool(on)) => if *on { "on" } else { "" }.to_owned(),
            (Self::Options, Value::Array(options)) => options.iter().map(option_line).collect::<Vec<_>>().join("\n"),
            (_, value) => text(value),
        }
    }

    /// The JSON for what was typed; `base` is what stood there. Errors are sentences for people.
    pub fn read(self, typed: &str, base: &str, zone: Zone) -> Result<Value, String> {
        let short = typed.trim();
        let lines = || typed.lines().map(str::trim).filter(|line| !line.is_empty());
        Ok(match self {
            Self::Line | Self::Text => Value::from(typed),
            Self::Lines => lines().collect(),
            Self::Pairs => return pairs(lines(), base),
            Self::Flag => Value::from(!short.is_empty()),
            Self::Options => lines().map(read_option).collect(),
            _ if short.is_empty() => Value::Null,
            Self::Word => Value::from(short),
            Self::Time => {
                let at =
                    time::parse_local("", short, zone.minutes).map_err(|_| format!("“{short}” is not a date with a time"))?;
                Value::from(time::rfc3339(at))
            }
            Self::Date => {
                let day: NaiveDate = short.parse().map_err(|_| format!("“{short}” is not a date; write it like 2026-11-21"))?;
                json!(day)
            }
            Self::Percent => {
                let figure = short.trim_end_matches('%').trim().replace(',', ".");
                let percent: f64 = figure.parse().map_err(|_| "write a number between 0 and 100".to_owned())?;
                if !(0.0..=100.0).contains(&percent) {
                    return Err("a share lies between 0 and 100 %".to_owned());
                }
                json!(percent / 100.0)
            }
            Self::Count => {
                let digits: String = short.chars().filter(|c| !matches!(c, ',' | ' ' | '\u{202f}' | '_')).collect();
                json!(digits.parse::<i64>().map_err(|_| "write a whole number".to_owned())?)
            }
        })
    }
}

/// A share as percent without the noise of binary fractions.
fn percent(share: f64) -> String {
    let text = format!("{:.4}", share * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn pairs<'a>(lines: impl Iterator<Item = &'a str>, base: &str) -> Result<Value, String> {
    let mut pairs = serde_json::Map::new();
    for gone in base.lines().filter_map(|line| line.split_once('=')) {
        pairs.insert(gone.0.trim().to_owned(), Value::Null);
    }
    for line in lines {
        let Some((key, value)) = line.split_once('=') else {
            return Err(format!("“{}” has no value; write it like team=edge", time::shorten(line, 40)));
        };
        pairs.insert(key.trim().to_owned(), Value::from(value.trim()));
    }
    Ok(Value::Object(pairs))
}

fn option_line(option: &Value) -> String {
    let text = |name: &str| option[name].as_str().unwrap_or_default().replace('\n', " ");
    let mark = if option["chosen"].as_bool() == Some(true) { '+' } else { '-' };
    match text("reason") {
        reason if reason.is_empty() => format!("{mark} {}", text("title")),
        reason => format!("{mark} {}: {reason}", text("title")),
    }
}

fn read_option(line: &str) -> Value {
    let chosen = line.starts_with('+');
    let rest = line.trim_start_matches(['+', '-', '*', ' ']);
    let (title, reason) = rest.split_once(": ").unwrap_or((rest, ""));
    json!({"title": title.trim(), "chosen": chosen, "reason": reason.trim()})
}
