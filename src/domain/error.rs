//! What can go wrong in a way that a person can act on.

use serde::Serialize;
use utoipa::ToSchema;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Every variant names the place and, through its text, the remedy. Faults that nobody outside can
/// mend (a broken disk, a bug) are not here: they are `store::Error` and become an opaque 500.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{what} was not found; it may have been deleted, or it is not visible to you")]
    NotFound { what: &'static str },
    #[error("sign in first")]
    SignInRequired,
    #[error("{0}")]
    Forbidden(String),
    /// Somebody saved first. `current` is what stands now, so that no text is lost.
    #[error("{what} was changed by someone else meanwhile; both versions are shown")]
    Conflict { what: &'static str, current: Box<serde_json::Value> },
    #[error("{0}")]
    Invalid(FieldErrors),
    #[error("{0}")]
    TooLarge(String),
    #[error("{0}")]
    Unavailable(String),
    #[error(
        "the disk of the server is full: reading goes on, this could not be saved; who runs it makes room, then send it again"
    )]
    Full,
    #[error("too many tries; wait {seconds} s")]
    Throttled { seconds: u64 },
    #[error("{0}")]
    PreconditionRequired(&'static str),
}

impl Error {
    pub fn invalid(field: &str, code: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid(FieldErrors::one(field, code, detail))
    }
}

/// One thing that is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer into the body that was sent, such as `/title`.
    pub pointer: String,
    /// Stable word for programs, such as `required` or `too_long`.
    pub code: &'static str,
    /// Sentence for people: what is wrong and what would be right.
    pub detail: String,
}

/// All that is wrong with one input, collected so that a form can show everything at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldErrors(pub Vec<FieldError>);

impl FieldErrors {
    pub fn one(field: &str, code: &'static str, detail: impl Into<String>) -> Self {
        let mut errors = Self::default();
        errors.push(field, code, detail);
        errors
    }

    pub fn push(&mut self, field: &str, code: &'static str, detail: impl Into<String>) {
        let pointer = if field.starts_with('/') { field.to_owned() } else { format!("/{field}") };
        self.0.push(FieldError { pointer, code, detail: detail.into() });
    }

    /// `Ok` when nothing was collected.
    pub fn into_result(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Invalid(self)) }
    }

    /// The first complaint about `field` (name without the slash).
    pub fn of(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|e| e.pointer[1..] == *field).map(|e| e.detail.as_str())
    }
}

impl std::fmt::Display for FieldErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{}: {}", error.pointer.trim_start_matches('/'), error.detail)?;
        }
        Ok(())
    }
}

/// Longest text accepted in one Markdown field, in bytes.
pub const TEXT_MAX: usize = 256 * 1024;
/// Longest one-line text, in characters.
pub const LINE_MAX: usize = 300;

impl FieldErrors {
    /// A single line that must not be empty: trimmed, at most [`LINE_MAX`] characters, no control
    /// characters. Returns the cleaned text.
    pub fn line(&mut self, field: &str, value: &str) -> String {
        let text = self.optional_line(field, value);
        if text.is_empty() && self.of(field).is_none() {
            self.push(field, "required", "write a few words here");
        }
        text
    }

    /// Like [`Self::line`], but may be empty.
    pub fn optional_line(&mut self, field: &str, value: &str) -> String {
        let text = value.trim();
        let length = text.chars().count();
        if length > LINE_MAX {
            self.push(
                field,
                "too_long",
                format!("{length} characters; at most {LINE_MAX} fit on one line, put the rest into the body"),
            );
            return String::new();
        }
        if text.chars().any(|c| c.is_control()) {
            self.push(field, "control_character", "a line may not hold line breaks or control characters");
            return String::new();
        }
        text.to_owned()
    }

    /// Markdown or plain text of several lines: at most [`TEXT_MAX`] bytes, no NUL. Line ends become
    /// `\n`; the text is otherwise kept as typed.
    pub fn text(&mut self, field: &str, value: &str) -> String {
        if value.len() > TEXT_MAX {
            self.push(
                field,
                "too_long",
                format!("{} bytes; at most {TEXT_MAX} are kept in one text, attach the rest as a file", value.len()),
            );
            return String::new();
        }
        if value.contains('\0') {
            self.push(field, "nul", "the text holds a NUL byte; remove it and send again");
            return String::new();
        }
        value.replace("\r\n", "\n").trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_rejects_what_does_not_fit_on_a_line() {
        let mut errors = FieldErrors::default();
        assert_eq!(errors.line("title", "  Checkout slow  "), "Checkout slow");
        assert!(errors.0.is_empty());
        errors.line("title", "   ");
        errors.line("a", "one\ntwo");
        errors.line("b", &"x".repeat(LINE_MAX + 1));
        errors.line("c", "nul\0");
        let codes: Vec<_> = errors.0.iter().map(|e| e.code).collect();
        assert_eq!(codes, ["required", "control_character", "too_long", "control_character"]);
        assert_eq!(errors.0[0].pointer, "/title");
    }
}
