//! Forms over a noun's fields: text to merge patch and back, and what happens when two people save at once.
//!
//! Every edit form carries the version that it was drawn from and, for each field, the text that stood
//! in it then (`base_<field>`). A field that was not touched is not sent on. When somebody else saved
//! first but left these fields alone, the change is laid over their version; otherwise both texts are
//! shown side by side and a form holds yours, so that neither is lost.

mod kinds;

use std::time::Duration;

use askama::Template;
use askama::filters::Safe;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};
use similar::{ChangeTag, TextDiff};

use super::error::Result;
use super::format::Zone;
use super::page::{Page, Shell};
use crate::domain;
use crate::domain::error::{FieldError, FieldErrors};
use crate::services;
use crate::text::markdown::push_escaped;
pub use kinds::{ENTRY, Field, INCIDENT, Kind, TASK};

/// One field as it was sent.
#[derive(Debug, Clone)]
pub struct Change {
    pub field: &'static Field,
    pub base: Option<String>,
    pub yours: String,
}

/// A form that was sent over the fields of `table`.
#[derive(Debug, Clone)]
pub struct Edit {
    pub version: i64,
    /// The zone that times in the form are written in.
    pub zone: Zone,
    pub changes: Vec<Change>,
    /// Words that the service takes beside the fields, such as `status_reason`.
    pub beside: Vec<(String, String)>,
}

fn normal(text: &str) -> String {
    text.replace("\r\n", "\n").trim_end().to_owned()
}

impl Edit {
    /// Sorts what was sent. A checkbox that is off sends nothing, so its presence is told by its base.
    pub fn read(table: &'static [Field], pairs: &[(String, String)]) -> Result<Self> {
        let value = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let Some(version) = value("version").and_then(|version| version.parse().ok()) else {
            return Err(domain::Error::PreconditionRequired("the form does not say which version it changes").into());
        };
        let changes = table.iter().filter_map(|field| {
            let base = value(&format!("base_{}", field.path)).map(normal);
            let yours = match (value(field.path), field.kind) {
                (Some(yours), _) => normal(yours),
                (None, Kind::Flag) if base.is_some() => String::new(),
                (None, _) => return None,
            };
            Some(Change { field, base, yours })
        });
        let beside = value("status_reason").map(|reason| ("status_reason".to_owned(), reason.to_owned()));
        Ok(Self {
            version,
            zone: Zone::from_cookie(value("zone").unwrap_or_default()),
            changes: changes.collect(),
            beside: beside.into_iter().collect(),
        })
    }

    fn touched(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.base.as_ref() != Some(&change.yours))
    }

    /// The merge patch of all fields that were touched; complaints come all at once.
    fn patch(&self) -> Result<Value, domain::Error> {
        let mut patch = Map::new();
        let mut errors = FieldErrors::default();
        for change in self.touched() {
            match change.field.kind.read(&change.yours, change.base.as_deref().unwrap_or_default(), self.zone) {
                Ok(value) => put(&mut patch, change.field.path, value),
                Err(detail) => errors.push(change.field.path, "invalid", detail),
            }
        }
        errors.into_result()?;
        for (name, text) in &self.beside {
            patch.insert(name.clone(), Value::from(text.clone()));
        }
        Ok(Value::Object(patch))
    }

    /// Saves through `act(version, patch)`; gives back a form to fill again when that cannot be.
    pub async fn save<T, F>(self, act: impl Fn(i64, Value) -> F) -> Result<Outcome<T>>
    where
        F: Future<Output = services::Result<T>>,
    {
        let patch = match self.patch() {
            Ok(patch) => patch,
            Err(error) => return self.again(error),
        };
        let mut version = self.version;
        // Three saves of others in between are bad luck; more are a loop.
        for _ in 0..4 {
            match act(version, patch.clone()).await {
                Ok(saved) => return Ok(Outcome::Saved(saved)),
                Err(services::Error::Domain(domain::Error::Conflict { what, current })) => {
                    if self.clashes(&current) {
                        return self.again(domain::Error::Conflict { what, current });
                    }
                    version = current["version"].as_i64().unwrap_or(version);
                }
                Err(services::Error::Domain(error @ domain::Error::Invalid(_))) => return self.again(error),
                Err(error) => return Err(error.into()),
            }
        }
        Err(domain::Error::Unavailable("others are saving the same thing over and over; send it again".into()).into())
    }

    /// Whether somebody else changed a field that this form changes too.
    fn clashes(&self, current: &Value) -> bool {
        self.touched().any(|change| {
            let theirs = change.field.shown(current, self.zone);
            theirs != change.yours && change.base.as_ref() != Some(&theirs)
        })
    }

    fn again<T>(self, error: domain::Error) -> Result<Outcome<T>> {
        let (current, errors) = match error {
            domain::Error::Conflict { current, .. } => (Some(*current), Vec::new()),
            domain::Error::Invalid(errors) => (None, errors.0),
            other => return Err(other.into()),
        };
        let of = |path: &str| errors.iter().find(|e| e.pointer[1..] == *path || e.pointer[1..].starts_with(&format!("{path}/")));
        // What was not touched follows them without being shown.
        let shown = self.changes.iter().filter(|c| c.base.as_ref() != Some(&c.yours) || of(c.field.path).is_some());
        let fields = shown.map(|change| {
            let theirs = current.as_ref().map(|current| change.field.shown(current, self.zone));
            let clash = theirs.as_ref().filter(|theirs| **theirs != change.yours && change.base.as_ref() != Some(*theirs));
            AgainField {
                field: change.field,
                // Whoever sends this form has seen their text, so it is the new base.
                base: theirs.clone().or_else(|| change.base.clone()).unwrap_or_default(),
                yours: change.yours.clone(),
                marks: clash.map(|theirs| marks(theirs, &change.yours)),
                error: of(change.field.path).map(|error| error.detail.clone()),
            }
        });
        let fields: Vec<_> = fields.collect();
        let known = |error: &FieldError| self.changes.iter().any(|change| error.pointer[1..].starts_with(change.field.path));
        Ok(Outcome::Again(Again {
            version: current.as_ref().and_then(|current| current["version"].as_i64()).unwrap_or(self.version),
            conflict: current.is_some(),
            fields,
            rest: errors.iter().filter(|error| !known(error)).cloned().collect(),
            beside: self.beside,
            zone: self.zone,
        }))
    }
}

fn put(patch: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('/') {
        None => {
            patch.insert(path.to_owned(), value);
        }
        Some((head, rest)) => {
            if let Value::Object(inner) = patch.entry(head).or_insert_with(|| Value::Object(Map::new())) {
                put(inner, rest, value);
            }
        }
    }
}

/// What came of a save.
pub enum Outcome<T> {
    Saved(T),
    Again(Again),
}

/// The form once more, with what stands in its way.
pub struct Again {
    version: i64,
    conflict: bool,
    fields: Vec<AgainField>,
    /// Complaints about fields that the form does not show.
    rest: Vec<FieldError>,
    beside: Vec<(String, String)>,
    zone: Zone,
}

struct AgainField {
    field: &'static Field,
    base: String,
    yours: String,
    /// Theirs against yours, word by word.
    marks: Option<Safe<String>>,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "again.html")]
struct AgainPage<'a> {
    shell: &'a Shell,
    again: &'a Again,
    action: &'a str,
    back: &'a str,
}

#[derive(Template)]
#[template(path = "again.html", block = "form")]
struct AgainFragment<'a> {
    again: &'a Again,
    action: &'a str,
    back: &'a str,
}

impl Again {
    /// The form as a page, or as a fragment that takes the first form's place.
    pub fn page(&self, shell: &Shell, back: &str) -> Response {
        let action = shell.here();
        let status = if self.conflict { StatusCode::CONFLICT } else { StatusCode::UNPROCESSABLE_ENTITY };
        if shell.wants_fragment() {
            (status, Page(AgainFragment { again: self, action, back })).into_response()
        } else {
            (status, Page(AgainPage { shell, again: self, action, back })).into_response()
        }
    }
}

/// Word marks from `theirs` to `yours`, as safe HTML. Gives up on fineness, never on text, after 200 ms.
pub fn marks(theirs: &str, yours: &str) -> Safe<String> {
    let mut html = String::with_capacity(theirs.len() + yours.len());
    let diff = TextDiff::configure().timeout(Duration::from_millis(200)).diff_words(theirs, yours);
    for change in diff.iter_all_changes() {
        let tag = match change.tag() {
            ChangeTag::Equal => "",
            ChangeTag::Delete => "del",
            ChangeTag::Insert => "ins",
        };
        if tag.is_empty() {
            push_escaped(&mut html, change.value());
        } else {
            html.push_str(&format!("<{tag}>"));
            push_escaped(&mut html, change.value());
            html.push_str(&format!("</{tag}>"));
        }
    }
    Safe(html)
}

#[cfg(test)]
mod tests;
