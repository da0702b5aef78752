//! An incident as a document that people keep: Markdown, the same as a bundle of files, and HTML.
//!
//! What nobody wrote is said to be missing, in italics, and never made up. The same document gives the
//! same bytes: nothing here reads a clock or depends on the order of a hash map.

use crate::domain::id::AttachmentId;
use crate::domain::incident::{Durations, Incident, words};
use crate::domain::snapshot::LinkedSnapshot;
use crate::domain::task::Task;
use crate::domain::timeline::Entry;

mod bundle;
mod classic;
mod hugo;
mod page;
mod timeline;

#[cfg(test)]
mod tests;

pub use bundle::{BundleFile, bundle, zip};

use super::markdown::{push_escaped, render};
use page::{Page, Target};

/// All that goes into the document; the caller decides which entries and snapshots belong.
#[derive(Debug, Clone)]
pub struct Document {
    pub incident: Incident,
    pub durations: Durations,
    /// The pinned entries; where none is pinned, all that say more than a change of status or an alert.
    pub entries: Vec<Entry>,
    pub tasks: Vec<Task>,
    pub alerts: AlertSummary,
    pub snapshots: Vec<LinkedSnapshot>,
    pub diffs: Vec<ConfigDiff>,
    /// Charts of the flight recorder.
    pub figures: Vec<Figure>,
    pub images: Vec<Image>,
    /// Where this installation is reached, such as `https://afterload.example`; links need it.
    pub base_url: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertSummary {
    pub count: i64,
    pub titles: Vec<String>,
}

/// The change from one config to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigDiff {
    pub balancer: String,
    pub from_number: i64,
    pub to_number: i64,
    /// `sha256:` and hexadecimal digits.
    pub from_hash: Option<String>,
    pub to_hash: Option<String>,
    /// One sentence for each change.
    pub changes: Vec<String>,
    /// The same as a unified diff of the texts.
    pub unified: String,
}

/// A chart that Afterload drew itself; `svg` goes into pages as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// Becomes the file's name, such as `flight-recorder-web`.
    pub id: String,
    pub alt: String,
    pub caption: String,
    pub svg: String,
}

/// A picture that hangs on the incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub id: AttachmentId,
    pub name: String,
    pub media_type: String,
    pub bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flavour {
    /// The same bytes as [`Flavour::Classic`]: plain Markdown with a title.
    Plain,
    #[default]
    Classic,
    /// With YAML front matter for the site generator Hugo and without a title of its own.
    Hugo,
}
words!(Flavour { Plain => "plain" / "Plain", Classic => "classic" / "Classic", Hugo => "hugo" / "Hugo" });

/// Where the document's pictures are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assets {
    /// In the file itself: reference definitions at its end hold `data:` addresses.
    Inline,
    /// In files beside it, with the names that [`bundle`] gives them.
    Files,
}

/// The document as one Markdown file.
pub fn markdown(doc: &Document, flavour: Flavour, assets: Assets) -> String {
    let target = match assets {
        Assets::Inline => Target::Inline,
        Assets::Files => Target::Files,
    };
    let mut page = Page::new(doc, target, flavour == Flavour::Hugo);
    classic::write(&mut page);
    let body = page.finish();
    match flavour {
        Flavour::Hugo => format!("{}\n{body}", hugo::front_matter(doc, assets)),
        Flavour::Plain | Flavour::Classic => body,
    }
}

/// The document as safe HTML for a page, its charts in place.
pub fn html(doc: &Document) -> String {
    let mut page = Page::new(doc, Target::Site, false);
    classic::write(&mut page);
    let places = std::mem::take(&mut page.figures);
    let body = page.finish();
    let mut html = String::with_capacity(body.len() * 2);
    let mut done = 0;
    for (at, figure) in places {
        html.push_str(&render(&body[done..at]));
        html.push_str("<figure>");
        html.push_str(&figure.svg);
        html.push_str("<figcaption>");
        push_escaped(&mut html, &figure.caption);
        html.push_str("</figcaption></figure>\n");
        done = at;
    }
    html.push_str(&render(&body[done..]));
    html
}
