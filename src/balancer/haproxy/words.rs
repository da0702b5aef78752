//! One line as directives see it: its words, where each stands, and what is told about them.

use std::ops::Range;
use std::sync::Arc;

use super::tokens::Token;
use crate::balancer::model::{Gravity, Notice};
use crate::balancer::printable;
use crate::balancer::source::{Origin, Place};
use crate::domain::time::shorten;

/// The words of a line, the directive's own word first.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    pub tokens: &'a [Token<'a>],
    /// The whole line, without its line feed.
    pub text: &'a str,
    /// The file, with the conditions (`.if`) around the line.
    pub origin: &'a Arc<Origin>,
    /// 1-based.
    pub line: usize,
    /// Where the line begins in its file, in bytes.
    pub start: usize,
}

impl<'a> Words<'a> {
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Word number `at`; empty where there is none.
    pub fn get(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |token| &*token.text)
    }

    pub fn find(&self, word: &str) -> Option<usize> {
        self.tokens.iter().position(|token| token.text == word)
    }

    /// Whether an environment variable decides what the word is.
    pub fn variable(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| token.variable)
    }

    pub fn join(&self, range: Range<usize>) -> String {
        let tokens = self.tokens.get(range.start..range.end.min(self.len())).unwrap_or_default();
        let mut joined = String::with_capacity(tokens.iter().map(|token| token.text.len() + 1).sum());
        for (number, token) in tokens.iter().enumerate() {
            if number > 0 {
                joined.push(' ');
            }
            joined.push_str(&token.text);
        }
        printable(joined)
    }

    pub fn rest(&self, from: usize) -> String {
        self.join(from..self.len())
    }

    /// The place of some words; of the whole line where there are none such.
    pub fn place(&self, words: Range<usize>) -> Place {
        let chosen = self.tokens.get(words.start..words.end.min(self.len())).unwrap_or_default();
        let chosen = if chosen.is_empty() { self.tokens } else { chosen };
        let span = match (chosen.first(), chosen.last()) {
            (Some(first), Some(last)) => first.span.start..last.span.end,
            _ => 0..self.text.len(),
        };
        self.span(span)
    }

    pub fn whole(&self) -> Place {
        self.place(0..self.len())
    }

    pub fn at(&self, word: usize) -> Place {
        self.place(word..word + 1)
    }

    /// The place of some bytes of the line.
    pub fn span(&self, span: Range<usize>) -> Place {
        Place::new(self.origin, self.start + span.start..self.start + span.end)
    }
}

/// Notes of one config at most: a file of nothing but foreign words is told about once, not 20,000 times.
pub const MAX_NOTES: usize = 100;
/// Warnings and errors at most.
pub const MAX_FAULTS: usize = 500;

/// What is told about a config.
#[derive(Default)]
pub struct Notices {
    pub list: Vec<Notice>,
    notes: usize,
    faults: usize,
}

impl Notices {
    pub fn note(&mut self, place: Place, text: impl Into<String>) {
        self.notes += 1;
        match self.notes {
            more if more > MAX_NOTES => {}
            MAX_NOTES => self.push(Gravity::Note, place, "more is not understood from here on, and no longer listed".to_owned()),
            _ => self.push(Gravity::Note, place, text.into()),
        }
    }

    pub fn warn(&mut self, place: Place, text: impl Into<String>) {
        self.fault(Gravity::Warning, place, text.into());
    }

    /// HAProxy refuses it; where a condition decides whether the line is read at all, it perhaps does.
    pub fn error(&mut self, place: Place, text: impl Into<String>) {
        match place.when() {
            None => self.fault(Gravity::Error, place, text.into()),
            Some(when) => {
                let text = format!("{} (HAProxy refuses it if {})", text.into(), shorten(when, 80));
                self.fault(Gravity::Warning, place, text);
            }
        }
    }

    /// HAProxy refuses it, wherever it stands: lines are taken apart before conditions are looked at.
    pub fn refuse(&mut self, place: Place, text: impl Into<String>) {
        self.fault(Gravity::Error, place, text.into());
    }

    fn fault(&mut self, gravity: Gravity, place: Place, text: String) {
        self.faults += 1;
        match self.faults {
            more if more > MAX_FAULTS => {}
            MAX_FAULTS => {
                let text = "more is wrong from here on, and no longer listed; mend what is listed and look again".to_owned();
                self.push(Gravity::Error, place, text);
            }
            _ => self.push(gravity, place, text),
        }
    }

    /// Whether all that `more` tells can be listed as well, as if it had been told here.
    pub fn have_room(&self, more: &Self) -> bool {
        self.notes + more.notes < MAX_NOTES && self.faults + more.faults < MAX_FAULTS
    }

    pub fn extend(&mut self, more: Self) {
        self.list.extend(more.list);
        self.notes += more.notes;
        self.faults += more.faults;
    }

    fn push(&mut self, gravity: Gravity, place: Place, text: String) {
        self.list.push(Notice { gravity, text: printable(&text), place });
    }
}

/// A word in a sentence: quoted, and not longer than a line bears.
pub fn shown(word: &str) -> String {
    format!("`{}`", shorten(word, 60))
}
