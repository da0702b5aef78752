//! Findings as SARIF 2.1.0 (OASIS), the format that code scanning of GitHub, GitLab and Azure DevOps takes.
//!
//! Written out here rather than with the serde-sarif crate: that one makes its types from the schema at build time and
//! brings a dozen crates for the thirty fields that are used. A test holds the output against the published schema.

use std::collections::HashMap;
use std::path::{Component, Path};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::report::{Outcome, Report};
use crate::balancer::audit::{self, Finding, Rule, Severity};
use crate::balancer::model::{Gravity, Notice};
use crate::balancer::source::Place;

/// Stands for the rule of what is no finding of a rule: the balancer would refuse it or warn of it.
const CONFIG: &str = "config";

pub fn render(report: &Report) -> String {
    let mut rules: Vec<&'static Rule> = report.findings.iter().filter_map(|finding| audit::rule(finding.rule)).collect();
    rules.sort_by_key(|rule| rule.id);
    rules.dedup_by_key(|rule| rule.id);
    let mut seen = HashMap::new();
    let notices = [Gravity::Error, Gravity::Warning].into_iter().flat_map(|gravity| report.notices(gravity));
    let mut results: Vec<Value> = notices
        .filter(|notice| report.source(&notice.place).is_some())
        .map(|notice| noticed(report, notice, &mut seen))
        .collect();
    results.extend(report.findings.iter().map(|finding| {
        // The rule for `config` comes first.
        let index = rules.iter().position(|rule| rule.id == finding.rule).map(|at| at + 1);
        found(report, finding, index, &mut seen)
    }));
    let placeless = report.model.notices.iter().filter(|notice| report.source(&notice.place).is_none());
    let told: Vec<Value> =
        placeless.map(|notice| json!({"level": gravity(notice.gravity), "message": {"text": notice.text}})).collect();
    let described: Vec<Value> = std::iter::once(config_rule()).chain(rules.iter().map(|rule| describe(rule))).collect();
    let outcome = report.outcome();
    log(described, results, told, outcome != Outcome::Refused, outcome.exit())
}

/// For a config that could not be read at all.
pub fn refusal(why: &str) -> String {
    let told = vec![json!({"level": "error", "message": {"text": why}})];
    log(vec![config_rule()], Vec::new(), told, false, Outcome::Refused.exit())
}

fn log(rules: Vec<Value>, results: Vec<Value>, told: Vec<Value>, successful: bool, exit: u8) -> String {
    let whole = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "Afterload",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{"executionSuccessful": successful, "exitCode": exit, "toolExecutionNotifications": told}],
            "results": results,
        }],
    });
    format!("{whole:#}\n")
}

fn config_rule() -> Value {
    json!({
        "id": CONFIG,
        "shortDescription": {"text": "The balancer refuses this, or takes it for something else than it seems"},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["load-balancer"]},
    })
}

fn describe(rule: &Rule) -> Value {
    let markdown = format!(
        "{}\n\n**Remedy** {}\n\n**False positives** {}\n\n**Prevents** {}",
        rule.why, rule.remedy, rule.false_positives, rule.prevents
    );
    json!({
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.prevents},
        "help": {"text": audit::explain(rule), "markdown": markdown},
        "defaultConfiguration": {"level": level(rule.severity)},
        "properties": {"tags": ["load-balancer"], "problem.severity": problem(rule.severity), "severity": rule.severity.said()},
    })
}

fn found(report: &Report, finding: &Finding, index: Option<usize>, seen: &mut HashMap<String, usize>) -> Value {
    let (first, others) = finding.places.split_first().map_or((None, &[][..]), |(first, others)| (Some(first), others));
    let names = [("module", &finding.pool), ("member", &finding.server)];
    let logical: Vec<Value> =
        names.iter().filter_map(|(kind, name)| name.as_ref().map(|name| json!({"name": name, "kind": kind}))).collect();
    let mut location = first.and_then(|place| location(report, place)).unwrap_or_else(|| json!({}));
    if !logical.is_empty() {
        location["logicalLocations"] = Value::Array(logical);
    }
    let mut result = json!({
        "ruleId": finding.rule,
        "level": level(finding.severity),
        "message": {"text": format!("{} {}", finding.message, finding.remedy)},
        "partialFingerprints": fingerprint(report, &finding.identity(), first, seen),
        "properties": {"severity": finding.severity.said(), "numbers": finding.numbers},
    });
    if location.as_object().is_some_and(|location| !location.is_empty()) {
        result["locations"] = json!([location]);
    }
    let related: Vec<Value> = others.iter().filter_map(|place| self::location(report, place)).collect();
    if !related.is_empty() {
        result["relatedLocations"] = Value::Array(related);
    }
    if let Some(index) = index {
        result["ruleIndex"] = json!(index);
    }
    result
}

fn noticed(report: &Report, notice: &Notice, seen: &mut HashMap<String, usize>) -> Value {
    json!({
        "ruleId": CONFIG,
        "ruleIndex": 0,
        "level": gravity(notice.gravity),
        "message": {"text": notice.text},
        "locations": location(report, &notice.place).into_iter().collect::<Vec<_>>(),
        "partialFingerprints": fingerprint(report, &notice.text, Some(&notice.place), seen),
    })
}

fn location(report: &Report, place: &Place) -> Option<Value> {
    let mut physical = json!({"artifactLocation": {"uri": uri(report.file(place)?)}});
    if let Some(region) = report.region(place) {
        physical["region"] = match region.exact {
            true => json!({
                "startLine": region.line, "startColumn": region.column, "endLine": region.end_line, "endColumn": region.end_column,
            }),
            false => json!({"startLine": region.line, "endLine": region.end_line}),
        };
    }
    Some(json!({"physicalLocation": physical}))
}

/// What stays the same when lines are added above: the file and what is said of what; of several that are alike, which
/// one it is. GitHub tracks a finding by this key alone.
fn fingerprint(report: &Report, identity: &str, place: Option<&Place>, seen: &mut HashMap<String, usize>) -> Value {
    let file = place.and_then(|place| report.file(place)).unwrap_or_default();
    let hash = Sha256::digest([file, identity].join("\0").as_bytes());
    let hex: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let times = seen.entry(hex.clone()).or_default();
    *times += 1;
    json!({"primaryLocationLineHash": format!("{hex}:{times}")})
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

fn gravity(gravity: Gravity) -> &'static str {
    match gravity {
        Gravity::Error => "error",
        Gravity::Warning => "warning",
        Gravity::Note => "note",
    }
}

/// GitHub's word for it.
fn problem(severity: Severity) -> &'static str {
    match level(severity) {
        "note" => "recommendation",
        level => level,
    }
}

/// The path as a URI (RFC 3986): relative to the working folder where it lies below it, which GitHub takes for the
/// repository; else a whole `file:` one.
fn uri(path: &str) -> String {
    let path = Path::new(path);
    let path = std::env::current_dir().ok().and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path);
    let parts = path.components().filter_map(|part| match part {
        Component::CurDir | Component::RootDir => None,
        part => Some(escape(&part.as_os_str().to_string_lossy())),
    });
    let parts = parts.collect::<Vec<_>>().join("/");
    if path.is_absolute() { format!("file:///{parts}") } else { parts }
}

fn escape(part: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    part.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_uris() {
        for (path, told) in [
            ("conf/a b.cfg", "conf/a%20b.cfg"),
            ("./x.cfg", "x.cfg"),
            ("../x.cfg", "../x.cfg"),
            ("/etc/ä#1.cfg", "file:///etc/%C3%A4%231.cfg"),
        ] {
            assert_eq!(uri(path), told);
        }
        let here = std::env::current_dir().expect("a folder").join("conf/x.cfg");
        assert_eq!(uri(here.to_str().expect("UTF-8")), "conf/x.cfg");
    }
}
