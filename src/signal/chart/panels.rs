//! The panels under the marks: who carried how much, how many came, how many failed, how long it took.

use super::{
    Layout,
    ink::{self, Anchor, Ink, Look, Pen, cut, escape, figure, number, width},
    scale::{round_ratio, round_up, spread},
};
use crate::signal::flight::{FlightRecorder, percent};

/// What a panel shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Share,
    Rate,
    Errors,
    Response,
}

/// A panel and where its plot lies.
#[derive(Debug, Clone, Copy)]
pub struct Panel {
    pub kind: Kind,
    pub top: f64,
    pub bottom: f64,
}

impl Kind {
    /// The panels that have something to show, from the top.
    pub fn of(recorder: &FlightRecorder) -> Vec<Self> {
        let known = |values: &[Option<f64>]| values.iter().any(Option::is_some);
        let all = [
            (Self::Share, recorder.servers.iter().any(|server| known(&server.share))),
            (Self::Rate, known(&recorder.rate)),
            (Self::Errors, known(&recorder.error_ratio)),
            (Self::Response, known(&recorder.response_ms)),
        ];
        all.into_iter().filter(|(_, shown)| *shown).map(|(kind, _)| kind).collect()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Share => "Traffic share",
            Self::Rate => "Requests",
            Self::Errors => "5xx ratio",
            Self::Response => "Response time",
        }
    }

    pub fn say(self, value: f64) -> String {
        match self {
            Self::Share | Self::Errors => percent(value),
            Self::Rate => format!("{}/s", figure(value)),
            Self::Response => ink::milliseconds(value),
        }
    }

    pub fn values(self, recorder: &FlightRecorder) -> &[Option<f64>] {
        match self {
            Self::Share => &[],
            Self::Rate => &recorder.rate,
            Self::Errors => &recorder.error_ratio,
            Self::Response => &recorder.response_ms,
        }
    }

    fn upper_end(self, highest: f64) -> f64 {
        match self {
            Self::Share => 1.0,
            Self::Errors => round_ratio(highest),
            Self::Rate | Self::Response => round_up(highest),
        }
    }
}

/// The highest value and its column.
pub fn peak(values: &[Option<f64>]) -> Option<(usize, f64)> {
    let known = values.iter().enumerate().filter_map(|(column, value)| Some((column, (*value)?)));
    known.filter(|(_, value)| value.is_finite()).reduce(|best, next| if next.1 > best.1 { next } else { best })
}

/// First and one past the last column of each stretch without a gap.
fn runs(known: impl Iterator<Item = bool>) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (column, known) in known.enumerate() {
        match runs.last_mut() {
            Some(run) if known && run.1 == column => run.1 += 1,
            _ if known => runs.push((column, column + 1)),
            _ => {}
        }
    }
    runs
}

/// Columns in which nothing was recorded, as one path over all panels.
pub fn gaps(ink: &mut Ink, layout: &Layout, recorder: &FlightRecorder) {
    let mut pen = Pen::default();
    for (from, to) in runs(recorder.rate.iter().map(Option::is_none)) {
        for panel in &layout.panels {
            pen.move_to(layout.column(from), panel.top);
            pen.line_to(layout.column(to), panel.top);
            pen.line_to(layout.column(to), panel.bottom);
            pen.line_to(layout.column(from), panel.bottom);
            pen.close();
        }
    }
    ink.path(ink::GAP, "", &pen.finish());
}

/// Says what an empty stretch is, where it is wide enough for the words.
pub fn gap_words(ink: &mut Ink, layout: &Layout, recorder: &FlightRecorder) {
    const WORDS: &str = "no data";
    let Some(panel) = layout.panels.first() else { return };
    for (from, to) in runs(recorder.rate.iter().map(Option::is_none)) {
        let (left, right) = (layout.column(from), layout.column(to));
        if right - left > width(WORDS, layout.text) + 12.0 {
            let middle = (f64::midpoint(left, right), f64::midpoint(panel.top, panel.bottom) + 4.0);
            ink.text(middle, Anchor::Middle, ink::MUTED, false, WORDS);
        }
    }
}

pub fn draw(ink: &mut Ink, layout: &Layout, panel: &Panel, recorder: &FlightRecorder) {
    let axis = layout.axis;
    match panel.kind {
        Kind::Share => {
            bands(ink, layout, panel, recorder);
            heading(ink, layout, panel, "100 %", if layout.narrow { "" } else { "by server" });
            if layout.narrow { legend_under(ink, layout, panel, recorder) } else { legend_beside(ink, layout, panel, recorder) }
        }
        kind => {
            let values = kind.values(recorder);
            let Some((column, highest)) = peak(values) else { return };
            let end = kind.upper_end(highest);
            let y = |value: f64| panel.bottom - (value / end).clamp(0.0, 1.0) * (panel.bottom - panel.top);
            line(ink, layout, panel, values, y);
            if highest > 0.0 {
                let paint = ink.paint(if kind == Kind::Errors { ink::ERR_AREA } else { ink::DOT });
                let (x, y) = (number(layout.middle(column)), number(y(highest)));
                ink.raw(&format!("<circle{paint} cx=\"{x}\" cy=\"{y}\" r=\"2.5\"/>"));
            }
            heading(ink, layout, panel, &kind.say(end), &format!("peak {}", kind.say(highest)));
            if !layout.narrow
                && let Some(last) = values.iter().rev().flatten().next()
            {
                let place = (y(*last) + 4.0).clamp(panel.top + 8.0, panel.bottom);
                ink.text((axis.right + 10.0, place), Anchor::Start, ink::NAME, true, &kind.say(*last));
            }
        }
    }
    if panel.kind == Kind::Rate {
        let mut pen = Pen::default();
        for at in &recorder.resets {
            pen.move_to(axis.x(*at), panel.bottom + 4.0);
            pen.line_to(axis.x(*at), panel.bottom - 6.0);
        }
        let (paint, data) = (ink.paint(ink::RESET), pen.finish());
        if !data.is_empty() {
            let title = "<title>Counters started anew: the balancer was reloaded or restarted</title>";
            ink.raw(&format!("<path{paint} fill=\"none\" stroke-width=\"1.5\" d=\"{data}\">{title}</path>"));
        }
    }
}

/// Name, second line, and the ends of the vertical axis.
fn heading(ink: &mut Ink, layout: &Layout, panel: &Panel, end: &str, second: &str) {
    let left = layout.axis.left - 8.0;
    if layout.narrow {
        ink.text((0.0, panel.top - 8.0), Anchor::Start, ink::NAME, true, panel.kind.name());
        ink.text((layout.axis.right, panel.top - 8.0), Anchor::End, ink::MUTED, false, second);
    } else {
        ink.text((0.0, panel.top + 9.0), Anchor::Start, ink::NAME, true, panel.kind.name());
        ink.text((0.0, panel.top + 24.0), Anchor::Start, ink::MUTED, false, second);
    }
    ink.text((left, panel.top + 9.0), Anchor::End, ink::MUTED, false, end);
    ink.text((left, panel.bottom), Anchor::End, ink::MUTED, false, "0");
}

fn line(ink: &mut Ink, layout: &Layout, panel: &Panel, values: &[Option<f64>], y: impl Fn(f64) -> f64) {
    let (mut edge, mut area) = (Pen::default(), Pen::default());
    for (from, to) in runs(values.iter().map(Option::is_some)) {
        // To the outer edges of the first and last column, so that one lone column is seen as well.
        let points: Vec<(f64, f64)> =
            (from..to).map(|column| (layout.middle(column), y(values[column].unwrap_or(0.0)))).collect();
        let outer = [(layout.column(from), points[0].1), (layout.column(to), points[points.len() - 1].1)];
        edge.move_to(outer[0].0, outer[0].1);
        area.move_to(outer[0].0, panel.bottom);
        area.line_to(outer[0].0, outer[0].1);
        for (x, y) in points.into_iter().chain([outer[1]]) {
            edge.line_to(x, y);
            area.line_to(x, y);
        }
        area.line_to(outer[1].0, panel.bottom);
        area.close();
    }
    let look = if panel.kind == Kind::Errors {
        ink.path(ink::ERR_AREA, " fill-opacity=\".14\"", &area.finish());
        ink::ERR
    } else {
        ink::LINE
    };
    ink.path(look, " fill=\"none\" stroke-width=\"1.5\" stroke-linejoin=\"round\"", &edge.finish());
}

fn band(n: usize) -> Look {
    ink::BANDS.get(n).copied().unwrap_or(ink::OTHERS)
}

/// Each band is filled down to the floor and painted over by the next: half the path data of bands
/// with two edges, and no hairline between them.
fn bands(ink: &mut Ink, layout: &Layout, panel: &Panel, recorder: &FlightRecorder) {
    let columns = recorder.times.len();
    let known = |column: usize| recorder.servers.iter().any(|server| server.share[column].is_some());
    let runs = runs((0..columns).map(known));
    let mut above = vec![0.0; columns];
    let edges = ink.paint(ink::BAND_EDGES);
    ink.raw(&format!("<g{edges} stroke-width=\".7\" opacity=\".88\">"));
    for (n, server) in recorder.servers.iter().enumerate() {
        let mut pen = Pen::default();
        for (from, to) in &runs {
            pen.move_to(layout.column(*from), panel.bottom);
            for (column, above) in above.iter().enumerate().take(*to).skip(*from) {
                let y = panel.top + f64::min(*above, 1.0) * (panel.bottom - panel.top);
                pen.line_to(layout.column(column), y);
                pen.line_to(layout.column(column + 1), y);
            }
            pen.line_to(layout.column(*to), panel.bottom);
            pen.close();
        }
        for (above, share) in above.iter_mut().zip(&server.share) {
            *above += share.unwrap_or(0.0);
        }
        let (paint, data) = (ink.paint(band(n)), pen.finish());
        ink.raw(&format!("<path{paint} d=\"{data}\"><title>{}</title></path>", escape(&server.name)));
    }
    ink.raw("</g>");
}

/// Shares in the last column with traffic.
fn last_shares(recorder: &FlightRecorder) -> Vec<(f64, f64)> {
    let column =
        (0..recorder.times.len()).rev().find(|column| recorder.servers.iter().any(|server| server.share[*column].is_some()));
    let mut above = 0.0;
    let shares = recorder.servers.iter().map(|server| {
        let share = column.and_then(|column| server.share[column]).unwrap_or(0.0);
        above += share;
        (above - share / 2.0, share)
    });
    shares.collect()
}

fn entry(ink: &mut Ink, layout: &Layout, recorder: &FlightRecorder, n: usize, at: (f64, f64), share: f64) {
    let (server, paint) = (&recorder.servers[n], ink.paint(band(n)));
    ink.raw(&format!("<rect{paint} x=\"{}\" y=\"{}\" width=\"9\" height=\"9\" rx=\"2\"/>", number(at.0), number(at.1 - 8.0)));
    let name = cut(&server.name, layout.name_length);
    let look = if server.stands_out { ink::NAME } else { ink::MUTED };
    ink.text((at.0 + 14.0, at.1), Anchor::Start, look, server.stands_out, &format!("{name} {}", percent(share)));
}

fn legend_beside(ink: &mut Ink, layout: &Layout, panel: &Panel, recorder: &FlightRecorder) {
    let shares = last_shares(recorder);
    let ideal: Vec<f64> = shares.iter().map(|(middle, _)| panel.top + middle * (panel.bottom - panel.top) + 4.0).collect();
    let places = spread(&ideal, 14.0, panel.top + 8.0, panel.bottom);
    for (n, (place, (_, share))) in places.into_iter().zip(shares).enumerate() {
        entry(ink, layout, recorder, n, (layout.axis.right + 10.0, place), share);
    }
}

/// Lines that the legend takes, each with the entries on it: place to the left, and server.
pub fn legend_lines(recorder: &FlightRecorder, name_length: usize, size: f64, right: f64) -> Vec<Vec<(f64, usize)>> {
    let mut lines: Vec<Vec<(f64, usize)>> = vec![Vec::new()];
    let mut x = 0.0;
    for (n, ((_, share), server)) in last_shares(recorder).into_iter().zip(&recorder.servers).enumerate() {
        let text = format!("{} {}", cut(&server.name, name_length), percent(share));
        let wide = 14.0 + width(&text, size) + 10.0;
        if x > 0.0 && x + wide > right {
            lines.push(Vec::new());
            x = 0.0;
        }
        if let Some(line) = lines.last_mut() {
            line.push((x, n));
        }
        x += wide;
    }
    lines
}

fn legend_under(ink: &mut Ink, layout: &Layout, panel: &Panel, recorder: &FlightRecorder) {
    let shares = last_shares(recorder);
    for (row, line) in legend_lines(recorder, layout.name_length, layout.text, layout.axis.right).into_iter().enumerate() {
        for (x, n) in line {
            entry(ink, layout, recorder, n, (x, panel.bottom + 20.0 + 20.0 * row as f64), shares[n].1);
        }
    }
}
