//! What HAProxy counts, as samples; `show info`. Pure: text in, values out. The reading of `show stat` and
//! `show servers state` is the balancer room's (`balancer::haproxy::state`).

use crate::balancer::clean_name;
use crate::balancer::haproxy::state::combined;
pub use crate::balancer::haproxy::state::{Row, ServerLine, ServerLines, parse_servers_state, parse_stat};
use crate::balancer::state::State;
use crate::signal::series::{Metric, Sample, SeriesKey};

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Info {
    pub version: Option<String>,
}

/// `show info`: `Key: value` lines. Answers other than that give an empty [`Info`].
pub fn parse_info(text: &str) -> Info {
    let version = text.lines().find_map(|line| line.strip_prefix("Version: ")).map(|version| clean_name(version.trim()));
    Info { version: version.filter(|version| !version.is_empty() && version.len() <= 100) }
}

/// State and samples from what was read. Pools in the order of the config. The internal proxy `GLOBAL` (the
/// runtime socket itself) and frontends are left out.
pub fn reading(rows: &[Row], servers: Option<&ServerLines>, version: Option<String>) -> (State, Vec<Sample>) {
    let mut samples = Vec::new();
    for row in rows.iter().filter(|row| row.of_pool()) {
        match row.server.as_str() {
            "BACKEND" => pool_samples(row, &mut samples),
            _ => server_samples(row, row.weight_in_force(servers), &mut samples),
        }
    }
    (combined(rows, servers, version), samples)
}

/// 1 also while a server is going up or down (`UP 1/3`): HAProxy still sends it traffic.
fn up(status: &str) -> Option<u64> {
    let starts = |words: &[&str]| words.iter().any(|word| status.starts_with(word));
    match status {
        _ if starts(&["UP", "DRAIN", "NOLB", "no check"]) => Some(1),
        _ if starts(&["DOWN", "MAINT"]) => Some(0),
        _ => None,
    }
}

/// The BACKEND line counts `stot` like the servers' lines do, requests in HTTP mode and sessions in TCP mode, so
/// that both can stand in one chart; `req_tot` is empty in TCP mode. The servers' lines count every attempt, so that
/// retries make their sum exceed this line. What HAProxy answered by itself, without a server, is in this line alone.
fn pool_samples(row: &Row, samples: &mut Vec<Sample>) {
    push(row, None, &common(row), samples);
}

fn server_samples(row: &Row, weight: u32, samples: &mut Vec<Sample>) {
    push(row, Some(&row.server), &common(row), samples);
    let own = [
        (Metric::Chosen, row.chosen),
        (Metric::ConnectErrors, row.connect_errors),
        (Metric::Up, up(&row.status)),
        (Metric::Weight, Some(u64::from(weight))),
    ];
    push(row, Some(&row.server), &own, samples);
}

fn common(row: &Row) -> [(Metric, Option<u64>); 6] {
    // Before the first request HAProxy says 0 ms, which would be a claim.
    let answered = row.sessions_total.is_some_and(|total| total > 0);
    [
        (Metric::Requests, row.sessions_total),
        (Metric::Responses4xx, row.responses_4xx),
        (Metric::Responses5xx, row.responses_5xx),
        (Metric::Sessions, row.sessions),
        (Metric::Queue, row.queue),
        (Metric::ResponseTime, row.response_time.filter(|_| answered)),
    ]
}

fn push(row: &Row, server: Option<&str>, values: &[(Metric, Option<u64>)], samples: &mut Vec<Sample>) {
    for (metric, value) in values {
        if let Some(value) = value {
            let key = SeriesKey { pool: row.pool.clone(), server: server.map(str::to_owned), metric: *metric };
            // Counters stay far below 2^53, where a float would begin to skip numbers.
            samples.push(Sample { key, value: *value as f64 });
        }
    }
}
