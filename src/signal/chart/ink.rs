//! Numbers, names, paths and colours as SVG text.
//!
//! Everything that ends up between the quotes of a chart passes here: names are escaped, coordinates
//! have one decimal, and no number that is not finite is ever written.

use super::Style;

/// A colour by its role: a class for pages, attributes for drawings that stand alone.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    class: &'static str,
    alone: &'static str,
}

const fn look(class: &'static str, alone: &'static str) -> Look {
    Look { class, alone }
}

pub const BANDS: [Look; 6] = [
    look("c1", r##"fill="#0b6bcb""##),
    look("c2", r##"fill="#d9772b""##),
    look("c3", r##"fill="#2f9e78""##),
    look("c4", r##"fill="#8f63c9""##),
    look("c5", r##"fill="#b3a12f""##),
    look("c6", r##"fill="#c4478a""##),
];
pub const OTHERS: Look = look("c-other", r##"fill="#9a9a92""##);
pub const BAND_EDGES: Look = look("bands", r##"stroke="#ffffff""##);
pub const LINE: Look = look("line", r##"stroke="#55554e""##);
pub const DOT: Look = look("dot-line", r##"fill="#55554e""##);
pub const ERR: Look = look("err", r##"stroke="#a8071a""##);
pub const ERR_AREA: Look = look("err-area", r##"fill="#a8071a""##);
pub const GRID: Look = look("grid", r##"stroke="#e3e3de""##);
pub const AXIS: Look = look("axis", r##"stroke="#c9c9c2""##);
pub const GAP: Look = look("gap", r##"fill="#f0f0ed""##);
pub const RESET: Look = look("reset", r##"stroke="#55554e""##);
pub const HALO: Look = look("halo", r##"stroke="#ffffff""##);
pub const NAME: Look = look("t-name", r##"fill="#1b1b18""##);
pub const MUTED: Look = look("t-muted", r##"fill="#66665e""##);

/// Text of an SVG being written.
pub struct Ink {
    pub out: String,
    style: Style,
}

/// Where the text stands to its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

impl Ink {
    pub fn new(style: Style) -> Self {
        Self { out: String::with_capacity(16 << 10), style }
    }

    /// ` class="…"` or the colours themselves.
    pub fn paint(&self, look: Look) -> String {
        match self.style {
            Style::Page => format!(" class=\"{}\"", look.class),
            Style::Standalone => format!(" {}", look.alone),
        }
    }

    /// Adds markup made here: never text from outside.
    pub fn raw(&mut self, markup: &str) {
        self.out.push_str(markup);
    }

    pub fn path(&mut self, look: Look, rest: &str, data: &str) {
        if !data.is_empty() {
            let paint = self.paint(look);
            self.raw(&format!("<path{paint}{rest} d=\"{data}\"/>"));
        }
    }

    pub fn text(&mut self, at: (f64, f64), anchor: Anchor, look: Look, bold: bool, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let bold = if bold { " font-weight=\"600\"" } else { "" };
        let paint = self.paint(look);
        self.raw(&format!("<text{paint}{anchor}{bold} x=\"{}\" y=\"{}\">{}</text>", number(at.0), number(at.1), escape(text)));
    }
}

/// Text that is safe between tags and quotes of XML. Control characters, characters that XML has not,
/// and marks that turn the direction of writing are dropped.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            other if other.is_control() => {}
            other => safe.push(other),
        }
    }
    safe
}

/// At most `limit` characters. The middle is cut out: names of servers differ at their ends.
pub fn cut(name: &str, limit: usize) -> String {
    let characters: Vec<char> = name.chars().collect();
    if characters.len() <= limit {
        return name.to_owned();
    }
    let end = limit * 3 / 5;
    let start = limit.saturating_sub(end + 1);
    let (head, tail) = (&characters[..start], &characters[characters.len() - end..]);
    head.iter().chain(['…'].iter()).chain(tail).collect()
}

/// Rough width of text in units: fonts differ, so it is on the wide side.
pub fn width(text: &str, size: f64) -> f64 {
    text.chars().map(|character| if character >= '\u{1100}' { 1.0 } else { 0.62 }).sum::<f64>() * size
}

/// A coordinate with one decimal.
pub fn number(value: f64) -> String {
    let mut text = String::new();
    push_tenths(&mut text, tenths(value));
    text
}

fn tenths(value: f64) -> i64 {
    // Casting saturates and maps NaN to 0.
    (value * 10.0).round().clamp(-1e9, 1e9) as i64
}

fn push_tenths(out: &mut String, value: i64) {
    let (whole, part) = (value.abs() / 10, value.abs() % 10);
    if value < 0 {
        out.push('-');
    }
    if whole > 0 || part == 0 {
        out.push_str(&whole.to_string());
    }
    if part > 0 {
        out.push('.');
        out.push_str(&part.to_string());
    }
}

/// Path data with relative commands. Steps are taken between rounded points, so that rounding never
/// adds up; level runs become one command.
#[derive(Debug, Default)]
pub struct Pen {
    data: String,
    at: (i64, i64),
    level: i64,
    command: char,
}

impl Pen {
    pub fn move_to(&mut self, x: f64, y: f64) {
        self.flush();
        self.at = (tenths(x), tenths(y));
        self.put('M', &[self.at.0, self.at.1]);
    }

    pub fn line_to(&mut self, x: f64, y: f64) {
        let to = (tenths(x), tenths(y));
        let (across, down) = (to.0 - self.at.0, to.1 - self.at.1);
        self.at = to;
        if down == 0 {
            self.level += across;
            return;
        }
        self.flush();
        if across == 0 { self.put('v', &[down]) } else { self.put('l', &[across, down]) }
    }

    pub fn close(&mut self) {
        self.flush();
        self.data.push('z');
        self.command = 'z';
    }

    pub fn finish(mut self) -> String {
        self.flush();
        self.data
    }

    fn flush(&mut self) {
        let level = std::mem::take(&mut self.level);
        if level != 0 {
            self.put('h', &[level]);
        }
    }

    fn put(&mut self, command: char, numbers: &[i64]) {
        let mut separate = self.command == command && command != 'M';
        if !separate {
            self.data.push(command);
        }
        self.command = command;
        for value in numbers {
            if separate && *value >= 0 {
                self.data.push(' ');
            }
            push_tenths(&mut self.data, *value);
            separate = true;
        }
    }
}

/// A figure people can read at a glance: `0.4`, `12.5`, `1,240`, `3.2M`.
pub fn figure(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let trimmed =
        |text: String| if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text };
    match value.abs() {
        size if size < 9.995 => trimmed(format!("{value:.2}")),
        size if size < 99.95 => trimmed(format!("{value:.1}")),
        size if size < 999.5 => format!("{value:.0}"),
        size if size < 999_999.5 => {
            let whole = value.round() as i64;
            format!("{},{:03}", whole / 1000, (whole % 1000).abs())
        }
        size if size < 1e9 => trimmed(format!("{:.1}", value / 1e6)) + "M",
        size if size < 1e12 => trimmed(format!("{:.1}", value / 1e9)) + "G",
        _ => format!("{value:.1e}"),
    }
}

/// Milliseconds, from a thousand on as seconds.
pub fn milliseconds(value: f64) -> String {
    if value >= 999.5 { format!("{} s", figure(value / 1000.0)) } else { format!("{} ms", figure(value)) }
}
