//! HAProxy's config language: words, sections, and what they say of where traffic goes.
//!
//! Reads text alone: no variable is looked up, nothing is run; files that a config names (maps) are asked for through
//! [`Files`]. What is known but not modelled (logging, rewriting, tuning) is passed over, what is not known becomes a
//! notice with its place, and what HAProxy would refuse an error.

mod address;
mod balance;
mod check;
mod conditions;
mod draft;
mod formats;
mod keywords;
mod other;
mod parts;
mod proxy;
mod reader;
mod routes;
mod server;
mod shapes;
pub mod state;
mod stick;
pub mod tokens;
mod units;
mod verify;
mod words;

use super::model::Model;
use super::source::{Files, Source};

/// Whether the text has at least one section of HAProxy's: any other file is none of our business.
pub fn is_config(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim_start_matches('\u{feff}');
        line.split_whitespace().next().is_some_and(|first| keywords::section(first).is_some()) && !line.contains(['{', ';'])
    })
}

/// Reads `sources`, in the order in which HAProxy is given them, as far as they go; never fails. Maps are read through
/// `files`. `version` is HAProxy's, such as `2.8.25`: defaults depend on it, and which words are known.
pub fn parse(sources: &[Source], files: &mut dyn Files, version: Option<&str>) -> Model {
    let mut reader = reader::Reader::new(files, version);
    for source in sources {
        reader.source(source);
    }
    reader.done()
}

#[cfg(test)]
mod tests;
