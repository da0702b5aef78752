//! What changed between two moments: as text for those who want the lines, as sentences for everyone else.

mod changes;
mod text;

pub use super::change::{Change, ChangeKind};

pub use changes::{config_changes, state_changes};
pub use text::{Line, LineKind, Word, lines, unified};


#[cfg(test)]
mod tests;
