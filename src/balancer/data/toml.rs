//! TOML 1.1 to the tree. The reader goes on after an error, so that the rest of a broken file is there too.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::build::{Builder, Step};
use super::{Problem, ProblemKind, Syntax, Tree, Value};

/// Longest text in bytes; the reader takes about fifty times as much memory.
const TEXT_MAX: usize = 4 << 20;

pub fn parse(text: &str) -> Tree<'_> {
    let mut builder = Builder::default();
    if text.len() > TEXT_MAX {
        let told = format!("the file has more than the {} MB of TOML that are read", TEXT_MAX >> 20);
        builder.problem(ProblemKind::Limit, 0..0, told);
        return builder.finish(Syntax::Toml, 0);
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    // A stop is told as a problem; the tree is what was taken before.
    let _ = map(table.into_inner(), 0..text.len(), &mut builder);
    let mut tree = builder.finish(Syntax::Toml, text.len());
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let span = span.start.min(text.len())..span.end.min(text.len());
        if error.message().starts_with("duplicate key") {
            let told = format!("`{}` is written twice: keep one of them", super::super::clean_name(&text[span.clone()]));
            tree.problems.push(Problem { kind: ProblemKind::Duplicate, span, text: told });
        } else {
            let text = format!("this is not TOML: {}", error.message());
            tree.problems.push(Problem { kind: ProblemKind::Syntax, span, text });
        }
    }
    tree.problems.truncate(super::PROBLEMS_MAX);
    tree
}

/// The bytes that a table or array covers with all that belongs to it, also under headers further down.
fn hull(value: &Spanned<DeValue<'_>>) -> Range<usize> {
    let own = value.span();
    let join = |span: Range<usize>, more: Range<usize>| {
        if more.is_empty() { span } else { span.start.min(more.start)..span.end.max(more.end) }
    };
    match value.get_ref() {
        DeValue::Array(items) => items.iter().map(hull).fold(own, join),
        DeValue::Table(table) => table.iter().map(|(key, value)| join(hull(value), key.span())).fold(own, join),
        _ => own,
    }
}

/// Recurses no deeper than the reader does, which refuses more than 80 levels in a key and 80 in a value.
fn map<'a>(table: DeTable<'a>, span: Range<usize>, builder: &mut Builder<'a>) -> Step {
    builder.open(true, span.start)?;
    let mut entries: Vec<_> = table.into_iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in entries {
        // A key that is missing stands where the reader noticed it.
        let [start, end] = [key.span().start, key.span().end].map(|at| at.clamp(span.start, span.end));
        let key_span = start..end;
        builder.key(key.into_inner(), key_span.clone())?;
        node(value, key_span.end, builder)?;
    }
    builder.close(Some(span.end));
    Ok(())
}

/// `before` is where a value stands that nobody wrote.
fn node<'a>(value: Spanned<DeValue<'a>>, before: usize, builder: &mut Builder<'a>) -> Step {
    let span = hull(&value);
    // Where the value is broken the reader lays in a zero.
    if span.is_empty() {
        return builder.scalar(Value::Null, before..before);
    }
    match value.into_inner() {
        DeValue::String(text) => builder.scalar(Value::Text(text), span),
        DeValue::Integer(number) => builder.scalar(Value::Number(Cow::Owned(digits(number.as_str(), number.radix()))), span),
        DeValue::Float(number) => builder.scalar(Value::Number(Cow::Owned(number.as_str().to_owned())), span),
        DeValue::Boolean(value) => builder.scalar(Value::Bool(value), span),
        DeValue::Datetime(time) => builder.scalar(Value::Text(Cow::Owned(time.to_string())), span),
        DeValue::Array(items) => {
            builder.open(false, span.start)?;
            for item in items {
                node(item, span.start, builder)?;
            }
            builder.close(Some(span.end));
            Ok(())
        }
        DeValue::Table(table) => map(table, span, builder),
    }
}

fn digits(text: &str, radix: u32) -> String {
    let prefix = match radix {
        16 => "0x",
        8 => "0o",
        2 => "0b",
        _ => "",
    };
    format!("{prefix}{text}")
}
