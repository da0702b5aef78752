//! RFC 7396 merge patches over a noun's editable fields.
//!
//! A PATCH body, a web form and a back-fill all become one JSON object that is laid over the current
//! fields and read back: unknown names are refused by serde with their place, absent stays, null clears.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{Error, Result};

/// Lays `patch` over `target` (RFC 7396 section 2).
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Default::default());
    }
    let Value::Object(target) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

/// The fields after `patch`; errors name the JSON pointer that does not fit.
pub fn apply<T: Serialize + DeserializeOwned>(fields: &T, patch: &Value) -> Result<T> {
    if !patch.is_object() {
        return Err(Error::invalid("", "not_an_object", "the body must be a JSON object"));
    }
    let mut value = serde_json::to_value(fields).map_err(|e| Error::invalid("", "not_json", e.to_string()))?;
    merge(&mut value, patch);
    read(value)
}

/// Reads `value` as `T`; errors name the JSON pointer that does not fit.
pub fn read<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let pointer = pointer(error.path());
        let detail = error.inner().to_string();
        let (code, detail) = match detail.as_str() {
            _ if detail.starts_with("unknown field") => ("unknown_field", detail),
            said if TIME_FAULTS.iter().any(|fault| said.starts_with(fault)) && pointer.ends_with("_on") => {
                ("not_a_date", "this is not a date; write it like 2026-11-21".to_owned())
            }
            said if TIME_FAULTS.iter().any(|fault| said.starts_with(fault)) => (
                "not_a_time",
                "this is not a time with a zone; write it like 2026-11-21T14:03:00Z or 2026-11-21T15:03:00+01:00".to_owned(),
            ),
            _ => ("invalid", detail),
        };
        Error::invalid(&pointer, code, detail)
    })
}

/// How chrono's errors begin: true, but no help to who sent the time.
const TIME_FAULTS: [&str; 6] = [
    "premature end of input",
    "input contains invalid characters",
    "input is out of range",
    "input is not enough",
    "trailing input",
    "no possible date and time",
];

/// The JSON pointer (RFC 6901) of a place; empty for the whole document.
pub fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |pointer, segment| match segment {
        Segment::Seq { index } => format!("{pointer}/{index}"),
        Segment::Map { key } => format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => pointer,
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    #[derive(Default)]
    struct Fields {
        title: String,
        started: Option<i64>,
        inner: Inner,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize, Default)]
    #[serde(deny_unknown_fields, default)]
    struct Inner {
        a: u8,
        b: u8,
        c: Option<chrono::DateTime<chrono::Utc>>,
        due_on: Option<chrono::NaiveDate>,
        pairs: std::collections::BTreeMap<String, u8>,
    }

    #[test]
    fn absent_stays_null_clears_and_nested_objects_merge() {
        let before = Fields { title: "t".into(), started: Some(3), inner: Inner { a: 1, b: 2, ..Inner::default() } };
        let after = apply(&before, &json!({"started": null, "inner": {"b": 9}})).expect("applies");
        assert_eq!(after, Fields { title: "t".into(), started: None, inner: Inner { a: 1, b: 9, ..Inner::default() } });
    }

    #[test]
    fn errors_name_the_place() {
        let place = |patch: Value| match apply(&Fields::default(), &patch) {
            Err(Error::Invalid(errors)) => (errors.0[0].pointer.clone(), errors.0[0].code),
            other => panic!("{other:?}"),
        };
        assert_eq!(place(json!({"inner": {"b": "x"}})), ("/inner/b".to_owned(), "invalid"));
        assert_eq!(place(json!({"inner": {"pairs": {"a.b/c": "x"}}})).0, "/inner/pairs/a.b~1c");
        assert_eq!(place(json!({"role": "admin"})).1, "unknown_field");
        for naive in ["2026-11-21T14:03:00", "14:03", "", "yesterday", "2026-13-40T00:00:00Z"] {
            assert_eq!(place(json!({"inner": {"c": naive}})), ("/inner/c".to_owned(), "not_a_time"), "{naive}");
            assert_eq!(place(json!({"inner": {"due_on": naive}})).1, "not_a_date", "{naive}");
        }
        assert_eq!(place(json!([1])).1, "not_an_object");
    }
}
