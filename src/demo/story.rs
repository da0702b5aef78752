//! The texts of the demo: five stories, forty smaller incidents and the live one, as they stand in the files beside.

use chrono::{Duration, NaiveTime};
use serde::Deserialize;
use serde::de::Error as _;

use super::traffic::Load;
use crate::domain::incident::{IncidentFields, IncidentKind, Severity};
use crate::domain::task::{Priority, Recurrence, TaskKind, TaskStatus};
use crate::domain::time::Timestamp;
use crate::domain::timeline::{DecisionOption, EntryKind, HypothesisState};

/// Minutes after the midnight (UTC) that begins the story's day, written `14:30`; `25:10` is in the night after it. In
/// the live story minutes after it began, written the same: `-0:05`, `0:23`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

impl Moment {
    pub fn after(self, start: Timestamp) -> Timestamp {
        start + Duration::minutes(self.0)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (sign, digits) = text.strip_prefix('-').map_or((1, text.as_str()), |digits| (-1, digits));
        let minutes = digits.split_once(':').and_then(|(h, m)| Some(h.parse::<i64>().ok()? * 60 + m.parse::<i64>().ok()?));
        minutes.map(|minutes| Self(sign * minutes)).ok_or_else(|| D::Error::custom(format!("“{text}” is no time like 14:30")))
    }
}

/// One incident with everything around it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Story {
    /// Days before today; the live one says 0.
    pub days_ago: i64,
    pub milestones: Milestones,
    /// What is known when it is declared.
    pub opening: IncidentFields,
    /// What opened it; none where people noticed first.
    pub alert: Option<Alert>,
    /// What is written when it is over, as a merge patch.
    #[serde(default)]
    pub write_up: Option<serde_json::Value>,
    #[serde(default)]
    pub config: Vec<Edit>,
    #[serde(default)]
    pub traffic: Vec<Load>,
    #[serde(default)]
    pub entry: Vec<Told>,
    #[serde(default)]
    pub task: Vec<Asked>,
    /// Entries that come while the demo runs, one after the other (the live one).
    #[serde(default)]
    pub later: Vec<Told>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Milestones {
    pub started: Moment,
    pub detected: Moment,
    pub acknowledged: Moment,
    pub identified: Option<Moment>,
    pub mitigated: Option<Moment>,
    pub resolved: Option<Moment>,
}

/// An alert of Alertmanager's that fires when the story was detected and resolves when it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    pub name: String,
    pub summary: String,
    /// As Alertmanager writes it: `critical`, `warning`.
    pub severity: String,
}

impl Alert {
    /// What Alertmanager posts to a hook.
    pub fn body(&self, service: &str, fired: Timestamp, resolved: Option<Timestamp>) -> serde_json::Value {
        let labels = serde_json::json!({"alertname": self.name, "service": service, "severity": self.severity});
        let status = if resolved.is_some() { "resolved" } else { "firing" };
        // Alertmanager writes the year 1 where an alert goes on.
        let ends = resolved.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |at| at.to_rfc3339());
        serde_json::json!({
            "version": "4",
            "status": status,
            "receiver": "afterload",
            "groupLabels": {"alertname": self.name},
            "alerts": [{
                "status": status,
                "labels": labels,
                "annotations": {"summary": self.summary},
                "startsAt": fired.to_rfc3339(),
                "endsAt": ends,
            }],
        })
    }
}

/// A change of a balancer's config: each pair replaces the first text, which stands there once or more often, by the
/// second.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    pub at: Moment,
    pub balancer: String,
    pub replace: Vec<(String, String)>,
    /// People say that this one ended it.
    #[serde(default)]
    pub fix: bool,
}

/// A timeline entry.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Told {
    pub at: Moment,
    pub by: String,
    pub kind: EntryKind,
    pub title: String,
    pub body: String,
    pub state: Option<HypothesisState>,
    pub looked_right: String,
    pub ruled_out_by: String,
    pub options: Vec<DecisionOption>,
    pub pinned: bool,
    /// Minutes after which it was written down; 1 when not said.
    pub late: Option<i64>,
}

/// A task. Days count from the day of the incident.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Asked {
    pub kind: TaskKind,
    pub title: String,
    pub body: String,
    pub owner: Option<String>,
    pub due: Option<i64>,
    /// The day on which it was closed.
    pub closed: Option<i64>,
    pub status: TaskStatus,
    pub wont_do_reason: String,
    pub priority: Priority,
    pub recurrence: Option<Recurrence>,
    pub link: Option<String>,
}

/// One of the smaller incidents, written down when it was over.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Small {
    pub days_ago: i64,
    pub at: Moment,
    /// How long it lasted.
    pub minutes: i64,
    pub severity: Severity,
    #[serde(default)]
    pub kind: IncidentKind,
    pub service: String,
    pub title: String,
    pub summary: String,
    pub cause: String,
    pub by: String,
    /// `minutes after the beginning`, kind, title.
    #[serde(default)]
    pub told: Vec<(i64, EntryKind, String)>,
    #[serde(default)]
    pub task: Vec<Asked>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Smalls {
    incident: Vec<Small>,
}

/// A balancer as it is before any story.
pub const EDGE: &str = include_str!("configs/edge-1.cfg");
pub const CACHE: &str = include_str!("configs/cache-1.conf");
pub const MESH: &str = include_str!("configs/mesh-1.yaml");
/// What Envoy answered while it did.
pub const MESH_CLUSTERS: &str = include_str!("configs/mesh-1.clusters.json");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Usual {
    traffic: Vec<Load>,
}

/// The five, oldest first as they stand in the year.
pub fn finished() -> anyhow::Result<Vec<Story>> {
    const TEXTS: [(&str, &str); 5] = [
        ("ghost", include_str!("stories/ghost.toml")),
        ("cha-cha", include_str!("stories/cha-cha.toml")),
        ("rogue", include_str!("stories/rogue.toml")),
        ("release", include_str!("stories/release.toml")),
        ("live-deployment", include_str!("stories/live-deployment.toml")),
    ];
    TEXTS.into_iter().map(|(name, text)| whole(name, text)).collect()
}

pub fn live() -> anyhow::Result<Story> {
    whole("live", include_str!("stories/live.toml"))
}

/// With the usual traffic of all pools that it does not speak of.
fn whole(name: &str, text: &str) -> anyhow::Result<Story> {
    let mut story: Story = read(name, text)?;
    let usual: Usual = read("usual", include_str!("stories/usual.toml"))?;
    let silent = |load: &Load| !story.traffic.iter().any(|told| told.pool == load.pool);
    let quiet: Vec<Load> = usual.traffic.into_iter().filter(silent).collect();
    story.traffic.extend(quiet);
    Ok(story)
}

pub fn small() -> anyhow::Result<Vec<Small>> {
    Ok(read::<Smalls>("small", include_str!("stories/small.toml"))?.incident)
}

fn read<T: serde::de::DeserializeOwned>(name: &str, text: &str) -> anyhow::Result<T> {
    toml::from_str(text).map_err(|fault| anyhow::Error::from(fault).context(format!("the demo's story {name} cannot be read")))
}

/// The midnight that begins the day so many days before `now`.
pub fn day(now: Timestamp, days_ago: i64) -> Timestamp {
    (now.date_naive() - Duration::days(days_ago)).and_time(NaiveTime::MIN).and_utc()
}
