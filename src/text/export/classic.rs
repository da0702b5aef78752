//! The classic form: issue summary, timeline, root cause and resolution, measures, conclusion.

use chrono::Duration;

use super::page::Page;
use super::timeline::{self, link};
use super::{ConfigDiff, Document};
use crate::domain::incident::IncidentKind;
use crate::domain::task::{Task, TaskStatus};
use crate::domain::time::{humane, minute, shorten};
use crate::text::escape::{code_span, fence, plain};
use crate::text::rewrite::{fits_on_a_line, words};

pub(super) fn write(page: &mut Page<'_>) {
    if !page.hugo {
        page.block(&format!("# Postmortem: {}", plain(&page.doc.incident.fields.title)));
    }
    summary(page);
    timeline::write(page);
    causes(page);
    measures(page);
    page.block("## Conclusion");
    page.text_or(&page.doc.incident.fields.conclusion, "*The conclusion is not written down yet.*");
    // Images that no text shows would be lost with the file.
    let rest: Vec<_> = page.doc.images.iter().filter_map(|image| page.image(image.id)).collect();
    if !rest.is_empty() {
        page.block("### More images");
        page.block(&rest.join("\n\n"));
    }
}

fn summary(page: &mut Page<'_>) {
    let doc = page.doc;
    let fields = &doc.incident.fields;
    page.block("## Issue Summary");
    page.text_or(&fields.summary, "*The summary is not written down yet.*");

    let mut facts = vec![fact("Duration", &duration(doc))];
    let figures = impact_figures(doc);
    let text = fields.impact.trim();
    match (figures.is_empty(), text.is_empty()) {
        (true, true) => facts.push(fact("Impact", "*The impact is not written down yet.*")),
        (false, true) => facts.push(fact("Impact", &figures.join("; "))),
        (_, false) => {
            let text = if fits_on_a_line(text) { page.line(text) } else { "described below".to_owned() };
            let figures = figures.join("; ");
            let said = if figures.is_empty() { text } else { format!("{figures}. {text}") };
            facts.push(fact("Impact", &said));
        }
    }
    let cause = words(fields.root_cause.split("\n\n").find(|part| !words(part).is_empty()).unwrap_or_default());
    let cause = if cause.is_empty() { "*The root cause is not written down yet.*".into() } else { plain(&shorten(&cause, 300)) };
    facts.push(fact("Root cause", &cause));
    let m = &fields.milestones;
    for (name, at, after) in [
        ("Detected", m.detected, doc.durations.time_to_detect),
        ("Acknowledged", m.acknowledged, doc.durations.time_to_acknowledge),
        ("Identified", m.identified, doc.durations.time_to_identify),
        ("Mitigated", m.mitigated, doc.durations.time_to_mitigate),
        ("Resolved", m.resolved, doc.durations.time_to_resolve),
    ] {
        if let Some(at) = at {
            let after = after.map(|seconds| format!(", after {}", humane(Duration::seconds(seconds)))).unwrap_or_default();
            facts.push(fact(name, &format!("{}{after}", minute(at))));
        }
    }
    facts.push(fact("Severity", fields.severity.said()));
    if fields.kind != IncidentKind::Incident {
        facts.push(fact("Kind", fields.kind.said()));
    }
    facts.push(fact("Status", fields.status.said()));
    if !fields.services.is_empty() {
        facts.push(fact("Services", &list(&fields.services)));
    }
    if !fields.roles.is_empty() {
        let roles: Vec<_> = fields.roles.iter().map(|(role, handle)| format!("{} {}", plain(role), plain(handle))).collect();
        facts.push(fact("Roles", &roles.join(", ")));
    }
    if let Some(hold) = &doc.incident.hold {
        // Without the reason: a write-up goes to more people than a legal matter.
        facts.push(fact("Legal hold", &format!("since {}", minute(hold.at))));
    }
    if doc.alerts.count > 0 {
        let titles = if doc.alerts.titles.is_empty() { String::new() } else { format!(": {}", list(&doc.alerts.titles)) };
        facts.push(fact("Alerts", &format!("{}{titles}", grouped(doc.alerts.count))));
    }
    let reference = doc.incident.reference;
    let recorded = page.base_url().map(|base| format!("[{reference}]({base}/incidents/{reference})"));
    facts.push(fact("Recorded as", &recorded.unwrap_or_else(|| reference.to_string())));
    page.block(&facts.join("\n"));
    if !fits_on_a_line(text) {
        let text = page.blocks(text);
        page.block("### Impact");
        page.block(&text);
    }
}

fn fact(name: &str, value: &str) -> String {
    format!("- **{name}:** {value}")
}

fn list(values: &[String]) -> String {
    values.iter().map(|value| plain(value)).collect::<Vec<_>>().join(", ")
}

fn duration(doc: &Document) -> String {
    let m = &doc.incident.fields.milestones;
    match (m.started.or(m.detected), m.resolved.or(m.mitigated)) {
        (Some(start), Some(end)) => {
            let total =
                doc.durations.total.map(|seconds| format!("{}, ", humane(Duration::seconds(seconds)))).unwrap_or_default();
            format!("{total}from {} to {}", minute(start), minute(end))
        }
        (Some(start), None) => format!("from {}; *the end is not written down yet.*", minute(start)),
        (None, Some(end)) => format!("until {}; *the beginning is not written down yet.*", minute(end)),
        (None, None) => "*Beginning and end are not written down yet.*".to_owned(),
    }
}

fn impact_figures(doc: &Document) -> Vec<String> {
    let figures = &doc.incident.fields.impact_figures;
    let mut said = Vec::new();
    said.extend(figures.users_share.map(|share| format!("{} of users", percent(share))));
    said.extend(figures.users.map(|count| format!("{} users", grouped(count))));
    said.extend(figures.failed_requests_share.map(|share| format!("{} of requests failed", percent(share))));
    said.extend(figures.requests_lost.map(|count| format!("{} requests lost", grouped(count))));
    said
}

/// `90%`, `0.4%`.
fn percent(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    format!("{}%", text.strip_suffix(".0").unwrap_or(&text))
}

/// `1,000,000`.
fn grouped(count: i64) -> String {
    let digits = count.unsigned_abs().to_string();
    let mut out = if count < 0 { "−".to_owned() } else { String::new() };
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn causes(page: &mut Page<'_>) {
    let fields = &page.doc.incident.fields;
    page.block("## Root Cause and Resolution");
    page.text_or(&fields.root_cause, "*The root cause is not written down yet.*");
    if !fields.contributing_factors.is_empty() {
        page.block("### Contributing factors");
        let factors: Vec<_> = fields.contributing_factors.iter().map(|factor| format!("- {}", page.line(factor))).collect();
        page.block(&factors.join("\n"));
    }
    page.block("### Detection");
    page.text_or(&fields.detection, "*How it was detected is not written down yet.*");
    page.block("### Resolution");
    page.text_or(&fields.resolution, "*The resolution is not written down yet.*");
    if page.doc.diffs.is_empty() && page.doc.snapshots.is_empty() {
        return;
    }
    page.block("### Configuration");
    let snapshots: Vec<_> = page
        .doc
        .snapshots
        .iter()
        .map(|linked| {
            let snapshot = &linked.snapshot;
            let hash = hash(snapshot.config_hash.as_deref());
            format!(
                "- {}: {} config {}, read {}, {hash}",
                linked.role.said(),
                plain(&snapshot.balancer),
                snapshot.number,
                minute(snapshot.captured_at)
            )
        })
        .collect();
    page.block(&snapshots.join("\n"));
    for diff in &page.doc.diffs {
        config_diff(page, diff);
    }
}

fn hash(hash: Option<&str>) -> String {
    hash.map_or_else(|| "no config text was read".to_owned(), |hash| code_span(hash, true, false))
}

fn config_diff(page: &mut Page<'_>, diff: &ConfigDiff) {
    let ConfigDiff { from_number, to_number, .. } = diff;
    page.block(&format!("**{}, config {from_number} → {to_number}**", plain(&diff.balancer)));
    let changes: Vec<_> = diff.changes.iter().map(|change| format!("- {}", plain(change))).collect();
    page.block(&changes.join("\n"));
    if !diff.unified.trim().is_empty() {
        page.block(&fence("diff", &diff.unified, page.hugo));
    }
    let (from, to) = (hash(diff.from_hash.as_deref()), hash(diff.to_hash.as_deref()));
    page.block(&format!("Config {from_number}: {from}. Config {to_number}: {to}."));
}

fn measures(page: &mut Page<'_>) {
    let lessons = &page.doc.incident.fields.lessons;
    page.block("## Corrective and Preventative Measures");
    let parts = [
        ("### What went well", &lessons.went_well),
        ("### What went badly", &lessons.went_badly),
        ("### Where we were lucky", &lessons.lucky),
    ];
    if parts.iter().all(|(_, text)| text.trim().is_empty()) {
        page.block("*The lessons are not written down yet.*");
    } else {
        for (heading, text) in parts {
            page.block(heading);
            page.text_or(text, "*Nothing is written down here yet.*");
        }
    }
    page.block("### Tasks");
    if page.doc.tasks.is_empty() {
        return page.block("*No tasks are written down yet.*");
    }
    let tasks: Vec<_> = page.doc.tasks.iter().map(|task| task_item(page, task)).collect();
    page.block(&tasks.join("\n"));
}

fn task_item(page: &mut Page<'_>, task: &Task) -> String {
    let fields = &task.fields;
    let mut facts = vec![fields.kind.said().to_lowercase()];
    facts.extend(fields.owner.as_deref().map(|owner| format!("owner {}", plain(owner))));
    facts.extend(fields.due_on.map(|day| format!("due {day}")));
    facts.extend(fields.recurrence.map(|recurrence| recurrence.said().to_owned()));
    facts.push(match fields.status {
        TaskStatus::WontDo => format!("won't do: {}", page.line(&fields.wont_do_reason)),
        status => status.said().to_lowercase(),
    });
    facts.extend(fields.link.as_deref().map(|href| link(href, href)));
    let mark = if fields.status == TaskStatus::Done { 'x' } else { ' ' };
    let mut item = format!("- [{mark}] {} ({})", plain(&fields.title), facts.join("; "));
    for (index, line) in page.blocks(&fields.body).lines().enumerate() {
        item.push_str(match (index, line) {
            (0, _) => "\n\n  ",
            (_, "") => "\n",
            _ => "\n  ",
        });
        item.push_str(line);
    }
    item
}
