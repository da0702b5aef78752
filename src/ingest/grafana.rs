//! Grafana alerting: the contact point "webhook" (`"version": "1"`), and the body of Grafana 8 and older.
//!
//! Source: Grafana's "webhook notifier" page and grafana/alerting's `ExtendedAlert`. The first is
//! Alertmanager's shape with more fields. A body that a payload template made, with neither `alerts` nor
//! `ruleId`, is read as generic JSON.

use serde_json::Value;

use super::ParseError;
use super::fields::{self, Object, Texts};
use super::{alertmanager, generic};
use crate::domain::alert::{AlertReport, AlertSeverity, AlertStatus, Reports};
use crate::domain::time::Timestamp;

pub(super) fn parse(body: Value, received: Timestamp) -> Result<Reports, ParseError> {
    match body {
        Value::Object(mut body) if body.contains_key("alerts") => {
            let (alerts, group, not_shown) = alertmanager::group(&mut body)?;
            let reports = alertmanager::each(alerts, "/alerts", |alert, place| {
                let report = alertmanager::read(alert, &group, received, place)?;
                Ok(with_extras(report, alert))
            })?;
            Ok(Reports { not_shown, ..reports })
        }
        Value::Object(body) if body.contains_key("ruleId") => before_version_9(body),
        other => generic::parse(other, received),
    }
}

/// What Grafana says beyond Alertmanager's fields.
fn with_extras(mut report: AlertReport, alert: &mut Object) -> AlertReport {
    for (name, rel) in [("dashboardURL", "dashboard"), ("panelURL", "panel"), ("silenceURL", "silence"), ("imageURL", "image")] {
        fields::link(&mut report.links, rel, fields::take(alert, name).as_deref());
    }
    // Grafana names the alerts about its own rule's trouble itself; the rule is a label of theirs.
    let prefix = match report.labels.get("alertname").map(String::as_str) {
        Some("DatasourceNoData") => Some("No data"),
        Some("DatasourceError") => Some("Rule cannot be evaluated"),
        _ => None,
    };
    if let Some(prefix) = prefix {
        let rule = fields::first(&report.labels, &["rulename"]).unwrap_or(&report.title);
        report.title = fields::line(&format!("{prefix}: {rule}"));
    }
    let values = match alert.remove("values") {
        Some(Value::Object(values)) => {
            values.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
        }
        _ => fields::take(alert, "valueString").unwrap_or_default(),
    };
    if !values.is_empty() {
        report.annotations.insert("values".to_owned(), fields::long(values));
    }
    report
}

/// `{ruleId, ruleName, ruleUrl, state, message, tags, evalMatches}`. It gives no times. A rule that is
/// `paused` or `pending` is neither firing nor resolved, and reports nothing.
fn before_version_9(mut body: Object) -> Result<Reports, ParseError> {
    let rule =
        fields::take(&mut body, "ruleId").ok_or_else(|| ParseError::at("/ruleId", "empty; the rule's number is expected"))?;
    let said = fields::take(&mut body, "state").ok_or_else(|| ParseError::at("/state", "missing; such as alerting or ok"))?;
    if matches!(said.as_str(), "paused" | "pending" | "unknown") {
        return Ok(Reports::default());
    }
    let status = fields::status(&said).ok_or_else(|| fields::unknown_status("/state", &said))?;
    let name = fields::take(&mut body, "ruleName").or_else(|| fields::take(&mut body, "title"));
    let name = name.unwrap_or_else(|| format!("Rule {rule}"));
    let labels = fields::take_texts(&mut body, "tags", "")?;
    let mut links = Vec::new();
    fields::link(&mut links, "source", fields::take(&mut body, "ruleUrl").as_deref());
    fields::link(&mut links, "image", fields::take(&mut body, "imageUrl").as_deref());
    let severity_raw = fields::line(fields::first(&labels, &["severity"]).unwrap_or_default());
    let service = fields::line(fields::first(&labels, &["service", "job", "app", "backend", "proxy"]).unwrap_or_default());
    let dedup_key = fields::key(&format!("rule-{rule}"));
    let mut annotations = Texts::new();
    if let Some(values) = matches(body.remove("evalMatches")) {
        annotations.insert("values".to_owned(), fields::long(values));
    }
    let title = if status == AlertStatus::Firing && said.starts_with("no") { format!("No data: {name}") } else { name };
    let report = AlertReport {
        group_key: dedup_key.clone(),
        dedup_key,
        status,
        title: fields::line(&title),
        description: fields::long(fields::take(&mut body, "message").unwrap_or_default()),
        severity: AlertSeverity::from_word(&severity_raw),
        severity_raw,
        service,
        labels: fields::bounded(labels, &mut 0),
        annotations,
        links,
        started_at: None,
        ended_at: None,
    };
    Ok(Reports { alerts: vec![report], not_shown: 0 })
}

/// `requests=7.1, errors=3` of `[{metric, value, tags}]`.
fn matches(value: Option<Value>) -> Option<String> {
    let Some(Value::Array(matches)) = value else { return None };
    let said: Vec<String> =
        matches.iter().filter_map(|m| Some(format!("{}={}", m.get("metric")?.as_str()?, m.get("value")?))).collect();
    Some(said.join(", ")).filter(|said| !said.is_empty())
}
