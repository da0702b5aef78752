//! Regular expressions, looked over for what PCRE surely refuses. Whether it takes one is known to PCRE alone.

use super::load::Config;
use super::tree::Directive;

/// What is wrong with a pattern, if that can be told.
pub fn fault(pattern: &str) -> Option<&'static str> {
    let mut open = 0_usize;
    let mut chars = pattern.chars().peekable();
    let mut repeatable = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                if chars.next().is_none() {
                    return Some("the pattern ends with a backslash: write \\\\ for one, or take it away");
                }
                repeatable = true;
            }
            '[' => {
                chars.next_if_eq(&'^');
                // A bracket that comes first is a character like any other.
                chars.next_if_eq(&']');
                let mut closed = false;
                while let Some(c) = chars.next() {
                    if c == ']' {
                        closed = true;
                        break;
                    }
                    if c == '\\' {
                        chars.next();
                    }
                }
                if !closed {
                    return Some("the pattern has a [ without its ]");
                }
                repeatable = true;
            }
            '(' => {
                open += 1;
                chars.next_if_eq(&'?');
                repeatable = false;
            }
            ')' if open == 0 => return Some("the pattern has a ) without its ("),
            ')' => {
                open -= 1;
                repeatable = true;
            }
            '*' | '+' | '?' if !repeatable => return Some("the pattern repeats nothing: a *, + or ? needs something before it"),
            '|' | '^' => repeatable = false,
            _ => repeatable = true,
        }
    }
    (open > 0).then_some("the pattern has a ( without its )")
}

/// Checks the patterns of `location`, `server_name` and `rewrite`.
pub fn check(config: &mut Config, directive: &Directive) {
    let candidates: Vec<(usize, &str)> = match directive.name.text.as_str() {
        "rewrite" => vec![(0, directive.argument(0).unwrap_or_default())],
        "location" if directive.arguments.len() == 2 && directive.argument(0).is_some_and(|mark| mark.starts_with('~')) => {
            vec![(1, directive.argument(1).unwrap_or_default())]
        }
        "location" => directive
            .argument(0)
            .and_then(|text| text.strip_prefix('~'))
            .map(|text| (0, text.trim_start_matches('*')))
            .into_iter()
            .collect(),
        _ => directive
            .arguments
            .iter()
            .enumerate()
            .filter_map(|(index, word)| Some((index, word.text.strip_prefix('~')?)))
            .collect(),
    };
    for (index, pattern) in candidates {
        if let Some(why) = fault(pattern) {
            config.error_in(directive, index, why);
        }
    }
}
