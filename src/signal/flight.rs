//! The flight recorder of one pool: everything the page shows, on one grid of columns.
//!
//! Built from raw series of one balancer; drawn by `chart`. Pure: it fetches nothing, and where
//! nothing was measured it says so with `None` instead of a zero.

use std::cmp::Ordering;

use uuid::Uuid;

use super::{
    rates::{self, Fold, Grid, bucket},
    series::{Metric, Series},
    verdict::{Load, verdict},
};
use crate::domain::time::{Timestamp, Window};

/// Most servers shown by name; the rest is summed.
pub const MAX_SERVERS: usize = 6;

/// Raw series of one balancer in a window.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recording {
    pub series: Vec<Series>,
}

/// One pool in one window. Every vector but `servers`, `resets` and `marks` has one value for each
/// time in `times`; `None` means that nothing is known (a gap), or, for ratios, that there was no traffic.
#[derive(Debug, Clone, PartialEq)]
pub struct FlightRecorder {
    pub balancer: String,
    pub pool: String,
    pub window: Window,
    /// Width of a column.
    pub step_seconds: i64,
    /// Where each column begins.
    pub times: Vec<Timestamp>,
    /// In the natural order of their names (`web2` before `web10`); the sum of those that are not
    /// shown comes last, as "others (n)".
    pub servers: Vec<ServerTrack>,
    /// Requests a second.
    pub rate: Vec<Option<f64>>,
    /// Answers 5xx for each request, 0 to 1.
    pub error_ratio: Vec<Option<f64>>,
    /// Milliseconds; the highest that was reported within the column.
    pub response_ms: Vec<Option<f64>>,
    /// Ends of the intervals in which counters started anew, at most one for each column.
    pub resets: Vec<Timestamp>,
    /// Oldest first.
    pub marks: Vec<Mark>,
    /// Who stands out; the rule is in `verdict`.
    pub verdict: Option<String>,
}

/// One server's part of the traffic.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerTrack {
    pub name: String,
    /// Part of all requests of the column, 0 to 1.
    pub share: Vec<Option<f64>>,
    /// Requests in the whole window.
    pub total: f64,
    /// The verdict is about this server.
    pub stands_out: bool,
}

/// Something that happened, as a numbered mark on the time axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    pub number: usize,
    pub at: Timestamp,
    pub kind: MarkKind,
    pub label: String,
    /// The timeline entry it stands for.
    pub entry: Option<Uuid>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkKind {
    Change,
    Alert,
    Pinned,
    Detour,
    Recovery,
    Status,
}

/// Builds the recorder of one pool. Marks outside the window are left out.
pub fn build(balancer: &str, pool: &str, window: Window, series: &[Series], mut marks: Vec<Mark>) -> FlightRecorder {
    let series: Vec<&Series> = series.iter().filter(|series| series.key.pool == pool).collect();
    let pace = series.iter().filter_map(|series| rates::usual_step(&series.points)).fold(0.0, f64::max);
    let grid = Grid::new(window, pace);

    let mut names: Vec<&str> = series.iter().filter_map(|series| series.key.server.as_deref()).collect();
    names.sort_by(|a, b| natural(a, b));
    names.dedup();
    let loads: Vec<(&str, Vec<Option<f64>>)> =
        names.iter().filter_map(|name| Some((*name, counted(&grid, &series, Some(name), Metric::Requests)?))).collect();
    let all = add(&grid, loads.iter().map(|(_, load)| load.as_slice()));

    let requests = counted(&grid, &series, None, Metric::Requests).unwrap_or_else(|| all.clone());
    let errors = counted(&grid, &series, None, Metric::Responses5xx).or_else(|| {
        let of_servers: Vec<_> =
            names.iter().filter_map(|name| counted(&grid, &series, Some(name), Metric::Responses5xx)).collect();
        (!of_servers.is_empty()).then(|| add(&grid, of_servers.iter().map(Vec::as_slice)))
    });
    let error_ratio = match errors {
        // An answer is counted when it is sent, its request when it came: the ratio can pass 1 for a moment.
        Some(errors) => errors.iter().zip(&requests).map(|(part, of)| ratio(*part, *of).map(|ratio| ratio.min(1.0))).collect(),
        None => vec![None; grid.columns],
    };

    let (of_pool, of_servers): (Vec<&&Series>, Vec<&&Series>) =
        series.iter().filter(|series| series.key.metric == Metric::Requests).partition(|series| series.key.server.is_none());
    let counters = if of_pool.is_empty() { &of_servers } else { &of_pool };
    let longest = counters.iter().map(|series| rates::deltas(&series.points)).max_by_key(Vec::len).unwrap_or_default();
    let known = rates::covered(&grid, &longest);
    let resets = resets(&grid, of_pool.iter().chain(&of_servers).map(|series| series.points.as_slice()));

    marks.retain(|mark| grid.column(mark.at).is_some());
    marks.sort_by_key(|mark| (mark.at, mark.number));
    let times = grid.times();
    let of_each: Vec<Load<'_>> = loads.iter().map(|(name, requests)| Load { name, requests }).collect();
    let verdict = verdict(&of_each, &times, grid.step);
    let outstanding: Vec<&str> = verdict.iter().flat_map(|verdict| &verdict.who).map(|n| loads[*n].0).collect();
    FlightRecorder {
        balancer: balancer.to_owned(),
        pool: pool.to_owned(),
        window,
        step_seconds: grid.step,
        times,
        rate: requests.iter().zip(&known).map(|(count, seconds)| ratio(*count, *seconds)).collect(),
        error_ratio,
        response_ms: response(&grid, &series, &loads),
        servers: tracks(&grid, &loads, &all, &outstanding),
        verdict: verdict.map(|verdict| verdict.sentence),
        resets,
        marks,
    }
}

/// The pools of a balancer that have servers, worst first: by answers 5xx, then by requests, then by name.
pub fn pools(series: &[Series]) -> Vec<String> {
    let with_servers = series.iter().filter(|series| series.key.server.is_some());
    let mut names: Vec<&str> = with_servers.map(|series| series.key.pool.as_str()).collect();
    names.sort_by(|a, b| natural(a, b));
    names.dedup();
    let count = |pool: &str, metric: Metric| -> f64 {
        let of_pool = series.iter().filter(|series| series.key.pool == pool && series.key.metric == metric);
        let (own, of_servers): (Vec<&Series>, Vec<&Series>) = of_pool.partition(|series| series.key.server.is_none());
        let counted = if own.is_empty() { of_servers } else { own };
        counted.iter().flat_map(|series| rates::rate(&series.points)).map(|point| point.delta).sum()
    };
    let mut pools: Vec<(&str, f64, f64)> =
        names.into_iter().map(|name| (name, count(name, Metric::Responses5xx), count(name, Metric::Requests))).collect();
    pools.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.2.total_cmp(&a.2)));
    pools.into_iter().map(|(name, ..)| name.to_owned()).collect()
}

fn find<'a>(series: &[&'a Series], server: Option<&str>, metric: Metric) -> Option<&'a Series> {
    series.iter().find(|series| series.key.server.as_deref() == server && series.key.metric == metric).copied()
}

/// What a counter counted in each column; none when there is no such series.
fn counted(grid: &Grid, series: &[&Series], server: Option<&str>, metric: Metric) -> Option<Vec<Option<f64>>> {
    Some(bucket(grid, &rates::deltas(&find(series, server, metric)?.points), Fold::Sum))
}

/// The sum in each column of those that know it.
fn add<'a>(grid: &Grid, parts: impl Iterator<Item = &'a [Option<f64>]>) -> Vec<Option<f64>> {
    parts.fold(vec![None; grid.columns], |sum, part| {
        sum.into_iter()
            .zip(part)
            .map(|(a, b)| if a.is_none() && b.is_none() { None } else { Some(a.unwrap_or(0.0) + b.unwrap_or(0.0)) })
            .collect()
    })
}

fn ratio(part: Option<f64>, of: Option<f64>) -> Option<f64> {
    part.zip(of).filter(|(_, of)| *of > 0.0).map(|(part, of)| part / of)
}

/// The pool's own figure, or that of its servers weighted by their requests.
fn response(grid: &Grid, series: &[&Series], loads: &[(&str, Vec<Option<f64>>)]) -> Vec<Option<f64>> {
    let highest = |server: Option<&str>| -> Option<Vec<Option<f64>>> {
        Some(bucket(grid, &rates::gauge(&find(series, server, Metric::ResponseTime)?.points), Fold::Max))
    };
    if let Some(own) = highest(None) {
        return own;
    }
    let servers: Vec<_> = loads.iter().filter_map(|(name, load)| Some((highest(Some(name))?, load))).collect();
    (0..grid.columns)
        .map(|column| {
            let (mut sum, mut weight) = (0.0, 0.0);
            for (time, load) in &servers {
                if let (Some(time), Some(load)) = (time[column], load[column]) {
                    sum += time * load;
                    weight += load;
                }
            }
            ratio(Some(sum), Some(weight))
        })
        .collect()
}

fn resets<'a>(grid: &Grid, counters: impl Iterator<Item = &'a [(Timestamp, f64)]>) -> Vec<Timestamp> {
    let mut found: Vec<Timestamp> = counters
        .flat_map(rates::rate)
        .filter(|point| point.reset && grid.column(point.at).is_some())
        .map(|point| point.at)
        .collect();
    found.sort_unstable();
    found.dedup_by_key(|at| grid.column(*at));
    found
}

/// The most loaded servers in the order of their names, then the sum of the others.
fn tracks(grid: &Grid, loads: &[(&str, Vec<Option<f64>>)], all: &[Option<f64>], outstanding: &[&str]) -> Vec<ServerTrack> {
    let total = |load: &[Option<f64>]| load.iter().flatten().sum::<f64>();
    let track = |name: String, load: &[Option<f64>]| ServerTrack {
        stands_out: outstanding.contains(&name.as_str()),
        name,
        share: load.iter().zip(all).map(|(part, of)| ratio(*part, *of)).collect(),
        total: total(load),
    };
    let mut by_load: Vec<usize> = (0..loads.len()).collect();
    by_load.sort_by(|a, b| total(&loads[*b].1).total_cmp(&total(&loads[*a].1)));
    let shown = &by_load[..by_load.len().min(MAX_SERVERS)];
    let (named, rest): (Vec<_>, Vec<_>) = loads.iter().enumerate().partition(|(n, _)| shown.contains(n));
    let mut tracks: Vec<ServerTrack> = named.into_iter().map(|(_, (name, load))| track((*name).to_owned(), load)).collect();
    if !rest.is_empty() {
        let sum = add(grid, rest.iter().map(|(_, (_, load))| load.as_slice()));
        tracks.push(track(format!("others ({})", rest.len()), &sum));
    }
    tracks
}

/// Names as people count: `web2` before `web10`.
pub(super) fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (one, two) = (digits(left), digits(right));
        let order = if one > 0 && two > 0 {
            let (x, y) = (left[..one].trim_start_matches('0'), right[..two].trim_start_matches('0'));
            (left, right) = (&left[one..], &right[two..]);
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        } else {
            match (left.chars().next(), right.chars().next()) {
                // Equal but for leading zeros: plain order keeps the result total.
                (None, None) => return a.cmp(b),
                (None, Some(_)) => return Ordering::Less,
                (Some(_), None) => return Ordering::Greater,
                (Some(x), Some(y)) => {
                    (left, right) = (&left[x.len_utf8()..], &right[y.len_utf8()..]);
                    x.cmp(&y)
                }
            }
        };
        if order.is_ne() {
            return order;
        }
    }
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// A part of 1 as text: `98.6 %`, `20 %`; what is not quite none or all is never rounded to it.
pub(super) fn percent(part: f64) -> String {
    let text = format!("{:.1}", part * 100.0);
    match text.as_str() {
        _ if !part.is_finite() => "–".to_owned(),
        "0.0" | "-0.0" if part > 0.0 => "under 0.1 %".to_owned(),
        "0.0" | "-0.0" => "0 %".to_owned(),
        "100.0" if part < 1.0 - 1e-9 => "over 99.9 %".to_owned(),
        text => format!("{} %", text.trim_end_matches(".0")),
    }
}

#[cfg(test)]
mod tests;
