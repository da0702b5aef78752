//! Real bodies, hostile bodies, and bodies that are both.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::alert::{AlertReport, AlertSeverity, AlertStatus};

const FORMATS: [Format; 3] = [Format::Alertmanager, Format::Grafana, Format::Generic];

fn at(text: &str) -> Timestamp {
    text.parse().expect("time")
}

fn received() -> Timestamp {
    at("2026-11-21T09:00:00Z")
}

fn read(format: Format, body: &Value) -> Reports {
    parse(format, body.to_string().as_bytes(), received()).expect("understood")
}

fn one(format: Format, body: &Value) -> AlertReport {
    let mut reports = read(format, body);
    assert_eq!(reports.alerts.len(), 1, "{body}");
    reports.alerts.remove(0)
}

fn refused(format: Format, body: &Value) -> String {
    parse(format, body.to_string().as_bytes(), received()).expect_err("accepted").to_string()
}

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/alerts/", $name))
    };
}

fn hrefs(report: &AlertReport) -> Vec<(&str, &str)> {
    report.links.iter().map(|link| (link.rel.as_str(), link.href.as_str())).collect()
}

#[test]
fn an_alertmanager_group_is_read_whole() {
    let reports = parse(Format::Alertmanager, fixture!("alertmanager_firing.json"), received()).expect("understood");
    assert_eq!((reports.alerts.len(), reports.not_shown), (2, 0));
    let first = &reports.alerts[0];
    assert_eq!(first.dedup_key, "703a0e72e8ee44e5");
    assert_eq!(first.group_key, r#"{alertname="InstanceDown", cluster="demo-eu1"}"#);
    assert_eq!(first.status, AlertStatus::Firing);
    assert_eq!(first.title, "Instance 127.0.0.1:18998 of checkout-api is down");
    assert_eq!(first.description, "127.0.0.1:18998 has not answered scrapes for more than 4 s (value 0).");
    assert_eq!((first.severity, first.severity_raw.as_str()), (AlertSeverity::Critical, "critical"));
    assert_eq!(first.service, "checkout-api");
    assert_eq!(first.labels["team"], "payments");
    assert_eq!(first.started_at, Some(at("2026-11-21T08:36:31.917Z")));
    assert_eq!(first.ended_at, None, "year 1 is no end");
    assert_eq!(
        hrefs(first),
        [
            ("runbook", "https://runbooks.example.com/InstanceDown"),
            ("source", "http://127.0.0.1:19090/graph?g0.expr=up+%3D%3D+0&g0.tab=1"),
            ("sender", "http://vm:19093"),
        ]
    );
}

#[test]
fn a_partial_resolve_follows_each_alert_and_not_the_group() {
    let reports = parse(Format::Alertmanager, fixture!("alertmanager_partially_resolved.json"), received()).expect("understood");
    let states: Vec<_> = reports.alerts.iter().map(|a| (a.dedup_key.as_str(), a.status, a.ended_at)).collect();
    let ended = Some(at("2026-11-21T08:38:37.917Z"));
    assert_eq!(states, [("703a0e72e8ee44e5", AlertStatus::Resolved, ended), ("03c7ace18218bd0e", AlertStatus::Firing, None)]);
    let all = parse(Format::Alertmanager, fixture!("alertmanager_resolved.json"), received()).expect("understood");
    assert!(all.alerts.iter().all(|a| a.status == AlertStatus::Resolved && a.ended_at.is_some()));
    assert!(all.alerts.iter().all(|a| a.group_key == reports.alerts[0].group_key), "the group is the same group");
}

#[test]
fn a_cut_group_says_how_many_are_not_shown() {
    let reports = parse(Format::Alertmanager, fixture!("alertmanager_truncated.json"), received()).expect("understood");
    assert_eq!((reports.alerts.len(), reports.not_shown), (2, 4));
    assert_eq!(hrefs(&reports.alerts[0]), [("sender", "http://vm:19093")], "an empty generatorURL is no link");
}

/// Prometheus and Alertmanager reported the same alerts in these captures, one with their fingerprints.
#[test]
fn a_missing_fingerprint_is_computed_as_alertmanager_computes_it() {
    for (body, status, key) in [
        (&fixture!("prometheus_api_v2_alerts_firing.json")[..], AlertStatus::Firing, "03c7ace18218bd0e"),
        (&fixture!("prometheus_api_v2_alerts_resolved.json")[..], AlertStatus::Resolved, "703a0e72e8ee44e5"),
    ] {
        let during = at("2026-11-21T08:42:30Z");
        let reports = parse(Format::Alertmanager, body, during).expect("understood");
        let alert = &reports.alerts[0];
        assert_eq!((alert.dedup_key.as_str(), alert.status), (key, status));
        assert_eq!(alert.group_key, r#"{alertname="InstanceDown"}"#);
    }
    let mut group: Value = serde_json::from_slice(fixture!("alertmanager_firing.json")).expect("json");
    for alert in group["alerts"].as_array_mut().expect("array") {
        let given = alert.as_object_mut().expect("object").remove("fingerprint").expect("given");
        let report = one(Format::Alertmanager, &json!([alert]));
        assert_eq!(given, report.dedup_key);
    }
}

#[test]
fn the_ingest_api_tells_resolved_by_an_end_that_is_over() {
    let firing = fixture!("vmalert_api_v2_alerts_firing.json");
    let lapses = at("2026-11-21T08:42:25.898177Z");
    let before = parse(Format::Alertmanager, firing, at("2026-11-21T08:42:18Z")).expect("understood");
    assert_eq!((before.alerts[0].status, before.alerts[0].ended_at), (AlertStatus::Firing, Some(lapses)));
    let after = parse(Format::Alertmanager, firing, lapses).expect("understood");
    assert_eq!((after.alerts[0].status, after.alerts[0].ended_at), (AlertStatus::Resolved, Some(lapses)));
    let resolved = parse(Format::Alertmanager, fixture!("vmalert_api_v2_alerts_resolved.json"), received()).expect("understood");
    assert_eq!(resolved.alerts.len(), 2);
    assert!(resolved.alerts.iter().all(|a| a.status == AlertStatus::Resolved));
}

#[test]
fn an_empty_label_is_no_label_and_a_firing_alert_has_not_ended() {
    let key = |labels: Value| one(Format::Alertmanager, &json!([{"labels": labels}])).dedup_key;
    assert_eq!(key(json!({"alertname": "a", "zone": ""})), key(json!({"alertname": "a"})));
    assert_ne!(key(json!({"alertname": "a", "zone": "b"})), key(json!({"alertname": "a"})));
    let alert = json!([{"labels": {"alertname": "a"}, "status": "firing", "endsAt": "2026-11-21T08:00:00Z"}]);
    assert_eq!(one(Format::Alertmanager, &alert).ended_at, None);
}

#[test]
fn an_address_too_long_to_keep_whole_is_no_link() {
    let links = |length: usize| {
        one(Format::Generic, &json!({"title": "t", "url": format!("https://x.example/{}", "a".repeat(length))})).links.len()
    };
    assert_eq!((links(8000), links(9000)), (1, 0));
}

#[test]
fn the_order_of_the_members_changes_nothing_but_the_order() {
    let mut body: Value = serde_json::from_slice(fixture!("alertmanager_partially_resolved.json")).expect("json");
    let straight = read(Format::Alertmanager, &body);
    body["alerts"].as_array_mut().expect("array").reverse();
    let mut shuffled = read(Format::Alertmanager, &body);
    shuffled.alerts.reverse();
    assert_eq!(straight, shuffled);
}

#[test]
fn the_incident_does_not_change_when_the_routing_tree_does() {
    let mut body: Value = serde_json::from_slice(fixture!("alertmanager_firing.json")).expect("json");
    let before = read(Format::Alertmanager, &body).alerts[0].group_key.clone();
    body["groupKey"] = json!("{}/{team=\"payments\"}/{severity=\"critical\"}:{alertname=\"InstanceDown\"}");
    body["receiver"] = json!("renamed");
    assert_eq!(read(Format::Alertmanager, &body).alerts[0].group_key, before);
    // Without group labels: the name, then the sender's key, then the alert alone.
    body["groupLabels"] = json!({});
    assert_eq!(read(Format::Alertmanager, &body).alerts[0].group_key, r#"{alertname="InstanceDown"}"#);
    body["alerts"][0]["labels"] = json!({"job": "x"});
    assert!(read(Format::Alertmanager, &body).alerts[0].group_key.starts_with("{}/{team="));
    body.as_object_mut().expect("object").remove("groupKey");
    assert_eq!(read(Format::Alertmanager, &body).alerts[0].group_key, "703a0e72e8ee44e5");
}

#[test]
fn a_template_may_leave_everything_out_but_the_alerts() {
    let report = one(Format::Alertmanager, &json!({"alerts": [{"labels": {"alertname": "Disk", "instance": "db-1", "n": 3}}]}));
    assert_eq!((report.title.as_str(), report.status), ("Disk on db-1", AlertStatus::Firing));
    assert_eq!((report.severity, report.labels["n"].as_str()), (AlertSeverity::Unknown, "3"));
    assert!(read(Format::Alertmanager, &json!({"alerts": [], "version": "99"})).alerts.is_empty());
}

#[test]
fn wrong_shapes_are_refused_at_their_place() {
    let am = |body: Value| refused(Format::Alertmanager, &body);
    assert_eq!(am(json!({"status": "firing"})), "/alerts: missing; an array of alerts is expected");
    assert_eq!(am(json!({"alerts": {}})), "/alerts: an object, not an array");
    assert_eq!(am(json!({"alerts": [{"labels": {"a": "b"}}, 7]})), "/alerts/1: a number, not an object");
    assert_eq!(am(json!([{"labels": ["a"]}])), "/0/labels: an array, not an object");
    assert!(am(json!([{"annotations": {}}])).starts_with("/0/labels: missing"));
    assert!(am(json!({"alerts": [{"labels": {"a": "b"}, "status": "on fire"}]})).starts_with("/alerts/0/status: “on fire”"));
    assert!(am(json!("hello")).starts_with("the body: a text"));
    let generic = |body: Value| refused(Format::Generic, &body);
    assert!(generic(json!({})).starts_with("/title: missing"));
    assert!(generic(json!({"title": "  ", "dedup_key": null})).starts_with("/title: missing"));
    assert!(generic(json!([{"title": "x"}, {"status": "up"}])).starts_with("/1/title: missing"));
    assert!(generic(json!({"title": "x", "status": "meh"})).starts_with("/status: “meh” is no status"));
    assert!(generic(json!({"title": "x", "status": 1})).starts_with("/status: a number"));
    assert!(generic(json!({"alerts": 1})).starts_with("/alerts: a number"));
    assert!(generic(json!(null)).starts_with("the body: null"));
    assert!(refused(Format::Grafana, &json!({"ruleId": 1})).starts_with("/state: missing"));
}

#[test]
fn what_is_not_json_is_refused_with_line_and_column() {
    let deep = "[".repeat(1000) + &"]".repeat(1000);
    for (body, place, detail) in [
        (&b""[..], "", "empty"),
        (b" \n\t ", "", "empty"),
        (b"{\"a\": 1,\n  oops}", "line 2 column 3", "not JSON"),
        (b"payload=%7B%7D", "line 1 column 1", "not JSON"),
        (b"{\"a\":1}{\"b\":2}", "line 1 column 8", "not JSON: trailing characters"),
        (b"{\"a\":\n \"\xff\"}", "line 2 column 3", "not UTF-8"),
        (b"\"\\ud800\"", "line 1 column 8", "not JSON"),
        (deep.as_bytes(), "line 1 column 128", "not JSON: recursion limit exceeded"),
        (fixture!("haproxy_email_alerts.txt"), "line 1 column", "not JSON"),
    ] {
        for format in FORMATS {
            let error = parse(format, body, received()).expect_err("accepted");
            assert!(error.place.starts_with(place), "{error}");
            assert!(error.detail.starts_with(detail), "{error}");
        }
    }
    assert_eq!(
        parse(Format::Alertmanager, b"\xef\xbb\xbf[]", received()),
        Ok(Reports::default()),
        "a byte order mark is no fault"
    );
}

#[test]
fn grafana_is_alertmanager_with_more_links_and_values() {
    let firing = parse(Format::Grafana, fixture!("grafana_webhook_firing.json"), received()).expect("understood");
    let alert = &firing.alerts[0];
    assert_eq!((alert.dedup_key.as_str(), alert.status), ("c6eadffa33fcdf37", AlertStatus::Firing));
    assert_eq!(alert.started_at, Some(at("2026-11-21T08:41:10Z")), "the zone offset is heeded");
    assert_eq!((alert.title.as_str(), alert.service.as_str()), ("5xx ratio above 5% on checkout", "checkout"));
    assert_eq!(alert.annotations["values"], "B=0.0713, C=1");
    let rels: Vec<_> = alert.links.iter().map(|link| link.rel.as_str()).collect();
    assert_eq!(rels, ["runbook", "source", "sender", "dashboard", "panel", "silence"]);
    let resolved = parse(Format::Grafana, fixture!("grafana_webhook_resolved.json"), received()).expect("understood");
    assert_eq!(
        (resolved.alerts[0].status, resolved.alerts[0].ended_at),
        (AlertStatus::Resolved, Some(at("2026-11-21T08:52:40Z")))
    );
    assert_eq!(resolved.alerts[0].dedup_key, alert.dedup_key);
    assert!(!resolved.alerts[0].annotations.contains_key("values"));
}

#[test]
fn grafana_says_when_a_rule_has_no_data() {
    let labels = |name: &str| json!({"alerts": [{"status": "firing", "fingerprint": "f", "labels": {"alertname": name, "rulename": "High error rate"}}]});
    assert_eq!(one(Format::Grafana, &labels("DatasourceNoData")).title, "No data: High error rate");
    assert_eq!(one(Format::Grafana, &labels("DatasourceError")).title, "Rule cannot be evaluated: High error rate");
}

#[test]
fn grafana_8_and_templates_are_read_too() {
    let old = |state: &str| {
        json!({"ruleId": 12, "ruleName": "Slow checkout", "ruleUrl": "http://grafana/d/1", "imageUrl": "javascript:alert(1)", "state": state,
            "message": "p99 is high", "tags": {"severity": "warning", "app": "checkout"}, "title": "[Alerting] Slow checkout",
            "evalMatches": [{"metric": "p99", "value": 7.1, "tags": null}, {"metric": "p50", "value": 1}]})
    };
    let firing = one(Format::Grafana, &old("alerting"));
    assert_eq!(
        (firing.dedup_key.as_str(), firing.status, firing.title.as_str()),
        ("rule-12", AlertStatus::Firing, "Slow checkout")
    );
    assert_eq!((firing.severity, firing.service.as_str()), (AlertSeverity::Medium, "checkout"));
    assert_eq!(firing.annotations["values"], "p99=7.1, p50=1");
    assert_eq!(hrefs(&firing), [("source", "http://grafana/d/1")], "only http and https are links");
    assert_eq!(one(Format::Grafana, &old("no_data")).title, "No data: Slow checkout");
    assert_eq!(one(Format::Grafana, &old("ok")).status, AlertStatus::Resolved);
    for state in ["paused", "pending"] {
        assert_eq!(read(Format::Grafana, &old(state)), Reports::default(), "{state} is neither firing nor resolved");
    }
    assert_eq!(one(Format::Grafana, &json!({"title": "made by a template", "status": "ok"})).status, AlertStatus::Resolved);
}

#[test]
fn generic_json_needs_a_title_or_a_key_and_nothing_else() {
    let bare = one(Format::Generic, &json!({"title": "Checkout 🔥 slow\nsince noon"}));
    assert_eq!((bare.title.as_str(), bare.status), ("Checkout 🔥 slow since noon", AlertStatus::Firing));
    assert_eq!((bare.group_key.as_str(), bare.started_at), (bare.dedup_key.as_str(), None));
    assert_eq!(one(Format::Generic, &json!({"dedup_key": 42})).title, "42");
    let full = one(
        Format::Generic,
        &json!({"status": "PROBLEM", "title": "t", "dedup_key": "k", "severity": "P2", "description": "d", "service": "checkout",
            "group_key": "g", "labels": {"zone": "eu", "n": 1, "deep": {"a": [1]}, "none": null}, "annotations": {"note": "mine"},
            "note": "other", "host": "web-03", "count": 7, "ignored": [1],
            "link": "https://a.example", "url": "ftp://no.example", "links": [{"rel": "runbook", "href": "https://r.example"}, "https://a.example"],
            "starts_at": 1_795_250_191, "ends_at": "2026-11-21T08:36:31+0000"}),
    );
    assert_eq!((full.dedup_key.as_str(), full.group_key.as_str(), full.service.as_str()), ("k", "g", "checkout"));
    assert_eq!((full.status, full.severity), (AlertStatus::Firing, AlertSeverity::High));
    assert_eq!(full.labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(), ["deep={\"a\":[1]}", "n=1", "zone=eu"]);
    assert_eq!(
        full.annotations.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(),
        ["count=7", "host=web-03", "note=mine"]
    );
    assert_eq!(hrefs(&full), [("source", "https://a.example"), ("runbook", "https://r.example")]);
    assert_eq!(full.started_at, Some(at("2026-11-21T08:36:31Z")));
    assert_eq!(full.ended_at, None, "a firing alert has no end in the past");
}

#[test]
fn generic_status_words() {
    for (status, words) in [
        (AlertStatus::Firing, "firing alert alerting problem down open triggered critical"),
        (AlertStatus::Resolved, "resolved ok up recovery closed"),
        (AlertStatus::Acknowledged, "acknowledged"),
    ] {
        for word in words.split(' ') {
            for word in [word.to_owned(), word.to_uppercase(), format!(" {word} ")] {
                assert_eq!(one(Format::Generic, &json!({"title": "t", "status": word})).status, status, "{word}");
            }
        }
    }
}

#[test]
fn a_resolve_finds_the_alert_that_it_ends() {
    let fire = one(Format::Generic, &json!({"title": "t", "service": "s", "severity": "high"}));
    let end = one(Format::Generic, &json!({"title": "t", "service": "s", "status": "ok"}));
    assert_eq!((fire.dedup_key.as_str(), fire.group_key.as_str()), ("s: t", "s"));
    assert_eq!((fire.dedup_key, fire.group_key), (end.dedup_key, end.group_key));
}

#[test]
fn a_time_that_cannot_be_used_is_kept_as_written() {
    for (raw, note) in [
        (json!("2026-11-21 08:36:31"), "has no zone; write it like 2026-11-21T14:03:00Z"),
        (json!("noon"), "not a time"),
        (json!("1999-01-01T00:00:00Z"), "before the year 2000 or more than a day ahead"),
        (json!("2031-01-01T00:00:00Z"), "before the year 2000 or more than a day ahead"),
    ] {
        let report = one(Format::Generic, &json!({"title": "t", "starts_at": raw}));
        assert_eq!(report.started_at, None);
        assert_eq!(report.annotations["starts_at_raw"], raw.as_str().expect("text"));
        assert_eq!(report.annotations["starts_at_note"], note);
    }
}

#[test]
fn hostile_labels_are_made_safe_and_bounded() {
    let long = "é".repeat(600_000);
    let mut labels: serde_json::Map<String, Value> = (0..1000).map(|n| (format!("zz{n:04}"), json!("x"))).collect();
    labels.insert("alertname".into(), json!("nul\0 esc\u{1b}[31m\u{7f}\u{9b}"));
    labels.insert("big".into(), json!(long));
    labels.insert("name\0\n".repeat(100), json!("v"));
    labels.insert("zz_service".into(), json!("late"));
    labels.insert("service".into(), json!("checkout"));
    let body = json!([{"labels": labels, "annotations": {"description": "one\r\ntwo\tthree", "runbook_url": "https://ok.example/\u{0}"}}]);
    let report = one(Format::Alertmanager, &body);
    assert_eq!(report.title, "nul\u{fffd} esc\u{fffd}[31m\u{fffd}\u{fffd}");
    assert_eq!(report.description, "one\ntwo\tthree");
    assert_eq!(report.labels.len(), 128);
    assert_eq!(report.annotations["left_out"], (1005 - 128).to_string());
    assert!(report.labels["big"].len() <= 64 * 1024 && report.labels["big"].ends_with("é…"));
    assert!(report.labels.keys().all(|name| name.len() <= 256));
    assert!(report.links.is_empty());
    assert_eq!(report.service, "checkout");
    let title = one(Format::Generic, &json!({"title": "🔥".repeat(100_000)})).title;
    assert_eq!(title.chars().count(), 201);
}

#[test]
fn a_long_key_is_hashed_and_stays_apart_from_its_like() {
    let key = |end: &str| one(Format::Generic, &json!({"dedup_key": format!("web-{}{end}", "ü".repeat(10_000))})).dedup_key;
    assert!(key("a").starts_with("web-ü") && key("a").len() <= 512, "{}", key("a"));
    assert_eq!(key("a"), key("a"));
    assert_ne!(key("a"), key("b"));
    assert_eq!(one(Format::Generic, &json!({"dedup_key": "k".repeat(512)})).dedup_key, "k".repeat(512));
    let nul = |text: &str| one(Format::Generic, &json!({"dedup_key": text})).dedup_key;
    assert!(!nul("a\0").contains('\0'));
    assert_ne!(nul("a\0"), nul("a\u{1}"));
}

#[test]
fn of_one_key_twice_in_a_body_the_last_wins() {
    let body = json!([
        {"dedup_key": "a", "title": "first"},
        {"dedup_key": "b", "title": "between"},
        {"dedup_key": "a", "title": "last", "status": "ok"}
    ]);
    let said: Vec<_> = read(Format::Generic, &body).alerts.into_iter().map(|a| (a.title, a.status)).collect();
    assert_eq!(said, [("last".to_owned(), AlertStatus::Resolved), ("between".to_owned(), AlertStatus::Firing)]);
}

#[test]
fn ten_thousand_alerts_in_one_body_are_all_read() {
    let sample: Value = serde_json::from_slice(fixture!("alertmanager_firing.json")).expect("json");
    let alerts: Vec<Value> = (0..10_000)
        .map(|n| {
            let mut alert = sample["alerts"][0].clone();
            alert["labels"]["instance"] = json!(format!("10.0.{}.{}:9100", n / 256, n % 256));
            alert.as_object_mut().expect("object").remove("fingerprint");
            alert
        })
        .collect();
    let body = json!({"alerts": alerts, "groupLabels": {"alertname": "InstanceDown"}}).to_string();
    assert!(body.len() > 4_500_000, "{}", body.len());
    let reports = parse(Format::Alertmanager, body.as_bytes(), received()).expect("understood");
    assert_eq!(reports.alerts.len(), 10_000);
}

/// JSON that is often nearly right: known names beside made-up ones, values of every kind.
fn nearly() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|b| json!(b)),
        any::<i64>().prop_map(|n| json!(n)),
        any::<f64>().prop_map(|n| json!(n)),
        any::<String>().prop_map(|s| json!(s)),
        prop::sample::select(vec!["firing", "ok", "0001-01-01T00:00:00Z", "2026-11-21T08:00:00+01:00", "https://x.example"])
            .prop_map(|s| json!(s)),
    ];
    let name = prop_oneof![
        4 => prop::sample::select(vec!["alerts", "labels", "annotations", "status", "title", "dedup_key", "fingerprint", "startsAt", "endsAt",
            "starts_at", "ends_at", "groupLabels", "groupKey", "truncatedAlerts", "values", "ruleId", "state", "evalMatches", "links", "link",
            "summary", "alertname", "severity", "service", "tags"]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    leaf.prop_recursive(5, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::hash_map(name.clone(), inner, 0..8).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn storable(text: &str) -> bool {
    !text.contains('\0') && text.len() <= 64 * 1024
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..400)) {
        for format in FORMATS {
            let _ = parse(format, &body, received());
        }
    }

    #[test]
    fn arbitrary_json_is_refused_or_gives_what_can_be_stored(body in nearly()) {
        for format in FORMATS {
            let Ok(reports) = parse(format, body.to_string().as_bytes(), received()) else { continue };
            for alert in reports.alerts {
                prop_assert!(!alert.dedup_key.is_empty() && alert.dedup_key.len() <= 512 && storable(&alert.dedup_key));
                prop_assert!(!alert.group_key.is_empty() && alert.group_key.len() <= 512 && storable(&alert.group_key));
                prop_assert!(!alert.title.trim().is_empty() && !alert.title.chars().any(char::is_control));
                prop_assert!(storable(&alert.description) && storable(&alert.service) && storable(&alert.severity_raw));
                prop_assert!(alert.labels.iter().chain(&alert.annotations).all(|(name, text)| storable(name) && storable(text)));
            }
        }
    }
}
