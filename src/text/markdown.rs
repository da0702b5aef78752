//! Markdown from people, made into HTML that is safe to put into a page.
//!
//! One pass over the parser's events. The writer names every tag and attribute that can come out, so
//! nothing has to be removed afterwards: raw HTML is shown as text, addresses are checked by
//! [`super::address`], nesting is bounded. No `style` attribute is ever made, because the pages'
//! content security policy forbids it.

use pulldown_cmark::{Alignment, CodeBlockKind, Event, LinkType, Options, Parser, Tag, TagEnd, TextMergeStream};

use super::address;

#[cfg(test)]
mod tests;

/// Quotes, lists and emphasis nested deeper than this lose their tags, not their text.
pub(super) const DEPTH_MAX: usize = 20;

/// The dialect that all of Afterload reads: CommonMark with tables, strikethrough and task lists.
pub(super) fn parser(source: &str) -> impl Iterator<Item = Event<'_>> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    TextMergeStream::new(Parser::new_ext(source, options))
}

/// Safe HTML of a text with blocks.
pub fn render(source: &str) -> String {
    Writer::run(source, false)
}

/// Safe HTML without block tags, for texts of one paragraph; further blocks follow after `<br>`.
pub fn render_inline(source: &str) -> String {
    Writer::run(source, true)
}

/// Escapes for HTML text and double-quoted attributes.
pub fn push_escaped(out: &mut String, text: &str) {
    let mut rest = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escaped = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            // A browser may read what follows an unprintable as something else; it means nothing to people.
            0..=8 | 11..=31 => "\u{FFFD}",
            _ => continue,
        };
        out.push_str(&text[rest..at]);
        out.push_str(escaped);
        rest = at + 1;
    }
    out.push_str(&text[rest..]);
}

#[derive(Default)]
struct Writer {
    out: String,
    inline: bool,
    /// In inline form: a block ended and text may follow.
    block_ended: bool,
    /// One for each open quote, list and emphasis: whether its tag was written.
    open: Vec<bool>,
    /// Whether the open link's tag was written.
    link: Option<bool>,
    image: Option<Image>,
    code: Option<Code>,
    alignments: Vec<Alignment>,
    column: usize,
    head: bool,
}

/// An image while its alternative text is being collected.
struct Image {
    depth: usize,
    address: String,
    title: String,
    alt: String,
}

#[derive(PartialEq)]
enum Code {
    Plain,
    Diff,
}

impl Writer {
    fn run(source: &str, inline: bool) -> String {
        let mut writer = Self { inline, out: String::with_capacity(source.len() + source.len() / 2), ..Self::default() };
        for event in parser(source) {
            if writer.image.is_some() {
                writer.inside_image(event);
            } else {
                writer.event(event);
            }
        }
        writer.out
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match self.code {
                Some(Code::Diff) => self.diff(&text),
                Some(Code::Plain) => push_escaped(&mut self.out, &text),
                None => self.text(&text),
            },
            Event::Code(text) => {
                self.between_blocks();
                self.out.push_str("<code>");
                push_escaped(&mut self.out, &text);
                self.out.push_str("</code>");
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                self.between_blocks();
                push_escaped(&mut self.out, &html);
            }
            Event::SoftBreak => self.out.push('\n'),
            Event::HardBreak => self.out.push_str("<br>\n"),
            Event::Rule => self.block("<hr>\n"),
            Event::TaskListMarker(done) => {
                self.between_blocks();
                // Nothing else names the box for those who do not see it.
                self.out.push_str("<input type=\"checkbox\" disabled=\"\" aria-label=");
                self.out.push_str(if done { "\"done\" checked=\"\"> " } else { "\"open\"> " });
            }
            Event::InlineMath(text) | Event::DisplayMath(text) | Event::FootnoteReference(text) => self.text(&text),
        }
    }

    /// Writes a block tag, which the inline form leaves out.
    fn block(&mut self, tag: &str) {
        if !self.inline {
            self.out.push_str(tag);
        }
    }

    /// Ends a block: with its tag, or in inline form with a mark for what may follow.
    fn end_block(&mut self, tag: &str) {
        self.block(tag);
        self.block_ended = true;
    }

    fn between_blocks(&mut self) {
        if self.inline && self.block_ended && !self.out.is_empty() {
            self.out.push_str("<br>");
        }
        self.block_ended = false;
    }

    /// Opens what may nest without end; returns whether its tag is written.
    fn open(&mut self) -> bool {
        let written = self.open.len() < DEPTH_MAX;
        self.open.push(written);
        written
    }

    fn nested(&mut self, tag: &str) {
        if self.open() {
            self.between_blocks();
            self.out.push_str(tag);
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph | Tag::HtmlBlock => self.block("<p>"),
            Tag::Heading { level, .. } => {
                if !self.inline {
                    self.out.push('<');
                    self.out.push_str(&level.to_string());
                    self.out.push('>');
                }
            }
            Tag::BlockQuote(_) => {
                if self.open() {
                    self.block("<blockquote>\n");
                }
            }
            Tag::List(first) => {
                if self.open() && !self.inline {
                    match first {
                        None => self.out.push_str("<ul>\n"),
                        Some(1) => self.out.push_str("<ol>\n"),
                        Some(first) => self.out.push_str(&format!("<ol start=\"{first}\">\n")),
                    }
                }
            }
            Tag::Item => {
                if self.open.last() == Some(&true) {
                    self.block("<li>");
                }
            }
            Tag::CodeBlock(kind) => self.start_code(&kind),
            Tag::Table(alignments) => {
                self.alignments = alignments;
                self.block("<table>");
            }
            Tag::TableHead => {
                (self.head, self.column) = (true, 0);
                self.block("<thead><tr>");
            }
            Tag::TableRow => {
                self.column = 0;
                self.block("<tr>");
            }
            Tag::TableCell => {
                if self.inline && self.column > 0 {
                    self.out.push(' ');
                }
                let align = match self.alignments.get(self.column) {
                    Some(Alignment::Right) => " align=\"right\">",
                    Some(Alignment::Center) => " align=\"center\">",
                    _ => ">",
                };
                self.block(if self.head { "<th" } else { "<td" });
                self.block(align);
                self.column += 1;
            }
            Tag::Emphasis => self.nested("<em>"),
            Tag::Strong => self.nested("<strong>"),
            Tag::Strikethrough => self.nested("<del>"),
            Tag::Link { link_type, dest_url, title, .. } => {
                let mail = link_type == LinkType::Email;
                let allowed = mail || address::is_link(&dest_url);
                self.link = Some(allowed);
                if allowed {
                    self.between_blocks();
                    self.start_link(if mail { "mailto:" } else { "" }, &dest_url, &title);
                }
            }
            Tag::Image { dest_url, title, .. } => {
                self.between_blocks();
                let image = Image { depth: 0, address: dest_url.into(), title: title.into(), alt: String::new() };
                self.image = Some(image);
            }
            // Not switched on in the parser.
            Tag::FootnoteDefinition(_)
            | Tag::DefinitionList
            | Tag::DefinitionListTitle
            | Tag::DefinitionListDefinition
            | Tag::Superscript
            | Tag::Subscript
            | Tag::MetadataBlock(_) => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::HtmlBlock => self.end_block("</p>\n"),
            TagEnd::Heading(level) => self.end_block(&format!("</{level}>\n")),
            TagEnd::BlockQuote(_) => self.close_block("</blockquote>\n"),
            TagEnd::List(ordered) => self.close_block(if ordered { "</ol>\n" } else { "</ul>\n" }),
            TagEnd::Item => {
                let tag = if self.open.last() == Some(&true) { "</li>\n" } else { "\n" };
                self.end_block(tag);
            }
            TagEnd::CodeBlock => {
                let diff = self.code.take() == Some(Code::Diff);
                match (self.inline, diff) {
                    (false, true) => self.out.push_str("</pre>\n"),
                    (false, false) => self.out.push_str("</code></pre>\n"),
                    (true, true) => {}
                    (true, false) => self.out.push_str("</code>"),
                }
                self.block_ended = true;
            }
            TagEnd::Table => self.end_block("</tbody></table>\n"),
            TagEnd::TableHead => {
                self.head = false;
                self.end_block("</tr></thead><tbody>");
            }
            TagEnd::TableRow => self.end_block("</tr>"),
            TagEnd::TableCell => self.block(if self.head { "</th>" } else { "</td>" }),
            TagEnd::Emphasis => self.close("</em>"),
            TagEnd::Strong => self.close("</strong>"),
            TagEnd::Strikethrough => self.close("</del>"),
            TagEnd::Link => {
                if self.link.take() == Some(true) {
                    self.out.push_str("</a>");
                }
            }
            TagEnd::Image
            | TagEnd::FootnoteDefinition
            | TagEnd::DefinitionList
            | TagEnd::DefinitionListTitle
            | TagEnd::DefinitionListDefinition
            | TagEnd::Superscript
            | TagEnd::Subscript
            | TagEnd::MetadataBlock(_) => {}
        }
    }

    fn close(&mut self, tag: &str) {
        if self.open.pop() == Some(true) {
            self.out.push_str(tag);
        }
    }

    fn close_block(&mut self, tag: &str) {
        if self.open.pop() == Some(true) {
            self.block(tag);
        }
        self.block_ended = true;
    }

    fn start_code(&mut self, kind: &CodeBlockKind<'_>) {
        self.between_blocks();
        let info = if let CodeBlockKind::Fenced(info) = kind { info } else { "" };
        let language = info.split([' ', ',', '\t']).next().unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+' | '#' | '.');
        self.code = Some(Code::Plain);
        if self.inline {
            self.out.push_str("<code>");
        } else if language == "diff" {
            self.code = Some(Code::Diff);
            self.out.push_str("<pre class=\"diff\">");
        } else if language.is_empty() || !language.chars().all(plain) {
            self.out.push_str("<pre><code>");
        } else {
            self.out.push_str("<pre><code class=\"language-");
            self.out.push_str(language);
            self.out.push_str("\">");
        }
    }

    /// One span a line; the line break is inside, so that the text reads the same with and without a style sheet.
    fn diff(&mut self, text: &str) {
        for line in text.split_inclusive('\n') {
            self.out.push_str(match line.as_bytes().first() {
                Some(b'+') => "<span class=\"add\">",
                Some(b'-') => "<span class=\"del\">",
                Some(b'@') => "<span class=\"hunk\">",
                _ => "<span>",
            });
            push_escaped(&mut self.out, line);
            self.out.push_str("</span>");
        }
    }

    fn start_link(&mut self, scheme: &str, target: &str, title: &str) {
        self.out.push_str("<a href=\"");
        self.out.push_str(scheme);
        push_href(&mut self.out, target);
        if !title.is_empty() {
            self.out.push_str("\" title=\"");
            push_escaped(&mut self.out, title);
        }
        self.out.push_str("\" rel=\"nofollow noopener noreferrer\">");
    }

    /// Text with its `INC-42` made into links, unless it is inside a link already.
    fn text(&mut self, text: &str) {
        self.between_blocks();
        let mut done = 0;
        if self.link.is_none() {
            while let Some(range) = address::next_reference(text, done) {
                push_escaped(&mut self.out, &text[done..range.start]);
                let reference = &text[range.clone()];
                self.start_link("", &format!("/incidents/{reference}"), "");
                self.out.push_str(reference);
                self.out.push_str("</a>");
                done = range.end;
            }
        }
        push_escaped(&mut self.out, &text[done..]);
    }

    fn inside_image(&mut self, event: Event<'_>) {
        let Some(image) = &mut self.image else { return };
        match event {
            Event::Start(Tag::Image { .. }) => image.depth += 1,
            Event::End(TagEnd::Image) if image.depth > 0 => image.depth -= 1,
            Event::End(TagEnd::Image) => self.end_image(),
            Event::Text(text) | Event::Code(text) | Event::InlineHtml(text) => image.alt.push_str(&text),
            Event::SoftBreak | Event::HardBreak => image.alt.push(' '),
            _ => {}
        }
    }

    fn end_image(&mut self) {
        let Some(Image { address: source, title, alt, .. }) = self.image.take() else { return };
        if address::attachment(&source).is_none() {
            return self.text(&alt);
        }
        self.out.push_str("<img src=\"");
        push_href(&mut self.out, &source);
        self.out.push_str("\" alt=\"");
        push_escaped(&mut self.out, &alt);
        if !title.is_empty() {
            self.out.push_str("\" title=\"");
            push_escaped(&mut self.out, &title);
        }
        self.out.push_str("\">");
    }
}

fn push_href(out: &mut String, target: &str) {
    let mut encoded = String::with_capacity(target.len());
    address::push_encoded(&mut encoded, target);
    push_escaped(out, &encoded);
}
