//! What changed between two moments: as text for those who want the lines, as sentences for everyone else.
//!
//! Sentences come from models, so that comments, white space, spelled-out defaults and the file in which something
//! stands change nothing. What the model does not hold, only the text tells.

mod apply;
mod defaults;
mod details;
mod group;
mod lists;
mod matching;
mod merged;
mod own;
mod parts;
mod secrets;
mod state;
mod text;
mod walk;
mod words;

pub use super::change::{Change, ChangeKind};

pub use apply::apply;
pub use matching::{pools as matched_pools, servers as matched_servers};
pub use merged::changes;
pub use secrets::secret_changes;
pub use state::{diff, state_changes};
pub use text::{Line, LineKind, Row, Word, lines, side_by_side, unified};

#[cfg(test)]
mod pairs;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod sentences;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod together;
