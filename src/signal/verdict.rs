//! One sentence about the server that stands out, or none when the load is even.
//!
//! The rule, to be checked by hand: a server stands out when it takes at least three times as much as
//! the mean of the others, or at most a third of it, and when chance does not explain it: at least
//! 100 requests were counted, and the share is more than four standard deviations of a fair draw
//! (binomial, one in n) away from an equal share. The last six columns with traffic decide; if they
//! are even, the longest earlier stretch of at least three columns is told, in the past tense.
//!
//! Weights are left out on purpose: a change of weights is what should be seen here. Whether a share
//! fits the weights is a question for the diagnosis, which also answers why.

use super::flight::percent;
use crate::domain::time::{Timestamp, minute};

/// Columns that count as "now".
const RECENT: usize = 6;
/// Shortest stretch worth telling afterwards.
const STRETCH: usize = 3;
/// Low-traffic floor, in requests.
const FLOOR: f64 = 100.0;
const TIMES: f64 = 3.0;
const DEVIATIONS: f64 = 4.0;

/// Requests of one server, one figure a column.
pub(super) struct Load<'a> {
    pub name: &'a str,
    pub requests: &'a [Option<f64>],
}

/// What [`verdict`] found.
pub(super) struct Verdict {
    pub sentence: String,
    /// Places of the servers that stand out.
    pub who: Vec<usize>,
}

/// The sentence; `times` are the beginnings of the columns, which are `step` seconds wide.
pub(super) fn verdict(loads: &[Load<'_>], times: &[Timestamp], step: i64) -> Option<Verdict> {
    let columns: Vec<Vec<f64>> = (0..times.len())
        .map(|column| loads.iter().map(|load| load.requests.get(column).copied().flatten().unwrap_or(0.0)).collect())
        .collect();
    let busy: Vec<usize> = (0..columns.len()).filter(|column| columns[*column].iter().sum::<f64>() > 0.0).collect();

    let recent = busy[busy.len().saturating_sub(RECENT)..].iter().copied();
    let sums = sum(&columns, recent, loads.len());
    if let Some(who) = beyond_chance(&sums) {
        return Some(Verdict { sentence: sentence(loads, &sums, &who, None), who });
    }
    let (first, last) = longest_stretch(&columns, &busy)?;
    let sums = sum(&columns, first..=last, loads.len());
    let who = beyond_chance(&sums)?;
    let until = times[last] + chrono::Duration::seconds(step);
    Some(Verdict { sentence: sentence(loads, &sums, &who, Some((times[first], until))), who })
}

fn sum(columns: &[Vec<f64>], which: impl Iterator<Item = usize>, servers: usize) -> Vec<f64> {
    which.fold(vec![0.0; servers], |sums, column| sums.iter().zip(&columns[column]).map(|(a, b)| a + b).collect())
}

/// Who differs from the others threefold: the one above, else those below if they are the fewer.
fn different(sums: &[f64]) -> Vec<usize> {
    let (servers, total) = (sums.len() as f64, sums.iter().sum::<f64>());
    if sums.len() < 2 || total <= 0.0 {
        return Vec::new();
    }
    let rest = |own: f64| (total - own) / (servers - 1.0);
    if let Some(above) = (0..sums.len()).find(|n| sums[*n] >= TIMES * rest(sums[*n])) {
        return vec![above];
    }
    let below: Vec<usize> = (0..sums.len()).filter(|n| sums[*n] * TIMES <= rest(sums[*n])).collect();
    if below.len() * 2 < sums.len() { below } else { Vec::new() }
}

fn beyond_chance(sums: &[f64]) -> Option<Vec<usize>> {
    let (total, fair) = (sums.iter().sum::<f64>(), 1.0 / sums.len() as f64);
    let chance = DEVIATIONS * (fair * (1.0 - fair) / total).sqrt();
    let who: Vec<usize> = different(sums).into_iter().filter(|n| (sums[*n] / total - fair).abs() > chance).collect();
    (total >= FLOOR && !who.is_empty()).then_some(who)
}

/// First and last column of the longest run in which the same servers differ; columns without
/// traffic neither end a run nor count.
fn longest_stretch(columns: &[Vec<f64>], busy: &[usize]) -> Option<(usize, usize)> {
    let who: Vec<Vec<usize>> = busy.iter().map(|column| different(&columns[*column])).collect();
    let mut best: Option<(usize, usize)> = None;
    let mut first = 0;
    for n in 0..who.len() {
        if who[n] != who[first] {
            first = n;
        }
        let length = n - first + 1;
        if !who[n].is_empty() && length >= STRETCH && best.is_none_or(|(from, to)| length > to - from + 1) {
            best = Some((first, n));
        }
    }
    best.map(|(first, last)| (busy[first], busy[last]))
}

fn sentence(loads: &[Load<'_>], sums: &[f64], who: &[usize], past: Option<(Timestamp, Timestamp)>) -> String {
    let share = who.iter().map(|n| sums[*n]).sum::<f64>() / sums.iter().sum::<f64>();
    let names: Vec<&str> = who.iter().take(3).map(|n| loads[*n].name).collect();
    let names = match (names.as_slice(), who.len() - names.len()) {
        ([one], _) => (*one).to_owned(),
        ([most @ .., last], 0) => format!("{} and {last}", most.join(", ")),
        (some, more) => format!("{} and {more} more", some.join(", ")),
    };
    let others = loads.len() - who.len();
    let verb = |count: usize| match (past.is_some(), count) {
        (true, _) => "carried",
        (false, 1) => "carries",
        (false, _) => "carry",
    };
    let when = past.map(|(from, to)| {
        let from_text = if from.date_naive() == to.date_naive() { from.format("%H:%M").to_string() } else { minute(from) };
        let to_text = if from.date_naive() == to.date_naive() { to.format("%H:%M UTC").to_string() } else { minute(to) };
        format!(" from {from_text} to {to_text}")
    });
    format!(
        "{names} {} {} of the traffic{}; {others} other server{} {} {}",
        verb(who.len()),
        percent(share),
        when.unwrap_or_default(),
        if others == 1 { "" } else { "s" },
        verb(others),
        percent(1.0 - share),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(loads: &[(&str, &[f64])]) -> Option<String> {
        let columns: Vec<Vec<Option<f64>>> = loads.iter().map(|(_, all)| all.iter().map(|n| Some(*n)).collect()).collect();
        let loads: Vec<Load<'_>> = loads.iter().zip(&columns).map(|((name, _), requests)| Load { name, requests }).collect();
        let times: Vec<Timestamp> = (0..columns.first().map_or(0, Vec::len))
            .map(|n| Timestamp::from_timestamp(1_795_255_200 + n as i64 * 60, 0).expect("in range"))
            .collect();
        verdict(&loads, &times, 60).map(|verdict| verdict.sentence)
    }

    #[test]
    fn one_above_and_some_below_are_named() {
        assert_eq!(
            say(&[("web1", &[986.0; 6]), ("web2", &[7.0; 6]), ("web3", &[7.0; 6])]).as_deref(),
            Some("web1 carries 98.6 % of the traffic; 2 other servers carry 1.4 %")
        );
        let even = [100.0; 6];
        assert_eq!(
            say(&[("a", &even), ("b", &[0.0; 6]), ("c", &[1.0; 6]), ("d", &even), ("e", &even)]).as_deref(),
            Some("b and c carry 0.3 % of the traffic; 3 other servers carry 99.7 %")
        );
        assert_eq!(
            say(&[("a", &[90.0; 6]), ("b", &[10.0; 6])]).as_deref(),
            Some("a carries 90 % of the traffic; 1 other server carries 10 %")
        );
    }

    #[test]
    fn even_load_few_requests_and_lone_servers_say_nothing() {
        assert_eq!(say(&[("a", &[100.0; 6]), ("b", &[140.0; 6]), ("c", &[90.0; 6])]), None);
        assert_eq!(say(&[("a", &[10.0; 6]), ("b", &[1.0; 6])]), None, "66 requests are under the floor");
        assert_eq!(say(&[("a", &[1000.0; 6])]), None);
        assert_eq!(say(&[]), None);
        // Of 50 servers with two requests each, one with seven is chance.
        let names: Vec<String> = (0..50).map(|n| format!("s{n}")).collect();
        let loads: Vec<(&str, &[f64])> =
            names.iter().enumerate().map(|(n, name)| (name.as_str(), if n == 0 { &[7.0][..] } else { &[2.0][..] })).collect();
        assert_eq!(say(&loads), None);
    }

    #[test]
    fn a_stretch_goes_on_after_a_gap() {
        let one = [vec![20.0; 6], vec![99.0; 5], vec![0.0; 4], vec![99.0; 5], vec![20.0; 6]].concat();
        let two = [vec![20.0; 6], vec![1.0; 5], vec![0.0; 4], vec![1.0; 5], vec![20.0; 6]].concat();
        assert!(say(&[("a", &one), ("b", &two)]).expect("a verdict").contains("from 10:06 to 10:20 UTC"));
    }

    #[test]
    fn what_is_over_is_told_in_the_past_tense() {
        let one: Vec<f64> = [vec![20.0; 6], vec![99.0; 10], vec![20.0; 6]].concat();
        let two: Vec<f64> = [vec![20.0; 6], vec![1.0; 10], vec![20.0; 6]].concat();
        assert_eq!(
            say(&[("web1", &one), ("web2", &two)]).as_deref(),
            Some("web1 carried 99 % of the traffic from 10:06 to 10:16 UTC; 1 other server carried 1 %")
        );
    }
}
