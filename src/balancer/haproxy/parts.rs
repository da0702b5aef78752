//! Large files are read in parts, side by side.
//!
//! What stands above a proxy decides how it is read, but hardly what stands in other proxies. So a file is cut where
//! proxies begin, and every part but the first is read as if nothing stood between it and the head of the file. They are
//! put together where that was right: where nothing but proxies stands there, and no name, number or bound is shared.
//! Otherwise a part is read again, behind the others.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use memchr::{memchr, memchr_iter};

use super::draft::{Given, Kind};
use super::keywords::{self, Release};
use super::reader::{Handed, MAX_GUESSES, Reader};
use super::routes::MAX_DEFINED;
use super::server::MAX_FROM_TEMPLATES;
use super::verify::Facts;
use super::words::Notices;
use crate::balancer::maps::HashMap;
use crate::balancer::model::Model;
use crate::balancer::source::{Files, NoFiles, Origin};

/// Bytes from which a file is read in parts.
pub const FROM: usize = 128 * 1024;

/// Parts of such a file: enough that nobody waits long for another one.
pub const PARTS: usize = 8;

/// Most bytes of the head, which every helper reads for itself.
const HEAD_MAX: usize = 64 * 1024;

/// Whole lines of a file.
pub struct Part {
    pub bytes: Range<usize>,
    /// Number of the first line, 1-based.
    pub line: usize,
}

/// A file in parts of whole lines.
pub struct Cut {
    /// Up to the first proxy behind the last section that is none.
    head: Part,
    /// All of the file: the first holds the head, the others begin with a proxy each.
    parts: Vec<Part>,
}

/// A file in `most` parts at most, of about one size; in one where it does not come apart.
pub fn cut(text: &str, most: usize) -> Cut {
    let head = if most < 2 { None } else { head_end(text).filter(|end| *end <= HEAD_MAX) };
    let cuts = head.into_iter().flat_map(|end| {
        let size = (text.len() - end).div_ceil(most).max(1);
        (1..most).filter_map(move |part| lines_from(text, end + part * size).find(|line| opens_proxy(text, *line)))
    });
    let mut parts = vec![Part { bytes: 0..text.len(), line: 1 }];
    for at in cuts {
        let Some(last) = parts.last_mut().filter(|last| last.bytes.start < at) else { continue };
        last.bytes.end = at;
        let line = last.line + memchr_iter(b'\n', text[last.bytes.clone()].as_bytes()).count();
        parts.push(Part { bytes: at..text.len(), line });
    }
    Cut { head: Part { bytes: 0..head.unwrap_or(0), line: 1 }, parts }
}

/// Whether the line at `line` may begin with `.if`, which decides over many proxies: also with quotes or backslashes.
fn may_be_condition(text: &str, line: usize) -> bool {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\x0b' | b'\x0c');
    let mut word =
        text.as_bytes()[line..].iter().skip_while(|byte| is_blank(byte)).take_while(|byte| !is_blank(byte) && **byte != b'\n');
    word.clone().take(3).eq(b".if") || word.any(|byte| matches!(byte, b'"' | b'\'' | b'\\'))
}

/// Where the lines begin, from the first one at or behind `at` on.
fn lines_from(text: &str, at: usize) -> impl Iterator<Item = usize> {
    let below = move |from: usize| memchr(b'\n', text.as_bytes().get(from..)?).map(|feed| from + feed + 1);
    std::iter::successors(if at == 0 { Some(0) } else { below(at - 1) }, move |line| below(*line))
}

/// The word without blanks before it that the line at `line` begins with.
fn first_word(text: &str, line: usize) -> &str {
    let rest = &text[line..];
    let end = rest.bytes().position(|byte| !matches!(byte, b'a'..=b'z' | b'-')).unwrap_or(rest.len());
    &rest[..end]
}

fn opens_proxy(text: &str, line: usize) -> bool {
    let word = first_word(text, line);
    let named = text[line + word.len()..].starts_with([' ', '\t']);
    named && Kind::of(word).is_some_and(|kind| kind != Kind::Defaults)
}

/// Where the first proxy begins behind the last section that is none; none where a condition may stand.
fn head_end(text: &str) -> Option<usize> {
    let mut found = None;
    for line in lines_from(text, 0) {
        if may_be_condition(text, line) {
            return None;
        }
        if opens_proxy(text, line) {
            found = found.or(Some(line));
        } else if keywords::section(first_word(text, line)).is_some() {
            found = None;
        }
    }
    found
}

/// What lines above a proxy decide for it.
#[derive(Clone)]
struct Above {
    release: Option<Release>,
    named: HashMap<String, Handed>,
    last: Given,
    counters: u32,
    external_check: bool,
    crlf: bool,
    /// Sections that are no proxies.
    others: usize,
}

/// A part that was read by itself.
struct Alone {
    /// Its number.
    at: usize,
    model: Model,
    told: Notices,
    facts: Facts,
    from_templates: usize,
    defined: usize,
    strange: usize,
    /// Sections above its end that are no proxies.
    others: usize,
    /// Whether it asked for a file.
    asked: bool,
    /// What it took to stand above it.
    above_crlf: bool,
    above_others: usize,
}

/// Reads parts from the last one on, until none is `left`.
fn read_alone(above: Above, left: &Mutex<Range<usize>>, cut: &Cut, text: &str, origin: &Arc<Origin>) -> Vec<Alone> {
    let mut read = Vec::new();
    let mut above = Some(above);
    let mut below_head = None;
    while let Some(at) = locked(left).next_back() {
        if let Some(above) = above.take() {
            let mut files = NoFiles;
            let mut head = Reader::below(above, &mut files);
            head.part(text, origin, &cut.head);
            head.leave();
            let crlf = text.lines().next().is_some_and(|line| text[line.len()..].starts_with("\r\n"));
            below_head = Some(Above { crlf: crlf || head.facts.crlf, ..head.above() });
        }
        let Some(here) = &below_head else { break };
        let (above_crlf, above_others) = (here.crlf, here.others);
        let mut files = NoFiles;
        let mut reader = Reader::below(here.clone(), &mut files);
        reader.part(text, origin, &cut.parts[at]);
        reader.leave();
        let Reader { model, told, facts, from_templates, defined, strange, others, maps, .. } = reader;
        let asked = !maps.is_empty();
        read.push(Alone { at, model, told, facts, from_templates, defined, strange, others, asked, above_crlf, above_others });
    }
    read
}

fn locked(left: &Mutex<Range<usize>>) -> MutexGuard<'_, Range<usize>> {
    left.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'f> Reader<'f> {
    fn above(&self) -> Above {
        let Facts { counters, external_check, crlf, .. } = self.facts;
        let (release, named, last, others) = (self.release, self.named.clone(), self.last.clone(), self.others);
        Above { release, named, last, counters, external_check, crlf, others }
    }

    /// A reader that stands between two sections, and knows of no proxy.
    fn below(above: Above, files: &'f mut dyn Files) -> Self {
        let Above { release, named, last, counters, external_check, crlf, others } = above;
        let mut reader = Self::new(files, None);
        reader.facts = Facts { counters, external_check, crlf, ..Default::default() };
        (reader.release, reader.named, reader.last, reader.others) = (release, named, last, others);
        reader
    }

    /// Reads the parts of a file as if they were one: this reader from the first one on, and `threads` less one others
    /// from the last one on, until they meet. Whoever starts late, or is held up, reads less.
    pub(super) fn parts(&mut self, text: &str, origin: &Arc<Origin>, cut: &Cut, threads: usize) {
        // The head is this reader's.
        let left = Mutex::new(1..cut.parts.len());
        let helpers = threads.min(cut.parts.len()).saturating_sub(1);
        let begun: Vec<_> = (0..helpers).map(|_| self.above()).collect();
        let alone = std::thread::scope(|scope| {
            let left = &left;
            // Places count who holds their origin: one for each thread, or the processors wait for each other.
            let helpers: Vec<_> = (begun.into_iter())
                .map(|above| scope.spawn(move || read_alone(above, left, cut, text, &origin.under(None))))
                .collect();
            self.make_room(text);
            self.own_parts(text, origin, cut, left);
            let ended = helpers.into_iter().map(|one| one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            ended.flatten().collect()
        });
        self.join(alone, text, origin, cut);
    }

    /// Reads the first part, and then what is `left` from its front on.
    fn own_parts(&mut self, text: &str, origin: &Arc<Origin>, cut: &Cut, left: &Mutex<Range<usize>>) {
        let mut next = Some(0);
        while let Some(part) = next.and_then(|at| cut.parts.get(at)) {
            self.part(text, origin, part);
            next = locked(left).next();
        }
    }

    /// Puts parts that were read alone behind what was read here, or reads them again.
    fn join(&mut self, mut alone: Vec<Alone>, text: &str, origin: &Arc<Origin>, cut: &Cut) {
        alone.sort_by_key(|part| part.at);
        for part in alone {
            self.leave();
            match self.agrees(&part) {
                true => self.take_over(part),
                false => self.part(text, origin, &cut.parts[part.at]),
            }
        }
    }

    /// Whether a part was read as it would be read here: nothing in it depends on what was read before it.
    fn agrees(&self, part: &Alone) -> bool {
        fn apart<T>(a: &HashMap<String, T>, b: &HashMap<String, T>) -> bool {
            b.keys().all(|name| !a.contains_key(name))
        }
        let (here, there) = (&self.facts, &part.facts);
        // Nothing but proxies stands between the head and here, nor in the part.
        here.crlf == part.above_crlf
            && self.others == part.above_others
            && self.others == part.others
            && apart(&here.listeners, &there.listeners)
            && apart(&here.pools, &there.pools)
            && there.ids.keys().all(|id| !here.ids.contains_key(id))
            && there.bind_ids.is_disjoint(&here.bind_ids)
            && !part.asked
            && self.told.have_room(&part.told)
            && self.strange + part.strange <= MAX_GUESSES
            && self.from_templates + part.from_templates < MAX_FROM_TEMPLATES
            && self.defined + part.defined <= MAX_DEFINED
    }

    /// What was read of a part goes behind what was read here.
    fn take_over(&mut self, part: Alone) {
        let Alone { model, told, facts, from_templates, defined, strange, .. } = part;
        let pools = self.model.pools.len();
        self.facts.sticks.extend(facts.sticks.into_iter().map(|(pool, number, name)| (pools + pool, number, name)));
        self.model.process.admin.extend(model.process.admin);
        self.model.listeners.extend(model.listeners);
        self.model.routes.extend(model.routes);
        self.model.pools.extend(model.pools);
        self.told.extend(told);
        self.from_templates += from_templates;
        self.defined += defined;
        self.strange += strange;
        let all = &mut self.facts;
        all.crlf |= facts.crlf;
        all.listeners.extend(facts.listeners);
        all.pools.extend(facts.pools);
        all.ids.extend(facts.ids);
        all.bind_ids.extend(facts.bind_ids);
        all.tables.extend(facts.tables);
        all.tables_used.extend(facts.tables_used);
        all.http_errors_used.extend(facts.http_errors_used);
        all.resolvers_used.extend(facts.resolvers_used);
        all.peers_used.extend(facts.peers_used);
        all.unverified.extend(facts.unverified);
        all.tracks.extend(facts.tracks);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The model of some files that are each cut into `most` parts at most, of which all from number `own` on are read
    /// alone.
    fn read(files: &[&str], most: usize, own: usize) -> Model {
        let mut no_files = NoFiles;
        let mut reader = Reader::new(&mut no_files, Some("2.8"));
        for (file, text) in files.iter().enumerate() {
            reader.model.files.push(format!("{file}.cfg"));
            let (cut, origin) = (cut(text, most), Origin::new(file, *text));
            let (parts, above) = (cut.parts.len(), reader.above());
            let own = own.clamp(1, parts);
            reader.own_parts(text, &origin, &cut, &Mutex::new(1..own));
            let alone = read_alone(above, &Mutex::new(own..parts), &cut, text, &origin);
            reader.join(alone, text, &origin, &cut);
            reader.leave();
        }
        reader.done()
    }

    fn shown(model: &Model) -> String {
        serde_json::to_string(model).expect("a model can be shown")
    }

    #[track_caller]
    fn are_read_alike(files: &[&str]) {
        let whole = shown(&read(files, 1, 1));
        for most in [2, 5] {
            for own in 1..=most {
                assert_eq!(shown(&read(files, most, own)), whole, "{own} of {most} parts: {files:?}");
            }
        }
    }

    #[test]
    fn a_file_comes_apart_where_proxies_begin() {
        let text = "global\n  maxconn 9\ndefaults\n  mode http\nbackend a\n  server s 10.0.0.1:80\n\nbackend b\n  server s 10.0.0.2:80\n";
        let Cut { head, parts } = cut(text, 2);
        let told: Vec<_> = parts.iter().map(|part| (part.line, text[part.bytes.clone()].lines().next())).collect();
        assert_eq!((&text[head.bytes], told), (&text[..40], vec![(1, Some("global")), (8, Some("backend b"))]));
        for whole in
            ["", "global\n", &text.replace("mode", ".if 1\nmode"), &text.replace("backend b", "\"backend\" b"), "backend a"]
        {
            assert_eq!(cut(whole, 2).parts.len(), 1, "{whole}");
        }
        // What stands in words is no condition.
        assert_eq!(cut(&text.replace("mode http", "option httpchk GET /x.if"), 2).parts.len(), 2);
        // Behind the last section that is no proxy.
        let late = format!("listen stats\n  bind :9\ndefaults\n  mode tcp\n{}", &text[40..]);
        let Cut { head, parts } = cut(&late, 2);
        assert!(late[head.bytes].ends_with("mode tcp\n") && parts.len() == 2);
        let pools: String = (0..100).map(|pool| format!("backend b{pool}\n server s 10.0.0.1:80\n")).collect();
        for most in 1..9 {
            let parts = cut(&pools, most).parts;
            assert_eq!(parts.len(), most);
            assert!(
                parts.windows(2).all(|pair| pair[0].bytes.end == pair[1].bytes.start) && parts[most - 1].bytes.end == pools.len()
            );
            assert!(parts.iter().all(|part| part.bytes.len() > pools.len() / most / 2), "about one size");
        }
    }

    #[test]
    fn one_long_line_is_looked_at_once() {
        // Quadratic, this took minutes.
        for word in ["\" ", ".if ", "\n", " \n", " "] {
            let text = format!("backend a {}\nbackend b\n", word.repeat(1 << 20));
            assert!(cut(&text, 8).parts.len() <= 8);
        }
    }

    #[test]
    fn what_is_told_once_is_told_once() {
        let pool = |at: usize| format!("backend b{at}\n server s 10.0.0.1:80{}\n", if at > 8 { "\r" } else { "" });
        let late: String = (0..20).map(pool).collect();
        are_read_alike(&[&late]);
        are_read_alike(&[&late, &late.replace("backend b", "backend c")]);
        are_read_alike(&[&late.replace("0.1:80\n", "0.1:80\r\n")]);
    }

    #[test]
    fn real_files_are_read_alike_in_parts() {
        let mut apart = 0;
        for folder in ["tests/fixtures/haproxy", "fuzz/corpus/haproxy"] {
            for file in std::fs::read_dir(folder).expect("a folder").flatten() {
                let Ok(text) = std::fs::read_to_string(file.path()) else { continue };
                apart += usize::from(cut(&text, 2).parts.len() > 1);
                are_read_alike(&[&text]);
            }
        }
        assert!(apart > 20, "{apart} files come apart");
    }

    proptest! {
        #[test]
        fn proxies_that_share_things_are_read_alike_in_parts(lines in prop::collection::vec(prop::sample::select(vec![
            "backend a", "backend b", "backend c", "frontend a", "frontend f", "listen b", "defaults", "defaults d", "backend e from d",
            "resolvers r", "  id 7", "  id 8", "  bind :80 id 3", "  bind :81\r", "  server s 10.0.0.1:80 check", "  server t 10.0.0.2:80 id 4",
            "  server-template w 1-9 w.example:80 resolvers r", "  stick-table type ip size 1m peers p", "  stick on src table a",
            "  timeout server 5s", "  default_backend c", "  use_backend %[hdr(host),map(m)]", "  use_backend b if { path /b }",
            "  acl x path /x", "  stats enable", "  foreign word", "  balance source", "  http-request track-sc0 src table b", "  option httpchk",
            "  server v 10.0.0.3:443 ssl track a/s", "# a comment", "", "  errorfiles e", "  description \"b c\"", "global", "  tune.stick-counters 1", "userlist u", ".if 1", ".endif", "'.'if 1", "nonsense", "backend g\r", "backend h", "\"backend\" q",
        ]), 0..40)) {
            are_read_alike(&[&lines.join("\n")]);
            are_read_alike(&[&(lines.join("\n") + "\n")]);
            let (one, other) = lines.split_at(lines.len() / 2);
            are_read_alike(&[&(one.join("\n") + "\n"), &(other.join("\n") + "\n")]);
        }
    }
}
