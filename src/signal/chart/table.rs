//! The recorder as a table: for screen readers, for paper, and for those who want the figures.

use crate::{domain::time::Timestamp, signal::flight::FlightRecorder};

/// Most rows of [`table`].
pub const MAX_ROWS: usize = 24;

/// A stretch of time; `None` where nothing is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Where the stretch begins; it ends where the next begins.
    pub at: Timestamp,
    /// Requests a second.
    pub rate: Option<f64>,
    /// Answers 5xx for each request, 0 to 1.
    pub error_ratio: Option<f64>,
    /// Highest in the stretch, in milliseconds.
    pub response_ms: Option<f64>,
    /// Share of each server, 0 to 1, in the order of the recorder's servers.
    pub shares: Vec<Option<f64>>,
}

/// At most [`MAX_ROWS`] rows: neighbouring columns become one. Ratios are weighted by the requests
/// behind them, so that a quiet minute does not count like a busy one.
pub fn table(recorder: &FlightRecorder) -> Vec<Row> {
    let each = recorder.times.len().div_ceil(MAX_ROWS).max(1);
    recorder
        .times
        .chunks(each)
        .enumerate()
        .map(|(n, times)| {
            let (from, to) = (n * each, n * each + times.len());
            let rates = &recorder.rate[from..to];
            let known: Vec<f64> = rates.iter().copied().flatten().collect();
            Row {
                at: times[0],
                rate: (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64),
                error_ratio: weighted(&recorder.error_ratio[from..to], rates),
                response_ms: recorder.response_ms[from..to].iter().copied().flatten().reduce(f64::max),
                shares: recorder.servers.iter().map(|server| weighted(&server.share[from..to], rates)).collect(),
            }
        })
        .collect()
}

fn weighted(values: &[Option<f64>], weights: &[Option<f64>]) -> Option<f64> {
    let both = || values.iter().zip(weights).filter_map(|(value, weight)| value.zip(*weight));
    let weight: f64 = both().map(|(_, weight)| weight).sum();
    (weight > 0.0).then(|| both().map(|(value, weight)| value * weight).sum::<f64>() / weight)
}
