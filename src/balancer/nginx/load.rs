//! The files of a config as one tree: what `include` names stands in its place.
//!
//! Opens nothing itself. Files that were handed in together (an `nginx -T` dump) are looked at before [`Files`] is
//! asked; patterns are relative to the folder of the main file, as nginx has it.

use crate::balancer::maps::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use super::lex::Fault;
use super::tree::{self, Body, DEPTH_MAX, Directive};
use crate::balancer::model::{Gravity, Notice};
use crate::balancer::printable;
use crate::balancer::source::{Files, Origin, Place, Source};

/// Most notices that are kept of one config.
const NOTICES_MAX: usize = 1000;

/// Most times that a file is read in, and most bytes of all that is read in: includes can multiply.
const INCLUDES_MAX: usize = 20_000;
const BYTES_MAX: usize = 64 << 20;

/// A config that is being read, and what there is to say about it.
pub struct Config {
    files: Vec<Source>,
    origins: Vec<Arc<Origin>>,
    pub notices: Vec<Notice>,
    /// Whether everything that is included was there to be read.
    pub complete: bool,
    /// Whether only parts were given, and blocks around them are elsewhere.
    pub part: bool,
}

impl Config {
    pub fn names(&self) -> Vec<String> {
        self.files.iter().map(|file| file.name.clone()).collect()
    }

    /// The last part of a file's path.
    pub fn file_name(&self, file: usize) -> String {
        let name = self.files.get(file).map_or("", |source| source.name.as_str());
        printable(name.rsplit('/').next().unwrap_or(name))
    }

    pub fn place(&self, file: usize, span: Range<usize>) -> Place {
        self.origins.get(file).map(|origin| Place::new(origin, span)).unwrap_or_default()
    }

    /// The place of a directive: its words, up to its `;` or `{`.
    pub fn at(&self, directive: &Directive) -> Place {
        self.place(directive.file, directive.head.clone())
    }

    /// The place of one argument.
    pub fn argument(&self, directive: &Directive, index: usize) -> Place {
        directive.arguments.get(index).map_or_else(|| self.at(directive), |word| self.place(directive.file, word.span.clone()))
    }

    pub fn tell(&mut self, gravity: Gravity, place: Place, text: impl Into<String>) {
        if self.notices.len() < NOTICES_MAX {
            self.notices.push(Notice { gravity, text: printable(text.into()), place });
        } else if self.notices.len() == NOTICES_MAX {
            let text = format!("more than {NOTICES_MAX} things were found: only the first are told");
            self.notices.push(Notice { gravity: Gravity::Note, text, place });
        }
    }

    /// nginx refuses it.
    pub fn error(&mut self, directive: &Directive, text: impl Into<String>) {
        if self.notices.len() <= NOTICES_MAX {
            let place = self.at(directive);
            self.tell(Gravity::Error, place, text);
        }
    }

    /// nginx refuses this argument.
    pub fn error_in(&mut self, directive: &Directive, index: usize, text: impl Into<String>) {
        let place = self.argument(directive, index);
        self.tell(Gravity::Error, place, text);
    }

    pub fn warn(&mut self, directive: &Directive, text: impl Into<String>) {
        let place = self.at(directive);
        self.tell(Gravity::Warning, place, text);
    }

    pub fn note(&mut self, directive: &Directive, text: impl Into<String>) {
        let place = self.at(directive);
        self.tell(Gravity::Note, place, text);
    }
}

/// What one of the files says, with all that it includes.
pub struct Part {
    pub name: String,
    pub directives: Vec<Directive>,
}

/// Reads the main file of `sources` (the first that opens `http` or its like, else the first of all) and all that it
/// includes, then every other one that nothing includes.
pub fn load(sources: &[Source], files: &mut dyn Files) -> (Config, Vec<Part>) {
    let config = Config { files: Vec::new(), origins: Vec::new(), notices: Vec::new(), complete: true, part: false };
    let main = if sources.len() > 1 { sources.iter().position(|source| opens(&source.text)).unwrap_or(0) } else { 0 };
    let name = sources.get(main).map(|source| source.name.as_str()).unwrap_or_default();
    let folder = name.rfind('/').map_or("", |at| &name[..=at]).to_owned();
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::default();
    for (at, source) in sources.iter().enumerate() {
        by_name.entry(&source.name).or_default().push(at);
    }
    let (known, included) = (HashMap::default(), HashSet::default());
    let mut loader = Loader { config, sources, by_name, known, files, folder, open: Vec::new(), included, includes: 0, bytes: 0 };
    let mut parts: Vec<Part> = Vec::new();
    let others = sources.iter().enumerate().filter(|(index, _)| *index != main).map(|(_, source)| source);
    for source in sources.get(main).into_iter().chain(others) {
        if parts.is_empty() || !loader.included.contains(&source.name) {
            parts.push(Part { name: source.name.clone(), directives: loader.read(source, 0) });
        }
    }
    // One that another one includes is read there.
    if parts.iter().any(|part| !loader.included.contains(&part.name)) {
        parts.retain(|part| !loader.included.contains(&part.name));
    }
    (loader.config, parts)
}

/// Whether a text opens one of the blocks that only a main file has.
fn opens(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim();
        let rest = ["events", "http", "stream", "mail"].iter().find_map(|name| line.strip_prefix(name));
        rest.is_some_and(|rest| rest.is_empty() || rest.trim_start().starts_with('{'))
    })
}

struct Loader<'a> {
    config: Config,
    sources: &'a [Source],
    by_name: HashMap<&'a str, Vec<usize>>,
    /// Numbers of the files that were read, by name: a dump may hold two files of one name.
    known: HashMap<String, Vec<usize>>,
    files: &'a mut dyn Files,
    /// Folder of the main file, with its slash.
    folder: String,
    /// Files that are being read, the main one first.
    open: Vec<String>,
    /// Files that were read in by another one.
    included: HashSet<String>,
    includes: usize,
    bytes: usize,
}

impl Loader<'_> {
    fn read(&mut self, source: &Source, depth: usize) -> Vec<Directive> {
        let numbers = self.known.entry(source.name.clone()).or_default();
        let known = numbers.iter().copied().find(|number| self.config.files[*number].text == source.text);
        let file = known.unwrap_or_else(|| {
            numbers.push(self.config.files.len());
            self.config.files.push(source.clone());
            self.config.origins.push(Origin::new(self.config.origins.len(), source.text.clone()));
            self.config.files.len() - 1
        });
        let read = tree::read(&source.text);
        if known.is_none() {
            for Fault { span, text } in read.faults.into_iter().take(NOTICES_MAX + 1) {
                let place = self.config.place(file, span);
                self.config.tell(Gravity::Error, place, text);
            }
        }
        self.open.push(source.name.clone());
        let directives = self.splice(read.directives, file, depth);
        self.open.pop();
        directives
    }

    /// Puts included directives in the place of each `include`, and the file's number into all.
    fn splice(&mut self, mut directives: Vec<Directive>, file: usize, depth: usize) -> Vec<Directive> {
        let includes =
            |directive: &Directive| directive.body == Body::None && directive.is("include") && directive.arguments.len() == 1;
        for directive in &mut directives {
            directive.file = file;
            if let Body::Block(inner) = &mut directive.body {
                *inner = self.splice(std::mem::take(inner), file, depth + 1);
            }
        }
        if !directives.iter().any(includes) {
            return directives;
        }
        let mut out = Vec::with_capacity(directives.len());
        for directive in directives {
            if !includes(&directive) {
                out.push(directive);
                continue;
            }
            let pattern = directive.arguments[0].text.clone();
            for source in self.find(&directive, &pattern, depth) {
                out.extend(self.include(&directive, &source, depth));
            }
        }
        out
    }

    fn include(&mut self, directive: &Directive, source: &Source, depth: usize) -> Vec<Directive> {
        self.includes += 1;
        self.bytes += source.text.len();
        if self.open.contains(&source.name) {
            let text = format!("{} includes itself in a circle: take this include away", source.name);
            self.config.error(directive, text);
        } else if self.includes > INCLUDES_MAX || self.bytes > BYTES_MAX {
            let text = format!("more than {INCLUDES_MAX} files or {} MB are included: the rest is not read", BYTES_MAX >> 20);
            if self.config.complete {
                self.config.error(directive, text);
            }
            self.config.complete = false;
        } else {
            self.included.insert(source.name.clone());
            return self.read(source, depth + 1);
        }
        Vec::new()
    }

    /// The files that an `include` names.
    fn find(&mut self, directive: &Directive, pattern: &str, depth: usize) -> Vec<Source> {
        if depth >= DEPTH_MAX || self.includes > INCLUDES_MAX {
            let text = format!("more than {DEPTH_MAX} blocks and files within each other: this include is not read");
            self.config.error(directive, text);
            return Vec::new();
        }
        let whole = if pattern.starts_with('/') { pattern.to_owned() } else { format!("{}{pattern}", self.folder) };
        let globs = pattern.contains(['*', '?', '[']);
        let mut found: Vec<Source> = if globs {
            let start = &whole[..whole.find(['*', '?', '[']).unwrap_or(whole.len())];
            let fits = |source: &&Source| source.name.starts_with(start) && matches(&whole, &source.name);
            self.sources.iter().filter(fits).cloned().collect()
        } else {
            self.by_name.get(whole.as_str()).into_iter().flatten().map(|at| self.sources[*at].clone()).collect()
        };
        found.sort_by(|a, b| a.name.cmp(&b.name));
        // A dump holds all that its patterns found.
        if !found.is_empty() || (globs && self.sources.len() > 1) {
            return found;
        }
        match self.files.read(pattern, self.open.first().map(String::as_str).unwrap_or_default()) {
            Ok(found) => {
                if found.is_empty() && !globs {
                    self.config.error(directive, format!("{whole} is not there: create it, or take this include away"));
                    self.config.complete = false;
                }
                found
            }
            Err(reason) => {
                self.config.complete = false;
                let gravity = if self.files.opens() { Gravity::Error } else { Gravity::Note };
                let place = self.config.at(directive);
                self.config.tell(gravity, place, format!("{whole} is not read: {reason}"));
                Vec::new()
            }
        }
    }
}

/// Whether a path fits a pattern with `*`, `?` and `[a-z]`, none of which stands for a slash, as glob(3) has it.
pub fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
    pattern.len() == path.len() && pattern.iter().zip(&path).all(|(pattern, name)| part_matches(pattern, name))
}

fn part_matches(pattern: &str, name: &str) -> bool {
    if pattern == name {
        return true;
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    if name.first() == Some(&'.') && pattern.first() != Some(&'.') {
        return false;
    }
    let (mut p, mut n) = (0, 0);
    // Where to go on when what follows the last `*` does not fit.
    let mut again: Option<(usize, usize)> = None;
    while n < name.len() {
        let next = match pattern.get(p) {
            Some('*') => {
                again = Some((p + 1, n));
                p += 1;
                continue;
            }
            Some('?') => Some(p + 1),
            Some('[') => set_matches(&pattern, p, name[n]),
            Some(c) if *c == name[n] => Some(p + 1),
            _ => None,
        };
        match (next, again) {
            (Some(next), _) => (p, n) = (next, n + 1),
            (None, Some((after, from))) => {
                (p, n) = (after, from + 1);
                again = Some((after, from + 1));
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Where the pattern goes on after the set that begins at `start`, if `c` is in it.
fn set_matches(pattern: &[char], start: usize, c: char) -> Option<usize> {
    let negated = matches!(pattern.get(start + 1), Some('!' | '^'));
    let first = start + 1 + usize::from(negated);
    let end = first + 1 + pattern.get(first + 1..)?.iter().position(|c| *c == ']')?;
    let set = &pattern[first..end];
    let mut at = 0;
    let mut inside = false;
    while at < set.len() {
        if set.get(at + 1) == Some(&'-') && at + 2 < set.len() {
            inside |= (set[at]..=set[at + 2]).contains(&c);
            at += 3;
        } else {
            inside |= set[at] == c;
            at += 1;
        }
    }
    (inside != negated).then_some(end + 1)
}
