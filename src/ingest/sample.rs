//! A body of each source as it sends one when a shop fails: for trying out a hook before anything real came in.

use serde_json::{Value, json};

use crate::domain::integration::Format;
use crate::domain::time::{Timestamp, rfc3339};

/// JSON on several lines, of an alert that began at `began`.
pub fn sample(format: Format, began: Timestamp) -> String {
    let began = rfc3339(began);
    let body = match format {
        Format::Alertmanager => group(&began, json!({})),
        Format::Grafana => group(
            &began,
            json!({
                "dashboardURL": "https://grafana.example/d/shop", "panelURL": "https://grafana.example/d/shop?viewPanel=2",
                "silenceURL": "https://grafana.example/alerting/silence/new", "values": {"A": 0.12},
            }),
        ),
        Format::Generic => json!({
            "status": "firing", "title": "Shop answers 5xx", "dedup_key": "shop-5xx", "severity": "critical", "service": "shop",
            "description": "12 % of all requests failed in the last 5 minutes.", "starts_at": began,
            "labels": {"pool": "shop"}, "link": "https://monitoring.example/shop",
        }),
    };
    format!("{body:#}")
}

/// The webhook of Alertmanager, which Grafana's resembles; `more` stands in the alert beside its own fields.
fn group(began: &str, more: Value) -> Value {
    let labels = json!({"alertname": "ShopErrors", "service": "shop", "severity": "critical", "pool": "shop"});
    let mut alert = json!({
        "status": "firing", "labels": labels, "startsAt": began, "endsAt": "0001-01-01T00:00:00Z",
        "annotations": {
            "summary": "Shop answers 5xx", "description": "12 % of all requests failed in the last 5 minutes.",
            "runbook_url": "https://runbooks.example/shop",
        },
        "generatorURL": "https://prometheus.example/graph?g0.expr=shop", "fingerprint": "5a3f0c1e7b9d2468",
    });
    if let (Value::Object(alert), Value::Object(more)) = (&mut alert, more) {
        alert.extend(more);
    }
    let grouped = json!({"alertname": "ShopErrors", "service": "shop"});
    json!({
        "version": "4", "status": "firing", "receiver": "afterload", "groupLabels": grouped, "commonLabels": labels,
        "groupKey": "{}:{alertname=\"ShopErrors\", service=\"shop\"}", "truncatedAlerts": 0,
        "externalURL": "https://alerts.example", "alerts": [alert],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::{AlertSeverity, AlertStatus};

    #[test]
    fn each_sample_is_understood_whole_by_its_own_parser() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().expect("time");
        for format in Format::ALL {
            let reports = super::super::parse(*format, sample(*format, now).as_bytes(), now).expect("understood");
            let [alert] = reports.alerts.as_slice() else { panic!("{format:?}: {reports:?}") };
            assert_eq!((alert.status, alert.severity), (AlertStatus::Firing, AlertSeverity::Critical), "{format:?}");
            assert_eq!((alert.title.as_str(), alert.service.as_str()), ("Shop answers 5xx", "shop"), "{format:?}");
            assert_eq!((alert.started_at, alert.ended_at), (Some(now), None), "{format:?}");
            assert!(!alert.links.is_empty() && !alert.description.is_empty(), "{format:?}");
        }
    }
}
