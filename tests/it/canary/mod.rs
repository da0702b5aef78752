//! Configs of all five balancers with planted secrets ("canaries"), made again the same at every run.
//!
//! Needs nothing of the product, so that any test can send the texts through it and look for the canaries in whatever
//! comes out: [`leaks`] for a database, a log or a page, [`changed_elsewhere`] for the redacted text itself.

mod held_out;
mod templates;
mod templates_data;

use std::collections::HashSet;

/// A config and the secrets in it.
pub struct Planted {
    pub name: String,
    /// `haproxy`, `nginx`, `envoy`, `traefik` or `caddy`.
    pub kind: &'static str,
    pub text: String,
    /// The planted secrets. No two of a corpus are equal, and none is part of another text.
    pub canaries: Vec<String>,
    /// What stands around the secrets and has to stay as it is, in order: one more than secrets.
    pub around: Vec<String>,
    /// Whether the balancer would refuse it.
    pub broken: bool,
}

const MARK: &str = "REDACTED-";
const DIGITS: usize = 12;
pub const KINDS: [&str; 5] = ["haproxy", "nginx", "envoy", "traefik", "caddy"];

/// 300 configs with 2,000 canaries.
pub fn corpus() -> Vec<Planted> {
    let mut plant = Plant::new(1);
    (0..300).map(|n| plant.config(n, KINDS[n % 5], 6 + usize::from(n % 3 < 2), templates::of)).collect()
}

/// 60 configs in shapes that the corpus does not have.
pub fn held_out() -> Vec<Planted> {
    let mut plant = Plant::new(2);
    (0..60).map(|n| plant.config(n, KINDS[n % 5], 6, held_out::of)).collect()
}

/// The canaries that `text` still holds.
pub fn leaks<'a>(text: &str, planted: &'a Planted) -> Vec<&'a str> {
    planted.canaries.iter().map(String::as_str).filter(|canary| text.contains(canary)).collect()
}

/// The first place at which the redacted text is neither a mark nor what stood there before.
pub fn changed_elsewhere(redacted: &str, planted: &Planted) -> Option<String> {
    let mut rest = redacted;
    for (n, piece) in planted.around.iter().enumerate() {
        if n > 0 {
            let Some(after) = rest.strip_prefix(MARK).and_then(|mark| mark.get(DIGITS..)) else {
                return Some(format!("no mark at {:?}", start_of(rest)));
            };
            rest = after;
        }
        let Some(after) = rest.strip_prefix(piece.as_str()) else {
            let same = rest.bytes().zip(piece.bytes()).take_while(|(a, b)| a == b).count();
            let from = |text: &str| {
                start_of(text.get(text.floor_char_boundary(same.saturating_sub(40))..).unwrap_or_default()).to_owned()
            };
            return Some(format!("{:?} became {:?}", from(piece), from(rest)));
        };
        rest = after;
    }
    (!rest.is_empty()).then(|| format!("more at the end: {:?}", start_of(rest)))
}

fn start_of(text: &str) -> &str {
    &text[..text.floor_char_boundary(90)]
}

/// Where a piece of config goes, and the piece: the secret between `«` and `»`, in it a canary as `@p@` (letters and
/// digits), `@l@` (small letters), `@s@` (with signs), `@h@` (hexadecimal), `@b@` (base64) or `@t@` (typed by a person).
pub type Template = (char, &'static str);

/// A skeleton with places such as `%c`, and the templates that go there; `comment` is what begins a comment.
pub struct Language {
    pub skeletons: &'static [(&'static str, &'static [Template])],
    pub comment: Option<&'static str>,
    /// Lines that break a config wherever they stand.
    pub breaks: &'static [&'static str],
}

struct Plant {
    random: u64,
    seen: HashSet<String>,
    /// Counts templates up, so that each is used.
    turn: usize,
}

impl Plant {
    fn new(seed: u64) -> Self {
        Self { random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), seen: HashSet::new(), turn: 0 }
    }

    /// A number below `limit`, by splitmix64.
    fn below(&mut self, limit: usize) -> usize {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % limit as u64).expect("below a usize")
    }

    fn config(&mut self, n: usize, kind: &'static str, secrets: usize, language: fn(&str) -> Language) -> Planted {
        let Language { skeletons, comment, breaks } = language(kind);
        let (skeleton, templates) = skeletons[(n / 5) % skeletons.len()];
        let broken = n % 7 == 3;
        let windows = n % 11 == 5;
        let mut chosen: Vec<Template> = Vec::new();
        for _ in 0..secrets {
            self.turn += 1;
            chosen.push(templates[self.turn % templates.len()]);
        }
        let mut text = String::new();
        let mut canaries = Vec::new();
        for line in skeleton.split_inclusive('\n') {
            let trimmed = line.trim();
            let Some(slot) = trimmed.strip_prefix('%').and_then(|rest| rest.chars().next()) else {
                text.push_str(line);
                continue;
            };
            let indent = &line[..line.len() - line.trim_start().len()];
            for (_, template) in chosen.iter().filter(|(wanted, _)| *wanted == slot) {
                let commented = comment.filter(|_| !template.contains('\n') && self.below(8) == 0).unwrap_or_default();
                for line in template.lines() {
                    text.push_str(&format!("{indent}{commented}{}\n", self.fill(line, &mut canaries)));
                }
            }
        }
        if broken {
            self.break_up(&mut text, breaks);
        }
        if windows {
            text = text.replace('\n', "\r\n");
        }
        assert_eq!(canaries.len(), secrets, "a template of {kind} has no place or no canary: {chosen:?}");
        let mut around: Vec<String> = Vec::new();
        let mut plain = String::new();
        for (n, part) in text.split(['«', '»']).enumerate() {
            if n % 2 == 0 {
                around.push(part.to_owned());
            }
            plain.push_str(part);
        }
        Planted { name: format!("{kind}-{n}"), kind, text: plain, canaries, around, broken }
    }

    /// Puts a line that breaks the config between two lines that hold no secret of several lines, or cuts it off.
    fn break_up(&mut self, text: &mut String, breaks: &[&str]) {
        let (mut at, mut depth, mut places) = (0, 0, Vec::new());
        for line in text.split_inclusive('\n') {
            if depth == 0 {
                places.push(at);
            }
            depth += line.matches('«').count();
            depth -= line.matches('»').count();
            at += line.len();
        }
        let place = places[self.below(places.len())];
        text.insert_str(place, breaks[self.below(breaks.len())]);
    }

    fn fill(&mut self, line: &str, canaries: &mut Vec<String>) -> String {
        let mut out = String::new();
        let mut rest = line;
        while let Some(at) = rest.find('@') {
            let Some(shape) = rest.get(at + 1..at + 3).filter(|shape| shape.ends_with('@')) else {
                out.push_str(&rest[..=at]);
                rest = &rest[at + 1..];
                continue;
            };
            out.push_str(&rest[..at]);
            let canary = self.canary(shape);
            out.push_str(&canary);
            canaries.push(canary);
            rest = &rest[at + 3..];
        }
        out + rest
    }

    fn canary(&mut self, shape: &str) -> String {
        const LOWER: &[u8] = b"abcdefghijkmnopqrstuvwxyz";
        const PLAIN: &[u8] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
        const SIGNS: &[u8] = b"abcdefghijkmnopqrstuvwxyz23456789!*~_.+-";
        const HEX: &[u8] = b"0123456789abcdef";
        loop {
            let (letters, length) = match shape {
                "l@" => (LOWER, 10 + self.below(6)),
                "s@" => (SIGNS, 12 + self.below(12)),
                "h@" => (HEX, 40),
                "b@" => (PLAIN, 40 + self.below(20)),
                _ => (PLAIN, 12 + self.below(12)),
            };
            let mut canary: String = (0..length).map(|_| char::from(letters[self.below(letters.len())])).collect();
            if shape == "t@" {
                canary = format!("{}{}!", canary.to_lowercase(), 10 + self.below(90));
            }
            if shape == "s@" {
                // Begins and ends like a word, so that no sign is taken for punctuation.
                canary = format!("q{canary}7");
            }
            if self.seen.insert(canary.clone()) {
                return canary;
            }
        }
    }
}
