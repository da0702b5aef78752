//! The writer behind [`super::blocks`] and [`super::line`]: Markdown events in, Markdown out.
//!
//! Emphasis that touches other emphasis may come out differently, because Markdown has no mark for every nesting;
//! blocks, words, code and links never do.

use pulldown_cmark::{Alignment, CodeBlockKind, Event, HeadingLevel, LinkType, Tag, TagEnd};

use super::Place;
use crate::text::address;
use crate::text::escape::{code_span, destination, fence, plain, push_text};
use crate::text::markdown::{DEPTH_MAX, parser};

/// Headings of a text begin at this level, below the document's own `##` and `###`.
const FIRST_HEADING: usize = 4;

pub(super) fn write(source: &str, place: &mut Place<'_>, one_line: bool) -> String {
    let events: Vec<_> = parser(source).collect();
    let loose = loose_lists(&events);
    let mut writer = Writer {
        out: String::with_capacity(source.len() + source.len() / 4),
        place,
        one_line,
        prefix: String::new(),
        frames: vec![Frame::default()],
        inline: false,
        line_start: true,
        heading: false,
        table: None,
        link: None,
        image: None,
        code: None,
        open: Vec::new(),
    };
    for (event, loose) in events.into_iter().zip(loose) {
        writer.event(event, loose);
    }
    writer.out
}

/// For each event, whether it starts a list with blank lines between its parts.
fn loose_lists(events: &[Event<'_>]) -> Vec<bool> {
    let mut loose = vec![false; events.len()];
    let mut stack: Vec<Option<usize>> = Vec::new();
    for (index, event) in events.iter().enumerate() {
        match event {
            Event::Start(Tag::List(_)) => stack.push(Some(index)),
            Event::Start(Tag::BlockQuote(_)) => stack.push(None),
            Event::End(TagEnd::List(_) | TagEnd::BlockQuote(_)) => drop(stack.pop()),
            Event::Start(Tag::Paragraph) => {
                if let Some(Some(list)) = stack.last() {
                    loose[*list] = true;
                }
            }
            _ => {}
        }
    }
    loose
}

/// One open container of blocks.
#[derive(Default)]
struct Frame {
    blocks: usize,
    tight: bool,
    /// In a list: the number of the next item, and the mark behind it or in its place.
    number: Option<u64>,
    mark: char,
    /// The mark of the list that ended last, so that the next one takes another and stays apart.
    last_mark: Option<char>,
    /// How much of the line prefix belongs to it.
    indent: usize,
}

struct Writer<'a, 'p> {
    out: String,
    place: &'a mut Place<'p>,
    one_line: bool,
    prefix: String,
    frames: Vec<Frame>,
    /// Whether an inline run is open.
    inline: bool,
    /// Whether the next text begins a line.
    line_start: bool,
    heading: bool,
    table: Option<Vec<Alignment>>,
    /// Where the open link goes; an empty text for one that may not be.
    link: Option<String>,
    /// Nesting, address and collected alternative text of the open image.
    image: Option<(usize, String, String)>,
    /// Language and text of the open code block.
    code: Option<(String, String)>,
    /// One for each open quote, list and emphasis: its mark, or nothing when it was not written.
    open: Vec<Option<&'static str>>,
}

impl Writer<'_, '_> {
    fn event(&mut self, event: Event<'_>, loose: bool) {
        if let Some((depth, _, alt)) = &mut self.image {
            match event {
                Event::Start(Tag::Image { .. }) => *depth += 1,
                Event::End(TagEnd::Image) if *depth > 0 => *depth -= 1,
                Event::End(TagEnd::Image) => self.end_image(),
                Event::Text(text) | Event::Code(text) | Event::InlineHtml(text) => alt.push_str(&text),
                Event::SoftBreak | Event::HardBreak => alt.push(' '),
                _ => {}
            }
            return;
        }
        match event {
            Event::Start(tag) => self.start(tag, loose),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match &mut self.code {
                Some((_, code)) => code.push_str(&text),
                None => self.text(&text),
            },
            Event::Code(text) => {
                let span = code_span(&text, self.table.is_some() || self.one_line, self.place.hugo);
                self.push(&span);
            }
            Event::Html(html) => {
                for line in html.lines().map(str::trim).filter(|line| !line.is_empty()) {
                    if self.inline {
                        self.soft_break();
                    }
                    self.text(line);
                }
            }
            Event::InlineHtml(html) => self.text(&html.split_whitespace().collect::<Vec<_>>().join(" ")),
            Event::SoftBreak => self.soft_break(),
            Event::HardBreak => {
                if !self.one_line && !self.heading && self.table.is_none() {
                    self.out.push('\\');
                }
                self.soft_break();
            }
            Event::Rule => {
                if !self.one_line {
                    self.start_block();
                    self.out.push_str("***");
                }
            }
            // A heading has no boxes; there the mark is text.
            Event::TaskListMarker(done) => match (self.heading, done) {
                (false, true) => self.push("[x] "),
                (false, false) => self.push("[ ] "),
                (true, true) => self.push("\\[x\\] "),
                (true, false) => self.push("\\[ \\] "),
            },
            Event::InlineMath(text) | Event::DisplayMath(text) | Event::FootnoteReference(text) => self.text(&text),
        }
    }

    fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("the outermost frame is never popped")
    }

    /// Separates a block from the one before it in the same container.
    fn start_block(&mut self) {
        self.inline = false;
        self.line_start = true;
        if self.one_line {
            if !self.out.is_empty() && !self.out.ends_with(' ') {
                self.out.push(' ');
            }
            return;
        }
        let frame = self.frame();
        let (first, tight) = (frame.blocks == 0, frame.tight);
        frame.blocks += 1;
        frame.last_mark = None;
        if !first {
            if !tight {
                self.out.push('\n');
                let blank = self.prefix.trim_end().len();
                self.out.push_str(&self.prefix[..blank]);
            }
            self.new_line();
        }
    }

    fn new_line(&mut self) {
        self.out.push('\n');
        self.out.push_str(&self.prefix);
        self.line_start = true;
    }

    fn soft_break(&mut self) {
        if self.one_line || self.heading || self.table.is_some() {
            self.out.push(' ');
        } else {
            self.new_line();
        }
    }

    /// Opens an inline run where a tight list item has text without a paragraph.
    fn ensure_inline(&mut self) {
        if !self.inline {
            self.start_block();
            self.inline = true;
        }
    }

    /// Writes inline Markdown that needs no escaping.
    fn push(&mut self, markdown: &str) {
        self.ensure_inline();
        self.out.push_str(markdown);
        self.line_start = false;
    }

    fn escaped(&mut self, text: &str) {
        let starts = self.line_start && !self.heading && self.table.is_none();
        push_text(&mut self.out, text, starts, self.heading);
        self.line_start = false;
    }

    fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.ensure_inline();
        let mut done = 0;
        if let (None, Some(base)) = (&self.link, self.place.base_url) {
            while let Some(range) = address::next_reference(text, done) {
                if range.start > done {
                    self.escaped(&text[done..range.start]);
                }
                let reference = &text[range.clone()];
                self.out.push_str(&format!("[{reference}]({}/incidents/{reference})", base.trim_end_matches('/')));
                self.line_start = false;
                done = range.end;
            }
        }
        if done < text.len() {
            self.escaped(&text[done..]);
        }
    }

    /// Opens what may nest without end; nothing when it is too deep to be written.
    fn open(&mut self, mark: &'static str) -> bool {
        let written = self.open.len() < DEPTH_MAX;
        self.open.push(written.then_some(mark));
        written
    }

    fn open_emphasis(&mut self, mark: &'static str) {
        if self.open(mark) {
            self.push(mark);
        }
    }

    fn close_emphasis(&mut self) {
        if let Some(Some(mark)) = self.open.pop() {
            self.push(mark);
        }
    }

    fn push_frame(&mut self, frame: Frame) {
        self.frames.push(frame);
        self.inline = false;
    }

    fn pop_frame(&mut self) {
        if let Some(frame) = self.frames.pop() {
            self.prefix.truncate(self.prefix.len() - frame.indent);
        }
        self.inline = false;
    }

    fn start(&mut self, tag: Tag<'_>, loose: bool) {
        match tag {
            Tag::Paragraph => {
                self.start_block();
                self.inline = true;
            }
            Tag::HtmlBlock => self.inline = false,
            Tag::Heading { level, .. } => {
                self.start_block();
                self.inline = true;
                if !self.one_line {
                    self.out.push_str(&"#".repeat(demoted(level)));
                    self.out.push(' ');
                    self.heading = true;
                }
            }
            Tag::BlockQuote(_) => self.start_quote(),
            Tag::List(number) => self.start_list(number, loose),
            Tag::Item => {
                if self.open.last() == Some(&Some("")) && !self.one_line {
                    self.start_item();
                } else {
                    self.inline = false;
                }
            }
            Tag::CodeBlock(kind) => {
                let language = if let CodeBlockKind::Fenced(info) = kind { info.to_string() } else { String::new() };
                self.code = Some((language, String::new()));
            }
            Tag::Table(alignments) => {
                self.start_block();
                self.table = Some(alignments);
                self.line_start = false;
            }
            Tag::TableHead | Tag::TableRow if self.one_line => self.inline = true,
            Tag::TableHead | Tag::TableRow => {
                self.inline = true;
                if matches!(tag, Tag::TableRow) {
                    self.new_line();
                }
                self.out.push('|');
            }
            Tag::TableCell => self.out.push(' '),
            Tag::Emphasis => {
                let mark = if self.out.ends_with('*') { "_" } else { "*" };
                self.open_emphasis(mark);
            }
            Tag::Strong => self.open_emphasis("**"),
            Tag::Strikethrough => self.open_emphasis("~~"),
            Tag::Link { link_type, dest_url, .. } => {
                let target = if link_type == LinkType::Email { format!("mailto:{dest_url}") } else { dest_url.into() };
                let target = self.absolute(&target).unwrap_or_default();
                if !target.is_empty() {
                    self.push("[");
                }
                self.link = Some(target);
            }
            Tag::Image { dest_url, .. } => self.image = Some((0, dest_url.into(), String::new())),
            _ => {}
        }
    }

    fn start_quote(&mut self) {
        if self.open("") && !self.one_line {
            self.start_block();
            self.out.push_str("> ");
            self.prefix.push_str("> ");
            self.push_frame(Frame { indent: 2, ..Frame::default() });
        }
    }

    fn start_list(&mut self, number: Option<u64>, loose: bool) {
        if self.open("") && !self.one_line {
            let (mark, other) = if number.is_some() { ('.', ')') } else { ('-', '*') };
            let before = self.frame().last_mark;
            self.start_block();
            let mark = if before == Some(mark) { other } else { mark };
            self.push_frame(Frame { tight: !loose, number, mark, ..Frame::default() });
        }
    }

    /// Closes a quote or a list; returns whether it was written.
    fn end_container(&mut self) -> bool {
        let written = self.open.pop() == Some(Some("")) && !self.one_line;
        if written {
            self.pop_frame();
        }
        written
    }

    fn start_item(&mut self) {
        let frame = self.frame();
        let (tight, mark) = (frame.tight, frame.mark);
        let marker = match &mut frame.number {
            Some(number) => {
                let marker = format!("{number}{mark} ");
                *number += 1;
                marker
            }
            None => format!("{mark} "),
        };
        self.start_block();
        self.out.push_str(&marker);
        self.prefix.push_str(&" ".repeat(marker.len()));
        self.push_frame(Frame { tight, indent: marker.len(), ..Frame::default() });
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::HtmlBlock => self.inline = false,
            TagEnd::Heading(_) => (self.inline, self.heading) = (false, false),
            TagEnd::BlockQuote(_) => drop(self.end_container()),
            TagEnd::List(_) => {
                let mark = self.frame().mark;
                if self.end_container() {
                    self.frame().last_mark = Some(mark);
                }
            }
            TagEnd::Item => {
                if self.open.last() == Some(&Some("")) && !self.one_line {
                    // An empty item below a line of text would read as the underline of a heading.
                    if self.frame().blocks == 0 {
                        self.out.push_str("&#32;");
                    }
                    self.pop_frame();
                } else {
                    self.inline = false;
                }
            }
            TagEnd::CodeBlock => self.end_code(),
            TagEnd::Table => {
                self.table = None;
                self.inline = false;
            }
            TagEnd::TableHead if !self.one_line => {
                let alignments = self.table.clone().unwrap_or_default();
                self.new_line();
                self.out.push('|');
                for alignment in alignments {
                    self.out.push_str(match alignment {
                        Alignment::None => " --- |",
                        Alignment::Left => " :-- |",
                        Alignment::Center => " :-: |",
                        Alignment::Right => " --: |",
                    });
                }
            }
            TagEnd::TableCell if !self.one_line => self.out.push_str(" |"),
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => self.close_emphasis(),
            TagEnd::Link => {
                if let Some(target) = self.link.take().filter(|target| !target.is_empty()) {
                    self.push(&format!("]({target})"));
                }
            }
            _ => {}
        }
    }

    fn end_code(&mut self) {
        let Some((language, code)) = self.code.take() else { return };
        if self.one_line {
            let joined = code.split_whitespace().collect::<Vec<_>>().join(" ");
            self.start_block();
            if !joined.is_empty() {
                self.push(&code_span(&joined, true, self.place.hugo));
            }
            return;
        }
        self.start_block();
        for (index, line) in fence(&language, &code, self.place.hugo).split('\n').enumerate() {
            if index > 0 {
                self.new_line();
            }
            self.out.push_str(line);
        }
        self.inline = false;
    }

    fn end_image(&mut self) {
        let Some((_, source, alt)) = self.image.take() else { return };
        let alt = plain(&alt);
        let target = address::attachment(&source).and_then(|id| (self.place.image)(id));
        match (target, self.absolute(&source)) {
            (Some(target), _) => self.push(&format!("![{alt}]{target}")),
            (None, Some(link)) if self.link.is_none() && address::attachment(&source).is_some() => {
                self.push(&format!("[{}]({link})", if alt.is_empty() { "image" } else { &alt }));
            }
            _ if alt.is_empty() => {}
            _ => self.push(&alt),
        }
    }

    /// What may stand in a link's parentheses, or nothing for an address that may not be a link.
    fn absolute(&self, target: &str) -> Option<String> {
        if !address::is_link(target) {
            return None;
        }
        let base = if address::is_local_path(target) { self.place.base_url? } else { "" };
        Some(format!("{}{}", base.trim_end_matches('/'), destination(target)))
    }
}

fn demoted(level: HeadingLevel) -> usize {
    (FIRST_HEADING - 1 + level as usize).min(6)
}
