//! Generic JSON, for scripts and for everything that can fill in a template.
//!
//! One object, an array of them, or `{"alerts": [...]}`, each with `title` or `dedup_key` and, if known,
//! `status severity description service group_key labels annotations links link url starts_at ends_at`.
//! Any other field that is a text, a number or a boolean is kept as an annotation.

use serde_json::Value;

use super::ParseError;
use super::alertmanager::each;
use super::fields::{self, Object};
use crate::domain::alert::{AlertLink, AlertReport, AlertSeverity, AlertStatus, Reports};
use crate::domain::time::Timestamp;

pub(super) fn parse(body: Value, received: Timestamp) -> Result<Reports, ParseError> {
    let (alerts, place) = match body {
        Value::Array(alerts) => (alerts, ""),
        Value::Object(mut body) => match body.remove("alerts") {
            Some(Value::Array(alerts)) => (alerts, "/alerts"),
            Some(other) => return Err(ParseError::at("/alerts", format!("{}, not an array", fields::kind(&other)))),
            None => return Ok(Reports { alerts: vec![read(&mut body, received, "")?], not_shown: 0 }),
        },
        other => {
            return Err(ParseError::at("", format!("{}; an object or an array of objects is expected", fields::kind(&other))));
        }
    };
    each(alerts, place, |alert, place| read(alert, received, place))
}

fn read(alert: &mut Object, received: Timestamp, place: &str) -> Result<AlertReport, ParseError> {
    let said_title = fields::take(alert, "title");
    let said_key = fields::take(alert, "dedup_key");
    let service = fields::line(&fields::take(alert, "service").unwrap_or_default());
    let (title, dedup_key) = match (said_title, said_key) {
        (Some(title), Some(key)) => (title, fields::key(&key)),
        (None, Some(key)) => (key.clone(), fields::key(&key)),
        (Some(title), None) if service.is_empty() => (title.clone(), fields::key(&title)),
        (Some(title), None) => (title.clone(), fields::key(&format!("{service}: {title}"))),
        (None, None) => return Err(ParseError::at(format!("{place}/title"), "missing; give the alert a title or a dedup_key")),
    };
    let group_key = match fields::take(alert, "group_key") {
        Some(key) => fields::key(&key),
        None if !service.is_empty() => service.clone(),
        None => dedup_key.clone(),
    };
    let status = match alert.remove("status") {
        None | Some(Value::Null) => AlertStatus::Firing,
        Some(Value::String(word)) if word.trim().is_empty() => AlertStatus::Firing,
        Some(Value::String(word)) => {
            fields::status(&word).ok_or_else(|| fields::unknown_status(&format!("{place}/status"), &word))?
        }
        Some(other) => {
            let detail = format!("{}, not a word; write firing, acknowledged or resolved", fields::kind(&other));
            return Err(ParseError::at(format!("{place}/status"), detail));
        }
    };
    let severity_raw = fields::line(&fields::take(alert, "severity").unwrap_or_default());
    let description = fields::long(fields::take(alert, "description").unwrap_or_default());
    let links = links(alert);
    let (starts_at, ends_at) = (alert.remove("starts_at"), alert.remove("ends_at"));

    let mut left_out = 0;
    let labels = fields::bounded(fields::take_texts(alert, "labels", place)?, &mut left_out);
    let mut annotations = fields::take_texts(alert, "annotations", place)?;
    let others = std::mem::take(alert).into_iter().filter_map(|(name, value)| Some((name, fields::scalar(value)?)));
    for (name, text) in others {
        annotations.entry(name).or_insert(text);
    }
    let mut annotations = fields::bounded(annotations, &mut left_out);
    if left_out > 0 {
        annotations.insert("left_out".to_owned(), left_out.to_string());
    }
    let started_at = fields::moment(starts_at, "starts_at", received, &mut annotations);
    let ended_at = fields::moment(ends_at, "ends_at", received, &mut annotations);
    Ok(AlertReport {
        dedup_key,
        group_key,
        status,
        title: fields::line(&title),
        description,
        severity: AlertSeverity::from_word(&severity_raw),
        severity_raw,
        service,
        labels,
        annotations,
        links,
        started_at,
        ended_at: ended_at.filter(|end| status == AlertStatus::Resolved || *end > received),
    })
}

/// `link` and `url` are one address each; `links` is a map of rel to address, or an array of addresses
/// or of `{rel, href}`.
fn links(alert: &mut Object) -> Vec<AlertLink> {
    /// Enough for one alert; the rest of a hostile list is not looked at.
    const LINKS_MAX: usize = 32;
    let mut links = Vec::new();
    for name in ["link", "url"] {
        fields::link(&mut links, "source", fields::take(alert, name).as_deref());
    }
    match alert.remove("links") {
        Some(Value::Object(map)) => {
            for (rel, href) in map.iter().take(LINKS_MAX) {
                fields::link(&mut links, rel, href.as_str());
            }
        }
        Some(Value::Array(list)) => {
            for member in list.iter().take(LINKS_MAX) {
                let rel = member.get("rel").and_then(Value::as_str).unwrap_or("source");
                fields::link(&mut links, rel, member.get("href").unwrap_or(member).as_str());
            }
        }
        Some(Value::String(href)) => fields::link(&mut links, "source", Some(&href)),
        _ => {}
    }
    links
}
