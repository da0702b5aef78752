//! HAProxy's config language: words, sections, and the part of it that says where traffic goes.
//!
//! Reads text alone: no file is opened, no variable is looked up, nothing is run. What is not modelled
//! is passed over in silence; what looks broken becomes a notice with its line.

mod keywords;
mod parse;
pub mod tokens;

pub use parse::{is_config, parse};

#[cfg(test)]
mod tests;
