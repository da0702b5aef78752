//! The grammar as tables: what is typed, what it means.

use proptest::prelude::*;

use super::*;
use crate::domain::time::rfc3339;

/// A Saturday afternoon; the reader sits one hour east of UTC, where it is 15:10:30.
const NOW: &str = "2026-11-21T14:10:30Z";
const EAST: i32 = 60;

fn understood_at(line: &str, now: &str, offset: i32) -> Understood {
    understand(line, now.parse().expect("time"), offset)
}

fn understood(line: &str) -> Understood {
    understood_at(line, NOW, EAST)
}

/// Line, instant, offset, time as typed, text.
type Row = (&'static str, &'static str, i32, &'static str, &'static str);

fn check(rows: &[Row], now: &str, offset: i32) {
    for (line, at, minutes, typed, text) in rows {
        let u = understood_at(line, now, offset);
        let got = (u.occurred_at.map(rfc3339), u.utc_offset_minutes, u.time_text.as_deref(), u.text.as_str());
        assert_eq!(got, (Some((*at).to_owned()), *minutes, Some(*typed), *text), "{line:?} {:?}", u.warnings);
    }
}

#[test]
fn times_that_are_read() {
    let rows: &[Row] = &[
        // A clock time in the reader's zone.
        ("14:03 web2 restarted", "2026-11-21T13:03:00Z", 60, "14:03", "web2 restarted"),
        ("9:05 first page", "2026-11-21T08:05:00Z", 60, "9:05", "first page"),
        ("00:00 midnight", "2026-11-20T23:00:00Z", 60, "00:00", "midnight"),
        ("14:03:20 x", "2026-11-21T13:03:20Z", 60, "14:03:20", "x"),
        ("14:03:20.125 ERROR x", "2026-11-21T13:03:20.125Z", 60, "14:03:20.125", "ERROR x"),
        ("  14:03   x  ", "2026-11-21T13:03:00Z", 60, "14:03", "x"),
        ("14:03: x", "2026-11-21T13:03:00Z", 60, "14:03", "x"),
        ("14:03, x", "2026-11-21T13:03:00Z", 60, "14:03", "x"),
        ("14:03:20: x", "2026-11-21T13:03:20Z", 60, "14:03:20", "x"),
        ("14:03 - x", "2026-11-21T13:03:00Z", 60, "14:03", "- x"),
        ("14:03\nx\ny", "2026-11-21T13:03:00Z", 60, "14:03", "x\ny"),
        ("at 14:03 web2 restarted", "2026-11-21T13:03:00Z", 60, "at 14:03", "web2 restarted"),
        ("At 14:03Z x", "2026-11-21T14:03:00Z", 0, "At 14:03Z", "x"),
        // With a zone.
        ("14:03Z x", "2026-11-21T14:03:00Z", 0, "14:03Z", "x"),
        ("14:03 Z x", "2026-11-21T14:03:00Z", 0, "14:03 Z", "x"),
        ("14:03 UTC x", "2026-11-21T14:03:00Z", 0, "14:03 UTC", "x"),
        ("14:03utc: x", "2026-11-21T14:03:00Z", 0, "14:03utc", "x"),
        ("14:03 GMT x", "2026-11-21T14:03:00Z", 0, "14:03 GMT", "x"),
        ("14:03+02:00 x", "2026-11-21T12:03:00Z", 120, "14:03+02:00", "x"),
        ("14:03 +02:00 x", "2026-11-21T12:03:00Z", 120, "14:03 +02:00", "x"),
        ("14:03+0530 x", "2026-11-21T08:33:00Z", 330, "14:03+0530", "x"),
        ("14:03+02 x", "2026-11-21T12:03:00Z", 120, "14:03+02", "x"),
        ("14:03 UTC+2 x", "2026-11-21T12:03:00Z", 120, "14:03 UTC+2", "x"),
        ("09:03-05:00: x", "2026-11-21T14:03:00Z", -300, "09:03-05:00", "x"),
        ("09:03:20 UTC-03:30 x", "2026-11-21T12:33:20Z", -210, "09:03:20 UTC-03:30", "x"),
        // Halves of the day.
        ("2:03 pm x", "2026-11-21T13:03:00Z", 60, "2:03 pm", "x"),
        ("2:03PM x", "2026-11-21T13:03:00Z", 60, "2:03PM", "x"),
        ("2:03 p.m. UTC x", "2026-11-21T14:03:00Z", 0, "2:03 p.m. UTC", "x"),
        ("12:30 am x", "2026-11-20T23:30:00Z", 60, "12:30 am", "x"),
        ("12:30 pm x", "2026-11-21T11:30:00Z", 60, "12:30 pm", "x"),
        ("14:03 pm x", "2026-11-21T13:03:00Z", 60, "14:03 pm", "x"),
        ("14:03 am Server lag es nicht", "2026-11-21T13:03:00Z", 60, "14:03", "am Server lag es nicht"),
        ("2:03 pmtud is off", "2026-11-21T01:03:00Z", 60, "2:03", "pmtud is off"),
        // Before now.
        ("-5m x", "2026-11-21T14:05:30Z", 60, "-5m", "x"),
        ("-1h30m x", "2026-11-21T12:40:30Z", 60, "-1h30m", "x"),
        ("-1h 30m x", "2026-11-21T12:40:30Z", 60, "-1h 30m", "x"),
        ("-90s x", "2026-11-21T14:09:00Z", 60, "-90s", "x"),
        ("-2d x", "2026-11-19T14:10:30Z", 60, "-2d", "x"),
        ("-5 min x", "2026-11-21T14:05:30Z", 60, "-5 min", "x"),
        ("-5min: x", "2026-11-21T14:05:30Z", 60, "-5min", "x"),
        ("−5m x", "2026-11-21T14:05:30Z", 60, "−5m", "x"),
        ("–5m x", "2026-11-21T14:05:30Z", 60, "–5m", "x"),
        ("-1h 30 servers left", "2026-11-21T13:10:30Z", 60, "-1h", "30 servers left"),
        // With a day.
        ("yesterday 23:50 x", "2026-11-20T22:50:00Z", 60, "yesterday 23:50", "x"),
        ("Yesterday, 23:50 UTC x", "2026-11-20T23:50:00Z", 0, "Yesterday, 23:50 UTC", "x"),
        ("today 09:00 x", "2026-11-21T08:00:00Z", 60, "today 09:00", "x"),
        ("at yesterday 23:50 x", "2026-11-20T22:50:00Z", 60, "at yesterday 23:50", "x"),
        ("2026-11-20 23:50 x", "2026-11-20T22:50:00Z", 60, "2026-11-20 23:50", "x"),
        ("2026-11-20T23:50:10Z x", "2026-11-20T23:50:10Z", 0, "2026-11-20T23:50:10Z", "x"),
        ("20 Nov 23:50 x", "2026-11-20T22:50:00Z", 60, "20 Nov 23:50", "x"),
        ("20 november 2025, 23:50 x", "2025-11-20T22:50:00Z", 60, "20 november 2025, 23:50", "x"),
        ("1 Sept 2:03 pm x", "2026-09-01T13:03:00Z", 60, "1 Sept 2:03 pm", "x"),
    ];
    check(rows, NOW, EAST);
    for (line, ..) in rows {
        assert_eq!(understood(line).warnings, Vec::<String>::new(), "{line:?}");
    }
}

#[test]
fn lines_that_hold_no_time() {
    for line in [
        "-5 degrees in the cold aisle",
        "-5 m below",
        "-5",
        "-5%",
        "-5m/s",
        "-5mb left",
        "-1h5h",
        "-5m5m",
        "- item",
        "--",
        "-",
        "-99999999h x",
        "-367d x",
        "-1234567s x",
        "5xx up",
        "5 May release is out",
        "10:1 ratio of errors",
        "00:1b:44:11:3a:b7 flaps",
        "yesterday we saw this too",
        "today",
        "2026-11-20 release",
        "20 Nov release",
        "20 Nov",
        "at the proxy",
        "at",
        "restarted at 14:03",
        "",
        "🔥",
        "１４:０３ wide digits",
        "\u{0}14:03",
    ] {
        let u = understood(line);
        assert_eq!((u.occurred_at, u.time_text, u.text.as_str()), (None, None, line), "{line:?}");
        assert_eq!((u.kind, u.utc_offset_minutes, u.warnings), (EntryKind::Note, EAST, vec![]), "{line:?}");
    }
}

#[test]
fn what_looks_like_a_time_but_is_none_stays_text_and_is_said() {
    for (line, word) in [
        ("14:03:99 x", "14:03:99"),
        ("14:60 x", "14:60"),
        ("25:00 x", "25:00"),
        ("24:00 x", "24:00"),
        ("at 25:00 x", "25:00"),
        ("14:03-14:20 outage", "14:03-14:20"),
        ("14:03+99:00 x", "14:03+99:00"),
        ("14:03+15:00 x", "14:03+15:00"),
        ("14:03-13:00 x", "14:03-13:00"),
        ("14:03+02:10 x", "14:03+02:10"),
        ("14:03x", "14:03x"),
        ("10:20:30:40 x", "10:20:30:40"),
        ("13:61 pm x", "13:61"),
        ("2026-02-30 10:00 x", "10:00"),
        ("0206-11-20 10:00 x", ""),
        ("31 Nov 2026 10:00 x", "10:00"),
        ("31 Feb 10:00 x", "10:00"),
    ] {
        let u = understood(line);
        assert_eq!((u.occurred_at, u.text.as_str()), (None, line), "{line:?}");
        let wanted = match word {
            "" => vec![],
            word => vec![format!("“{word}” is not read as a time, so the entry is stamped now")],
        };
        assert_eq!(u.warnings, wanted, "{line:?}");
    }
}

#[test]
fn a_clock_time_that_lies_ahead_was_yesterday() {
    for (line, now, offset, at, warning) in [
        // Five minutes of grace for a clock that is ahead.
        ("15:15 x", NOW, 60, "2026-11-21T14:15:00Z", None),
        ("15:15:30 x", NOW, 60, "2026-11-21T14:15:30Z", None),
        ("15:15:31 x", NOW, 60, "2026-11-20T14:15:31Z", Some("taken as yesterday")),
        ("23:50 x", NOW, 60, "2026-11-20T22:50:00Z", Some("taken as yesterday")),
        ("14:20Z x", NOW, 60, "2026-11-20T14:20:00Z", Some("taken as yesterday")),
        // Just after midnight here, not yet there.
        ("23:58 x", "2026-11-20T23:03:00Z", 60, "2026-11-20T22:58:00Z", Some("taken as yesterday")),
        ("23:01Z x", "2026-11-20T23:03:00Z", 60, "2026-11-20T23:01:00Z", None),
        ("00:02 x", "2026-11-20T23:03:00Z", 60, "2026-11-20T23:02:00Z", None),
        ("00:02+01:00 x", "2026-11-20T23:03:00Z", -480, "2026-11-20T23:02:00Z", None),
        ("00:03 x", "2026-11-20T23:59:00Z", 0, "2026-11-20T00:03:00Z", None),
        // A named day is taken at its word.
        ("today 23:50 x", NOW, 60, "2026-11-21T22:50:00Z", Some("this time is in the future")),
        ("2026-12-01 10:00 x", NOW, 60, "2026-12-01T09:00:00Z", Some("this time is in the future")),
        ("yesterday 23:50 x", "2026-11-20T23:03:00Z", 60, "2026-11-20T22:50:00Z", None),
        ("yesterday 23:50Z x", "2026-11-20T23:03:00Z", 60, "2026-11-19T23:50:00Z", None),
        // A day without a year is the last such day.
        ("22 Nov 10:00 x", NOW, 60, "2025-11-22T09:00:00Z", Some("taken as 22 Nov 2025")),
        ("31 Dec 23:50 x", "2027-01-01T00:10:00Z", 0, "2026-12-31T23:50:00Z", Some("taken as 31 Dec 2026")),
        ("29 Feb 10:00 x", NOW, 0, "2024-02-29T10:00:00Z", Some("taken as 29 Feb 2024")),
    ] {
        let u = understood_at(line, now, offset);
        assert_eq!(u.occurred_at.map(rfc3339).as_deref(), Some(at), "{line:?} at {now}");
        assert_eq!(u.warnings, warning.into_iter().map(str::to_owned).collect::<Vec<_>>(), "{line:?} at {now}");
    }
}

/// Central Europe left summer time on 2026-10-25 at 01:00Z: 02:30 came twice there. Only the offset
/// tells which, and the reader's offset is the one that counts at the time of writing.
#[test]
fn the_hour_that_comes_twice_is_told_apart_by_its_offset() {
    let now = "2026-10-25T03:00:00Z";
    check(&[("02:30+02:00 x", "2026-10-25T00:30:00Z", 120, "02:30+02:00", "x")], now, 60);
    check(&[("02:30+01:00 x", "2026-10-25T01:30:00Z", 60, "02:30+01:00", "x")], now, 60);
    check(&[("02:30 x", "2026-10-25T01:30:00Z", 60, "02:30", "x")], now, 60);
    check(&[("-3h x", "2026-10-25T00:00:00Z", 60, "-3h", "x")], now, 60);
    check(&[("yesterday 12:00+02:00 x", "2026-10-24T10:00:00Z", 120, "yesterday 12:00+02:00", "x")], now, 60);
    // In the hour that summer time leaves out, an offset clock still has its minute.
    check(&[("02:30 x", "2026-03-29T01:30:00Z", 60, "02:30", "x")], "2026-03-29T02:00:00Z", 60);
}

#[test]
fn doubtful_zones_are_said() {
    let u = understood("14:03 PST web2 restarted");
    assert_eq!((u.occurred_at.map(rfc3339).as_deref(), u.text.as_str()), (Some("2026-11-21T13:03:00Z"), "PST web2 restarted"));
    assert_eq!(u.warnings, ["“PST” is not read as a zone: 14:03 is taken in UTC+01:00; write an offset such as +02:00"]);
    assert_eq!(understood("09:03-09:30 outage").warnings, ["read as 09:03 in UTC-09:30, not as a span", "taken as yesterday"]);
    assert_eq!(understood("14:03 x PST").warnings, Vec::<String>::new());
}

#[test]
fn marks_at_the_start_of_the_text() {
    for (line, kind, is_task, text) in [
        ("? cache again", EntryKind::Hypothesis, false, "cache again"),
        ("?cache again", EntryKind::Hypothesis, false, "cache again"),
        ("14:03 ? cache", EntryKind::Hypothesis, false, "cache"),
        ("-5m ! drained >web-03", EntryKind::Action, false, "drained >web-03"),
        ("!restarted web2", EntryKind::Action, false, "restarted web2"),
        ("! @mk restarts", EntryKind::Action, false, "@mk restarts"),
        ("?größer", EntryKind::Hypothesis, false, "größer"),
        ("todo: raise maxconn", EntryKind::Note, true, "raise maxconn"),
        ("TODO:raise maxconn", EntryKind::Note, true, "raise maxconn"),
        ("14:03 Todo: raise", EntryKind::Note, true, "raise"),
        ("todo: ! raise", EntryKind::Note, true, "! raise"),
        // Not marks.
        ("?", EntryKind::Note, false, "?"),
        ("14:03 ?", EntryKind::Note, false, "?"),
        ("!", EntryKind::Note, false, "!"),
        ("???", EntryKind::Note, false, "???"),
        ("?! why", EntryKind::Note, false, "?! why"),
        ("!= 200 everywhere", EntryKind::Note, false, "!= 200 everywhere"),
        ("![graph](x.png)", EntryKind::Note, false, "![graph](x.png)"),
        ("todo:", EntryKind::Note, false, "todo:"),
        ("todo raise", EntryKind::Note, false, "todo raise"),
        ("is it the cache?", EntryKind::Note, false, "is it the cache?"),
        ("todó: x", EntryKind::Note, false, "todó: x"),
        ("? 14:03 x", EntryKind::Hypothesis, false, "14:03 x"),
    ] {
        let u = understood(line);
        assert_eq!((u.kind, u.is_task, u.text.as_str()), (kind, is_task, text), "{line:?}");
    }
}

#[test]
fn a_time_alone_asks_for_more() {
    let u = understood("14:03");
    assert_eq!((u.time_text.as_deref(), u.text.as_str()), (Some("14:03"), ""));
    assert_eq!(u.warnings, ["only a time: say what happened"]);
}

#[test]
fn names_servers_and_severity_stay_in_the_text() {
    let text = "@Mk moved >web-03 and (>web-04.eu), @mk. saw #sev2 on >10.0.0.5:8080; >web-03 @a.b-c_d!";
    let u = understood(text);
    assert_eq!(u.text, text);
    assert_eq!(u.mentions, ["mk", "a.b-c_d"]);
    assert_eq!(u.servers, ["web-03", "web-04.eu", "10.0.0.5:8080"]);
    assert_eq!((u.severity, u.warnings), (Some(Severity::Sev2), vec![]));
    for none in [
        "mail a@b.example",
        "p99 >500ms",
        "> quoted",
        "a>b",
        "->web",
        "@",
        "@x",
        "#sev",
        "#sevens",
        "x#sev1",
        "#SEV",
        "#sev2nd",
        "@ü1",
        "<b>web",
    ] {
        let u = understood(none);
        assert_eq!((u.severity, u.mentions.len(), u.servers.len(), u.warnings.len()), (None, 0, 0, 0), "{none:?}");
    }
    assert_eq!(understood("#SEV1, no: #sev3.").severity, Some(Severity::Sev3), "the last counts");
    assert_eq!(understood("#sev7").warnings, ["“#sev7” is no severity; there are #sev1 to #sev4"]);
}

#[test]
fn a_flood_of_marks_is_bounded() {
    let flood: String = (0..20_000).map(|n| format!("@u{n} >s{n} #sev{n} ")).collect();
    let u = understood(&flood);
    assert_eq!((u.mentions.len(), u.servers.len(), u.warnings.len()), (50, 50, 50));
    assert_eq!(u.text, flood.trim());
}

fn almost_a_line() -> impl Strategy<Value = String> {
    let parts = vec![
        "14:03",
        "-5m",
        "-1h",
        "30",
        ":",
        "+02:00",
        "-",
        "Z",
        " UTC",
        " ",
        " ",
        "yesterday ",
        "2026-11-20",
        "29 Feb ",
        "at ",
        "? ",
        "!",
        "todo:",
        "#sev2",
        "@mk",
        ">web-03",
        "pm",
        "99999999999",
        "\n",
        "−",
        "é",
        "🔥",
        "\u{0}",
        "９",
    ];
    prop::collection::vec(prop_oneof![6 => prop::sample::select(parts).prop_map(str::to_owned), 1 => any::<String>()], 0..8)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn no_word_is_ever_lost(line in prop_oneof![almost_a_line(), any::<String>()], now in 0_i64..4_000_000_000, offset in any::<i32>()) {
        let u = understand(&line, chrono::DateTime::from_timestamp(now, 0).expect("in range"), offset);
        let trimmed = line.trim();
        prop_assert!(trimmed.ends_with(&u.text));
        // Before the text stands only the time, a colon or comma, and one mark.
        let head = trimmed[..trimmed.len() - u.text.len()].strip_prefix(u.time_text.as_deref().unwrap_or("")).expect("the time leads");
        let head = head.strip_prefix([':', ',']).filter(|_| u.time_text.is_some()).unwrap_or(head).trim();
        prop_assert!(["", "?", "!"].contains(&head) || head.eq_ignore_ascii_case("todo:"), "{head:?}");
        prop_assert_eq!(u.time_text.is_some(), u.occurred_at.is_some());
        prop_assert!(u.utc_offset_minutes.abs() <= 14 * 60);
        prop_assert!(u.occurred_at.is_none_or(|at| at.timestamp() > -32_000_000));
    }
}
