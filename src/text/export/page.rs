//! The page under construction: blocks one after the other, and where its pictures live.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::bundle::Names;
use super::{Document, Figure};
use crate::domain::id::AttachmentId;
use crate::text::escape::plain;
use crate::text::rewrite::{self, Place};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// One file with everything in it.
    Inline,
    /// A file with others beside it.
    Files,
    /// A page of Afterload itself.
    Site,
}

pub(super) struct Page<'a> {
    pub doc: &'a Document,
    pub hugo: bool,
    /// On the site: where in the text each figure belongs.
    pub figures: Vec<(usize, &'a Figure)>,
    target: Target,
    out: String,
    names: Names,
    /// For each image of the document, whether it was shown.
    shown: Vec<bool>,
}

impl<'a> Page<'a> {
    pub fn new(doc: &'a Document, target: Target, hugo: bool) -> Self {
        let shown = vec![false; doc.images.len()];
        Self { doc, hugo, figures: Vec::new(), target, out: String::new(), names: Names::of(doc), shown }
    }

    /// Adds a block after a blank line.
    pub fn block(&mut self, markdown: &str) {
        if markdown.is_empty() {
            return;
        }
        if !self.out.is_empty() {
            self.out.push_str("\n\n");
        }
        self.out.push_str(markdown);
    }

    /// Adds a person's text, or in its place the sentence that it is missing.
    pub fn text_or(&mut self, source: &str, missing: &str) {
        let text = self.blocks(source);
        self.block(if text.is_empty() { missing } else { &text });
    }

    pub fn blocks(&mut self, source: &str) -> String {
        self.rewritten(source, rewrite::blocks)
    }

    pub fn line(&mut self, source: &str) -> String {
        self.rewritten(source, rewrite::line)
    }

    fn rewritten(&mut self, source: &str, how: impl Fn(&str, &mut Place<'_>) -> String) -> String {
        let base_url = self.base_url();
        let (doc, target, names, shown) = (self.doc, self.target, &self.names, &mut self.shown);
        let mut image = |id| show(doc, target, names, shown, id);
        how(source, &mut Place { base_url, image: &mut image, hugo: self.hugo })
    }

    /// What links to this installation begin with: nothing on its own pages.
    pub fn base_url(&self) -> Option<&'a str> {
        match self.target {
            Target::Site => Some(""),
            Target::Inline | Target::Files => self.doc.base_url.as_deref().map(|base| base.trim_end_matches('/')),
        }
    }

    /// The Markdown of an attached image, when the document has it and has not shown it yet.
    pub fn image(&mut self, id: AttachmentId) -> Option<String> {
        let index = self.doc.images.iter().position(|image| image.id == id)?;
        if self.shown[index] {
            return None;
        }
        let target = show(self.doc, self.target, &self.names, &mut self.shown, id)?;
        Some(format!("![{}]{target}", plain(&self.doc.images[index].name)))
    }

    pub fn figure(&mut self, index: usize) {
        let figure = &self.doc.figures[index];
        let alt = plain(&figure.alt);
        match self.target {
            Target::Inline => self.block(&format!("![{alt}][figure-{}]", index + 1)),
            Target::Files => self.block(&format!("![{alt}]({})", self.names.figures[index])),
            Target::Site => {
                self.out.push_str("\n\n");
                self.figures.push((self.out.len(), figure));
                return;
            }
        }
        let caption = plain(&figure.caption);
        if !caption.is_empty() {
            self.block(&format!("*{caption}*"));
        }
    }

    /// The whole text, with the pictures behind it where they are part of the file.
    pub fn finish(mut self) -> String {
        if self.target == Target::Inline {
            let mut definitions = Vec::new();
            for (index, figure) in self.doc.figures.iter().enumerate() {
                let data = STANDARD.encode(&figure.svg);
                definitions.push(format!("[figure-{}]: data:image/svg+xml;base64,{data}", index + 1));
            }
            for (index, image) in self.doc.images.iter().enumerate().filter(|(index, _)| self.shown[*index]) {
                let media_type = media_type(&image.media_type);
                definitions.push(format!("[image-{}]: data:{media_type};base64,{}", index + 1, STANDARD.encode(&image.bytes)));
            }
            self.block(&definitions.join("\n"));
        }
        self.out.push('\n');
        self.out
    }
}

/// Marks the image as shown; returns what follows its `![alt]`.
fn show(doc: &Document, target: Target, names: &Names, shown: &mut [bool], id: AttachmentId) -> Option<String> {
    let index = doc.images.iter().position(|image| image.id == id)?;
    shown[index] = true;
    Some(match target {
        Target::Inline => format!("[image-{}]", index + 1),
        Target::Files => format!("({})", names.images[index]),
        Target::Site => format!("(/attachments/{id})"),
    })
}

fn media_type(given: &str) -> &str {
    match given {
        "image/png" | "image/jpeg" | "image/gif" | "image/webp" | "image/avif" | "image/svg+xml" => given,
        _ => "application/octet-stream",
    }
}
