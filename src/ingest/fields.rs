//! What all formats share: texts made safe to store, bounded maps, keys, links, words for a status.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{ParseError, time};
use crate::domain::alert::{AlertLink, AlertStatus, plausible};
use crate::domain::time::{Timestamp, shorten};
use crate::domain::timeline::is_web_address;

pub(super) type Object = Map<String, Value>;
pub(super) type Texts = BTreeMap<String, String>;

/// Longest label or annotation kept, in bytes.
const VALUE_MAX: usize = 64 * 1024;
/// Longest name of a label or annotation kept, in bytes.
const NAME_MAX: usize = 256;
/// Most labels, and most annotations, kept of one alert.
const ENTRIES_MAX: usize = 128;
/// Longest key, in bytes.
const KEY_MAX: usize = 512;
/// Longest address kept as a link, in bytes; a cut address leads nowhere, so a longer one is left out.
const HREF_MAX: usize = 8 * 1024;
/// Longest title, in characters.
const TITLE_MAX: usize = 200;

/// The text of a string, number or boolean.
pub(super) fn scalar(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Takes a scalar out of an object; empty and blank texts count as absent.
pub(super) fn take(object: &mut Object, name: &str) -> Option<String> {
    object.remove(name).and_then(scalar).filter(|text| !text.trim().is_empty())
}

/// Takes a map of texts, as the sender wrote them. Absent or null is an empty map; a value that is
/// itself an array or an object is kept as its JSON.
pub(super) fn take_texts(object: &mut Object, name: &str, place: &str) -> Result<Texts, ParseError> {
    let texts = match object.remove(name) {
        None | Some(Value::Null) => return Ok(Texts::new()),
        Some(Value::Object(texts)) => texts,
        Some(other) => return Err(ParseError::at(format!("{place}/{name}"), format!("{}, not an object", kind(&other)))),
    };
    Ok(texts
        .into_iter()
        .filter_map(|(key, value)| match value {
            Value::Null => None,
            Value::Array(_) | Value::Object(_) => Some((key, value.to_string())),
            _ => Some((key, scalar(value)?)),
        })
        .collect())
}

/// What a JSON value is, for an error message.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Control characters become U+FFFD (PostgreSQL refuses NUL, terminals obey the others); line breaks and
/// tabs stay. What is longer than `limit` bytes is cut between characters, with an ellipsis.
fn clean(text: String, limit: usize) -> String {
    let harmful = |c: char| c.is_control() && c != '\n' && c != '\t';
    let mut text = text;
    if text.contains(harmful) {
        text = text.replace("\r\n", "\n").replace(harmful, "\u{fffd}");
    }
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit - '…'.len_utf8()));
        text.push('…');
    }
    text
}

/// A text of several lines, safe to store.
pub(super) fn long(text: String) -> String {
    clean(text, VALUE_MAX)
}

/// One line, safe to store and short enough for a title.
pub(super) fn line(text: &str) -> String {
    // Cut first: a megabyte must not be split into words to show 200 characters of it.
    let text = text.trim_start();
    let text = &text[..text.floor_char_boundary(8 * TITLE_MAX)];
    let words: Vec<&str> = text.split_whitespace().collect();
    shorten(&clean(words.join(" "), VALUE_MAX), TITLE_MAX)
}

/// Makes a map safe to store. Says in `left_out` how many entries did not fit.
pub(super) fn bounded(texts: Texts, left_out: &mut usize) -> Texts {
    *left_out += texts.len().saturating_sub(ENTRIES_MAX);
    texts.into_iter().take(ENTRIES_MAX).map(|(name, text)| (clean(name, NAME_MAX), long(text))).collect()
}

/// A key of at most 512 bytes: a longer one keeps its readable beginning and the SHA-256 of the whole.
pub(super) fn key(text: &str) -> String {
    let text = text.trim();
    if text.len() <= KEY_MAX && !text.chars().any(char::is_control) {
        return text.to_owned();
    }
    let beginning = &text[..text.floor_char_boundary(256)];
    format!("{}… sha256:{}", clean(line(beginning), 256), hex::encode(Sha256::digest(text.as_bytes())))
}

/// The first of `names` that the map holds with something in it.
pub(super) fn first<'a>(texts: &'a Texts, names: &[&str]) -> Option<&'a str> {
    names.iter().filter_map(|name| texts.get(*name)).map(|text| text.trim()).find(|text| !text.is_empty())
}

/// Adds a link when the address is http or https and not yet there.
pub(super) fn link(links: &mut Vec<AlertLink>, rel: &str, href: Option<&str>) {
    let Some(href) = href.map(str::trim) else { return };
    if href.len() <= HREF_MAX && is_web_address(href) && !links.iter().any(|link| link.href == href) {
        links.push(AlertLink { rel: line(rel), href: href.to_owned() });
    }
}

/// Reads a time; one that cannot be used is kept as annotations `<name>_raw` and `<name>_note`.
pub(super) fn moment(value: Option<Value>, name: &str, received: Timestamp, annotations: &mut Texts) -> Option<Timestamp> {
    let value = value?;
    let note = match time::read(&value) {
        Ok(None) => return None,
        Ok(Some(at)) if plausible(Some(at), received).is_some() => return Some(at),
        Ok(Some(_)) => "before the year 2000 or more than a day ahead",
        Err(reason) => reason,
    };
    let raw = scalar(value.clone()).unwrap_or_else(|| value.to_string());
    annotations.insert(format!("{name}_raw"), shorten(&long(raw), 100));
    annotations.insert(format!("{name}_note"), note.to_owned());
    None
}

/// The words that senders use for a status.
pub(super) fn status(word: &str) -> Option<AlertStatus> {
    match word.trim().to_ascii_lowercase().as_str() {
        "firing" | "alert" | "alerting" | "problem" | "down" | "open" | "opened" | "trigger" | "triggered" | "critical"
        | "active" | "no_data" | "nodata" | "error" => Some(AlertStatus::Firing),
        "acknowledge" | "acknowledged" | "ack" | "acked" => Some(AlertStatus::Acknowledged),
        "resolve" | "resolved" | "ok" | "up" | "recovery" | "recovered" | "close" | "closed" | "normal" => {
            Some(AlertStatus::Resolved)
        }
        _ => None,
    }
}

/// The refusal of a status that is none of the known words.
pub(super) fn unknown_status(place: &str, said: &str) -> ParseError {
    let said = line(&shorten(said, 40));
    ParseError::at(place, format!("“{said}” is no status; write firing, acknowledged or resolved"))
}
