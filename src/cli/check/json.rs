//! Findings for programs. The shape is described in docs/check.md: fields are added, none is renamed or taken away.

use std::collections::BTreeMap;

use serde::Serialize;

use super::report::{Outcome, Report, SEVERITIES};
use crate::balancer::audit::{self, Numbers, Severity};
use crate::balancer::change::Change;
use crate::balancer::model::Gravity;
use crate::balancer::source::Place;
use crate::domain::balancer::BalancerKind;

/// Grows when a field changes its meaning.
const SHAPE: u32 = 1;

#[derive(Serialize)]
struct Whole<'a> {
    shape: u32,
    afterload: &'static str,
    result: &'static str,
    exit: u8,
    fail_on: Severity,
    kind: BalancerKind,
    version: Option<&'a str>,
    files: &'a [String],
    counts: BTreeMap<&'static str, usize>,
    findings: Vec<Found<'a>>,
    notices: Vec<Noticed<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<Changed<'a>>>,
}

#[derive(Serialize)]
struct Found<'a> {
    /// The same for the same trouble in later configs, wherever its lines move to.
    id: String,
    rule: &'a str,
    severity: Severity,
    /// Whether it is at or above the bar.
    counts: bool,
    title: &'a str,
    message: &'a str,
    remedy: &'a str,
    pool: Option<&'a str>,
    server: Option<&'a str>,
    subject: Option<&'a str>,
    numbers: &'a Numbers,
    places: Vec<Spot<'a>>,
}

#[derive(Serialize)]
struct Noticed<'a> {
    gravity: Gravity,
    text: &'a str,
    place: Option<Spot<'a>>,
}

#[derive(Serialize)]
struct Changed<'a> {
    kind: crate::balancer::change::ChangeKind,
    sentence: &'a str,
    pool: Option<&'a str>,
    listener: Option<&'a str>,
    servers: &'a [String],
    lost_percent: f64,
}

#[derive(Serialize)]
struct Spot<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_column: Option<usize>,
    raw: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    when: Option<&'a str>,
}

pub fn render(report: &Report) -> String {
    let findings = report.findings.iter().map(|finding| Found {
        id: finding.identity(),
        rule: finding.rule,
        severity: finding.severity,
        counts: report.counts(finding),
        title: audit::rule(finding.rule).map_or("", |rule| rule.title),
        message: &finding.message,
        remedy: &finding.remedy,
        pool: finding.pool.as_deref(),
        server: finding.server.as_deref(),
        subject: finding.subject.as_deref(),
        numbers: &finding.numbers,
        places: finding.places.iter().filter_map(|place| spot(report, place)).collect(),
    });
    let notices = report.model.notices.iter();
    let notices = notices.map(|n| Noticed { gravity: n.gravity, text: &n.text, place: spot(report, &n.place) });
    let outcome = report.outcome();
    let whole = Whole {
        shape: SHAPE,
        afterload: env!("CARGO_PKG_VERSION"),
        result: outcome.word(),
        exit: outcome.exit(),
        fail_on: report.bar,
        kind: report.model.kind,
        version: report.model.version.as_deref(),
        files: &report.model.files,
        counts: SEVERITIES.into_iter().map(|severity| (severity.said(), report.count(severity))).collect(),
        findings: findings.collect(),
        notices: notices.collect(),
        changes: report.changes.as_ref().map(|changes| changes.iter().map(changed).collect()),
    };
    serde_json::to_string_pretty(&whole).expect("text, numbers and lists can be written") + "\n"
}

/// For a config that could not be read at all.
pub fn refusal(why: &str) -> String {
    let whole = serde_json::json!({
        "shape": SHAPE,
        "afterload": env!("CARGO_PKG_VERSION"),
        "result": Outcome::Refused.word(),
        "exit": Outcome::Refused.exit(),
        "error": why,
    });
    format!("{whole:#}\n")
}

fn spot<'a>(report: &'a Report, place: &'a Place) -> Option<Spot<'a>> {
    let source = report.source(place)?;
    let region = report.region(place);
    Some(Spot {
        file: &source.name,
        line: place.line(),
        column: place.column(),
        end_line: region.map(|region| region.end_line),
        end_column: region.map(|region| region.end_column),
        raw: place.raw(),
        when: place.when(),
    })
}

fn changed(change: &Change) -> Changed<'_> {
    Changed {
        kind: change.kind,
        sentence: &change.sentence,
        pool: change.pool.as_deref(),
        listener: change.listener.as_deref(),
        servers: &change.servers,
        lost_percent: change.lost_percent,
    }
}
