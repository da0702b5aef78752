//! Numbered marks over the panels: a circle on top, a line down to the floor of the last panel.
//!
//! Solid circles are what machines saw (changes, alerts), open ones what people said; the dash of the
//! line tells kinds apart without colour. Circles keep 24 units of distance and lean towards their
//! moment; more marks than the width can hold become one mark with their count.

use chrono::SecondsFormat;

use super::{
    Layout, Style,
    ink::{Anchor, HALO, Ink, escape, number, width},
    scale::spread,
};
use crate::{
    domain::time::{second, shorten},
    signal::flight::{FlightRecorder, Mark, MarkKind},
};

/// Distance between the middles of two circles: the smallest target that is easy to hit.
const APART: f64 = 24.0;
/// Room for one mark when there are too many: a count needs more than a number.
const TOGETHER: f64 = 44.0;
const RADIUS: f64 = 9.0;
const MIDDLE: f64 = 13.0;

struct Kind {
    class: &'static str,
    name: &'static str,
    colour: &'static str,
    dash: &'static str,
    solid: bool,
}

fn kind(kind: MarkKind) -> Kind {
    let make = |class, name, colour, dash, solid| Kind { class, name, colour, dash, solid };
    match kind {
        MarkKind::Change => make("mark-change", "change", "#8a6100", "", true),
        MarkKind::Alert => make("mark-alert", "alert", "#a8071a", "3 3", true),
        MarkKind::Pinned => make("mark-pinned", "pinned", "#0b6bcb", "6 3", false),
        MarkKind::Detour => make("mark-detour", "wrong turn", "#6b3fa0", "1 3", false),
        MarkKind::Recovery => make("mark-recovery", "recovery", "#1d7a46", "8 3 2 3", true),
        MarkKind::Status => make("mark-status", "status", "#55554e", "2 4", false),
    }
}

/// Draws all marks of the recorder.
pub fn draw(ink: &mut Ink, layout: &Layout, recorder: &FlightRecorder, style: Style) {
    let most = if layout.narrow { 6 } else { 12 };
    let groups = group(layout, &recorder.marks, most);
    let ideal: Vec<f64> =
        groups.iter().map(|group| group.iter().map(|mark| layout.axis.x(mark.at)).sum::<f64>() / group.len() as f64).collect();
    let places = spread(
        &ideal,
        APART + if groups.len() < recorder.marks.len() { 8.0 } else { 0.0 },
        layout.axis.left,
        layout.axis.right - 2.0,
    );
    let labels = labels(layout, &groups, &places);
    for (n, group) in groups.iter().enumerate() {
        one(ink, layout, style, group, places[n], labels[n].as_ref());
    }
}

/// One mark each, or, when there are more than `most`, neighbours together.
fn group<'a>(layout: &Layout, marks: &'a [Mark], most: usize) -> Vec<&'a [Mark]> {
    if marks.len() <= most {
        return marks.chunks(1).collect();
    }
    let mut groups = Vec::new();
    let mut rest = marks;
    while let Some(first) = rest.first() {
        let limit = layout.axis.x(first.at) + TOGETHER;
        let (now, later) = rest.split_at(rest.partition_point(|mark| layout.axis.x(mark.at) < limit).max(1));
        groups.push(now);
        rest = later;
    }
    groups
}

type Label = (f64, Anchor, String);

/// Labels beside the circles where there is room: right, else left, else cut, else none. Narrow
/// drawings have none: the numbers lead to the timeline.
fn labels(layout: &Layout, groups: &[&[Mark]], places: &[f64]) -> Vec<Option<Label>> {
    let around = RADIUS + 4.0;
    let mut taken = 0.0;
    let mut all = Vec::with_capacity(groups.len());
    for (n, group) in groups.iter().enumerate() {
        let right = places.get(n + 1).map_or(layout.width, |next| next - around) - places[n] - around;
        let left = places[n] - around - taken;
        let text = match group {
            [mark] if !layout.narrow => shorten(mark.label.trim(), 32),
            _ => String::new(),
        };
        let (wide, fits) = (width(&text, layout.text), (right / (layout.text * 0.62)) as usize);
        let label = if text.is_empty() {
            None
        } else if wide <= right {
            Some((places[n] + around, Anchor::Start, text))
        } else if wide <= left {
            Some((places[n] - around, Anchor::End, text))
        } else {
            (fits >= 9).then(|| (places[n] + around, Anchor::Start, shorten(&text, fits - 1)))
        };
        taken = match &label {
            Some((x, Anchor::Start, text)) => x + width(text, layout.text) + 6.0,
            _ => places[n] + around,
        };
        all.push(label);
    }
    all
}

fn one(ink: &mut Ink, layout: &Layout, style: Style, group: &[Mark], place: f64, label: Option<&Label>) {
    let Some(first) = group.first() else { return };
    let kind = kind(first.kind);
    let x = group.iter().map(|mark| layout.axis.x(mark.at)).sum::<f64>() / group.len() as f64;
    let entry = group.iter().find_map(|mark| mark.entry);
    let (many, page) = (group.len() > 1, style == Style::Page);
    let spoken = escape(&spoken(group));
    let class = if many { "mark-many" } else { kind.class };
    let colour = if many { "#55554e" } else { kind.colour };

    if page {
        let link = entry.map(|entry| format!("<a href=\"#entry-{entry}\">"));
        let data = entry.map(|entry| format!(" data-entry=\"{entry}\"")).unwrap_or_default();
        let role = if entry.is_none() { format!(" role=\"img\" aria-label=\"{spoken}\"") } else { String::new() };
        let at = first.at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        ink.raw(&link.unwrap_or_default());
        ink.raw(&format!("<g class=\"mark {class}\"{data} data-at=\"{at}\"{role}>"));
    } else {
        ink.raw("<g>");
    }
    ink.raw(&format!("<title>{spoken}</title>"));

    let line = line(layout, place, x);
    ink.path(HALO, " fill=\"none\" stroke-width=\"3.5\" stroke-opacity=\".55\"", &line);
    let stroke = if page { String::new() } else { format!(" stroke=\"{colour}\"") };
    let dash = if kind.dash.is_empty() || many { String::new() } else { format!(" stroke-dasharray=\"{}\"", kind.dash) };
    ink.raw(&format!(
        "<path{}{stroke}{dash} fill=\"none\" stroke-width=\"1.4\" d=\"{line}\"/>",
        if page { " class=\"mark-line\"" } else { "" }
    ));

    // Larger than the circle: fingers and shaky hands.
    if page {
        ink.raw(&format!(
            "<rect class=\"mark-hit\" fill=\"none\" pointer-events=\"all\" x=\"{}\" y=\"0\" width=\"24\" height=\"26\"/>",
            number(place - 12.0)
        ));
    }
    let solid = kind.solid || many;
    let (shape, number_class) = if solid { ("mark-solid", "mark-on") } else { ("mark-open", "mark-label") };
    let paint = match (page, solid) {
        (true, _) => format!(" class=\"{shape}\""),
        (false, true) => format!(" fill=\"{colour}\" stroke=\"{colour}\""),
        (false, false) => format!(" fill=\"#ffffff\" stroke=\"{colour}\""),
    };
    let half = if many { 14.0 } else { RADIUS };
    ink.raw(&format!(
        "<rect{paint} stroke-width=\"1.4\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"18\" rx=\"9\"/>",
        number(place - half),
        number(MIDDLE - RADIUS),
        number(half * 2.0)
    ));
    let text = if many { format!("×{}", group.len()) } else { first.number.to_string() };
    let on =
        if page { format!(" class=\"{number_class}\"") } else { format!(" fill=\"{}\"", if solid { "#ffffff" } else { colour }) };
    ink.raw(&format!(
        "<text{on} text-anchor=\"middle\" font-weight=\"600\" font-size=\"10.5\" x=\"{}\" y=\"{}\">{text}</text>",
        number(place),
        number(MIDDLE + 3.8)
    ));
    if let Some((x, anchor, text)) = label {
        let end = if *anchor == Anchor::End { " text-anchor=\"end\"" } else { "" };
        let fill = if page { " class=\"mark-label\"".to_owned() } else { format!(" fill=\"{colour}\"") };
        ink.raw(&format!(
            "<text{fill}{end} font-weight=\"600\" x=\"{}\" y=\"{}\">{}</text>",
            number(*x),
            number(MIDDLE + 4.0),
            escape(text)
        ));
    }
    ink.raw(if page && entry.is_some() { "</g></a>" } else { "</g>" });
}

/// From the circle to the floor. In narrow drawings names and legends stand between the panels, so the
/// line is left out there.
fn line(layout: &Layout, place: f64, x: f64) -> String {
    let head = format!("M{} {}L{} {}", number(place), number(MIDDLE + RADIUS), number(x), number(MIDDLE + RADIUS + 12.0));
    if layout.panels.is_empty() {
        return format!("{head}V{}", number(layout.top + 14.0));
    }
    if !layout.narrow {
        return format!("{head}V{}", number(layout.floor));
    }
    let x = number(x);
    layout.panels.iter().fold(head, |line, panel| line + &format!("M{x} {}V{}", number(panel.top), number(panel.bottom)))
}

fn spoken(group: &[Mark]) -> String {
    match group {
        [mark] => format!("{}, {}: {}, {}", mark.number, kind(mark.kind).name, shorten(&mark.label, 120), second(mark.at)),
        [first, .., last] => format!(
            "{} marks, {} to {}, from {} to {}",
            group.len(),
            first.number,
            last.number,
            second(first.at),
            second(last.at)
        ),
        [] => String::new(),
    }
}
