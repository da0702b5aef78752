//! Markdown in, Markdown out: a person's text made fit to stand inside a larger document.
//!
//! The text is parsed and written again, so it can neither leave a fence open, nor forge one of the
//! document's headings, nor bring HTML, nor redefine a link of another part. Headings move below the
//! document's own, links become absolute, images point to where the document keeps them.

use pulldown_cmark::{Event, Tag, TagEnd};

use super::markdown::parser;
use crate::domain::id::AttachmentId;

mod writer;

#[cfg(test)]
mod tests;

/// Where a document's texts will stand.
pub struct Place<'a> {
    /// Put before paths such as `/incidents/INC-42`; without it, they become plain text.
    pub base_url: Option<&'a str>,
    /// What stands in the parentheses or brackets of `![alt]…` for an attachment, if the document has it.
    pub image: &'a mut dyn FnMut(AttachmentId) -> Option<String>,
    /// Whether `{{<` would run as a shortcode.
    pub hugo: bool,
}

/// Whether `source` is one plain sentence or a few, the most common text by far: it needs no parser, because every
/// reading of it gives it back as it is.
fn is_plain_prose(source: &str) -> bool {
    let harmless = |b: u8| b.is_ascii_alphanumeric() || b >= 0x80 || b" .,;:?!'\"()/-+=%$@^}".contains(&b);
    source.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
        && !source.ends_with(' ')
        && source.bytes().all(harmless)
        && !source.contains("INC-")
}

/// Writes all blocks of `source`, each line ready to stand at the left edge; no line break at the end.
pub fn blocks(source: &str, place: &mut Place<'_>) -> String {
    either(source, place, false)
}

/// Writes `source` on one line, its blocks one after the other.
pub fn line(source: &str, place: &mut Place<'_>) -> String {
    either(source, place, true)
}

/// Whether [`line`] loses nothing of `source`: one paragraph without forced line breaks and images.
pub fn fits_on_a_line(source: &str) -> bool {
    if is_plain_prose(source) {
        return true;
    }
    let mut paragraphs = 0;
    parser(source).all(|event| match event {
        Event::Start(Tag::Paragraph) => {
            paragraphs += 1;
            paragraphs == 1
        }
        Event::Start(Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Link { .. }) => true,
        Event::Start(_) | Event::Rule | Event::HardBreak => false,
        _ => true,
    })
}

/// The words alone, on one line.
pub fn words(source: &str) -> String {
    let mut words = String::with_capacity(source.len());
    for event in parser(source) {
        match event {
            Event::Text(text) | Event::Code(text) | Event::InlineHtml(text) | Event::Html(text) => words.push_str(&text),
            Event::SoftBreak | Event::HardBreak => words.push(' '),
            Event::End(tag) if !matches!(tag, TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link) => {
                words.push(' ');
            }
            _ => {}
        }
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn either(source: &str, place: &mut Place<'_>, one_line: bool) -> String {
    if is_plain_prose(source) { source.to_owned() } else { writer::write(source, place, one_line) }
}
