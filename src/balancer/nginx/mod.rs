//! nginx: its config files.

pub mod lex;
#[cfg(test)]
mod tests;
pub mod tree;
