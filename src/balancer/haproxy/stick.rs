//! What keeps a client on one server: `cookie`, `stick-table`, `stick` (configuration manual 4.2, 11.1).

use super::draft::{Draft, Kind, Stick, Table};
use super::reader::Reader;
use super::units;
use super::words::{Words, shown};
use crate::balancer::clean_name;
use crate::balancer::model::{Persistence, PersistenceKind, Setting};

impl Reader<'_> {
    pub(super) fn cookie(&mut self, draft: &mut Draft, words: &Words<'_>) {
        if draft.kind == Kind::Frontend {
            return self.told.warn(words.whole(), "HAProxy ignores `cookie` in a frontend; put it into the backend");
        }
        if words.get(1).is_empty() {
            return self.told.error(words.whole(), "`cookie` needs the cookie's name after it");
        }
        let mut found = Persistence {
            kind: PersistenceKind::Cookie,
            key: clean_name(words.get(1)),
            said: words.rest(0),
            place: words.whole(),
            ..Default::default()
        };
        let mut modes = 0;
        let mut at = 2;
        while at < words.len() {
            let value = words.get(at + 1);
            match words.get(at) {
                "rewrite" | "insert" | "prefix" => {
                    modes += 1;
                    at += 1;
                }
                "indirect" | "nocache" | "postonly" | "preserve" | "dynamic" => at += 1,
                "httponly" => {
                    found.http_only = true;
                    at += 1;
                }
                "secure" => {
                    found.secure = true;
                    at += 1;
                }
                word @ ("maxidle" | "maxlife") => {
                    let time = self.time(words, at + 1, word, 1_000_000).filter(|time| !time.unknown).map(|time| time.value);
                    // The shorter of both ends it.
                    found.expires_ms = [found.expires_ms, time].into_iter().flatten().min();
                    at += 2;
                }
                word @ ("domain" | "attr") => {
                    if value.is_empty() {
                        self.told.error(words.at(at), format!("`cookie … {word}` needs a value after it"));
                    }
                    if word == "attr" && value.contains(|c: char| c == ';' || c.is_control()) {
                        self.told.error(words.at(at + 1), "an attribute of a cookie holds no `;`");
                    }
                    found.same_site |= word == "attr" && value.to_ascii_lowercase().starts_with("samesite");
                    at += 2;
                }
                word => {
                    if !words.variable(at) {
                        self.told.error(words.at(at), format!("`cookie` knows no {}", shown(word)));
                    }
                    at += 1;
                }
            }
        }
        if modes > 1 {
            self.told.error(words.whole(), "a cookie is one of `rewrite`, `insert` and `prefix`, not several");
        }
        draft.given.cookie = Some(found);
    }

    pub(super) fn stick_table(&mut self, draft: &mut Draft, words: &Words<'_>) {
        let mut table = Table::default();
        let (mut sized, mut typed) = (false, false);
        let mut at = 1;
        while at < words.len() {
            let value = words.get(at + 1);
            match words.get(at) {
                "type" => {
                    typed = true;
                    if !["ip", "ipv6", "integer", "string", "binary"].contains(&value) && !words.variable(at + 1) {
                        self.told.error(
                            words.at(at + 1),
                            format!("a stick table is of ip, ipv6, integer, string or binary, not {}", shown(value)),
                        );
                    }
                    at += 2;
                    if words.get(at) == "len" && matches!(value, "string" | "binary") {
                        if units::leading(words.get(at + 1)) < 1 && !words.variable(at + 1) {
                            self.told.error(words.at(at), "`len` needs a number from 1 on");
                        }
                        at += 2;
                    }
                    continue;
                }
                "size" => {
                    sized = true;
                    if units::size(value).is_none_or(|size| size == 0) && !words.variable(at + 1) {
                        self.told.error(
                            words.at(at + 1),
                            format!("{} is no size; write a number, perhaps with k, m or g", shown(value)),
                        );
                    }
                }
                "expire" => {
                    table.expires_ms =
                        self.time(words, at + 1, "expire", 1_000).filter(|time| !time.unknown).map(|time| time.value)
                }
                "peers" => {
                    table.peers = Some(clean_name(value));
                    self.facts.peers_used.push(Setting::new(clean_name(value), words.at(at + 1)));
                }
                "srvkey" if !["addr", "name"].contains(&value) && !words.variable(at + 1) => {
                    self.told.error(words.at(at + 1), format!("`srvkey` is addr or name, not {}", shown(value)));
                }
                "store" if !value.is_empty() => self.stored(words, at + 1),
                "store" | "srvkey" | "write-to" | "brates-factor" => {
                    if value.is_empty() {
                        self.told.error(words.at(at), format!("`{}` needs a value after it", words.get(at)));
                    }
                }
                "nopurge" | "recv-only" => {
                    at += 1;
                    continue;
                }
                word => {
                    if !words.variable(at) {
                        self.told.error(words.at(at), format!("`stick-table` knows no {}", shown(word)));
                    }
                }
            }
            at += 2;
        }
        for (there, word, example) in [(typed, "type", "type ip"), (sized, "size", "size 100k")] {
            if !there {
                self.told.error(words.whole(), format!("a stick table needs its {word}, such as `{example}`"));
            }
        }
        if draft.table.is_some() {
            self.told.error(words.whole(), "this proxy has a stick table already; give the other one a backend of its own");
        }
        draft.table = Some(table);
    }

    /// The list behind `store` (configuration manual 11.1): rates need a time.
    fn stored(&mut self, words: &Words<'_>, at: usize) {
        if words.variable(at) {
            return;
        }
        for entry in words.get(at).split(',') {
            let (name, argument) =
                entry.split_once('(').map_or((entry, None), |(name, rest)| (name, Some(rest.trim_end_matches(')'))));
            let Some(found) = super::keywords::find("store", name, self.release) else {
                return self.unknown("store", words.at(at), name, "thing to store");
            };
            match argument {
                None if found.value => {
                    return self.told.error(words.at(at), format!("{} needs a time, such as `{name}(10s)`", shown(name)));
                }
                Some(time) if name.contains("_rate") && units::milliseconds(time, 1_000).is_err() => {
                    return self.told.error(words.at(at), format!("{} is no time", shown(time)));
                }
                _ => {}
            }
        }
    }

    pub(super) fn stick(&mut self, draft: &mut Draft, words: &Words<'_>) {
        let (reads, name) = match words.get(1) {
            "on" | "match" => (true, words.get(1)),
            "store-request" | "store-response" => (false, words.get(1)),
            other => {
                return self.told.error(
                    words.whole(),
                    format!("`stick` takes on, match, store-request and store-response, not {}", shown(other)),
                );
            }
        };
        if draft.kind == Kind::Frontend {
            return self.told.warn(words.whole(), "HAProxy ignores `stick` in a frontend; put it into the backend");
        }
        if words.get(2).is_empty() {
            return self.told.error(words.whole(), format!("`stick {name}` needs what to look up, such as `src`"));
        }
        self.sample(words, 2);
        let table = words.find("table").map(|at| clean_name(words.get(at + 1)));
        let end = ["table", "if", "unless"].iter().filter_map(|word| words.find(word)).min().unwrap_or(words.len());
        self.condition(&draft.acls, words, 3);
        let place = words.whole();
        draft.sticks.push(Stick { key: words.join(2..end), said: words.rest(0), table, reads, place });
    }
}
