//! The document as files: the text, its charts and its images, loose or in one archive.

use std::collections::BTreeSet;
use std::io::{Cursor, Write};

use super::{Assets, Document, Flavour, markdown};

/// One file of a bundle; the name has no folder in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleFile {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// The text first (`index.md` for Hugo, else `INC-1.md`), then charts, then images.
pub fn bundle(doc: &Document, flavour: Flavour) -> Vec<BundleFile> {
    let names = Names::of(doc);
    let text = match flavour {
        Flavour::Hugo => "index.md".to_owned(),
        Flavour::Plain | Flavour::Classic => format!("{}.md", doc.incident.reference),
    };
    let mut files = vec![BundleFile { name: text, bytes: markdown(doc, flavour, Assets::Files).into_bytes() }];
    for (figure, name) in doc.figures.iter().zip(names.figures) {
        files.push(BundleFile { name, bytes: figure.svg.clone().into_bytes() });
    }
    for (image, name) in doc.images.iter().zip(names.images) {
        files.push(BundleFile { name, bytes: image.bytes.clone() });
    }
    files
}

/// A zip archive of `files`; the same files give the same bytes, because every time in it is 1980-01-01.
pub fn zip(files: &[BundleFile]) -> std::io::Result<Vec<u8>> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::DEFAULT)
        .unix_permissions(0o644);
    for file in files {
        archive.start_file(file.name.as_str(), options)?;
        archive.write_all(&file.bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}

/// File names of a document's pictures: lower case, plain characters, no two alike.
pub(super) struct Names {
    pub figures: Vec<String>,
    pub images: Vec<String>,
}

impl Names {
    pub fn of(doc: &Document) -> Self {
        let mut taken = BTreeSet::new();
        let figures = doc.figures.iter().map(|figure| unique(&mut taken, &figure.id, "svg")).collect();
        let images = doc.images.iter().map(|image| {
            let (stem, ending) = image.name.rsplit_once('.').unwrap_or((&image.name, ""));
            unique(&mut taken, stem, extension(&image.media_type, ending))
        });
        Self { figures, images: images.collect() }
    }
}

fn unique(taken: &mut BTreeSet<String>, stem: &str, ending: &str) -> String {
    let mut stem = slug::slugify(stem);
    stem.truncate(80);
    let stem = if stem.is_empty() { "image" } else { stem.trim_end_matches('-') };
    let mut name = format!("{stem}.{ending}");
    let mut number = 2;
    while !taken.insert(name.clone()) {
        name = format!("{stem}-{number}.{ending}");
        number += 1;
    }
    name
}

/// The media type decides; what a sender called the file is believed only for a known image ending.
fn extension(media_type: &str, ending: &str) -> &'static str {
    let of_name = || {
        let known = ["png", "jpg", "gif", "webp", "avif", "svg"];
        known.into_iter().find(|known| known.eq_ignore_ascii_case(ending))
    };
    match media_type {
        "image/png" => "png",
        "image/jpeg" => "jpg",
        "image/gif" => "gif",
        "image/webp" => "webp",
        "image/avif" => "avif",
        "image/svg+xml" => "svg",
        _ => of_name().unwrap_or("bin"),
    }
}
