//! Where things go: the time axis, round upper ends, and labels kept apart.

use crate::domain::time::Timestamp;

/// Maps time to the horizontal axis.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    pub from: Timestamp,
    /// Seconds.
    pub length: f64,
    pub left: f64,
    pub right: f64,
}

impl Axis {
    pub fn x(&self, at: Timestamp) -> f64 {
        let part = super::super::rates::seconds(at - self.from) / self.length.max(1.0);
        self.left + part.clamp(0.0, 1.0) * (self.right - self.left)
    }
}

/// A tick: when, and what is printed there.
pub type Tick = (Timestamp, String);

/// At most `most` ticks at round times of UTC. Midnights are printed as a date, all others as a time.
pub fn ticks(axis: &Axis, most: i64) -> Vec<Tick> {
    const STEPS: [i64; 21] = [
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
        2_419_200,
    ];
    let (from, length) = (axis.from.timestamp(), axis.length as i64);
    let step = STEPS.into_iter().find(|step| length / step < most);
    let step = step.unwrap_or_else(|| (length / 86_400 / most.max(1) + 1) * 86_400);
    let first = from.div_euclid(step) * step + if from.rem_euclid(step) > 0 { step } else { 0 };
    (0..=most)
        .map(|n| first.saturating_add(n.saturating_mul(step)))
        .take_while(|at| *at <= from.saturating_add(length))
        .filter_map(|at| Timestamp::from_timestamp(at, 0))
        .map(|at| (at, name(at, step)))
        .collect()
}

fn name(at: Timestamp, step: i64) -> String {
    let format = match at.timestamp().rem_euclid(86_400) {
        0 => "%-d %b",
        _ if step < 60 => "%H:%M:%S",
        _ => "%H:%M",
    };
    at.format(format).to_string()
}

/// The round number at or above the highest value: 1, 2, 2.5 or 5 times a power of ten.
pub fn round_up(highest: f64) -> f64 {
    if !highest.is_finite() || highest <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(highest.log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|end| *end >= highest && end.is_finite())
        .unwrap_or(highest)
}

/// The upper end of an axis of ratios: an error of one in a hundred should not hide at the floor.
pub fn round_ratio(highest: f64) -> f64 {
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.5].into_iter().find(|end| *end >= highest).unwrap_or(1.0)
}

/// Moves places (in rising order) as little as possible, in the sense of least squares, so that
/// neighbours are `apart` and all lie within `[low, high]`.
///
/// With the required distances taken off, what is left must rise: pooling adjacent violators gives it.
pub fn spread(places: &[f64], apart: f64, low: f64, high: f64) -> Vec<f64> {
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (n, place) in places.iter().enumerate() {
        let mut pool = (place - apart * n as f64, 1);
        while let Some((mean, count)) = pools.pop_if(|(mean, _)| *mean > pool.0) {
            pool = ((mean * count as f64 + pool.0 * pool.1 as f64) / (count + pool.1) as f64, count + pool.1);
        }
        pools.push(pool);
    }
    let end = (high - apart * places.len().saturating_sub(1) as f64).max(low);
    let moved = pools.into_iter().flat_map(|(mean, count)| std::iter::repeat_n(mean.clamp(low, end), count));
    moved.enumerate().map(|(n, place)| place + apart * n as f64).collect()
}
