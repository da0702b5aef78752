//! The flight recorder as SVG: on pages, in exports, on paper; the same recorder gives the same bytes.
//!
//! Pages have a strict content policy, so nothing here writes a `style` attribute, a `<style>` element
//! or a script. A **page** drawing names its colours by class; widths, dashes and sizes are attributes
//! in it. A **standalone** drawing has its own colours on white and links to nothing.
//!
//! Classes, all set within `svg.flight` (`flight-wide`, `flight-narrow`) unless said otherwise:
//!
//! | class | is | wants |
//! |---|---|---|
//! | `c1` … `c6`, `c-other` | a server's band and its legend square; the rest | `fill` |
//! | `bands` | group of the bands | `stroke` in the colour of the surface; no opacity on the bands, they lie over each other |
//! | `line`, `dot-line` | rate and response time; their peak | `stroke`; `fill` |
//! | `err`, `err-area` | line of the 5xx ratio; area under it, peak | `stroke`; `fill` |
//! | `grid`, `axis` | lines of the time axis; floor of a panel | `stroke` |
//! | `gap` | time of which nothing is known | `fill`, faint |
//! | `reset` | ticks where counters started anew | `stroke` |
//! | `t-name`, `t-muted` | text in the first and third rank | `fill` |
//! | `halo` | light under a mark's line | `stroke` in the colour of the surface |
//! | `mark` with `mark-change`, `-alert`, `-pinned`, `-detour`, `-recovery`, `-status`, `-many` | group of one mark, with `data-at` and `data-entry` | `color` |
//! | `mark-line`, `mark-solid`, `mark-open` | its line, its full and its open circle | `stroke: currentColor`; `fill` and `stroke: currentColor`; `fill` surface, `stroke: currentColor` |
//! | `mark-label`, `mark-on` | its words, or number in an open circle; number in a full one | `fill: currentColor`; `fill` surface |
//! | `mark-hit` | 24 by 26 units around the circle | nothing, or an outline on `:focus` |
//! | `spark`, `spark-line`, `spark-dot` | a [`sparkline`], its line and last value | `color`; `stroke`; `fill` |
//!
//! Sizes of text are attributes as well (11 units wide, 13 narrow), so a stylesheet that sets a font
//! for `svg text` must leave out these drawings. A mark with an entry is an `<a href="#entry-…">`
//! around its group: the link is what takes the focus, since a focusable group inside a link would be
//! two stops for one thing. For the same reason the drawing is a `group` and not an `img`.

mod ink;
mod marks;
mod panels;
mod scale;
mod table;

use chrono::Duration;

pub use self::table::{MAX_ROWS, Row, table};
use self::{
    ink::{Anchor, Ink, Pen, escape, number},
    panels::{Kind, Panel, peak},
    scale::{Axis, ticks},
};
use crate::{
    domain::time::{minute, shorten},
    signal::flight::FlightRecorder,
};

/// How much room there is. Each has its own arrangement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// 1180 units: names to the left, legend to the right.
    Wide,
    /// 360 units, for a telephone: names above, legend under, fewer ticks, larger text.
    Narrow,
}

/// Where it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Within a page: classes, links to entries.
    Page,
    /// By itself: own colours on white, title and description.
    Standalone,
}

/// The arrangement that all parts share, in units of the drawing.
struct Layout {
    narrow: bool,
    width: f64,
    height: f64,
    /// Size of text.
    text: f64,
    /// Most characters of a server's name.
    name_length: usize,
    axis: Axis,
    columns: usize,
    panels: Vec<Panel>,
    /// Top of the first and floor of the last panel.
    top: f64,
    floor: f64,
}

impl Layout {
    fn new(recorder: &FlightRecorder, size: Size) -> Self {
        let narrow = size == Size::Narrow;
        let (width, left, right, text, name_length) = match size {
            Size::Wide => (1180.0, 152.0, 1034.0, 11.0, 11),
            Size::Narrow => (360.0, 58.0, 352.0, 13.0, 18),
        };
        let top = match (narrow, recorder.marks.is_empty()) {
            (false, false) => 38.0,
            (false, true) => 6.0,
            (true, false) => 60.0,
            (true, true) => 24.0,
        };
        let (mut next, mut floor) = (top, top);
        let mut panels = Vec::new();
        for kind in Kind::of(recorder) {
            let height = match (kind, narrow) {
                (Kind::Share, false) => 104.0,
                (Kind::Share, true) => 112.0,
                (Kind::Errors, _) => 48.0,
                (Kind::Rate, false) => 38.0,
                (_, true) => 44.0,
                (Kind::Response, false) => 38.0,
            };
            floor = next + height;
            panels.push(Panel { kind, top: next, bottom: floor });
            let under = match (kind, narrow) {
                (Kind::Share, true) => 20.0 * panels::legend_lines(recorder, name_length, text, right).len() as f64 + 12.0,
                _ => 0.0,
            };
            next = floor + under + if narrow { 30.0 } else { 14.0 };
        }
        if panels.is_empty() {
            floor = top + 60.0;
        }
        let length = recorder.step_seconds as f64 * recorder.times.len() as f64;
        let from = recorder.times.first().copied().unwrap_or(recorder.window.from);
        Self {
            narrow,
            width,
            height: floor + if narrow { 42.0 } else { 24.0 },
            text,
            name_length,
            axis: Axis { from, length, left, right },
            columns: recorder.times.len(),
            panels,
            top,
            floor,
        }
    }

    /// Left edge of a column.
    fn column(&self, n: usize) -> f64 {
        self.axis.left + (self.axis.right - self.axis.left) * n as f64 / self.columns.max(1) as f64
    }

    fn middle(&self, n: usize) -> f64 {
        f64::midpoint(self.column(n), self.column(n + 1))
    }
}

/// Draws the recorder.
pub fn svg(recorder: &FlightRecorder, size: Size, style: Style) -> String {
    let layout = Layout::new(recorder, size);
    let mut ink = Ink::new(style);
    let title = format!("Flight recorder: {} · {}", recorder.balancer, recorder.pool);
    let said = escape(&summary(recorder));
    match style {
        Style::Page => {
            let class = if layout.narrow { "flight-narrow" } else { "flight-wide" };
            ink.raw(&format!(
                "<svg class=\"flight {class}\" viewBox=\"0 0 {} {}\" font-size=\"{}\" role=\"group\" aria-label=\"{said}\"><g aria-hidden=\"true\">",
                layout.width, number(layout.height), layout.text
            ));
        }
        Style::Standalone => standalone_head(&mut ink, &layout, recorder, &title, &said),
    }
    time_axis(&mut ink, &layout, recorder);
    panels::gaps(&mut ink, &layout, recorder);
    for panel in &layout.panels {
        panels::draw(&mut ink, &layout, panel, recorder);
    }
    floors(&mut ink, &layout);
    panels::gap_words(&mut ink, &layout, recorder);
    if layout.panels.is_empty() {
        let middle = (f64::midpoint(layout.axis.left, layout.axis.right), layout.floor - 12.0);
        ink.text(middle, Anchor::Middle, ink::MUTED, false, "Nothing was recorded in this window");
    }
    ink.raw("</g>");
    marks::draw(&mut ink, &layout, recorder, style);
    ink.raw(if style == Style::Standalone { "</g></svg>" } else { "</svg>" });
    ink.out
}

/// White ground, title and verdict above the drawing, which moves down by their height.
fn standalone_head(ink: &mut Ink, layout: &Layout, recorder: &FlightRecorder, title: &str, said: &str) {
    const MARGIN: f64 = 16.0;
    let head = if recorder.verdict.is_some() { 48.0 } else { 30.0 };
    let (width, height) = (layout.width + 2.0 * MARGIN, layout.height + head + 2.0 * MARGIN);
    ink.raw(&format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {h}\" width=\"{width}\" height=\"{h}\" role=\"img\" \
         font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif\" font-size=\"{}\"><title>{}</title><desc>{said}</desc>\
         <rect width=\"{width}\" height=\"{h}\" fill=\"#ffffff\"/><g transform=\"translate({MARGIN} {MARGIN})\">",
        layout.text,
        escape(title),
        h = number(height)
    ));
    let fits = (layout.width / (layout.text * 0.62)) as usize;
    ink.text((0.0, 12.0), Anchor::Start, ink::NAME, true, &shorten(title, fits));
    if let Some(verdict) = &recorder.verdict {
        ink.text((0.0, 30.0), Anchor::Start, ink::MUTED, false, &shorten(verdict, fits));
    }
    ink.raw(&format!("</g><g transform=\"translate({MARGIN} {})\"><g>", MARGIN + head));
}

fn time_axis(ink: &mut Ink, layout: &Layout, recorder: &FlightRecorder) {
    let axis = &layout.axis;
    let baseline = layout.floor + 17.0;
    let ticks = ticks(axis, if layout.narrow { 5 } else { 10 });
    let mut pen = Pen::default();
    for (at, _) in &ticks {
        for panel in &layout.panels {
            pen.move_to(axis.x(*at), panel.top);
            pen.line_to(axis.x(*at), panel.bottom);
        }
    }
    ink.path(ink::GRID, " fill=\"none\"", &pen.finish());
    let mut taken = f64::MIN;
    for (at, name) in &ticks {
        let half = ink::width(name, layout.text) / 2.0;
        let x = axis.x(*at).min(layout.width - half);
        if x - half > taken {
            taken = x + half + 6.0;
            ink.text((x, baseline), Anchor::Middle, ink::MUTED, false, name);
        }
    }
    let day = axis.from.format("%-d %b %Y");
    let (place, text) = if layout.narrow {
        ((0.0, baseline + 20.0), format!("{day}, times in UTC, {} per column", step(recorder)))
    } else {
        ((0.0, baseline), format!("{day}, UTC"))
    };
    ink.text(place, Anchor::Start, ink::MUTED, false, &text);
    if !layout.narrow {
        ink.text(
            (axis.right + 10.0 + 20.0, baseline),
            Anchor::Start,
            ink::MUTED,
            false,
            &format!("{} per column", step(recorder)),
        );
    }
}

fn step(recorder: &FlightRecorder) -> String {
    crate::domain::time::humane(Duration::try_seconds(recorder.step_seconds).unwrap_or_default())
}

fn floors(ink: &mut Ink, layout: &Layout) {
    let mut pen = Pen::default();
    for panel in &layout.panels {
        pen.move_to(layout.axis.left, panel.bottom);
        pen.line_to(layout.axis.right, panel.bottom);
    }
    ink.path(ink::AXIS, " fill=\"none\"", &pen.finish());
}

/// What the drawing shows, in words.
fn summary(recorder: &FlightRecorder) -> String {
    let mut said = format!(
        "Flight recorder of {}, pool {}, {} to {}.",
        recorder.balancer,
        recorder.pool,
        minute(recorder.window.from),
        minute(recorder.window.to)
    );
    if let Some(verdict) = &recorder.verdict {
        said.push_str(&format!(" {verdict}."));
    }
    for (kind, name) in [(Kind::Errors, "5xx ratio"), (Kind::Rate, "Requests"), (Kind::Response, "Response time")] {
        if let Some((column, highest)) = peak(kind.values(recorder)) {
            let when = recorder.times.get(column).map(|at| format!(" at {}", minute(*at))).unwrap_or_default();
            said.push_str(&format!(" {name}: highest {}{when}.", kind.say(highest)));
        }
    }
    match recorder.marks.len() {
        0 => {}
        1 => said.push_str(" 1 mark."),
        many => said.push_str(&format!(" {many} marks.")),
    }
    said
}

/// A small line of 120 by 28 units for lists, from zero up to its highest value; `class` is added to
/// `spark`. Hidden from screen readers: the text beside it says the figure.
pub fn sparkline(values: &[Option<f64>], class: &str) -> String {
    let highest = scale::round_up(peak(values).map_or(0.0, |(_, value)| value));
    let each = 116.0 / values.len().max(2).saturating_sub(1) as f64;
    let place = |n: usize, value: f64| (2.0 + n as f64 * each, 25.0 - (value / highest).clamp(0.0, 1.0) * 22.0);
    let mut pen = Pen::default();
    let (mut drawing, mut last) = (false, None);
    for (n, value) in values.iter().enumerate() {
        let Some(value) = value.filter(|value| value.is_finite()) else {
            drawing = false;
            continue;
        };
        let (x, y) = place(n, value);
        if drawing {
            pen.line_to(x, y)
        } else {
            pen.move_to(x, y)
        }
        (drawing, last) = (true, Some((x, y)));
    }
    let dot = last.map(|(x, y)| format!("<circle class=\"spark-dot\" cx=\"{}\" cy=\"{}\" r=\"2\"/>", number(x), number(y)));
    format!(
        "<svg class=\"spark {}\" viewBox=\"0 0 120 28\" width=\"120\" height=\"28\" aria-hidden=\"true\">\
         <path class=\"spark-line\" fill=\"none\" stroke-width=\"1.5\" d=\"{}\"/>{}</svg>",
        escape(class),
        pen.finish(),
        dot.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests;
