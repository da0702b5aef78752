//! What the process counts about itself for whoever watches it, in the OpenMetrics text format.
//!
//! Labels have few values: kinds of routes and classes of answers, never paths or names that a client chose.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a request was for, by the first part of its path.
fn face(place: &str) -> &'static str {
    match place {
        "hooks" => "hook",
        "api" => "api",
        "metrics" | "livez" | "readyz" => "probe",
        _ => "page",
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    face: &'static str,
    /// The status's first digit.
    class: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    face: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    balancer: String,
}

/// Counted from the start of the process.
pub struct Metrics {
    registry: Registry,
    answers: Family<Answer, Counter>,
    durations: Family<Asked, Histogram>,
}

/// How the recording of one balancer goes.
pub struct Watched {
    pub name: String,
    /// Seconds since it last answered; none when it never did.
    pub silent_for: Option<i64>,
    pub failing: bool,
}

/// What is looked up when somebody asks.
pub struct Looked {
    pub event_sequence: i64,
    pub leads: bool,
    pub balancers: Vec<Watched>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("afterload");
        let answers = Family::default();
        // From a page out of memory to one that hardly anybody waits for.
        let buckets = || Histogram::new([0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0]);
        let durations = Family::new_with_constructor(buckets as fn() -> Histogram);
        registry.register(
            "http_requests",
            "Requests answered, by what they were for and the status's first digit",
            answers.clone(),
        );
        registry.register_with_unit(
            "http_request_duration",
            "From the head of the request to the head of the answer",
            Unit::Seconds,
            durations.clone(),
        );
        Self { registry, answers, durations }
    }
}

impl Metrics {
    /// `place` is the first part of the request's path.
    pub fn answered(&self, place: &str, status: u16, took: Duration) {
        let face = face(place);
        self.answers.get_or_create(&Answer { face, class: status / 100 }).inc();
        self.durations.get_or_create(&Asked { face }).observe(took.as_secs_f64());
    }

    /// Everything as text.
    pub fn text(&self, looked: &Looked) -> Result<String, fmt::Error> {
        let mut now = Registry::with_prefix("afterload");
        let sequence: Gauge = Gauge::default();
        sequence.set(looked.event_sequence);
        now.register("event_sequence", "Number of the newest event", sequence);
        let leads: Gauge = Gauge::default();
        leads.set(i64::from(looked.leads));
        now.register("leads", "1 where this server polls the balancers", leads);
        let (silent, failing) = (Family::<Of, Gauge>::default(), Family::<Of, Gauge>::default());
        for balancer in &looked.balancers {
            let of = Of { balancer: balancer.name.clone() };
            failing.get_or_create(&of).set(i64::from(balancer.failing));
            if let Some(seconds) = balancer.silent_for {
                silent.get_or_create(&of).set(seconds);
            }
        }
        now.register_with_unit("balancer_silent", "Since the balancer last answered the recorder", Unit::Seconds, silent);
        now.register("balancer_failing", "1 where the recorder cannot read the balancer", failing);
        let mut out = String::new();
        encode_registry(&mut out, &self.registry)?;
        encode_registry(&mut out, &now)?;
        encode_registry(&mut out, &process())?;
        encode_eof(&mut out)?;
        Ok(out)
    }
}

/// What the system says of the process, under the names that every exporter uses; nothing where there is no `/proc`.
fn process() -> Registry {
    let mut registry = Registry::with_prefix("process");
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.trim().split(' ').next()?.parse::<i64>().ok());
    if let Some(kilobytes) = field("VmRSS:") {
        let memory: Gauge = Gauge::default();
        memory.set(kilobytes * 1024);
        registry.register_with_unit("resident_memory", "Memory in use", Unit::Bytes, memory);
    }
    if let Some(threads) = field("Threads:") {
        let count: Gauge = Gauge::default();
        count.set(threads);
        registry.register("threads", "Threads", count);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        let files: Gauge = Gauge::default();
        files.set(i64::try_from(open.count()).unwrap_or(i64::MAX));
        registry.register("open_fds", "Open file handles", files);
    }
    registry
}
