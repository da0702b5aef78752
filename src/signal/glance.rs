//! The one signal of a recorder that tells most: for lists, which have room for one line.
//!
//! Errors and response times are measured against what is worth a look of each: one in a hundred requests failed, or
//! the slowest column took three times the usual one. Whichever goes further beyond its measure is shown. The request
//! rate is left out: a night looks like an outage.

use super::flight::FlightRecorder;

/// Part of failed requests that is worth a look.
const ERRORS: f64 = 0.01;
/// How many times the usual response time is worth a look.
const SLOWER: f64 = 3.0;
/// Milliseconds below which nobody waits, however many times the usual it is.
const FAST: f64 = 10.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Answers 5xx for each request, 0 to 1.
    Errors,
    /// Milliseconds.
    Response,
}

/// One signal over the window.
#[derive(Debug, Clone, PartialEq)]
pub struct Glance {
    pub signal: Signal,
    /// Highest value of each part of the window; `None` where nothing is known.
    pub points: Vec<Option<f64>>,
    pub highest: f64,
    /// The newest known value.
    pub last: f64,
}

/// The signal that tells most, in at most `most` points; none when fewer than two columns are known.
pub fn glance(recorder: &FlightRecorder, most: usize) -> Option<Glance> {
    let signal = match slowness(&recorder.response_ms) > errors(&recorder.error_ratio) {
        true => Signal::Response,
        false => Signal::Errors,
    };
    let values = match signal {
        Signal::Errors => &recorder.error_ratio,
        Signal::Response => &recorder.response_ms,
    };
    let known = || values.iter().copied().flatten();
    if known().count() < 2 {
        return None;
    }
    let width = values.len().div_ceil(most.max(1)).max(1);
    let points = values.chunks(width).map(|part| part.iter().copied().flatten().reduce(f64::max)).collect();
    Some(Glance { signal, points, highest: known().fold(0.0, f64::max), last: known().last()? })
}

/// How many times the measure is reached; below 1 it is not worth a look.
fn errors(ratio: &[Option<f64>]) -> f64 {
    ratio.iter().copied().flatten().fold(0.0, f64::max) / ERRORS
}

fn slowness(times: &[Option<f64>]) -> f64 {
    let mut known: Vec<f64> = times.iter().copied().flatten().collect();
    known.sort_by(f64::total_cmp);
    let (Some(usual), Some(slowest)) = (known.get(known.len() / 2), known.last()) else { return 0.0 };
    let beyond = slowest / (usual.max(FAST) * SLOWER);
    // What is merely uneven does not push aside a line of errors that is flat.
    if beyond < 1.0 { 0.0 } else { beyond }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::{Timestamp, Window};

    fn recorder(error_ratio: &[Option<f64>], response_ms: &[Option<f64>]) -> FlightRecorder {
        let (from, to) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        FlightRecorder {
            balancer: "edge-1".into(),
            pool: "web".into(),
            window: Window { from, to },
            step_seconds: 5,
            times: Vec::new(),
            servers: Vec::new(),
            rate: Vec::new(),
            error_ratio: error_ratio.to_vec(),
            response_ms: response_ms.to_vec(),
            resets: Vec::new(),
            marks: Vec::new(),
            verdict: None,
        }
    }

    fn signal(errors: &[f64], times: &[f64]) -> Option<Signal> {
        let all = |values: &[f64]| values.iter().map(|value| Some(*value)).collect::<Vec<_>>();
        glance(&recorder(&all(errors), &all(times)), 48).map(|glance| glance.signal)
    }

    #[test]
    fn what_goes_further_beyond_its_measure_is_shown() {
        let (calm, slow) = ([40.0, 41.0, 39.0, 44.0], [40.0, 41.0, 39.0, 900.0]);
        assert_eq!(signal(&[0.0, 0.0, 0.2, 0.3], &calm), Some(Signal::Errors));
        assert_eq!(signal(&[0.0, 0.0, 0.0, 0.001], &slow), Some(Signal::Response));
        assert_eq!(signal(&[0.0, 0.0, 0.2, 0.3], &slow), Some(Signal::Errors));
        assert_eq!(signal(&[0.0; 4], &calm), Some(Signal::Errors), "where nothing is wrong the errors are the flat line");
        assert_eq!(signal(&[0.0; 4], &[0.5, 0.6, 0.5, 6.0]), Some(Signal::Errors), "nobody waits for 6 ms");
        assert_eq!(signal(&[], &[]), None);
    }

    #[test]
    fn points_keep_the_highest_of_their_part_and_gaps_stay_gaps() {
        let seen = glance(&recorder(&[Some(0.1), Some(0.4), None, None, Some(0.2)], &[]), 3).expect("a line");
        assert_eq!(seen.points, [Some(0.4), None, Some(0.2)]);
        assert_eq!((seen.highest, seen.last), (0.4, 0.2));
        assert_eq!(glance(&recorder(&[None, Some(0.3), None], &[]), 3), None, "one column is no line");
    }
}
