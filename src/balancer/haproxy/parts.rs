//! Large files are read in parts, side by side.
//!
//! What stands above a proxy decides how it is read, but hardly what stands in other proxies. So a file is cut where
//! proxies begin, and every part but the first is read as if there were nothing between it and the first proxy of the
//! file. They are put together where that was right: where nothing but proxies stands there, and no name, number or
//! bound is shared. Otherwise a part is read again, behind the others.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use memchr::{memchr, memchr_iter, memmem};

use super::draft::{Given, Kind};
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

/// Most bytes above the first proxy, which are read once for each part.
const HEAD_MAX: usize = 64 * 1024;

/// Whole lines of a file.
pub struct Part {
    pub bytes: Range<usize>,
    /// Number of the first line, 1-based.
    pub line: usize,
}

/// A file in parts of whole lines.
pub struct Cut {
    /// What stands above the first proxy.
    head: Part,
    /// All of the file: the first holds the head, the others begin with a proxy each.
    parts: Vec<Part>,
}

/// A file in `most` parts at most, of about one size; in one where it does not come apart.
pub fn cut(text: &str, most: usize) -> Cut {
    let end = if most < 2 { None } else { proxy_from(text, 0).filter(|end| *end <= HEAD_MAX) };
    // A condition may hold for many proxies.
    let end = end.filter(|_| memmem::find(text.as_bytes(), b".if").is_none());
    let cuts = end.into_iter().flat_map(|end| {
        let size = (text.len() - end).div_ceil(most).max(1);
        (1..most).filter_map(move |part| proxy_from(text, end + part * size))
    });
    let mut parts = vec![Part { bytes: 0..text.len(), line: 1 }];
    for at in cuts {
        let Some(last) = parts.last_mut().filter(|last| last.bytes.start < at) else { continue };
        last.bytes.end = at;
        let line = last.line + memchr_iter(b'\n', text[last.bytes.clone()].as_bytes()).count();
        parts.push(Part { bytes: at..text.len(), line });
    }
    Cut { head: Part { bytes: 0..end.unwrap_or(0), line: 1 }, parts }
}

/// Where the first line at or behind `at` begins that opens a proxy.
fn proxy_from(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let line_end = |from: usize| memchr(b'\n', &bytes[from..]).map(|feed| from + feed + 1);
    let mut start = if at == 0 { 0 } else { line_end(at - 1)? };
    while start < bytes.len() {
        let line = &bytes[start..];
        let word = line.iter().position(|byte| !byte.is_ascii_lowercase()).unwrap_or(line.len());
        let kind = str::from_utf8(&line[..word]).ok().and_then(Kind::of);
        if kind.is_some_and(|kind| kind != Kind::Defaults) && matches!(line.get(word), Some(b' ' | b'\t')) {
            return Some(start);
        }
        start = line_end(start)?;
    }
    None
}

/// What lines above a proxy decide for it.
#[derive(Clone)]
struct Above {
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
    /// What it took to stand above it: CR LF, and sections that are no proxies.
    above: (bool, usize),
}

/// Reads parts from the last one on, until none is left.
fn read_alone(
    above: Above,
    version: Option<&str>,
    left: &Mutex<Range<usize>>,
    cut: &Cut,
    text: &str,
    origin: &Arc<Origin>,
) -> Vec<Alone> {
    let mut read = Vec::new();
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next_back();
    let mut head = None;
    while let Some(at) = next() {
        let above = head.get_or_insert_with(|| {
            let mut files = NoFiles;
            let mut head = Reader::below(above.clone(), &mut files, version);
            head.part(text, origin, &cut.head);
            head.leave();
            head.above()
        });
        let mut files = NoFiles;
        let mut reader = Reader::below(above.clone(), &mut files, version);
        reader.part(text, origin, &cut.parts[at]);
        reader.leave();
        let Reader { model, told, facts, from_templates, defined, strange, others, maps, .. } = reader;
        let above = (above.crlf, above.others);
        read.push(Alone { at, model, told, facts, from_templates, defined, strange, others, asked: !maps.is_empty(), above });
    }
    read
}

impl<'f> Reader<'f> {
    fn above(&self) -> Above {
        let Facts { counters, external_check, crlf, .. } = self.facts;
        Above { named: self.named.clone(), last: self.last.clone(), counters, external_check, crlf, others: self.others }
    }

    /// A reader that stands between two sections, and knows of no proxy.
    fn below(above: Above, files: &'f mut dyn Files, version: Option<&str>) -> Self {
        let Above { named, last, counters, external_check, crlf, others } = above;
        let mut reader = Self::new(files, version);
        reader.facts = Facts { counters, external_check, crlf, ..Default::default() };
        (reader.named, reader.last, reader.others) = (named, last, others);
        reader
    }

    /// Reads the parts of a file as if they were one: this reader from the first one on, and `threads` less one others
    /// from the last one on, until they meet. Whoever starts late, or is held up, reads less.
    pub(super) fn parts(&mut self, text: &str, origin: &Arc<Origin>, cut: &Cut, threads: usize) {
        let left = Mutex::new(0..cut.parts.len());
        let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
        let version = self.model.version.clone();
        let helpers = threads.min(cut.parts.len()).saturating_sub(1);
        let begun: Vec<_> = (0..helpers).map(|_| self.above()).collect();
        let mut read = std::thread::scope(|scope| {
            let (left, version) = (&left, version.as_deref());
            // Places count who holds their origin: one for each thread, or the processors wait for each other.
            let helpers: Vec<_> = (begun.into_iter())
                .map(|above| scope.spawn(move || read_alone(above, version, left, cut, text, &origin.under(None))))
                .collect();
            self.make_room(text);
            while let Some(at) = next() {
                self.leave();
                self.part(text, origin, &cut.parts[at]);
            }
            let ended = helpers.into_iter().map(|one| one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            ended.flatten().collect::<Vec<_>>()
        });
        read.sort_by_key(|alone| alone.at);
        for alone in read {
            self.leave();
            match self.agrees(&alone) {
                true => self.take_over(alone),
                false => self.part(text, origin, &cut.parts[alone.at]),
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
        (here.crlf, self.others) == part.above
            && part.others == self.others
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

    fn read(text: &str, most: usize) -> (usize, Model) {
        let mut files = NoFiles;
        let mut reader = Reader::new(&mut files, Some("2.8"));
        reader.model.files.push("haproxy.cfg".to_owned());
        let cut = cut(text, most);
        reader.parts(text, &Origin::new(0, text), &cut, most);
        (cut.parts.len(), reader.done())
    }

    fn shown(model: &Model) -> String {
        serde_json::to_string(model).expect("a model can be shown")
    }

    #[track_caller]
    fn is_read_alike(text: &str) {
        let whole = shown(&read(text, 1).1);
        for most in [2, 4] {
            assert_eq!(shown(&read(text, most).1), whole, "in {most} parts: {text}");
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
    fn real_files_are_read_alike_in_parts() {
        let mut apart = 0;
        for folder in ["tests/fixtures/haproxy", "fuzz/corpus/haproxy"] {
            for file in std::fs::read_dir(folder).expect("a folder").flatten() {
                let Ok(text) = std::fs::read_to_string(file.path()) else { continue };
                apart += usize::from(cut(&text, 2).parts.len() > 1);
                is_read_alike(&text);
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
            "  server v 10.0.0.3:443 ssl track a/s", "# a comment", "", "  errorfiles e", "  description \"b c\"", "global", "  tune.stick-counters 1", "userlist u", ".if 1", ".endif", "nonsense", "\"backend\" q",
        ]), 0..40)) {
            is_read_alike(&lines.join("\n"));
            is_read_alike(&(lines.join("\n") + "\n"));
        }
    }
}
