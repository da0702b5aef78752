//! Large files are read in parts, side by side.
//!
//! What stands above a proxy decides how it is read, but hardly what stands in other proxies. So the parts of a file
//! that hold nothing but proxies are read as if no other part were there, and put together where that was right:
//! where no name, number or bound is shared. Otherwise they are read again, one after the other.

use std::ops::Range;
use std::sync::Arc;

use super::draft::Kind;
use super::keywords;
use super::reader::{MAX_GUESSES, Reader};
use super::routes::MAX_DEFINED;
use super::server::MAX_FROM_TEMPLATES;
use super::verify::Facts;
use crate::balancer::maps::HashMap;
use crate::balancer::source::{NoFiles, Origin};

/// Bytes from which a file is read in parts.
pub const FROM: usize = 128 * 1024;

/// Whole lines of a file.
pub struct Part {
    pub bytes: Range<usize>,
    /// Number of the first line, 1-based.
    pub line: usize,
}

/// A file in parts of whole lines: the first ends where nothing but proxies follow, and is the whole file where that
/// does not come apart. The others, `most` at most and of about one size, begin with a proxy each.
pub fn cut(text: &str, most: usize) -> Vec<Part> {
    let whole = || vec![Part { bytes: 0..text.len(), line: 1 }];
    if most < 2 {
        return whole();
    }
    // Where proxies begin behind the last section that is none.
    let mut proxies: Vec<Part> = Vec::new();
    let mut start = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let word = line.trim_ascii_start().split(|c: char| c.is_ascii_whitespace()).next().unwrap_or_default();
        // Conditions, and words that are perhaps others than they seem.
        if word.starts_with('.') || word.contains(['"', '\'', '\\', '$']) {
            return whole();
        }
        match Kind::of(word) {
            None | Some(Kind::Defaults) if keywords::section(word).is_some() => proxies.clear(),
            Some(kind) if kind != Kind::Defaults && line.starts_with(word) => {
                proxies.push(Part { bytes: start..text.len(), line: number + 1 });
            }
            _ => {}
        }
        start += line.len();
    }
    let from = proxies.first().map_or(text.len(), |first| first.bytes.start);
    let size = (text.len() - from).div_ceil(most).max(1);
    let mut parts = vec![Part { bytes: 0..from, line: 1 }];
    let mut next = from;
    for proxy in proxies {
        if proxy.bytes.start >= next {
            next = proxy.bytes.start + size;
            parts.push(proxy);
        }
    }
    for at in 1..parts.len() {
        parts[at - 1].bytes.end = parts[at].bytes.start;
    }
    parts
}

fn read_part<'f>((mut reader, part): (Reader<'f>, &Part), text: &str, origin: &Arc<Origin>) -> Reader<'f> {
    reader.part(text, origin, part);
    reader.leave();
    reader
}

impl Reader<'_> {
    /// Reads the parts of a file as if they were one.
    pub(super) fn parts(&mut self, text: &str, origin: &Arc<Origin>, parts: &[Part]) {
        let [first, others @ ..] = parts else { return };
        self.part(text, origin, first);
        if others.is_empty() {
            return;
        }
        self.leave();
        let crlf = self.facts.crlf;
        let mut files = vec![NoFiles; others.len()];
        let apart: Vec<_> = files.iter_mut().map(|files| self.beside(files)).collect();
        let read = std::thread::scope(|scope| {
            // Places count who holds their origin: one for each part, or the processors wait for each other.
            let read = |one| read_part(one, text, &origin.under(None));
            let mut apart = apart.into_iter().zip(others);
            let own = apart.next();
            let started: Vec<_> = apart.map(|one| scope.spawn(move || read(one))).collect();
            let own = own.map(read);
            let ended = started.into_iter().map(|one| one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            own.into_iter().chain(ended).collect::<Vec<_>>()
        });
        for (reader, part) in read.into_iter().zip(others) {
            match reader.facts.crlf == crlf && self.agrees(&reader) {
                true => self.take_over(reader),
                false => {
                    self.part(text, origin, part);
                    self.leave();
                }
            }
        }
    }

    /// A reader that stands where this one stands between two sections, and knows of no proxy.
    fn beside<'f>(&self, files: &'f mut NoFiles) -> Reader<'f> {
        let mut reader = Reader::new(files, self.model.version.as_deref());
        let Facts { counters, external_check, crlf, .. } = self.facts;
        reader.facts = Facts { counters, external_check, crlf, ..Default::default() };
        (reader.named, reader.last) = (self.named.clone(), self.last.clone());
        reader
    }

    /// Whether a part was read as it would be read here: nothing in it depends on what was read before it.
    fn agrees(&self, part: &Reader<'_>) -> bool {
        fn apart<T>(a: &HashMap<String, T>, b: &HashMap<String, T>) -> bool {
            b.keys().all(|name| !a.contains_key(name))
        }
        let (here, there) = (&self.facts, &part.facts);
        apart(&here.listeners, &there.listeners)
            && apart(&here.pools, &there.pools)
            && there.ids.keys().all(|id| !here.ids.contains_key(id))
            && there.bind_ids.is_disjoint(&here.bind_ids)
            && part.maps.is_empty()
            && self.told.have_room(&part.told)
            && self.strange + part.strange <= MAX_GUESSES
            && self.from_templates + part.from_templates < MAX_FROM_TEMPLATES
            && self.defined + part.defined <= MAX_DEFINED
    }

    /// What was read of a part goes behind what was read here.
    fn take_over(&mut self, part: Reader<'_>) {
        let Reader { model, told, facts, from_templates, defined, strange, .. } = part;
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
    use crate::balancer::model::Model;

    fn read(text: &str, most: usize) -> (usize, Model) {
        let mut files = NoFiles;
        let mut reader = Reader::new(&mut files, Some("2.8"));
        reader.model.files.push("haproxy.cfg".to_owned());
        let parts = cut(text, most);
        reader.parts(text, &Origin::new(0, text), &parts);
        (parts.len(), reader.done())
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
        let parts = cut(text, 2);
        let told: Vec<_> = parts.iter().map(|part| (part.line, text[part.bytes.clone()].lines().next())).collect();
        assert_eq!(told, [(1, Some("global")), (5, Some("backend a")), (8, Some("backend b"))]);
        for whole in ["", "global\n", &text.replace("mode", ".if 1\nmode"), &text.replace("backend b", "\"backend\" b")] {
            assert_eq!(cut(whole, 2).len(), 1, "{whole}");
        }
        // What is no proxy stands with what is above it.
        assert_eq!(cut(&format!("{text}resolvers r\n"), 2).len(), 1);
    }

    #[test]
    fn real_files_are_read_alike_in_parts() {
        let mut apart = 0;
        for folder in ["tests/fixtures/haproxy", "fuzz/corpus/haproxy"] {
            for file in std::fs::read_dir(folder).expect("a folder").flatten() {
                let Ok(text) = std::fs::read_to_string(file.path()) else { continue };
                apart += usize::from(cut(&text, 2).len() > 2);
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
            "  server v 10.0.0.3:443 ssl track a/s", "# a comment", "", "  errorfiles e", "  description \"b c\"",
        ]), 0..40)) {
            is_read_alike(&lines.join("\n"));
            is_read_alike(&(lines.join("\n") + "\n"));
        }
    }
}
