//! Prometheus Alertmanager: the webhook (`"version": "4"`), and the bare array that Prometheus, vmalert
//! and the rulers of Loki and Mimir post to `/api/v2/alerts`.
//!
//! Source: Alertmanager's `notify/webhook` and `template.Data`; the fingerprint is `LabelSet.Fingerprint`
//! of prometheus/common. An operator may replace the body by a template, so that only `alerts` is needed.

use serde_json::Value;

use super::ParseError;
use super::fields::{self, Object, Texts};
use crate::domain::alert::{AlertReport, AlertSeverity, AlertStatus, Reports};
use crate::domain::time::Timestamp;

pub(super) fn parse(body: Value, received: Timestamp) -> Result<Reports, ParseError> {
    match body {
        Value::Array(alerts) => each(alerts, "", |alert, place| read(alert, &Group::default(), received, place)),
        Value::Object(mut body) => {
            let (alerts, group, not_shown) = group(&mut body)?;
            let reports = each(alerts, "/alerts", |alert, place| read(alert, &group, received, place))?;
            Ok(Reports { not_shown, ..reports })
        }
        other => Err(ParseError::at(
            "",
            format!("{}; an object with `alerts`, or an array of alerts, is expected", fields::kind(&other)),
        )),
    }
}

/// What the envelope says for all its alerts.
#[derive(Default)]
pub(super) struct Group {
    /// Empty when the sender groups by nothing.
    labels: Texts,
    /// Changes whenever the routing tree is edited, so it is only a last resort.
    key: Option<String>,
    external_url: Option<String>,
}

/// Takes the envelope apart: the alerts, what is said for all of them, and how many were left out.
pub(super) fn group(body: &mut Object) -> Result<(Vec<Value>, Group, u64), ParseError> {
    let alerts = match body.remove("alerts") {
        Some(Value::Array(alerts)) => alerts,
        None | Some(Value::Null) => return Err(ParseError::at("/alerts", "missing; an array of alerts is expected")),
        Some(other) => return Err(ParseError::at("/alerts", format!("{}, not an array", fields::kind(&other)))),
    };
    let group = Group {
        labels: fields::take_texts(body, "groupLabels", "")?,
        key: fields::take(body, "groupKey"),
        external_url: fields::take(body, "externalURL"),
    };
    let not_shown = fields::take(body, "truncatedAlerts").and_then(|count| count.parse().ok()).unwrap_or(0);
    Ok((alerts, group, not_shown))
}

/// Reads each member of an array that must hold objects.
pub(super) fn each(
    alerts: Vec<Value>,
    place: &str,
    read: impl Fn(&mut Object, &str) -> Result<AlertReport, ParseError>,
) -> Result<Reports, ParseError> {
    let read_one = |(index, alert): (usize, Value)| {
        let place = format!("{place}/{index}");
        match alert {
            Value::Object(mut alert) => read(&mut alert, &place),
            other => Err(ParseError::at(place, format!("{}, not an object", fields::kind(&other)))),
        }
    };
    let alerts = alerts.into_iter().enumerate().map(read_one).collect::<Result<_, _>>()?;
    Ok(Reports { alerts, not_shown: 0 })
}

/// Reads one alert and leaves what it does not know in `alert`.
pub(super) fn read(alert: &mut Object, group: &Group, received: Timestamp, place: &str) -> Result<AlertReport, ParseError> {
    let labels = fields::take_texts(alert, "labels", place)?;
    let mut annotations = fields::take_texts(alert, "annotations", place)?;
    let dedup_key = match fields::take(alert, "fingerprint") {
        Some(fingerprint) => fields::key(&fingerprint),
        None if labels.is_empty() => {
            return Err(ParseError::at(
                format!("{place}/labels"),
                "missing; an alert needs labels or a fingerprint to be told apart",
            ));
        }
        None => fingerprint(&labels),
    };

    let mut links = Vec::new();
    fields::link(&mut links, "runbook", fields::first(&annotations, &["runbook_url", "runbook"]));
    fields::link(&mut links, "dashboard", fields::first(&annotations, &["dashboard_url", "dashboard"]));
    fields::link(&mut links, "source", fields::take(alert, "generatorURL").as_deref());
    fields::link(&mut links, "sender", group.external_url.as_deref());

    let title = title(&labels, &annotations).unwrap_or_else(|| format!("Alert {dedup_key}"));
    let description = fields::first(&annotations, &["description", "message"]).unwrap_or_default().to_owned();
    let severity_raw = fields::line(fields::first(&labels, &["severity"]).unwrap_or_default());
    let service = fields::line(fields::first(&labels, &["service", "job", "app", "backend", "proxy"]).unwrap_or_default());
    let group_key = group_key(group, &labels, &dedup_key);

    let mut left_out = 0;
    let labels = fields::bounded(labels, &mut left_out);
    annotations = fields::bounded(annotations, &mut left_out);
    if left_out > 0 {
        annotations.insert("left_out".to_owned(), left_out.to_string());
    }
    let started_at = fields::moment(alert.remove("startsAt"), "starts_at", received, &mut annotations);
    let ended_at = fields::moment(alert.remove("endsAt"), "ends_at", received, &mut annotations);
    let status = status(alert.remove("status"), ended_at, received, place)?;
    Ok(AlertReport {
        dedup_key,
        group_key,
        status,
        title: fields::line(&title),
        description: fields::long(description),
        severity: AlertSeverity::from_word(&severity_raw),
        severity_raw,
        service,
        labels,
        annotations,
        links,
        started_at,
        // A firing alert that has ended is a contradiction, and the status is what the sender says outright.
        ended_at: ended_at.filter(|end| status == AlertStatus::Resolved || *end > received),
    })
}

/// The alert's own status, never the group's: a group fires while any member does. `/api/v2/alerts` has
/// none and means "resolved" by an end that is over.
fn status(said: Option<Value>, ended_at: Option<Timestamp>, received: Timestamp, place: &str) -> Result<AlertStatus, ParseError> {
    match said {
        Some(Value::String(word)) => {
            fields::status(&word).ok_or_else(|| fields::unknown_status(&format!("{place}/status"), &word))
        }
        _ if ended_at.is_some_and(|end| end <= received) => Ok(AlertStatus::Resolved),
        _ => Ok(AlertStatus::Firing),
    }
}

fn title(labels: &Texts, annotations: &Texts) -> Option<String> {
    if let Some(summary) = fields::first(annotations, &["summary"]) {
        return Some(summary.to_owned());
    }
    let name = fields::first(labels, &["alertname"])?;
    Some(match fields::first(labels, &["instance"]) {
        Some(instance) => format!("{name} on {instance}"),
        None => name.to_owned(),
    })
}

/// A text that stays the same while the routing tree is edited: the sorted group labels, else the
/// alert's name, else the sender's key, else the alert alone.
fn group_key(group: &Group, labels: &Texts, dedup_key: &str) -> String {
    let pairs = |texts: &mut dyn Iterator<Item = (&String, &String)>| {
        let pairs: Vec<String> = texts.map(|(name, text)| format!("{name}={text:?}")).collect();
        format!("{{{}}}", pairs.join(", "))
    };
    if !group.labels.is_empty() {
        return fields::key(&pairs(&mut group.labels.iter()));
    }
    match (labels.get_key_value("alertname"), &group.key) {
        (Some(name), _) => fields::key(&pairs(&mut std::iter::once(name))),
        (None, Some(key)) => fields::key(key),
        (None, None) => dedup_key.to_owned(),
    }
}

/// FNV-1a over the sorted labels, each name and value closed by the byte 255, as 16 hex digits. An empty
/// label is no label.
fn fingerprint(labels: &Texts) -> String {
    const PRIME: u64 = 1_099_511_628_211;
    let mut sum: u64 = 14_695_981_039_346_656_037;
    for (name, text) in labels.iter().filter(|(_, text)| !text.is_empty()) {
        for byte in name.bytes().chain([255]).chain(text.bytes()).chain([255]) {
            sum = (sum ^ u64::from(byte)).wrapping_mul(PRIME);
        }
    }
    format!("{sum:016x}")
}
