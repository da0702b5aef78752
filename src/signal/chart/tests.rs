//! The drawings held against their promises: well-formed, small, safe with any name, honest about gaps.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{
    domain::time::{Timestamp, Window},
    signal::{
        flight::{Mark, MarkKind, build},
        series::{Metric, Series, SeriesKey},
    },
};

/// 2026-11-21 09:30 UTC.
const START: i64 = 1_795_253_400;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_timestamp(START + seconds, 0).expect("in range")
}

/// Numbers that look random and never change: 0 to 1.
fn noise(n: i64) -> f64 {
    let mixed = (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40) as f64 / (1_u64 << 24) as f64
}

fn mark(number: usize, seconds: i64, kind: MarkKind, label: &str) -> Mark {
    let entry = (number % 2 == 1).then(|| Uuid::from_u128(number as u128));
    Mark { number, at: at(seconds), kind, label: label.to_owned(), entry }
}

/// The outage of a shop: five even servers; from 10:00 to 13:00 one takes nearly all and drowns; a
/// rolling restart and a gap in the polls on the way.
fn outage(names: &[&str], hours: f64, rough: f64) -> FlightRecorder {
    let length = (hours * 3600.0) as i64;
    let (bad, good) = (length * 2 / 17, length * 14 / 17);
    let mut series: Vec<Series> = Vec::new();
    let mut add = |server: Option<&str>, metric, points| {
        series.push(Series { key: SeriesKey { pool: "web".to_owned(), server: server.map(str::to_owned), metric }, points });
    };
    let seen = |t: i64| !(length / 2..length / 2 + length / 24).contains(&t);
    let (mut errors, mut all, mut slow) = (Vec::new(), Vec::new(), Vec::new());
    let (mut error_sum, mut all_sum) = (0.0, 0.0);
    let even = 1.0 / names.len() as f64;
    let share = |t: i64, n: usize| -> f64 {
        let sick = ((t - bad) as f64 / 300.0).clamp(0.0, 1.0) - ((t - good) as f64 / 1200.0).clamp(0.0, 1.0);
        let wanted = if n == 0 { 0.986 } else { 0.014 / (names.len() as f64 - 1.0) };
        (even + (wanted - even) * sick) * (1.0 + rough * (noise(t * 31 + n as i64) - 0.5))
    };
    for t in (0..=length).step_by(5) {
        let rate = 310.0 + 40.0 * (t as f64 / 2400.0).sin() + 30.0 * noise(t);
        let sick = ((t - bad - 120) as f64 / 600.0).clamp(0.0, 1.0) - ((t - good) as f64 / 1500.0).clamp(0.0, 1.0);
        all_sum += rate * 5.0;
        error_sum += rate * 5.0 * (sick * (0.88 + 0.06 * noise(t + 7)) + 0.0008);
        if seen(t) {
            errors.push((at(t), error_sum));
            all.push((at(t), all_sum));
            slow.push((at(t), 38.0 + 12.0 * noise(t + 3) + sick * (2100.0 + 300.0 * noise(t + 9))));
        }
    }
    add(None, Metric::Responses5xx, errors);
    add(None, Metric::Requests, all);
    add(None, Metric::ResponseTime, slow);
    for (n, name) in names.iter().enumerate() {
        let mut sum = 0.0;
        let mut points = Vec::new();
        for t in (0..=length).step_by(5) {
            sum += 320.0 * 5.0 * share(t, n);
            if (good..good + 5).contains(&t) {
                sum = 0.0;
            }
            if seen(t) {
                points.push((at(t), sum));
            }
        }
        add(Some(name), Metric::Requests, points);
    }
    let part = |seventeenths: f64| (length as f64 * seventeenths / 17.0) as i64;
    let marks = vec![
        mark(1, part(1.87), MarkKind::Change, "Config 7 → 8"),
        mark(2, part(2.05), MarkKind::Alert, "HighErrorRate"),
        mark(3, part(2.3), MarkKind::Detour, "Database overload?"),
        mark(5, part(6.0), MarkKind::Detour, "DDoS?"),
        mark(7, part(10.0), MarkKind::Pinned, "One server takes all traffic"),
        mark(8, part(10.3), MarkKind::Status, "Identified"),
        mark(9, part(14.0), MarkKind::Change, "Config 8 → 9"),
        mark(11, part(16.0), MarkKind::Recovery, "Restored"),
    ];
    build("edge-1", "web", Window { from: at(0), to: at(length) }, &series, marks)
}

const FIVE: [&str; 5] = ["web1", "web2", "web3", "web4", "web5"];

/// Every drawing there is of a recorder.
fn drawings(recorder: &FlightRecorder) -> Vec<String> {
    [Size::Wide, Size::Narrow]
        .into_iter()
        .flat_map(|size| [Style::Page, Style::Standalone].map(|style| svg(recorder, size, style)))
        .collect()
}

fn gzipped(text: &str) -> usize {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(text.as_bytes()).expect("memory");
    gzip.finish().expect("memory").len()
}

/// Well-formed, within the content policy, and without a number that is none.
fn check(drawing: &str) {
    let document = roxmltree::Document::parse(drawing).unwrap_or_else(|error| panic!("{error}: {drawing}"));
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        assert!(["style", "script", "foreignObject"].iter().all(|name| !node.has_tag_name(*name)), "{drawing}");
        for attribute in node.attributes() {
            assert!(attribute.name() != "style" && !attribute.name().starts_with("on"), "{drawing}");
            assert!(!["NaN", "inf"].contains(&attribute.value()), "{drawing}");
            if ["d", "x", "y", "cx", "cy", "width", "height", "points"].contains(&attribute.name()) {
                assert!(!attribute.value().contains(['N', 'i', 'e']), "{drawing}");
            }
        }
    }
}

#[test]
fn a_small_recording_is_drawn_like_this() {
    let count = |server: Option<&str>, metric, each: f64| Series {
        key: SeriesKey { pool: "web".to_owned(), server: server.map(str::to_owned), metric },
        points: (0..=4).map(|n| (at(n * 60), n as f64 * each)).collect(),
    };
    let series = [
        count(Some("web1"), Metric::Requests, 900.0),
        count(Some("web2"), Metric::Requests, 300.0),
        count(None, Metric::Responses5xx, 60.0),
    ];
    let marks = vec![mark(1, 90, MarkKind::Change, "Config 7 → 8"), mark(2, 100, MarkKind::Alert, "HighErrorRate")];
    let recorder = build("edge-1", "web", Window { from: at(0), to: at(240) }, &series, marks);
    let lines = |drawing: String| drawing.replace("><", ">\n<");
    insta::assert_snapshot!("page", lines(svg(&recorder, Size::Wide, Style::Page)));
    insta::assert_snapshot!("alone", lines(svg(&recorder, Size::Narrow, Style::Standalone)));
}

#[test]
fn the_same_recorder_gives_the_same_bytes_and_stays_small() {
    let calm = outage(&FIVE, 4.25, 0.2);
    let names: Vec<String> = (1..=9).map(|n| format!("application-server-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    // As rough as it gets: all columns, all bands, no two columns alike.
    let rough = outage(&names, 0.33, 1.9);
    assert!(rough.times.len() > 230, "{} columns", rough.times.len());
    for (recorder, most, packed) in [(&calm, 17_000, 4_000), (&rough, 30_000, 8_000)] {
        for drawing in drawings(recorder) {
            assert!(drawing.len() < most, "{} bytes", drawing.len());
            assert!(gzipped(&drawing) < packed, "{} bytes packed", gzipped(&drawing));
        }
        assert_eq!(drawings(recorder), drawings(&recorder.clone()));
    }
}

#[test]
fn names_cannot_break_out() {
    let evil = "\"/><script>alert('x')</script>&amp;\0\u{202e}<!--";
    let mut recorder = outage(&[evil, "web2"], 1.0, 0.2);
    (recorder.balancer, recorder.pool) = (evil.to_owned(), evil.to_owned());
    recorder.marks[0].label = evil.to_owned();
    recorder.verdict = Some(evil.to_owned());
    for drawing in drawings(&recorder) {
        check(&drawing);
        assert!(!drawing.contains("<script") && !drawing.contains(['\0', '\u{202e}']));
        assert!(drawing.contains("&lt;script&gt;"));
    }
    check(&sparkline(&[Some(1.0)], evil));
}

#[test]
fn gaps_split_lines_and_bands_and_are_shaded() {
    let drawing = svg(&outage(&FIVE, 4.25, 0.2), Size::Wide, Style::Page);
    let document = roxmltree::Document::parse(&drawing).expect("well-formed");
    let path = |class: &str| {
        let node = document.descendants().find(|node| node.attribute("class") == Some(class)).expect("drawn");
        node.attribute("d").expect("data").to_owned()
    };
    for class in ["c1", "c5", "line", "err", "err-area"] {
        assert_eq!(path(class).matches('M').count(), 2, "{class} before and after the gap");
    }
    assert_eq!(path("gap").matches('M').count(), 4, "one for each panel");
    assert_eq!(path("reset").matches('M').count(), 1);
}

#[test]
fn marks_link_keep_apart_and_merge_when_there_are_many() {
    let mut recorder = outage(&FIVE, 4.25, 0.2);
    let drawing = svg(&recorder, Size::Wide, Style::Page);
    assert_eq!(drawing.matches("class=\"mark mark-").count(), 8);
    assert!(drawing.contains("<a href=\"#entry-00000000-0000-0000-0000-000000000001\"><g class=\"mark mark-change\""));
    assert!(drawing.contains("data-at=\"2026-11-21T09:58:03Z\""));
    assert!(!svg(&recorder, Size::Wide, Style::Standalone).contains("href"));

    recorder.marks = (0..300).map(|n| mark(n + 1, n as i64 * 50, MarkKind::Alert, "again")).collect();
    for size in [Size::Wide, Size::Narrow] {
        let drawing = svg(&recorder, size, Style::Page);
        check(&drawing);
        let document = roxmltree::Document::parse(&drawing).expect("well-formed");
        let hits = document.descendants().filter(|node| node.attribute("class") == Some("mark-hit"));
        let places: Vec<f64> = hits.map(|node| node.attribute("x").expect("x").parse().expect("a number")).collect();
        assert!((4..=25).contains(&places.len()), "{places:?}");
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= 24.0), "{places:?}");
    }
}

#[test]
fn nothing_recorded_is_said() {
    let window = Window { from: at(0), to: at(600) };
    for drawing in drawings(&build("edge-1", "web", window, &[], vec![mark(1, 60, MarkKind::Alert, "a")])) {
        check(&drawing);
        assert!(drawing.contains("Nothing was recorded in this window"));
    }
    for drawing in drawings(&build("e", "w", Window { from: at(0), to: at(0) }, &[], vec![])) {
        check(&drawing);
    }
}

#[test]
fn the_table_has_the_figures() {
    let recorder = outage(&FIVE, 4.25, 0.0);
    let rows = table(&recorder);
    assert!(rows.len() <= MAX_ROWS && rows.len() > MAX_ROWS / 2, "{}", rows.len());
    assert_eq!(rows[0].at, recorder.times[0]);
    assert!((rows[0].shares[0].expect("known") - 0.2).abs() < 1e-6);
    assert!(rows[8].error_ratio.expect("known") > 0.85 && rows[0].error_ratio.expect("known") < 0.01);
    assert!(rows.iter().all(|row| row.shares.len() == 5));
    assert!(table(&build("e", "w", Window { from: at(0), to: at(0) }, &[], vec![])).is_empty());
}

#[test]
fn figures_and_ticks_are_round() {
    assert_eq!(
        [0.0, 0.456, 12.34, 1240.0, 999_999.9, 3.21e9, f64::MAX].map(ink::figure),
        ["0", "0.46", "12.3", "1,240", "1M", "3.2G", "1.8e308"]
    );
    assert_eq!([0.0, 3.0, 12.0, 21.0, 310.0, f64::NAN].map(scale::round_up), [1.0, 5.0, 20.0, 25.0, 500.0, 1.0]);
    assert_eq!(scale::spread(&[10.0, 11.0, 50.0], 10.0, 0.0, 60.0), [5.5, 15.5, 50.0]);
    assert_eq!(scale::spread(&[59.0, 60.0], 10.0, 0.0, 60.0), [50.0, 60.0]);
    assert_eq!(ink::cut("application-server-1", 11), "appl…rver-1");
    let names = |length: f64| -> Vec<String> {
        let axis = Axis { from: at(0), length, left: 0.0, right: 100.0 };
        scale::ticks(&axis, 5).into_iter().map(|(_, name)| name).collect()
    };
    assert_eq!(names(40.0), ["09:30:00", "09:30:10", "09:30:20", "09:30:30", "09:30:40"]);
    assert_eq!(names(4.0 * 3600.0), ["10:00", "11:00", "12:00", "13:00"]);
    assert_eq!(names(40.0 * 3600.0), ["12:00", "22 Nov", "12:00", "23 Nov"]);
}

#[test]
fn a_sparkline_keeps_its_gaps() {
    let drawing = sparkline(&[Some(1.0), Some(2.0), None, Some(f64::NAN), Some(0.0), Some(5.0)], "sev1");
    check(&drawing);
    assert_eq!(drawing.matches('M').count(), 2);
    check(&sparkline(&[], ""));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_recorder_gives_well_formed_xml(
        text in ".*", name in "\\PC{0,40}", values in proptest::collection::vec(proptest::option::of(proptest::num::f64::POSITIVE), 30),
        marks in proptest::collection::vec((-10_i64..700, ".*"), 0..30), verdict in proptest::option::of(".*"),
    ) {
        let mut recorder = outage(&[&text, &name], 0.1, 1.0);
        let columns = recorder.times.len();
        recorder.marks = marks.into_iter().enumerate().map(|(n, (when, label))| mark(n, when, MarkKind::Detour, &label)).collect();
        recorder.marks.sort_by_key(|mark| mark.at);
        (recorder.balancer, recorder.pool, recorder.verdict) = (name, text, verdict);
        recorder.rate = values.iter().copied().cycle().take(columns).collect();
        recorder.response_ms = values.iter().copied().cycle().skip(7).take(columns).collect();
        for drawing in drawings(&recorder) {
            check(&drawing);
        }
        check(&sparkline(&values, &recorder.pool));
        table(&recorder);
    }
}
