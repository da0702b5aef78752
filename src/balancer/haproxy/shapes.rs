//! What has to follow a word: numbers, times, one of some words, and nothing more. The shapes are data, in
//! `shapes.txt`; a word without one is not looked at.

use std::sync::LazyLock;

use super::reader::Reader;
use super::units;
use super::words::{Words, shown};
use crate::balancer::maps::HashMap;

/// By group, then by word.
type Shapes = HashMap<&'static str, HashMap<&'static str, Vec<&'static str>>>;

static SHAPES: LazyLock<Shapes> = LazyLock::new(|| {
    let mut shapes = Shapes::default();
    let mut group = "";
    for line in include_str!("shapes.txt").lines().filter(|line| !line.starts_with('#')) {
        match line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(name) => group = name,
            None => {
                if let Some((word, items)) = line.split_once(':') {
                    shapes.entry(group).or_default().insert(word, items.split_whitespace().collect());
                }
            }
        }
    }
    shapes
});

/// A word as the list writes it, with its shape.
fn of(group: &str, word: &str) -> Option<(&'static str, &'static [&'static str])> {
    let (name, items) = SHAPES.get(group)?.get_key_value(word)?;
    Some((name, items))
}

/// Whether there is a shape for `word` of `group`.
pub(super) fn has(group: &str, word: &str) -> bool {
    of(group, word).is_some()
}

impl Reader<'_> {
    /// Holds what follows word `at` against the shape of that word in `group`.
    pub(super) fn shape(&mut self, group: &str, words: &Words<'_>, at: usize) {
        let Some((name, items)) = of(group, words.get(at)) else { return };
        let mut next = at + 1;
        let mut options: Option<Vec<&str>> = None;
        for item in items {
            match (*item, &mut options) {
                ("{", _) => options = Some(Vec::new()),
                ("}", Some(known)) => {
                    let known = std::mem::take(known);
                    options = None;
                    next = self.options(words, next, &known, name);
                }
                (option, Some(known)) => known.push(option),
                ("*", None) => return,
                ("C" | "CC", None) => {
                    let word = words.get(next);
                    if !word.is_empty() && !matches!(word, "if" | "unless") {
                        self.told.error(
                            words.at(next),
                            format!("after `{name}` stands `if` or `unless` with a condition, not {}", shown(word)),
                        );
                    } else if word.is_empty() && *item == "CC" {
                        self.told.error(words.whole(), format!("`{name}` needs `if` or `unless` with a condition"));
                    }
                    return;
                }
                (item, None) => {
                    let (item, optional) = item.strip_prefix('?').map_or((item, false), |item| (item, true));
                    if words.get(next).is_empty() {
                        if !optional {
                            self.told.error(words.whole(), format!("`{name}` needs {} after it", meant(item)));
                        }
                        return;
                    }
                    self.item(words, next, item, name);
                    next += 1;
                }
            }
        }
        if !words.get(next).is_empty() {
            self.told.error(words.at(next), format!("{} is too much behind `{name}`", shown(words.get(next))));
        }
    }

    /// Holds the value of parameter `at` against its shape.
    pub(super) fn value_shape(&mut self, group: &str, words: &Words<'_>, at: usize) {
        if let Some((name, items)) = of(group, words.get(at))
            && let Some(item) = items.first()
        {
            self.item(words, at + 1, item, name);
        }
    }

    /// Options in any order; answers which word comes after them.
    fn options(&mut self, words: &Words<'_>, mut next: usize, known: &[&str], name: &str) -> usize {
        while !words.get(next).is_empty() && !matches!(words.get(next), "if" | "unless") {
            let word = words.get(next);
            let found =
                known.iter().map(|option| option.split_once('=').unwrap_or((option, ""))).find(|(option, _)| *option == word);
            let Some((_, value)) = found else {
                if words.variable(next) {
                    return words.len();
                }
                let options: Vec<&str> = known.iter().map(|option| option.split('=').next().unwrap_or_default()).collect();
                self.told.error(words.at(next), format!("`{name}` takes {}, not {}", options.join(", "), shown(word)));
                return words.len();
            };
            next += 1;
            let items: &[&str] = match value {
                "" => &[],
                "WF" => &["W", "F"],
                _ => &[value],
            };
            for item in items {
                if words.get(next).is_empty() && !words.variable(next) {
                    self.told.error(words.whole(), format!("`{word}` needs {} after it", meant(item)));
                    return words.len();
                }
                self.item(words, next, item, word);
                next += 1;
            }
        }
        next
    }

    /// Whether word `at` is of the shape.
    fn item(&mut self, words: &Words<'_>, at: usize, item: &str, name: &str) {
        let value = words.get(at);
        if words.variable(at) || item == "W" {
            return;
        }
        match item {
            "T" => drop(self.time(words, at, name, 1_000)),
            "S" => drop(self.time(words, at, name, 1_000_000)),
            "E" => self.sample(words, at),
            // A port, or an expression that gives one.
            "P" if units::whole(value) => {}
            "P" => self.sample(words, at),
            "F" => self.format(words, at),
            "R" => {
                if let Some(why) = super::formats::regex_fault(value) {
                    self.told.error(words.at(at), format!("{} is no regular expression: {why}", shown(value)));
                }
            }
            "I" => {
                if !super::address::is_ip(value.split('/').next().unwrap_or_default()) {
                    self.told.error(words.at(at), format!("{} is no address or network", shown(value)));
                }
            }
            "H" => {
                if !value.len().is_multiple_of(2) || !value.bytes().all(|b| b.is_ascii_hexdigit()) {
                    self.told.error(words.at(at), format!("{} is not hexadecimal", shown(value)));
                }
            }
            _ if item.starts_with(['N', 'A']) && !item.contains('|') => {
                let number = units::leading(value);
                let (low, high) = bounds(&item[1..]);
                if item.starts_with('N') && !units::whole(value) || number < low || number > high {
                    self.told.error(words.at(at), format!("{} is not {} for `{name}`", shown(value), meant(item)));
                }
            }
            _ => {
                let fits = |one: &str| one.strip_suffix('*').map_or(one == value, |stem| value.starts_with(stem));
                if !item.split('|').any(fits) {
                    self.told.error(words.at(at), format!("`{name}` takes {}, not {}", item.replace('|', ", "), shown(value)));
                }
            }
        }
    }
}

/// `1-50`, `1-`, `-1-`, or nothing.
fn bounds(text: &str) -> (i64, i64) {
    let (sign, rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (low, high) = rest.split_once('-').unwrap_or((rest, ""));
    let low = low.parse::<i64>().map_or(i64::MIN, |low| low * sign);
    (low, high.parse().unwrap_or(i64::MAX))
}

fn meant(item: &str) -> String {
    match item {
        "T" | "S" => "a time such as `5s`".to_owned(),
        "E" | "P" => "an expression such as `src`".to_owned(),
        _ if item.starts_with(['N', 'A']) && !item.contains('|') => match bounds(&item[1..]) {
            (i64::MIN, _) => "a number".to_owned(),
            (low, i64::MAX) => format!("a number from {low} on"),
            (low, high) => format!("a number from {low} to {high}"),
        },
        _ if item.contains('|') || item.chars().all(|c| c.is_ascii_lowercase()) => format!("one of {}", item.replace('|', ", ")),
        _ => "a value".to_owned(),
    }
}
