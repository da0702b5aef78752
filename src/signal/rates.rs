//! Raw values to rates, and series of any pace onto one grid of columns.
//!
//! Counters become differences over intervals; a counter that falls was reset (a reload, a restart)
//! and has counted its new value since. An interval that is far longer than usual is a gap: nothing
//! is known of it, so no rate is made up across it. Pure arithmetic: it names no metric and draws nothing.

use chrono::Duration;

use crate::domain::time::{Timestamp, Window};

/// Most columns of a grid: what a page can show and what keeps a chart small.
pub const MAX_COLUMNS: usize = 240;

/// A gap is an interval longer than this many seconds, or than four usual ones if that is more.
const GAP_SECONDS: f64 = 60.0;

/// What a counter did between two polls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatePoint {
    /// End of the interval.
    pub at: Timestamp,
    /// Length of the interval.
    pub seconds: f64,
    pub per_second: f64,
    /// How far the counter went in the interval; never negative.
    pub delta: f64,
    /// The counter fell: it was started anew within the interval, which hides what it counted before.
    pub reset: bool,
}

/// A value that holds for the time before `at`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// End of the interval.
    pub at: Timestamp,
    /// Length of the interval.
    pub seconds: f64,
    pub value: f64,
}

/// The rate of a counter over each interval between two neighbouring points; `points` oldest first.
///
/// Left out: gaps, steps that do not go forward in time, and values that no counter can have.
pub fn rate(points: &[(Timestamp, f64)]) -> Vec<RatePoint> {
    intervals(points, |value| value.is_finite() && value >= 0.0)
        .map(|(at, seconds, before, value)| {
            let reset = value < before;
            let delta = if reset { value } else { value - before };
            RatePoint { at, seconds, per_second: delta / seconds, delta, reset }
        })
        .collect()
}

/// A gauge as polled: each value holds for the interval that it ends.
pub fn gauge(points: &[(Timestamp, f64)]) -> Vec<Span> {
    intervals(points, f64::is_finite).map(|(at, seconds, _, value)| Span { at, seconds, value }).collect()
}

/// How far a counter went, ready for [`bucket`] with [`Fold::Sum`].
pub fn deltas(points: &[(Timestamp, f64)]) -> Vec<Span> {
    rate(points).into_iter().map(|point| Span { at: point.at, seconds: point.seconds, value: point.delta }).collect()
}

/// The usual distance between two points in seconds: the median; none with fewer than two points.
pub fn usual_step(points: &[(Timestamp, f64)]) -> Option<f64> {
    let mut steps: Vec<f64> = points.windows(2).map(|pair| seconds(pair[1].0 - pair[0].0)).filter(|step| *step > 0.0).collect();
    let middle = steps.len() / 2;
    if steps.is_empty() { None } else { Some(*steps.select_nth_unstable_by(middle, f64::total_cmp).1) }
}

/// `(end, seconds, value before, value)` for all neighbours with no gap between them.
fn intervals(
    points: &[(Timestamp, f64)],
    valid: impl Fn(f64) -> bool + Copy,
) -> impl Iterator<Item = (Timestamp, f64, f64, f64)> {
    let longest = usual_step(points).map_or(GAP_SECONDS, |step| (4.0 * step).max(GAP_SECONDS));
    points.windows(2).filter_map(move |pair| {
        let ((from, before), (to, value)) = (pair[0], pair[1]);
        let length = seconds(to - from);
        (length > 0.0 && length <= longest && valid(before) && valid(value)).then_some((to, length, before, value))
    })
}

/// Columns of equal width on the time axis. The first begins at a whole multiple of the step, so that
/// the same moment falls into the same column however the window moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    pub from: Timestamp,
    /// Width of a column in seconds.
    pub step: i64,
    pub columns: usize,
}

impl Grid {
    /// The finest grid with at most [`MAX_COLUMNS`] columns that is no finer than `usual_step` seconds,
    /// the pace of the polls. An empty window has no columns.
    pub fn new(window: Window, usual_step: f64) -> Self {
        const STEPS: [i64; 19] =
            [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400];
        let fits = |step: i64| columns(window, step) <= MAX_COLUMNS as i64;
        // A quarter of slack: a poll every 5.2 s is still one for each column of 5 s.
        let step = STEPS.into_iter().find(|step| *step as f64 * 1.25 >= usual_step && fits(*step));
        let step = step.unwrap_or_else(|| {
            let days = window.length().num_days() / (MAX_COLUMNS as i64 - 1) + 1;
            days * 86_400
        });
        Self::with_step(window, step)
    }

    /// Columns of `step` seconds, however many they are.
    pub fn with_step(window: Window, step: i64) -> Self {
        Self { from: floor(window.from, step), step, columns: usize::try_from(columns(window, step)).unwrap_or(0) }
    }

    /// Where column `n` begins.
    pub fn time(&self, n: usize) -> Timestamp {
        i64::try_from(n)
            .ok()
            .and_then(|n| n.checked_mul(self.step))
            .and_then(Duration::try_seconds)
            .and_then(|after| self.from.checked_add_signed(after))
            .unwrap_or(self.from)
    }

    pub fn times(&self) -> Vec<Timestamp> {
        (0..self.columns).map(|n| self.time(n)).collect()
    }

    /// The column that holds the moment.
    pub fn column(&self, at: Timestamp) -> Option<usize> {
        let column = usize::try_from((at - self.from).num_microseconds()?.div_euclid(self.step.max(1) * 1_000_000)).ok()?;
        (column < self.columns).then_some(column)
    }
}

fn floor(at: Timestamp, step: i64) -> Timestamp {
    Timestamp::from_timestamp(at.timestamp().div_euclid(step) * step, 0).unwrap_or(at)
}

fn columns(window: Window, step: i64) -> i64 {
    if window.from >= window.to {
        return 0;
    }
    let micros = (window.to - floor(window.from, step)).num_microseconds().unwrap_or(i64::MAX);
    micros / (step * 1_000_000) + i64::from(micros % (step * 1_000_000) > 0)
}

/// What becomes of several values in one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// For deltas: a span over several columns gives each its part by time.
    Sum,
    /// For gauges: the mean, weighted by time.
    Mean,
    /// For gauges: the largest value, however short.
    Max,
}

/// Lays spans on the grid: one value for each column, none where no span reaches.
pub fn bucket(grid: &Grid, spans: &[Span], fold: Fold) -> Vec<Option<f64>> {
    let mut filled = vec![None::<(f64, f64)>; grid.columns];
    for span in spans.iter().filter(|span| span.seconds > 0.0) {
        let end = seconds(span.at - grid.from) / grid.step as f64;
        let start = end - span.seconds / grid.step as f64;
        let (first, last) = (start.floor().max(0.0) as usize, (end.ceil().max(0.0) as usize).min(grid.columns));
        for (column, slot) in filled.iter_mut().enumerate().take(last).skip(first) {
            let inside = end.min(column as f64 + 1.0) - start.max(column as f64);
            // Rounding can leave a sliver in the neighbour of a span that ends on the line.
            if inside < 1e-6 {
                continue;
            }
            let part = inside / (end - start);
            let (value, weight) = slot.unwrap_or((if fold == Fold::Max { f64::MIN } else { 0.0 }, 0.0));
            *slot = Some(match fold {
                Fold::Sum => (value + span.value * part, 1.0),
                Fold::Mean => (value + span.value * inside, weight + inside),
                Fold::Max => (value.max(span.value), 1.0),
            });
        }
    }
    filled.into_iter().map(|slot| slot.map(|(value, weight)| value / weight).filter(|value| value.is_finite())).collect()
}

/// How many seconds of each column the spans know of.
pub fn covered(grid: &Grid, spans: &[Span]) -> Vec<Option<f64>> {
    let time: Vec<Span> = spans.iter().map(|span| Span { value: span.seconds, ..*span }).collect();
    bucket(grid, &time, Fold::Sum)
}

/// A counter as a rate per second on the grid.
pub fn per_second(grid: &Grid, points: &[(Timestamp, f64)]) -> Vec<Option<f64>> {
    let spans = deltas(points);
    let (sums, known) = (bucket(grid, &spans, Fold::Sum), covered(grid, &spans));
    sums.into_iter().zip(known).map(|(sum, seconds)| Some(sum? / seconds.filter(|s| *s > 0.0)?)).collect()
}

/// A span of time in seconds, to the microsecond.
pub fn seconds(span: Duration) -> f64 {
    span.num_microseconds().map_or(f64::MAX, |micros| micros as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: f64) -> Timestamp {
        Timestamp::from_timestamp_micros(1_795_000_000_000_000 + (seconds * 1e6) as i64).expect("in range")
    }

    fn series(points: &[(f64, f64)]) -> Vec<(Timestamp, f64)> {
        points.iter().map(|(when, value)| (at(*when), *value)).collect()
    }

    #[test]
    fn a_counter_becomes_a_rate_and_a_reset_counts_what_came_after() {
        let rates = rate(&series(&[(0.0, 100.0), (5.0, 150.0), (10.0, 20.0), (15.0, 20.0)]));
        let seen: Vec<_> = rates.iter().map(|point| (point.delta, point.per_second, point.reset)).collect();
        assert_eq!(seen, [(50.0, 10.0, false), (20.0, 4.0, true), (0.0, 0.0, false)]);
        assert_eq!(rates[0].at, at(5.0));
    }

    #[test]
    fn nothing_is_made_up_across_a_gap() {
        let points = series(&[(0.0, 0.0), (5.0, 5.0), (10.0, 10.0), (71.0, 900.0), (76.0, 905.0)]);
        assert_eq!(rate(&points).iter().map(|point| point.delta).collect::<Vec<_>>(), [5.0, 5.0, 5.0]);
        assert_eq!(gauge(&points).len(), 3);
        let slow = series(&[(0.0, 0.0), (60.0, 5.0), (120.0, 10.0), (350.0, 20.0)]);
        assert_eq!(rate(&slow).len(), 3, "four usual steps are still no gap");
    }

    #[test]
    fn what_no_counter_can_say_is_left_out() {
        let points = series(&[(0.0, 1.0), (5.0, f64::NAN), (10.0, 3.0), (10.0, 4.0), (5.0, 9.0), (15.0, 10.0)]);
        assert_eq!(rate(&points).iter().map(|point| point.delta).collect::<Vec<_>>(), [1.0]);
        assert!(rate(&[]).is_empty() && rate(&points[..1]).is_empty());
    }

    #[test]
    fn the_grid_grows_with_the_window() {
        let grid = |length: f64, pace| Grid::new(Window { from: at(3.0), to: at(3.0 + length) }, pace);
        let shape = |length, pace| (grid(length, pace).step, grid(length, pace).columns);
        assert_eq!(shape(600.0, 5.2), (5, 121));
        assert_eq!(shape(4.25 * 3600.0, 5.0), (120, 128));
        assert_eq!(shape(30.0 * 86_400.0, 5.0), (14_400, 181));
        assert_eq!(shape(0.0, 5.0).1, 0);
        assert_eq!(shape(-50.0, 5.0).1, 0);
        assert!(shape(9000.0 * 86_400.0, 5.0).1 <= MAX_COLUMNS);
        assert_eq!(grid(600.0, 5.0).from.timestamp() % 5, 0);
        assert_eq!(grid(600.0, 5.0).column(at(3.0)), Some(0));
        assert_eq!(grid(600.0, 5.0).column(at(-3.0)), None);
    }

    #[test]
    fn spans_are_shared_out_by_time_and_gaps_stay_empty() {
        let grid = Grid { from: at(0.0), step: 10, columns: 4 };
        let spans = [Span { at: at(5.0), seconds: 5.0, value: 10.0 }, Span { at: at(15.0), seconds: 10.0, value: 20.0 }];
        assert_eq!(bucket(&grid, &spans, Fold::Sum), [Some(20.0), Some(10.0), None, None]);
        assert_eq!(bucket(&grid, &spans, Fold::Mean), [Some(15.0), Some(20.0), None, None]);
        assert_eq!(bucket(&grid, &spans, Fold::Max), [Some(20.0), Some(20.0), None, None]);
        assert_eq!(covered(&grid, &spans), [Some(10.0), Some(5.0), None, None]);
    }

    proptest! {
        #[test]
        fn no_request_is_lost_or_made_up(steps in proptest::collection::vec((0.1_f64..30.0, 0.0_f64..1e6), 1..200)) {
            let mut now = 0.0;
            let mut count = 0.0;
            let points: Vec<_> = steps.iter().map(|(step, more)| { now += step; count += more; (at(now), count) }).collect();
            let grid = Grid::new(Window { from: at(0.0), to: at(now + 1.0) }, 5.0);
            prop_assert!(grid.columns <= MAX_COLUMNS);
            let sum: f64 = bucket(&grid, &deltas(&points), Fold::Sum).into_iter().flatten().sum();
            let expected = count - steps[0].1;
            prop_assert!((sum - expected).abs() <= expected * 1e-6 + 1e-6, "{sum} is not {expected}");
        }

        #[test]
        fn any_window_has_a_grid(from in -8_000_000_000_000_i64..8_000_000_000_000, length in 0_i64..8_000_000_000_000, pace in proptest::num::f64::ANY) {
            let from = Timestamp::from_timestamp(from, 0).expect("in range");
            let grid = Grid::new(Window { from, to: from.checked_add_signed(Duration::seconds(length)).unwrap_or(from) }, pace);
            prop_assert!(grid.columns <= MAX_COLUMNS && grid.step > 0);
            prop_assert_eq!(grid.times().len(), grid.columns);
        }
    }
}
