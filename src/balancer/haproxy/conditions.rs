//! `.if`, `.elif`, `.else` and `.endif` (configuration manual, "Conditional blocks").
//!
//! The environment that decides is not ours: all branches are read, each with the conditions that it stands under, but
//! for those that the text itself decides against (`.if 0`, `.if streq(a,b)`, the version where it is known).

use std::sync::Arc;

use super::keywords::Release;
use super::words::{Notices, Words, shown};
use crate::balancer::source::Origin;
use crate::domain::time::shorten;

/// Blocks inside each other at most; HAProxy has the same bound.
const MAX_DEPTH: usize = 64;

/// Characters of the conditions around a line that are told.
const SAID: usize = 300;

struct Block {
    line: usize,
    /// What the branches before this one asked.
    before: Vec<String>,
    /// What this branch asks; none in `.else`.
    asks: Option<String>,
    /// Whether this branch is read, where the text tells.
    known: Option<bool>,
    /// Whether none of the branches before can have been read, where the text tells.
    untaken: Option<bool>,
    otherwise: bool,
}

/// The blocks that the current line stands in.
pub struct Conditions {
    blocks: Vec<Block>,
    too_deep: usize,
    /// The file without any.
    whole: Arc<Origin>,
    here: Arc<Origin>,
}

fn both(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

impl Conditions {
    pub fn new(whole: Arc<Origin>) -> Self {
        Self { blocks: Vec::new(), too_deep: 0, here: whole.clone(), whole }
    }

    /// The file, with the conditions that decide whether the current line is read.
    pub fn here(&self) -> &Arc<Origin> {
        &self.here
    }

    /// Whether the text itself says that the current line is never read.
    pub fn never(&self) -> bool {
        self.blocks.iter().any(|block| block.known == Some(false))
    }

    /// Reads a line that begins with a dot.
    pub fn read(&mut self, words: &Words<'_>, release: Option<Release>, told: &mut Notices) {
        let rest = words.rest(1);
        let asked = shorten(&rest, SAID);
        match words.get(0) {
            ".if" if self.blocks.len() >= MAX_DEPTH => {
                self.too_deep += 1;
                told.error(words.whole(), format!("more than {MAX_DEPTH} `.if` stand inside each other; HAProxy takes no more"));
            }
            ".if" => {
                if words.len() < 2 {
                    told.warn(words.whole(), "`.if` has no condition, which is never true; write what it asks");
                }
                let known = self.ask(words, &rest, release, told);
                let block = Block {
                    line: words.line,
                    before: Vec::new(),
                    asks: Some(asked),
                    known,
                    untaken: Some(true),
                    otherwise: false,
                };
                self.blocks.push(block);
            }
            ".endif" if self.too_deep > 0 => self.too_deep -= 1,
            word @ (".elif" | ".else") => {
                let condition = if word == ".elif" { self.ask(words, &rest, release, told) } else { None };
                let Some(block) = self.blocks.last_mut().filter(|_| self.too_deep == 0) else {
                    if self.too_deep == 0 {
                        told.error(words.whole(), format!("{} stands outside of any `.if`", shown(word)));
                    }
                    return;
                };
                if block.otherwise {
                    told.error(words.whole(), format!("{} stands after `.else`, which is the last branch", shown(word)));
                }
                let not_taken = block.known.map(|known| !known);
                // A branch that is not reached because an earlier one was taken was itself not asked.
                block.untaken = both(block.untaken, not_taken.or((block.untaken == Some(false)).then_some(false)));
                block.before.extend(block.asks.take());
                block.otherwise = word == ".else";
                let own = if block.otherwise { Some(true) } else { condition };
                block.known = both(block.untaken, own);
                block.asks = (!block.otherwise).then_some(asked);
            }
            ".endif" => {
                if self.blocks.pop().is_none() {
                    told.error(words.whole(), "`.endif` stands outside of any `.if`");
                }
            }
            ".notice" | ".warning" | ".diag" => {}
            ".alert" => {
                told.error(
                    Words { origin: &self.here, ..*words }.whole(),
                    format!("`.alert` makes HAProxy refuse the file: {}", shorten(&rest, 100)),
                );
            }
            word => told.error(words.at(0), format!("HAProxy knows no {}", shown(word))),
        }
        self.here = self.whole.under(self.describe());
    }

    /// What a condition comes to; one that cannot be read is told.
    fn ask(&self, words: &Words<'_>, asked: &str, release: Option<Release>, told: &mut Notices) -> Option<bool> {
        decided(asked, release).unwrap_or_else(|()| {
            let place = Words { origin: &self.here, ..*words }.whole();
            let asked = shown(asked);
            told.error(
                place,
                format!("HAProxy cannot read the condition {asked}; write numbers, or predicates such as `defined(NAME)`"),
            );
            None
        })
    }

    fn describe(&self) -> Option<String> {
        let open = self.blocks.iter().filter(|block| block.known != Some(true));
        let mut parts =
            open.flat_map(|block| block.before.iter().map(|asked| format!("not ({asked})")).chain(block.asks.clone()));
        let mut said = parts.next()?;
        // No further than what is told: there may be thousands of branches.
        for part in parts {
            if said.chars().count() > SAID {
                break;
            }
            said.push_str(" and ");
            said.push_str(&part);
        }
        Some(shorten(&said, SAID))
    }

    /// Ends a file: blocks that are still open are told.
    pub fn end(&self, words: &Words<'_>, told: &mut Notices) {
        if let Some(block) = self.blocks.last() {
            let place = Words { origin: &self.whole, ..*words }.whole();
            told.error(place, format!("the `.if` of line {} is never closed; write `.endif`", block.line));
        }
    }
}

/// What a condition comes to, where the text alone (and the version) tells; an error when HAProxy cannot read it
/// (`cfg_parse_cond_expr` in src/cfgcond.c).
fn decided(asked: &str, release: Option<Release>) -> Result<Option<bool>, ()> {
    if asked.contains(['$', '"', '\'', '\\']) {
        return Ok(None);
    }
    let mut rest = asked.trim();
    if rest.is_empty() {
        return Ok(Some(false));
    }
    let found = either(&mut rest, release, 0)?;
    if rest.trim().is_empty() { Ok(found) } else { Err(()) }
}

fn either(rest: &mut &str, release: Option<Release>, depth: usize) -> Result<Option<bool>, ()> {
    let mut found = Some(false);
    loop {
        let mut all = Some(true);
        loop {
            all = both(all, term(rest, release, depth)?);
            match rest.trim_start().strip_prefix("&&") {
                Some(after) => *rest = after,
                None => break,
            }
        }
        found = both(found.map(|known| !known), all.map(|known| !known)).map(|known| !known);
        match rest.trim_start().strip_prefix("||") {
            Some(after) => *rest = after,
            None => return Ok(found),
        }
    }
}

fn term(rest: &mut &str, release: Option<Release>, depth: usize) -> Result<Option<bool>, ()> {
    let text = rest.trim_start();
    let bare = text.trim_start_matches(['!', ' ']);
    let negated = text[..text.len() - bare.len()].matches('!').count() % 2 == 1;
    let found = if let Some(inner) = bare.strip_prefix('(') {
        if depth > 32 {
            return Err(());
        }
        *rest = inner;
        let found = either(rest, release, depth + 1)?;
        *rest = rest.trim_start().strip_prefix(')').ok_or(())?;
        found
    } else {
        let end = bare.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-')).unwrap_or(bare.len());
        let (word, behind) = bare.split_at(end);
        match behind.strip_prefix('(') {
            Some(inner) => {
                let (arguments, after) = inner.split_once(')').ok_or(())?;
                *rest = after;
                predicate(word, arguments, release)?
            }
            None => {
                *rest = behind;
                match word {
                    "true" => Some(true),
                    "false" => Some(false),
                    _ if super::units::whole(word) => Some(super::units::leading(word) != 0),
                    _ => return Err(()),
                }
            }
        }
    };
    Ok(found.map(|known| known != negated))
}

fn predicate(name: &str, arguments: &str, release: Option<Release>) -> Result<Option<bool>, ()> {
    const ELSEWHERE: [&str; 8] = [
        "defined",
        "feature",
        "enabled",
        "openssl_version_atleast",
        "openssl_version_before",
        "ssllib_name_startswith",
        "awslc_api_atleast",
        "awslc_api_before",
    ];
    let arguments: Vec<&str> = arguments.split(',').map(str::trim).collect();
    Ok(match (name, arguments.as_slice()) {
        ("streq", [a, b]) => Some(a == b),
        ("strneq", [a, b]) => Some(a != b),
        ("strstr", [a, b]) => Some(a.contains(b)),
        // Of a release only the first two numbers are known.
        ("version_atleast" | "version_before", [wanted]) => super::keywords::release(wanted).and_then(|wanted| {
            let known = release.filter(|known| *known != wanted)?;
            Some((known > wanted) == (name == "version_atleast"))
        }),
        _ if ELSEWHERE.contains(&name) => None,
        _ => return Err(()),
    })
}
