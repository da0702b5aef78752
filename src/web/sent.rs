//! A form as it was sent: what was typed, to fill it again, and what is wrong beside each field.
//!
//! For forms that make something new; changes of what is there already go through [`super::forms`],
//! which also knows what somebody else saved meanwhile.

use uuid::Uuid;

use super::error::{Error, Result};
use crate::domain;
use crate::domain::error::{FieldError, FieldErrors};

#[derive(Debug, Clone, Default)]
pub struct Sent {
    pairs: Vec<(String, String)>,
    errors: Vec<FieldError>,
}

impl Sent {
    pub fn new(pairs: Vec<(String, String)>) -> Self {
        Self { pairs, errors: Vec::new() }
    }

    /// Fills a field that was not sent.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        if !self.pairs.iter().any(|(known, _)| known == name) {
            self.pairs.push((name.to_owned(), value.into()));
        }
        self
    }

    /// The id that the form carries, so that sending it twice makes one thing.
    pub fn id(&self) -> Result<Option<Uuid>, domain::Error> {
        match self.value("id") {
            "" => Ok(None),
            id => Uuid::parse_str(id).map(Some).map_err(|_| domain::Error::invalid("id", "not_an_id", "please send it again")),
        }
    }

    /// What was typed, as it was typed; empty when the field was not sent.
    pub fn value(&self, name: &str) -> &str {
        self.pairs.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether the box or choice `value` of `name` was ticked.
    pub fn holds(&self, name: &str, value: &str) -> bool {
        self.all(name).any(|sent| sent == value)
    }

    pub fn error(&self, name: &str) -> Option<&str> {
        let about = |error: &&FieldError| {
            let rest = error.pointer.strip_prefix('/').and_then(|pointer| pointer.strip_prefix(name));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.errors.iter().find(about).map(|error| error.detail.as_str())
    }

    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// Adds complaints that were found while reading the form.
    pub fn complain(&mut self, errors: FieldErrors) {
        self.errors.extend(errors.0);
    }

    /// The form to show again when its fields are the trouble; every other failure passes on.
    pub fn refuse(mut self, error: impl Into<Error>) -> Result<Self> {
        let error = error.into();
        match error.fields() {
            Some(errors) => self.errors.extend_from_slice(errors),
            None => return Err(error),
        }
        Ok(self)
    }

    /// Leaves out a field that is never sent back, such as a password.
    pub fn without(mut self, name: &str) -> Self {
        self.pairs.retain(|(known, _)| known != name);
        self
    }
}

/// A query string of those pairs that say something, with its question mark; empty when none does.
pub fn query(pairs: &[(&str, &str)]) -> String {
    let told: Vec<_> = pairs.iter().filter(|(_, value)| !value.is_empty()).collect();
    match serde_html_form::to_string(&told) {
        Ok(text) if !text.is_empty() => format!("?{text}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_form_keeps_what_was_typed_and_says_what_is_wrong_where() {
        let sent = Sent::new(vec![("name".into(), "<b>".into()), ("scopes".into(), "admin".into())]);
        let sent = sent.refuse(domain::Error::invalid("services/3", "too_long", "cut it")).expect("a form again");
        assert_eq!((sent.value("name"), sent.error("services"), sent.error("serv")), ("<b>", Some("cut it"), None));
        assert!(sent.holds("scopes", "admin") && !sent.holds("scopes", ""));
        assert!(sent.refuse(domain::Error::SignInRequired).is_err());
    }

    #[test]
    fn queries_leave_out_what_is_empty_and_encode_the_rest() {
        assert_eq!(query(&[("q", "a&b ü"), ("status", "")]), "?q=a%26b+%C3%BC");
        assert_eq!(query(&[("q", "")]), "");
    }
}
