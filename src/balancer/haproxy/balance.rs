//! `balance`, `hash-type` and `hash-balance-factor` (configuration manual 4.2; src/backend.c `backend_parse_balance`).

use super::draft::Given;
use super::keywords::Release;
use super::reader::Reader;
use super::words::{Words, shown};
use crate::balancer::model::{Algorithm, Family, Hash, HashKey, HashMethod, Mode, Setting};
use crate::balancer::printable;
use crate::balancer::source::Place;

/// From this release on nothing written means `random` (changelog of 3.3-dev8).
const RANDOM_SINCE: Release = (3, 3);

impl Reader<'_> {
    pub(super) fn balance(&mut self, given: &mut Given, words: &Words<'_>) {
        let word = words.get(1);
        // HAProxy takes `balance` alone for `balance roundrobin`.
        let said = if word.is_empty() { "roundrobin".to_owned() } else { words.rest(1) };
        let (name, argument) = match word.split_once('(').filter(|_| !words.variable(1)) {
            // What follows the bracket is passed over.
            Some((name, rest)) => (name, rest.split_once(')').map(|(inner, _)| inner)),
            None => (word, Some("")),
        };
        let has_argument = word.contains('(');
        let (mut family, mut hash, mut choices) = (Family::Hash, None, None);
        let key = |key, expression: &str| Some(Hash { key, expression: printable(expression), ..Default::default() });
        match (name, argument) {
            ("" | "roundrobin", Some("")) => family = Family::RoundRobin,
            ("static-rr", Some("")) => family = Family::StaticRoundRobin,
            ("leastconn", Some("")) => family = Family::LeastConnections,
            ("first", Some("")) => family = Family::First,
            ("random", Some(draws)) => {
                family = Family::Random;
                choices = Some(2);
                if has_argument && !draws.is_empty() {
                    match draws.parse::<u32>() {
                        Ok(number) if number > 0 => choices = Some(number),
                        _ => self
                            .told
                            .error(words.at(1), format!("`random` draws {} times; write a number of at least 1", shown(draws))),
                    }
                }
            }
            ("source", Some("")) => hash = key(HashKey::SourceAddress, "src"),
            ("uri", Some("")) => {
                hash = key(HashKey::Uri, &said);
                self.uri_options(words);
            }
            ("url_param", Some("")) => {
                if words.len() < 3 {
                    self.told.error(words.whole(), "`balance url_param` needs the parameter's name after it");
                }
                if words.len() > 3 && words.get(3) != "check_post" {
                    self.told
                        .error(words.at(3), format!("`balance url_param NAME` takes `check_post`, not {}", shown(words.get(3))));
                }
                hash = key(HashKey::Query, words.get(2));
            }
            ("hdr", Some(header)) if has_argument => {
                if header.is_empty() {
                    self.told.error(words.at(1), "`balance hdr()` needs a header's name between its brackets");
                }
                if words.len() > 2 && words.get(2) != "use_domain_only" {
                    self.told.error(
                        words.at(2),
                        format!("`balance hdr` takes `use_domain_only` after it, not {}", shown(words.get(2))),
                    );
                }
                hash = key(HashKey::Header, word);
            }
            ("rdp-cookie", Some("")) if has_argument => {
                self.told.error(words.at(1), "`balance rdp-cookie()` needs a cookie's name between its brackets");
                hash = key(HashKey::Missing, "");
            }
            ("rdp-cookie", Some(_)) => hash = key(HashKey::Cookie, word),
            ("hash", Some("")) if words.len() > 2 => {
                let expression = words.rest(2);
                self.sample(words, 2);
                if words.len() > 3 {
                    self.told
                        .error(words.at(3), format!("`balance hash` takes one expression; {} is too much", shown(words.get(3))));
                }
                hash = key(key_of(&expression), &expression);
            }
            ("hash", Some("")) => {
                self.told.error(words.whole(), "`balance hash` needs an expression after it, such as `balance hash path`");
                hash = key(HashKey::Missing, "");
            }
            // For logs, since 3.0.
            ("sticky" | "log-hash", _) if self.release.is_none_or(|release| release >= (3, 0)) => family = Family::Unknown,
            _ if words.variable(1) => {
                self.depends(words, 1, "balance");
                family = Family::Unknown;
            }
            _ => {
                family = Family::Unknown;
                let text = format!(
                    "HAProxy knows no algorithm {}; write one of roundrobin, static-rr, leastconn, first, source, uri, url_param, hdr(…), rdp-cookie, random, hash",
                    shown(word)
                );
                self.told.error(words.at(1), text);
            }
        }
        let name = Some(said);
        given.balance = Some(Algorithm { name, family, hash, choices, written: true, place: words.whole() });
    }

    fn uri_options(&mut self, words: &Words<'_>) {
        let mut at = 2;
        while at < words.len() {
            match words.get(at) {
                "whole" | "path-only" => at += 1,
                word @ ("len" | "depth") => {
                    let value = words.get(at + 1);
                    if !words.variable(at + 1) && (!super::units::whole(value) || super::units::leading(value) < 1) {
                        self.told.error(
                            words.place(at..at + 2),
                            format!("`balance uri {word}` needs a number of at least 1, not {}", shown(value)),
                        );
                    }
                    at += 2;
                }
                word => {
                    self.told
                        .error(words.at(at), format!("`balance uri` takes len, depth, whole and path-only, not {}", shown(word)));
                    at += 1;
                }
            }
        }
    }

    pub(super) fn hash_type(&mut self, given: &mut Given, words: &Words<'_>) {
        given.hash_method = match words.get(1) {
            "consistent" => HashMethod::Ring,
            "map-based" => HashMethod::Modulo,
            // Unmodelled: it only orders servers without traffic of their own.
            _ if words.variable(1) => given.hash_method,
            other => {
                return self
                    .told
                    .error(words.whole(), format!("`hash-type` is `map-based` or `consistent`, not {}", shown(other)));
            }
        };
        let function = words.get(2);
        if function.is_empty() {
            given.hash_function = None;
            return;
        }
        let none = function == "none" && self.release.is_none_or(|release| release >= (2, 9));
        if !none && !["sdbm", "djb2", "wt6", "crc32"].contains(&function) && !words.variable(2) {
            self.told.error(
                words.at(2),
                format!("HAProxy knows no hash function {}; write sdbm, djb2, wt6, crc32 or none", shown(function)),
            );
        }
        if words.len() > 3 && words.get(3) != "avalanche" && !words.variable(3) {
            self.told
                .error(words.at(3), format!("a hash function takes only the modifier `avalanche`, not {}", shown(words.get(3))));
        }
        given.hash_function = Some(words.join(2..4));
    }

    pub(super) fn balance_factor(&mut self, given: &mut Given, words: &Words<'_>) {
        let Some(factor) = self.count(words, 1, "hash-balance-factor") else { return };
        if factor.value <= 100 && super::units::leading(words.get(1)) != 0 {
            self.told.error(
                words.whole(),
                format!("hash-balance-factor {} is not over 100; write 0 to switch it off, or more than 100", factor.value),
            );
        }
        let value = u32::try_from(factor.value).unwrap_or(u32::MAX);
        given.balance_factor = (value > 0).then(|| Setting::new(value, factor.place));
    }

    /// The algorithm with all that belongs to it, for a pool that begins at `place`.
    pub(super) fn algorithm(&self, given: &Given, place: &Place) -> Algorithm {
        let mut algorithm = given.balance.clone().unwrap_or_else(|| {
            let place = place.clone();
            match self.release {
                None => Algorithm { place, ..Default::default() },
                Some(release) if release >= RANDOM_SINCE => Algorithm {
                    name: Some("random".to_owned()),
                    family: Family::Random,
                    choices: Some(2),
                    place,
                    ..Default::default()
                },
                Some(_) => {
                    Algorithm { name: Some("roundrobin".to_owned()), family: Family::RoundRobin, place, ..Default::default() }
                }
            }
        });
        if let Some(hash) = &mut algorithm.hash {
            hash.method = given.hash_method;
            // `consistent` alone stirs the bits, with a function named it does not.
            let default = if given.hash_method == HashMethod::Ring { "sdbm avalanche" } else { "sdbm" };
            hash.function = Some(given.hash_function.clone().unwrap_or_else(|| default.to_owned()));
            hash.balance_factor =
                given.balance_factor.as_ref().filter(|_| given.hash_method == HashMethod::Ring).map(|factor| factor.value);
        }
        algorithm
    }
}

/// What a `balance hash` expression looks at.
fn key_of(expression: &str) -> HashKey {
    let fetch = expression.split(['(', ',', ' ']).next().unwrap_or_default();
    match fetch {
        "src" => HashKey::SourceAddress,
        "req.hdr" | "hdr" | "req.fhdr" | "hdr_ip" | "req.hdr_ip" => HashKey::Header,
        "req.cook" | "req.cookie" | "cookie" | "cook" | "req.cook_val" | "rdp_cookie" | "req.rdp_cookie" => HashKey::Cookie,
        "path" | "pathq" | "url" | "base" | "uri" => HashKey::Uri,
        "url_param" | "urlp" | "query" => HashKey::Query,
        _ => HashKey::Expression,
    }
}

/// Whether the algorithm looks into HTTP requests.
pub fn needs_http(algorithm: &Algorithm) -> bool {
    algorithm.hash.as_ref().is_some_and(|hash| {
        let name = algorithm.name.as_deref().unwrap_or_default();
        !name.starts_with("hash") && matches!(hash.key, HashKey::Uri | HashKey::Query | HashKey::Header)
    })
}

/// The mode of a proxy; HAProxy's own default is TCP.
pub fn mode(given: &Given) -> Mode {
    given.mode.as_ref().map_or(Mode::Tcp, |mode: &Setting<Mode>| mode.value)
}
