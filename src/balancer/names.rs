//! Names that come from outside, made fit to stand on one line and in every database.

/// Longest name of a pool or a server that is kept, in characters.
pub const NAME_MAX: usize = 256;

/// `text` with each control character replaced by U+FFFD: it can stand on one line, and in every database.
pub fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// A name that came from outside: printable, cut after [`NAME_MAX`] characters.
pub fn clean_name(text: &str) -> String {
    printable(text).chars().take(NAME_MAX).collect()
}
