//! JSON bodies read strictly: a name given twice, a NUL in a text or anything after the end is refused
//! with its place, where `serde_json` by itself would keep the last or pass it on to the database.

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::error::{Error, Result};
use crate::domain;
use crate::domain::patch;

/// Reads one JSON document.
///
/// # Errors
/// 400 when it is no JSON, 422 with a pointer when it is JSON that nobody means.
pub fn parse(bytes: &[u8]) -> Result<Value> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Error::bad_request("the body is empty; a JSON document is expected"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let strict: Strict = serde_path_to_error::deserialize(&mut reader).map_err(|fault| {
        let said = fault.inner().to_string();
        if fault.inner().is_data() {
            let reason = said.split(" at line ").next().unwrap_or(&said);
            let code = if reason.starts_with("the name") { "duplicate_field" } else { "nul" };
            return domain::Error::invalid(&patch::pointer(fault.path()), code, reason).into();
        }
        Error::bad_request(format!("the body is not JSON: {said}"))
    })?;
    reader.end().map_err(|fault| Error::bad_request(format!("the body is not JSON: {fault}")))?;
    Ok(strict.0)
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        if value.contains('\0') {
            return Err(E::custom("the text holds a NUL character; remove it and send again"));
        }
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if name.contains('\0') {
                return Err(A::Error::custom("a name holds a NUL character; remove it and send again"));
            }
            let Strict(value) = map.next_value()?;
            if fields.contains_key(&name) {
                let name = domain::time::shorten(&name, 60);
                return Err(A::Error::custom(format!("the name “{name}” is given twice; keep one")));
            }
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_json_reads_as_it_would_anyway() {
        let text = r#"{"a": [1, -2, 3.5, true, null, "x\n😀"], "b": {"a": 18446744073709551615}}"#;
        assert_eq!(parse(text.as_bytes()).expect("reads"), serde_json::from_str::<Value>(text).expect("reads"));
    }

    #[test]
    fn what_nobody_means_is_refused_with_its_place() {
        for (body, status, place) in [
            (r#"{"a": 1, "a": 2}"#.to_owned(), 422, Some(("/", "duplicate_field"))),
            (r#"{"labels": [{"x.y": {"a": 1, "a": 1}}]}"#.to_owned(), 422, Some(("/labels/0/x.y", "duplicate_field"))),
            (r#"{"title": "a\u0000b"}"#.to_owned(), 422, Some(("/title", "nul"))),
            (r#"{"a\u0000": 1}"#.to_owned(), 422, Some(("/", "nul"))),
            (r#"{"title": "#.to_owned(), 400, None),
            ("{} {}".to_owned(), 400, None),
            (" \n".to_owned(), 400, None),
            ("\u{feff}{}".to_owned(), 400, None),
            ("[".repeat(100_000), 400, None),
        ] {
            let error = parse(body.as_bytes()).expect_err(&body[..body.len().min(40)]);
            assert_eq!(error.status(), status, "{}", &body[..body.len().min(40)]);
            assert_eq!(error.pointers().first().copied(), place);
        }
        assert_eq!(parse(b"{\"a\": \"\xff\"}").expect_err("not UTF-8").status(), 400);
        assert_eq!(parse(b"7").expect("a number"), json!(7));
    }
}
