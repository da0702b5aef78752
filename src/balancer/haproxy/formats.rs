//! Log formats, sample expressions and regular expressions, as far as their shape goes: brackets that close, names
//! that exist (configuration manual 7.3, 8.2.4). What they come to is known only while running.

use super::keywords;
use super::reader::Reader;
use super::words::{Words, shown};

impl Reader<'_> {
    /// A log format: `%ci`, `%{+Q}r`, `%[expression]`, `%%`.
    pub(super) fn format(&mut self, words: &Words<'_>, at: usize) {
        let text = words.get(at);
        if words.variable(at) {
            return;
        }
        let mut rest = text;
        while let Some(start) = rest.find('%') {
            rest = &rest[start + 1..];
            if let Some(after) = rest.strip_prefix('%') {
                rest = after;
                continue;
            }
            if let Some(after) = rest.strip_prefix('{') {
                let Some((_, behind)) = after.split_once('}') else {
                    return self.told.error(words.at(at), "`%{` is not closed: write `%{FLAGS}name`");
                };
                rest = behind;
            }
            if let Some(inner) = rest.strip_prefix('[') {
                let Some(end) = closing(inner) else {
                    return self.told.error(words.at(at), "`%[` is not closed: write `%[expression]`");
                };
                self.expression(words, at, &inner[..end]);
                rest = &inner[end + 1..];
                continue;
            }
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            let name = &rest[..end];
            rest = &rest[end..];
            if keywords::find("log-variable", name, self.release).is_none() {
                let name = shown(&format!("%{name}"));
                return self.told.error(words.at(at), format!("{name} is no log variable; for a per cent sign write `%%`"));
            }
        }
    }

    /// A sample fetch with its converters: only names and brackets are looked at.
    pub(super) fn sample(&mut self, words: &Words<'_>, at: usize) {
        if !words.variable(at) && !words.get(at).is_empty() {
            self.expression(words, at, words.get(at));
        }
    }

    fn expression(&mut self, words: &Words<'_>, at: usize, expression: &str) {
        let (names, closed) = chain(expression);
        if !closed {
            self.told.error(words.at(at), format!("a bracket is not closed in {}", shown(expression)));
        }
        for (number, name) in names.into_iter().enumerate() {
            let (group, what) = if number == 0 { ("sample", "sample fetch") } else { ("converter", "converter") };
            // Lua adds its own.
            let argued = || expression.match_indices(name).any(|(at, _)| expression[at + name.len()..].starts_with('('));
            match keywords::find(group, name, self.release) {
                _ if name.is_empty() || name.starts_with("lua.") => {}
                Some(known) if known.value && !argued() => {
                    return self.told.error(words.at(at), format!("{} needs an argument: `{name}(…)`", shown(name)));
                }
                Some(_) => {}
                // ACL words are fetches with a match.
                None if number == 0 && keywords::find("acl", name, self.release).is_some() => {}
                None => return self.unknown(group, words.at(at), name, what),
            }
        }
    }
}

/// Where the `]` stands that ends an expression; one in brackets or quotes does not.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') if depth > 0 => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, ']') if depth == 0 => return Some(at),
            _ => {}
        }
    }
    // Arguments may hold unpaired brackets where they are regular expressions.
    text.rfind(']')
}

/// The names of a sample expression: the fetch, then its converters; and whether its brackets close. Arguments are
/// passed over, quotes and brackets in them too.
pub(super) fn chain(expression: &str) -> (Vec<&str>, bool) {
    let mut names = Vec::new();
    let mut inside = false;
    let mut quote = None;
    let mut start = Some(0);
    for (at, c) in expression.char_indices() {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') if inside => quote = Some(c),
            (None, '(') if !inside => {
                if let Some(from) = start.take() {
                    names.push(&expression[from..at]);
                }
                inside = true;
            }
            (None, ')') => inside = false,
            (None, ',') if !inside => {
                if let Some(from) = start {
                    names.push(&expression[from..at]);
                }
                start = Some(at + 1);
            }
            _ => {}
        }
    }
    if let Some(from) = start {
        names.push(&expression[from..]);
    }
    (names, !inside)
}

/// What is certainly wrong with a regular expression: brackets that do not close. The rest is the library's matter.
pub(super) fn regex_fault(text: &str) -> Option<&'static str> {
    let mut depth = 0_i32;
    let mut class: Option<usize> = None;
    let mut chars = text.chars().enumerate();
    while let Some((at, c)) = chars.next() {
        match (class, c) {
            (_, '\\') => drop(chars.next()),
            // `[]…]` and `[^]…]` begin with a bracket that is meant.
            (Some(from), ']') if at > from + 1 => class = None,
            (Some(from), '^') if at == from + 1 => class = Some(at),
            (Some(_), _) => {}
            (None, '[') => class = Some(at),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return Some("a `)` closes nothing");
        }
    }
    if class.is_some() {
        return Some("a `[` is not closed");
    }
    (depth > 0).then_some("a `(` is not closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_come_apart() {
        assert_eq!(chain("req.hdr(host),lower,map(/a,b)"), (vec!["req.hdr", "lower", "map"], true));
        assert_eq!(chain(r#"path,regsub("^/(a)(/|$)","my,\1",g),lower"#), (vec!["path", "regsub", "lower"], true));
        assert_eq!(chain("src"), (vec!["src"], true));
        assert_eq!(chain("hdr(x"), (vec!["hdr"], false));
        assert_eq!([closing("path] b"), closing(r#"path,regsub("]",x)]"#), closing("path")], [Some(4), Some(18), None]);
        assert_eq!(["(a|b)[])(]x", "^/\\(", "[^]]"].map(regex_fault), [None; 3]);
        assert!(["(", "[", "a)", "([)]"].iter().all(|text| regex_fault(text).is_some()));
    }
}
