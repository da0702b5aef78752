//! Front matter for Hugo: YAML between two `---` lines (gohugo.io, "Front matter").
//!
//! A serialiser writes it and quotes every text, so that no title can become a date, a number or a key.
//! Afterload's own facts stand under `params`, the one key that Hugo leaves to its users, and let the
//! file be read back without guessing.

use chrono::Datelike;
use serde::Serialize;

use super::bundle::Names;
use super::{Assets, Document};
use crate::domain::access::owner_name;
use crate::domain::time::{rfc3339, shorten};
use crate::text::rewrite;

#[derive(Serialize)]
struct FrontMatter<'a> {
    title: &'a str,
    date: String,
    draft: bool,
    slug: String,
    url: String,
    #[serde(rename = "type")]
    kind: &'static str,
    author: &'a str,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    summary: String,
    categories: [&'static str; 1],
    tags: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    featured_image: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<String>,
    params: Params<'a>,
}

#[derive(Serialize)]
struct Params<'a> {
    afterload: Facts<'a>,
}

#[derive(Serialize)]
struct Facts<'a> {
    id: String,
    reference: String,
    revision: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<String>,
    severity: &'static str,
    services: &'a [String],
}

/// The address part for a title, such as `the-shop-was-down`.
fn slug_of(doc: &Document) -> String {
    let mut slug = slug::slugify(&doc.incident.fields.title);
    if slug.len() > 80 {
        slug.truncate(80);
        slug.truncate(slug.rfind('-').unwrap_or(80));
    }
    if slug.is_empty() { doc.incident.reference.to_string().to_lowercase() } else { slug }
}

/// The front matter with both its fences and a line break at the end.
pub(super) fn front_matter(doc: &Document, assets: Assets) -> String {
    let incident = &doc.incident;
    let fields = &incident.fields;
    let milestones = &fields.milestones;
    // A date in the future would hide the page; the end lies behind whoever exports, as far as anyone knows.
    let date = incident.end().unwrap_or_else(|| incident.beginning());
    let slug = slug_of(doc);
    let images = if assets == Assets::Files { Names::of(doc) } else { Names { figures: Vec::new(), images: Vec::new() } };
    let images: Vec<String> = images.figures.into_iter().chain(images.images).collect();
    let author = ["scribe", "commander"].into_iter().find_map(|role| fields.roles.get(role));
    let author = author.map_or(owner_name(&incident.created_by), String::as_str);
    let summary = shorten(&rewrite::words(&fields.summary), 300);
    let front = FrontMatter {
        title: &fields.title,
        date: rfc3339(date),
        draft: true,
        url: format!("/postmortems/{}/{slug}/", date.year()),
        slug,
        kind: "post",
        author,
        description: shorten(&summary, 160),
        summary,
        categories: ["postmortem"],
        tags: &fields.services,
        featured_image: images.first().cloned(),
        images,
        params: Params {
            afterload: Facts {
                id: incident.id.to_string(),
                reference: incident.reference.to_string(),
                revision: incident.version,
                start: milestones.started.or(milestones.detected).map(rfc3339),
                end: milestones.resolved.or(milestones.mitigated).map(rfc3339),
                severity: fields.severity.as_str(),
                services: &fields.services,
            },
        },
    };
    let options = serde_saphyr::ser_options! { quote_all: true };
    let yaml = serde_saphyr::to_string_with_options(&front, options).expect("texts, numbers and lists are always YAML");
    format!("---\n{}\n---\n", yaml.trim_end())
}
