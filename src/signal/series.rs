//! The fixed catalogue of what is recorded, and the shape of one recording.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::time::Timestamp;

/// What one series measures. Names and units are a contract with stored data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Requests (HTTP) or sessions (TCP) handed to the server; counter. HAProxy `stot`.
    Requests,
    /// Times the algorithm itself chose the server; counter. HAProxy `lbtot`; the rest came by persistence.
    Chosen,
    /// Answers 4xx; counter.
    Responses4xx,
    /// Answers 5xx; counter.
    Responses5xx,
    /// Connections that failed; counter. HAProxy `econ`.
    ConnectErrors,
    /// Requests going on now; gauge.
    Sessions,
    /// Requests waiting for a slot; gauge.
    Queue,
    /// Mean time to answer over the balancer's own window (HAProxy: last 1,024 requests), milliseconds; gauge.
    ResponseTime,
    /// 1 while the server takes traffic as far as health goes, 0 while it is down; gauge.
    Up,
    /// Weight in force; gauge.
    Weight,
}

impl Metric {
    pub const ALL: [Self; 10] = [
        Self::Requests,
        Self::Chosen,
        Self::Responses4xx,
        Self::Responses5xx,
        Self::ConnectErrors,
        Self::Sessions,
        Self::Queue,
        Self::ResponseTime,
        Self::Up,
        Self::Weight,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Chosen => "chosen",
            Self::Responses4xx => "responses_4xx",
            Self::Responses5xx => "responses_5xx",
            Self::ConnectErrors => "connect_errors",
            Self::Sessions => "sessions",
            Self::Queue => "queue",
            Self::ResponseTime => "response_time",
            Self::Up => "up",
            Self::Weight => "weight",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.as_str() == text)
    }

    pub fn is_counter(self) -> bool {
        matches!(self, Self::Requests | Self::Chosen | Self::Responses4xx | Self::Responses5xx | Self::ConnectErrors)
    }

    pub fn unit(self) -> &'static str {
        match self {
            Self::Requests | Self::Chosen | Self::Responses4xx | Self::Responses5xx | Self::ConnectErrors => "1",
            Self::Sessions | Self::Queue => "requests",
            Self::ResponseTime => "ms",
            Self::Up | Self::Weight => "1",
        }
    }
}

/// Which series: a pool as a whole (no server) or one of its servers. The balancer is known from context.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub struct SeriesKey {
    pub pool: String,
    pub server: Option<String>,
    pub metric: Metric,
}

/// One value of one series at the time of its frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub key: SeriesKey,
    pub value: f64,
}

/// Everything that one poll of one balancer measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    pub at: Timestamp,
    pub samples: Vec<Sample>,
}

/// Raw values of one series as polled, oldest first; counters are not yet rates. A poll that failed
/// leaves no point: gaps stay gaps.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub key: SeriesKey,
    pub points: Vec<(Timestamp, f64)>,
}
