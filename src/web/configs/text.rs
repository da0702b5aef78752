//! A config's text with what is said of each line below it.

use std::collections::HashMap;

use askama::Template;

use super::{colour, notice_mark};
use crate::balancer::audit;
use crate::balancer::model::Notice;
use crate::balancer::source::Source;
use crate::services::findings::Found;

/// Lines of a config on one page; the rest is in the file.
const LINES: usize = 4_000;
/// Notes below one line.
const NOTES: usize = 6;

/// The id of a line on the page. `line` counts from 1.
pub fn anchor(file: usize, line: usize) -> String {
    if file == 0 { format!("L{line}") } else { format!("F{file}L{line}") }
}

#[derive(Template)]
#[template(path = "configs/_text.html")]
pub struct Text {
    files: Vec<File>,
    /// Lines that are left out.
    left_out: usize,
    /// Where the whole is.
    download: Option<String>,
}

struct File {
    /// None where there is only one file.
    name: Option<String>,
    lines: Vec<Line>,
}

struct Line {
    anchor: String,
    text: String,
    notes: Vec<Note>,
}

/// What is said of a line.
#[derive(Clone)]
struct Note {
    colour: &'static str,
    word: String,
    text: String,
}

impl Text {
    /// `config` is redacted text as it is stored: one file or several.
    pub fn new(config: &str, found: &[Found], notices: &[Notice], download: Option<String>) -> Self {
        let mut notes: HashMap<(usize, usize), Vec<Note>> = HashMap::new();
        for finding in found.iter().filter(|found| found.acknowledged.is_none()).map(|found| &found.finding) {
            let title = audit::rule(finding.rule).map_or("", |rule| rule.title);
            for (nth, place) in finding.places.iter().take(50).enumerate() {
                let text = if nth == 0 { finding.message.clone() } else { title.to_owned() };
                let note = Note { colour: colour(finding.severity), word: finding.rule.to_owned(), text };
                notes.entry((place.file(), place.line())).or_default().push(note);
            }
        }
        for notice in notices {
            let (colour, word) = notice_mark(notice.gravity);
            let note = Note { colour, word: word.to_owned(), text: notice.text.clone() };
            notes.entry((notice.place.file(), notice.place.line())).or_default().push(note);
        }
        let sources = Source::split("config", config);
        let several = sources.len() > 1;
        let total: usize = sources.iter().map(|source| source.text.lines().count()).sum();
        let mut room = LINES;
        let files = sources.iter().enumerate().map(|(file, source)| {
            let lines = source.text.lines().take(room).enumerate().map(|(at, text)| {
                let mut notes = notes.remove(&(file, at + 1)).unwrap_or_default();
                notes.truncate(NOTES);
                Line { anchor: anchor(file, at + 1), text: text.to_owned(), notes }
            });
            let lines: Vec<Line> = lines.collect();
            room -= lines.len();
            File { name: several.then(|| source.name.clone()), lines }
        });
        let files = files.collect();
        Self { files, left_out: total.saturating_sub(LINES), download }
    }
}
