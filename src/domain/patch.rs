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
        let path = error.path().to_string();
        let pointer = if path == "." { String::new() } else { path.replace(['.', '['], "/").replace(']', "") };
        let detail = error.inner().to_string();
        let code = if detail.starts_with("unknown field") { "unknown_field" } else { "invalid" };
        Error::invalid(&pointer, code, detail)
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
    }

    #[test]
    fn absent_stays_null_clears_and_nested_objects_merge() {
        let before = Fields { title: "t".into(), started: Some(3), inner: Inner { a: 1, b: 2 } };
        let after = apply(&before, &json!({"started": null, "inner": {"b": 9}})).expect("applies");
        assert_eq!(after, Fields { title: "t".into(), started: None, inner: Inner { a: 1, b: 9 } });
    }

    #[test]
    fn errors_name_the_place() {
        let place = |patch: Value| match apply(&Fields::default(), &patch) {
            Err(Error::Invalid(errors)) => (errors.0[0].pointer.clone(), errors.0[0].code),
            other => panic!("{other:?}"),
        };
        assert_eq!(place(json!({"inner": {"b": "x"}})), ("/inner/b".to_owned(), "invalid"));
        assert_eq!(place(json!({"role": "admin"})).1, "unknown_field");
        assert_eq!(place(json!([1])).1, "not_an_object");
    }
}
