//! Values of a tree in words, for conditions and messages.

use super::super::clean_name;
use super::{Node, Value};
use crate::domain::time::shorten;

/// Longest text, in characters.
const SAID_MAX: usize = 300;

/// A value on one line, fields in the order of their names, so that a file and a dump of it say the same.
pub fn compact(node: &Node<'_>) -> String {
    fn write(node: &Node<'_>, out: &mut String) {
        if out.len() > SAID_MAX * 4 {
            return;
        }
        match &node.value {
            Value::List(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at > 0 { ", " } else { "" });
                    write(item, out);
                }
                out.push(']');
            }
            Value::Map(entries) => {
                let mut entries: Vec<_> = entries.iter().filter(|entry| entry.key != "@type").collect();
                entries.sort_by(|a, b| a.key.cmp(&b.key));
                out.push('{');
                for (at, entry) in entries.iter().enumerate() {
                    out.push_str(if at > 0 { ", " } else { "" });
                    out.push_str(&snake(&entry.key));
                    out.push_str(": ");
                    write(&entry.node, out);
                }
                out.push('}');
            }
            _ => out.push_str(node.text().unwrap_or("null")),
        }
    }
    let mut out = String::new();
    write(node, &mut out);
    shorten(&super::super::printable(&out), SAID_MAX)
}

/// A field's name in snake case.
pub fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for letter in clean_name(name).chars() {
        if letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}
