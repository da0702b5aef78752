//! Keyset pages: an opaque cursor names the last row seen, so that page 200 costs what page 1 does.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use uuid::Uuid;

use crate::domain::Error;
use crate::domain::time::{Timestamp, rfc3339};
use crate::services::Result;

#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Rows wanted; 50 when not said, at most 200.
    pub limit: Option<i64>,
    pub cursor: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Paged<T> {
    pub items: Vec<T>,
    pub next_cursor: Option<String>,
}

impl Page {
    pub const MOST: i64 = 200;

    pub fn first(limit: i64) -> Self {
        Self { limit: Some(limit), cursor: None }
    }

    pub fn limit(&self) -> Result<i64> {
        match self.limit.unwrap_or(50) {
            limit @ 1..=Self::MOST => Ok(limit),
            other => Err(Error::invalid(
                "limit",
                "out_of_range",
                format!("{other} asked for; between 1 and {} rows come at once", Self::MOST),
            )
            .into()),
        }
    }

    /// The text key and id of the last row seen.
    pub fn after_text(&self) -> Result<Option<(String, Uuid)>> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let decoded = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let parts = decoded
            .as_deref()
            .and_then(|text| text.rsplit_once(' '))
            .and_then(|(key, id)| Some((key.to_owned(), Uuid::parse_str(id).ok()?)));
        parts.map(Some).ok_or_else(bad_cursor)
    }

    /// How many rows were seen: for a ranked list, which is bounded and has no key to go on from.
    pub fn skip(&self, most: i64) -> Result<i64> {
        let seen = self.after_text()?.map(|(seen, _)| seen.parse().map_err(|_| bad_cursor())).transpose()?.unwrap_or(0);
        if (0..=most).contains(&seen) { Ok(seen) } else { Err(bad_cursor()) }
    }

    /// The time and id of the last row seen.
    pub fn after(&self) -> Result<Option<(Timestamp, Uuid)>> {
        self.after_text()?.map(|(key, id)| Ok((key.parse().map_err(|_| bad_cursor())?, id))).transpose()
    }
}

fn bad_cursor() -> crate::services::Error {
    Error::invalid("cursor", "not_a_cursor", "this is no cursor of ours; start again without one").into()
}

impl<T> Paged<T> {
    /// From up to `limit + 1` rows: the extra one only says that there is more.
    pub fn from_rows<Id: Into<Uuid>>(rows: Vec<T>, limit: i64, position: impl Fn(&T) -> (Timestamp, Id)) -> Self {
        Self::from_rows_by(rows, limit, |row| {
            let (at, id) = position(row);
            (rfc3339(at), id)
        })
    }

    pub fn from_rows_by<Id: Into<Uuid>>(mut rows: Vec<T>, limit: i64, position: impl Fn(&T) -> (String, Id)) -> Self {
        let keep = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > keep;
        rows.truncate(keep);
        let next_cursor = rows.last().filter(|_| more).map(|row| {
            let (key, id) = position(row);
            URL_SAFE_NO_PAD.encode(format!("{key} {}", id.into()))
        });
        Self { items: rows, next_cursor }
    }
}
