//! The recorder held against small recordings that can be worked out by hand.

use proptest::prelude::*;

use super::*;
use crate::signal::series::SeriesKey;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_timestamp(1_795_255_200 + seconds, 0).expect("in range")
}

fn window(seconds: i64) -> Window {
    Window { from: at(0), to: at(seconds) }
}

/// A counter polled every 5 s, with the requests of each interval.
fn counter(pool: &str, server: Option<&str>, metric: Metric, each: &[f64]) -> Series {
    let mut sum = 1000.0;
    let mut points = vec![(at(0), sum)];
    for (n, more) in each.iter().enumerate() {
        sum += more;
        points.push((at(5 * (n as i64 + 1)), sum));
    }
    Series { key: SeriesKey { pool: pool.to_owned(), server: server.map(str::to_owned), metric }, points }
}

fn requests(server: &str, each: &[f64]) -> Series {
    counter("web", Some(server), Metric::Requests, each)
}

#[test]
fn shares_rates_and_errors_fall_into_columns() {
    let series = [
        requests("web2", &[25.0, 0.0, 0.0]),
        requests("web1", &[75.0, 0.0, 100.0]),
        counter("web", None, Metric::Responses5xx, &[10.0, 0.0, 50.0]),
        counter("other", None, Metric::Requests, &[9.0, 9.0, 9.0]),
    ];
    let recorder = build("edge-1", "web", window(15), &series, vec![]);
    assert_eq!((recorder.step_seconds, recorder.times.as_slice()), (5, &[at(0), at(5), at(10)][..]));
    assert_eq!(recorder.servers[0].name, "web1");
    assert_eq!(recorder.servers[0].share, [Some(0.75), None, Some(1.0)], "no traffic is not 0 of 0");
    assert_eq!(recorder.servers[1].share, [Some(0.25), None, Some(0.0)]);
    assert_eq!(recorder.servers[0].total, 175.0);
    assert_eq!(recorder.rate, [Some(20.0), Some(0.0), Some(20.0)]);
    assert_eq!(recorder.error_ratio, [Some(0.1), None, Some(0.5)]);
    assert_eq!(recorder.response_ms, [None, None, None]);
}

#[test]
fn a_gap_in_the_polls_stays_a_gap() {
    let mut web1 = requests("web1", &[50.0; 60]);
    web1.points.retain(|(when, _)| *when <= at(60) || *when >= at(200));
    let recorder = build("edge-1", "web", window(300), &[web1], vec![]);
    let known: Vec<bool> = recorder.rate.iter().map(Option::is_some).collect();
    assert_eq!(recorder.step_seconds, 5);
    assert!(known[..12].iter().all(|known| *known) && known[40..].iter().all(|known| *known));
    assert!(known[12..40].iter().all(|known| !known), "{known:?}");
    assert!(recorder.servers[0].share[20].is_none());
}

#[test]
fn a_reset_is_told_once() {
    let mut series = [requests("web1", &[50.0; 20]), requests("web2", &[50.0; 20])];
    for one in &mut series {
        for point in &mut one.points[10..] {
            point.1 -= 1490.0;
        }
    }
    let recorder = build("edge-1", "web", window(100), &series, vec![]);
    assert_eq!(recorder.resets, [at(50)]);
    assert!(recorder.rate.iter().flatten().all(|rate| *rate >= 0.0));
}

#[test]
fn the_most_loaded_are_named_in_natural_order_and_the_rest_is_summed() {
    let series: Vec<Series> =
        (1..=10).map(|n| requests(&format!("web{n}"), &[if n == 4 { 1.0 } else { f64::from(n) }; 4])).collect();
    let recorder = build("edge-1", "web", window(20), &series, vec![]);
    let names: Vec<&str> = recorder.servers.iter().map(|track| track.name.as_str()).collect();
    assert_eq!(names, ["web5", "web6", "web7", "web8", "web9", "web10", "others (4)"]);
    assert_eq!(recorder.servers[6].total, 4.0 * (1.0 + 2.0 + 3.0 + 1.0));
    let whole: f64 = recorder.servers.iter().map(|track| track.share[1].expect("traffic")).sum();
    assert!((whole - 1.0).abs() < 1e-9);
}

#[test]
fn response_time_of_the_servers_is_weighted_by_their_requests() {
    let gauge = |server: Option<&str>, value: f64| Series {
        key: SeriesKey { pool: "web".to_owned(), server: server.map(str::to_owned), metric: Metric::ResponseTime },
        points: (0..4).map(|n| (at(n * 5), value)).collect(),
    };
    let mut series = vec![requests("a", &[30.0; 3]), requests("b", &[10.0; 3]), gauge(Some("a"), 100.0), gauge(Some("b"), 500.0)];
    assert_eq!(build("e", "web", window(15), &series, vec![]).response_ms, [Some(200.0); 3]);
    series.push(gauge(None, 180.0));
    assert_eq!(build("e", "web", window(15), &series, vec![]).response_ms, [Some(180.0); 3]);
}

#[test]
fn pools_come_worst_first() {
    let series = [
        counter("busy", None, Metric::Requests, &[500.0]),
        counter("calm", None, Metric::Requests, &[5.0]),
        counter("sick", None, Metric::Requests, &[5.0]),
        counter("sick", Some("a"), Metric::Responses5xx, &[2.0]),
        counter("sick", Some("b"), Metric::Responses5xx, &[2.0]),
        counter("busy", Some("a"), Metric::Requests, &[500.0]),
        counter("calm", Some("a"), Metric::Requests, &[5.0]),
        // The statistics page of the balancer itself: a pool without a server is nothing to draw.
        counter("stats", None, Metric::Requests, &[900.0]),
    ];
    assert_eq!(pools(&series), ["sick", "busy", "calm"]);
}

#[test]
fn marks_outside_are_left_out_and_the_rest_is_in_order() {
    let mark = |number, seconds| Mark { number, at: at(seconds), kind: MarkKind::Alert, label: String::new(), entry: None };
    let marks = vec![mark(1, 12), mark(2, 3), mark(3, -1), mark(4, 15)];
    let recorder = build("e", "web", window(15), &[requests("a", &[1.0; 3])], marks);
    assert_eq!(recorder.marks.iter().map(|mark| mark.number).collect::<Vec<_>>(), [2, 1]);
    let empty = build("e", "none", window(15), &[], vec![]);
    assert!(empty.servers.is_empty() && empty.rate.iter().all(Option::is_none) && empty.verdict.is_none());
}

#[test]
fn percentages_are_never_rounded_to_none_or_all() {
    let said = [0.0, 0.0001, 0.2, 0.9864, 0.99999, 1.0, f64::NAN].map(percent);
    assert_eq!(said, ["0 %", "under 0.1 %", "20 %", "98.6 %", "over 99.9 %", "100 %", "–"]);
}

proptest! {
    #[test]
    fn natural_order_is_an_order(mut names in proptest::collection::vec("[a0-9é]{0,6}", 0..12)) {
        names.sort_by(|a, b| natural(a, b));
        for pair in names.windows(2) {
            prop_assert_eq!(natural(&pair[0], &pair[1]), natural(&pair[1], &pair[0]).reverse());
            prop_assert!(natural(&pair[0], &pair[1]).is_le());
        }
    }

    #[test]
    fn any_series_build(points in proptest::collection::vec((-100_i64..2000, proptest::num::f64::ANY), 0..80), metric in 0..10_usize) {
        let points: Vec<_> = points.into_iter().map(|(when, value)| (at(when), value)).collect();
        let keys = [None, Some("a".to_owned()), Some("b".to_owned())];
        let series: Vec<Series> = keys.into_iter().flat_map(|server| [Metric::Requests, Metric::ALL[metric]].map(|metric| {
            Series { key: SeriesKey { pool: "web".to_owned(), server: server.clone(), metric }, points: points.clone() }
        })).collect();
        let recorder = build("e", "web", window(900), &series, vec![]);
        for value in recorder.rate.iter().chain(&recorder.error_ratio).chain(&recorder.response_ms).flatten() {
            prop_assert!(value.is_finite());
        }
        pools(&series);
    }
}
