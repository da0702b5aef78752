//! Names that come from outside, made fit to stand on one line and in every database.

use std::borrow::Cow;

/// Longest name of a pool or a server that is kept, in characters.
pub const NAME_MAX: usize = 256;

/// `text` with each control character replaced by U+FFFD: it can stand on one line, and in every database.
pub fn printable<'a>(text: impl Into<Cow<'a, str>>) -> String {
    let text = text.into();
    if is_plain(&text) { text.into_owned() } else { text.replace(char::is_control, "\u{fffd}") }
}

/// Whether it is ASCII without control characters, as nearly everything is.
fn is_plain(text: &str) -> bool {
    // Without a way out in between: many bytes at once.
    text.bytes().fold(true, |plain, byte| plain & (0x20..0x7f).contains(&byte))
}

/// A name that came from outside: printable, cut after [`NAME_MAX`] characters.
pub fn clean_name(text: &str) -> String {
    if text.len() <= NAME_MAX && is_plain(text) { text.to_owned() } else { printable(text).chars().take(NAME_MAX).collect() }
}
