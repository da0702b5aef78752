//! The timeline: a table of what happened, the charts, and below them what does not fit into a table.

use chrono::Duration;

use super::page::Page;
use crate::domain::time::{Timestamp, humane, minute};
use crate::domain::timeline::{Entry, EntryKind, Evidence, HypothesisState};
use crate::text::address;
use crate::text::escape::{destination, plain};
use crate::text::rewrite::{fits_on_a_line, words};

/// Longest text of one entry inside the table, in characters.
const CELL_MAX: usize = 320;

pub(super) fn write(page: &mut Page<'_>) {
    page.block("## Timeline");
    let mut entries: Vec<&Entry> = page.doc.entries.iter().filter(|entry| entry.deleted_at.is_none()).collect();
    entries.sort_by_key(|entry| (entry.fields.occurred_at, entry.id));
    if entries.is_empty() {
        page.block("*No events are written down yet.*");
        return figures(page);
    }
    let mut rows = vec!["| Time (UTC) | Event |".to_owned(), "| --- | --- |".to_owned()];
    let mut details = Vec::new();
    let mut day = None;
    for entry in entries {
        let at = entry.fields.occurred_at;
        let new_day = day.replace(at.date_naive()) != Some(at.date_naive());
        let short = is_short(entry);
        let mut event = headline(entry);
        if short {
            for sentence in sentences(page, entry) {
                if !event.ends_with(['.', '!', '?', ':']) {
                    event.push('.');
                }
                event.push(' ');
                event.push_str(&sentence);
            }
        } else {
            event.push_str(" (details below)");
            details.push(entry);
        }
        rows.push(format!("| {} | {event} |", time(at, entry.fields.ended_at, new_day)));
    }
    page.block(&rows.join("\n"));
    figures(page);
    for entry in details {
        detail(page, entry);
    }
}

fn figures(page: &mut Page<'_>) {
    for index in 0..page.doc.figures.len() {
        page.figure(index);
    }
}

/// `10:05`, `2024-06-01 10:05` on a new day, and up to when it lasted.
fn time(at: Timestamp, end: Option<Timestamp>, new_day: bool) -> String {
    let start = at.format(if new_day { "%Y-%m-%d %H:%M" } else { "%H:%M" }).to_string();
    match end.filter(|end| *end > at) {
        Some(end) if end.date_naive() == at.date_naive() => format!("{start}–{}", end.format("%H:%M")),
        Some(end) => format!("{start} – {}", end.format("%Y-%m-%d %H:%M")),
        None => start,
    }
}

/// What kind of entry it is, and its title.
fn headline(entry: &Entry) -> String {
    let fields = &entry.fields;
    let kind = match (fields.kind, fields.state) {
        _ if fields.is_detour() => {
            match fields.ended_at.map(|end| end - fields.occurred_at).filter(|span| *span > Duration::zero()) {
                Some(span) => format!("Detour, {}", humane(span)),
                None => "Detour".to_owned(),
            }
        }
        (EntryKind::Hypothesis, Some(HypothesisState::Confirmed)) => "Hypothesis, confirmed".to_owned(),
        (EntryKind::Hypothesis, _) => "Hypothesis, open".to_owned(),
        (EntryKind::Note, _) => return plain(&fields.title),
        (kind, _) => kind.said().to_owned(),
    };
    format!("**{kind}:** {}", plain(&fields.title))
}

fn texts(entry: &Entry) -> impl Iterator<Item = &str> {
    let fields = &entry.fields;
    let own = [&fields.body, &fields.looked_right, &fields.ruled_out_by].into_iter();
    own.chain(fields.options.iter().map(|option| &option.reason)).map(String::as_str)
}

/// Whether all of the entry can stand in its row.
fn is_short(entry: &Entry) -> bool {
    entry.fields.attachments.is_empty()
        && texts(entry).all(fits_on_a_line)
        && texts(entry).map(|text| words(text).chars().count()).sum::<usize>() <= CELL_MAX
}

fn sentences(page: &mut Page<'_>, entry: &Entry) -> Vec<String> {
    let fields = &entry.fields;
    let mut sentences = vec![page.line(&fields.body)];
    for (label, text) in [("It looked right because:", &fields.looked_right), ("Ruled out by:", &fields.ruled_out_by)] {
        if !text.is_empty() {
            sentences.push(format!("*{label}* {}", page.line(text)));
        }
    }
    for option in &fields.options {
        let (verdict, title) = (verdict(option.chosen), plain(&option.title));
        let reason = page.line(&option.reason);
        sentences.push(if reason.is_empty() { format!("{verdict}: {title}") } else { format!("{verdict}: {title} ({reason})") });
    }
    let evidence = evidence(page, entry);
    if !evidence.is_empty() {
        sentences.push(format!("Evidence: {}", evidence.join(", ")));
    }
    sentences.retain(|sentence| !sentence.is_empty());
    sentences
}

fn verdict(chosen: bool) -> &'static str {
    if chosen { "Chosen" } else { "Refused" }
}

/// The entry in full, under its time.
fn detail(page: &mut Page<'_>, entry: &Entry) {
    let fields = &entry.fields;
    page.block(&format!("### {}: {}", minute(fields.occurred_at), plain(&fields.title)));
    let body = page.blocks(&fields.body);
    page.block(&body);
    for (label, text) in [("It looked right because:", &fields.looked_right), ("Ruled out by:", &fields.ruled_out_by)] {
        labelled(page, label, text);
    }
    for option in &fields.options {
        labelled(page, &format!("{}: {}.", verdict(option.chosen), plain(&option.title)), &option.reason);
        if option.reason.is_empty() {
            page.block(&format!("*{}: {}.*", verdict(option.chosen), plain(&option.title)));
        }
    }
    let evidence = evidence(page, entry);
    if !evidence.is_empty() {
        page.block(&format!("*Evidence:* {}", evidence.join(", ")));
    }
    for id in &fields.attachments {
        if page.doc.images.iter().any(|image| image.id == *id) {
            if let Some(image) = page.image(*id) {
                page.block(&image);
            }
        } else {
            let link = page.base_url().map(|base| format!("[Attachment]({base}/attachments/{id})"));
            page.block(&link.unwrap_or_else(|| "*An attachment is kept with the incident.*".to_owned()));
        }
    }
}

/// A text behind its label: on the same line if it fits there.
pub(super) fn labelled(page: &mut Page<'_>, label: &str, text: &str) {
    if text.trim().is_empty() {
        return;
    }
    if fits_on_a_line(text) {
        let line = page.line(text);
        page.block(&format!("*{label}* {line}"));
    } else {
        page.block(&format!("*{label}*"));
        let text = page.blocks(text);
        page.block(&text);
    }
}

fn evidence(page: &mut Page<'_>, entry: &Entry) -> Vec<String> {
    let snapshot = |id| {
        let linked = page.doc.snapshots.iter().find(|linked| linked.snapshot.id == id);
        linked.map(|linked| (plain(&linked.snapshot.balancer), linked.snapshot.number))
    };
    let said = |evidence: &Evidence| match evidence {
        Evidence::Chart { from, to, pool } => {
            let pool = pool.as_ref().map(|pool| format!(" of pool {}", plain(pool))).unwrap_or_default();
            Some(format!("recording{pool} from {} to {}", minute(*from), minute(*to)))
        }
        Evidence::Snapshot { id } => {
            Some(snapshot(*id).map_or("a config snapshot".to_owned(), |(name, number)| format!("{name} config {number}")))
        }
        Evidence::Diff { before, after } => Some(match (snapshot(*before), snapshot(*after)) {
            (Some((name, from)), Some((_, to))) => format!("{name} config {from} → {to}"),
            _ => "a config change".to_owned(),
        }),
        Evidence::Link { .. } => None,
    };
    let known: Vec<_> = entry.fields.evidence.iter().map(|evidence| (said(evidence), evidence)).collect();
    let mut all = Vec::new();
    for (said, evidence) in known {
        match (said, evidence) {
            (Some(said), _) => all.push(said),
            (None, Evidence::Link { href, text }) => all.push(link(if text.is_empty() { href } else { text }, href)),
            (None, _) => {}
        }
    }
    all
}

/// A link with plain text; without the link where the address may not be one.
pub(super) fn link(text: &str, href: &str) -> String {
    if !address::is_link(href) {
        return plain(text);
    }
    format!("[{}]({})", plain(text), destination(href))
}
