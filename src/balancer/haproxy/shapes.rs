//! What has to follow a word: numbers, times, one of some words, and nothing more. The shapes are data, in
//! `shapes.txt`; a word without one is not looked at.

use std::sync::LazyLock;

use super::reader::Reader;
use super::units;
use super::words::{Words, shown};
use crate::balancer::maps::HashMap;

/// What has to follow a word.
#[derive(Debug)]
pub struct Shape {
    /// The word, as the list writes it.
    name: &'static str,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Item { item: Item, optional: bool },
    Options(Vec<Choice>),
    Anything,
    Condition { needed: bool },
}

/// One of several options, with what stands after it.
#[derive(Debug)]
struct Choice {
    word: &'static str,
    values: Vec<Item>,
}

/// What one word has to be.
#[derive(Debug, Clone, Copy)]
struct Item {
    kind: Kind,
    /// As the list writes it.
    text: &'static str,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Word,
    Milliseconds,
    Seconds,
    Expression,
    /// A port, or an expression that gives one.
    Port,
    Format,
    Regex,
    Network,
    Hex,
    /// What is no number counts as 0 where it is read loosely.
    Number {
        loose: bool,
        low: i64,
        high: i64,
    },
    OneOf,
}

impl Item {
    fn of(text: &'static str) -> Self {
        let kind = match text {
            "W" => Kind::Word,
            "T" => Kind::Milliseconds,
            "S" => Kind::Seconds,
            "E" => Kind::Expression,
            "P" => Kind::Port,
            "F" => Kind::Format,
            "R" => Kind::Regex,
            "I" => Kind::Network,
            "H" => Kind::Hex,
            _ if text.starts_with(['N', 'A']) && !text.contains('|') => {
                let (low, high) = bounds(&text[1..]);
                Kind::Number { loose: text.starts_with('A'), low, high }
            }
            _ => Kind::OneOf,
        };
        Self { kind, text }
    }

    fn meant(self) -> String {
        let text = self.text;
        match self.kind {
            Kind::Milliseconds | Kind::Seconds => "a time such as `5s`".to_owned(),
            Kind::Expression | Kind::Port => "an expression such as `src`".to_owned(),
            Kind::Number { low: i64::MIN, .. } => "a number".to_owned(),
            Kind::Number { low, high: i64::MAX, .. } => format!("a number from {low} on"),
            Kind::Number { low, high, .. } => format!("a number from {low} to {high}"),
            Kind::OneOf if text.contains('|') || text.chars().all(|c| c.is_ascii_lowercase()) => {
                format!("one of {}", text.replace('|', ", "))
            }
            _ => "a value".to_owned(),
        }
    }
}

impl Shape {
    fn of(name: &'static str, items: &'static str) -> Self {
        let mut steps = Vec::new();
        let mut items = items.split_whitespace();
        while let Some(item) = items.next() {
            steps.push(match item {
                "*" => Step::Anything,
                "C" | "CC" => Step::Condition { needed: item == "CC" },
                "{" => Step::Options(items.by_ref().take_while(|item| *item != "}").map(Choice::of).collect()),
                _ => {
                    let (text, optional) = item.strip_prefix('?').map_or((item, false), |item| (item, true));
                    Step::Item { item: Item::of(text), optional }
                }
            });
        }
        Self { name, steps }
    }
}

impl Choice {
    fn of(text: &'static str) -> Self {
        let (word, value) = text.split_once('=').unwrap_or((text, ""));
        let values = match value {
            "" => Vec::new(),
            "WF" => ["W", "F"].map(Item::of).into(),
            _ => vec![Item::of(value)],
        };
        Self { word, values }
    }
}

/// By word.
type Shapes = HashMap<&'static str, Shape>;

static GROUPS: LazyLock<HashMap<&'static str, Shapes>> = LazyLock::new(|| {
    let mut groups: HashMap<&'static str, Shapes> = HashMap::default();
    let mut group = "";
    for line in include_str!("shapes.txt").lines().filter(|line| !line.starts_with('#')) {
        match line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(name) => group = name,
            None => {
                if let Some((word, items)) = line.split_once(':') {
                    groups.entry(group).or_default().insert(word, Shape::of(word, items));
                }
            }
        }
    }
    groups
});

/// The shape of `word` in `group`.
pub(super) fn of(group: &str, word: &str) -> Option<&'static Shape> {
    GROUPS.get(group)?.get(word)
}

/// Whether there is a shape for `word` of `group`.
pub(super) fn has(group: &str, word: &str) -> bool {
    of(group, word).is_some()
}

impl Reader<'_> {
    /// Holds what follows word `at` against the shape of that word in `group`.
    pub(super) fn shape(&mut self, group: &str, words: &Words<'_>, at: usize) {
        self.follows(of(group, words.get(at)), words, at);
    }

    /// The same for a shape that is at hand.
    pub(super) fn follows(&mut self, shape: Option<&Shape>, words: &Words<'_>, at: usize) {
        let Some(Shape { name, steps }) = shape else { return };
        let mut next = at + 1;
        for step in steps {
            match step {
                Step::Anything => return,
                Step::Options(choices) => next = self.options(words, next, choices, name),
                Step::Condition { needed } => {
                    let word = words.get(next);
                    if !word.is_empty() && !matches!(word, "if" | "unless") {
                        self.told.error(
                            words.at(next),
                            format!("after `{name}` stands `if` or `unless` with a condition, not {}", shown(word)),
                        );
                    } else if word.is_empty() && *needed {
                        self.told.error(words.whole(), format!("`{name}` needs `if` or `unless` with a condition"));
                    }
                    return;
                }
                Step::Item { item, optional } => {
                    if words.get(next).is_empty() {
                        if !optional {
                            self.told.error(words.whole(), format!("`{name}` needs {} after it", item.meant()));
                        }
                        return;
                    }
                    self.item(words, next, *item, name);
                    next += 1;
                }
            }
        }
        if !words.get(next).is_empty() {
            self.told.error(words.at(next), format!("{} is too much behind `{name}`", shown(words.get(next))));
        }
    }

    /// Holds the value of parameter `at` against its shape.
    pub(super) fn value_follows(&mut self, shape: Option<&Shape>, words: &Words<'_>, at: usize) {
        if let Some(Shape { name, steps }) = shape
            && let Some(Step::Item { item, .. }) = steps.first()
        {
            self.item(words, at + 1, *item, name);
        }
    }

    /// Options in any order; answers which word comes after them.
    fn options(&mut self, words: &Words<'_>, mut next: usize, choices: &[Choice], name: &str) -> usize {
        while !words.get(next).is_empty() && !matches!(words.get(next), "if" | "unless") {
            let word = words.get(next);
            let Some(choice) = choices.iter().find(|choice| choice.word == word) else {
                if words.variable(next) {
                    return words.len();
                }
                let known: Vec<&str> = choices.iter().map(|choice| choice.word).collect();
                self.told.error(words.at(next), format!("`{name}` takes {}, not {}", known.join(", "), shown(word)));
                return words.len();
            };
            next += 1;
            for item in &choice.values {
                if words.get(next).is_empty() && !words.variable(next) {
                    self.told.error(words.whole(), format!("`{word}` needs {} after it", item.meant()));
                    return words.len();
                }
                self.item(words, next, *item, word);
                next += 1;
            }
        }
        next
    }

    /// Whether word `at` is what it has to be.
    fn item(&mut self, words: &Words<'_>, at: usize, item: Item, name: &str) {
        let value = words.get(at);
        if words.variable(at) {
            return;
        }
        match item.kind {
            Kind::Word => {}
            Kind::Milliseconds => drop(self.time(words, at, name, 1_000)),
            Kind::Seconds => drop(self.time(words, at, name, 1_000_000)),
            Kind::Port if units::whole(value) => {}
            Kind::Expression | Kind::Port => self.sample(words, at),
            Kind::Format => self.format(words, at),
            Kind::Regex => {
                if let Some(why) = super::formats::regex_fault(value) {
                    self.told.error(words.at(at), format!("{} is no regular expression: {why}", shown(value)));
                }
            }
            Kind::Network => {
                if !super::address::is_ip(value.split('/').next().unwrap_or_default()) {
                    self.told.error(words.at(at), format!("{} is no address or network", shown(value)));
                }
            }
            Kind::Hex => {
                if !value.len().is_multiple_of(2) || !value.bytes().all(|b| b.is_ascii_hexdigit()) {
                    self.told.error(words.at(at), format!("{} is not hexadecimal", shown(value)));
                }
            }
            Kind::Number { loose, low, high } => {
                let number = units::leading(value);
                if !loose && !units::whole(value) || number < low || number > high {
                    self.told.error(words.at(at), format!("{} is not {} for `{name}`", shown(value), item.meant()));
                }
            }
            Kind::OneOf => {
                let fits = |one: &str| one.strip_suffix('*').map_or(one == value, |stem| value.starts_with(stem));
                if !item.text.split('|').any(fits) {
                    let known = item.text.replace('|', ", ");
                    self.told.error(words.at(at), format!("`{name}` takes {known}, not {}", shown(value)));
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
