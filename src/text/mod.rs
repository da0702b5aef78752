//! Text for people: Markdown to safe HTML, and incidents to Markdown files. Pure: no clock, no network, no disk.

pub mod address;
pub mod escape;
pub mod export;
pub mod markdown;
pub mod rewrite;
