//! Which words HAProxy knows, and where: what is none of them is told to people, what is one of them is not.
//!
//! The lists are data, in `keywords.txt`. A word that came with a version is known for that version and later.

use std::sync::LazyLock;

use super::shapes::{self, Shape};
use crate::balancer::maps::HashMap;

/// A release such as 2.8, as far as config depends on it.
pub type Release = (u32, u32);

/// The newest release whose words are listed.
pub const NEWEST: Release = (3, 3);

/// `2.8.25-5cf5d0683` is release 2.8; none for what is no version.
pub fn release(version: &str) -> Option<Release> {
    let mut parts = version.trim().trim_start_matches(['v', 'V']).split(['.', '-', '+', ' ', '~']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[derive(Debug, Clone, Copy)]
pub struct Word {
    since: Release,
    /// The next word is its value.
    pub value: bool,
    /// What has to follow it, where that is looked at.
    pub shape: Option<&'static Shape>,
}

type Words = HashMap<&'static str, Word>;

#[derive(Default)]
struct Group {
    whole: Words,
    /// Words that stand for every word that begins with them.
    stems: Vec<(&'static str, Word)>,
}

static GROUPS: LazyLock<HashMap<&'static str, Group>> = LazyLock::new(|| {
    let mut groups: HashMap<&'static str, Group> = HashMap::default();
    let mut current = "";
    for line in include_str!("keywords.txt").lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            current = name;
            continue;
        }
        let group = groups.entry(current).or_default();
        for entry in line.split(' ').filter(|entry| !entry.is_empty()) {
            let (word, since) = entry.split_once('@').unwrap_or((entry, ""));
            let (name, value) = word.strip_suffix('=').map_or((word, false), |name| (name, true));
            // None for a stem: shapes are of whole words.
            let found = Word { since: release(since).unwrap_or_default(), value, shape: shapes::of(current, name) };
            match name.strip_suffix('*') {
                Some(stem) => group.stems.push((stem, found)),
                None => drop(group.whole.insert(name, found)),
            }
        }
    }
    groups
});

/// The groups that nearly every line asks for.
struct Common {
    listen: &'static Group,
    server: &'static Group,
}

static COMMON: LazyLock<Common> = LazyLock::new(|| Common { listen: &GROUPS["listen"], server: &GROUPS["server"] });

#[inline]
fn group(name: &str) -> Option<&'static Group> {
    match name {
        "listen" => Some(COMMON.listen),
        "server" => Some(COMMON.server),
        name => GROUPS.get(name),
    }
}

/// `word` of `group` (`global`, `listen`, `server`, `http-request`, …) in `release`; none for any release.
#[inline]
pub fn find(group: &str, word: &str, release: Option<Release>) -> Option<Word> {
    self::group(group)?.find(word, release)
}

impl Group {
    fn find(&self, word: &str, release: Option<Release>) -> Option<Word> {
        let stem = || self.stems.iter().find(|(stem, _)| word.starts_with(stem)).map(|(_, found)| *found);
        let found = self.whole.get(word).copied().or_else(stem)?;
        release.is_none_or(|release| found.since <= release).then_some(found)
    }
}

/// The word of `group` that was perhaps meant.
pub fn near(group: &str, word: &str) -> Option<&'static str> {
    let most = if word.len() < 4 { 1 } else { 2 };
    let group = GROUPS.get(group).filter(|_| word.len() <= 40)?;
    let bits = letters(word);
    let alike = |known: &str| (letters(known) ^ bits).count_ones() as usize <= 2 * most;
    let mut found: Vec<_> = group
        .whole
        .keys()
        .filter(|known| known.len().abs_diff(word.len()) <= most && alike(known))
        .map(|known| (strsim::osa_distance(known, word), *known))
        .filter(|(distance, _)| *distance <= most)
        .collect();
    found.sort_unstable();
    found.first().map(|(_, known)| *known)
}

/// The letters of a word as bits. One change of a word changes two of them at most.
fn letters(word: &str) -> u32 {
    word.bytes().fold(0, |bits, byte| bits | 1 << (byte % 32))
}

/// Sections that came after 2.8.
const NEW_SECTIONS: &[(&str, Release)] =
    &[("crt-store", (3, 0)), ("log-profile", (3, 1)), ("traces", (3, 1)), ("acme", (3, 2)), ("healthcheck", (3, 4))];

/// Whether the section that `word` opens is there in `release`.
pub fn section_since(word: &str, release: Option<Release>) -> bool {
    let since = NEW_SECTIONS.iter().find(|(name, _)| *name == word).map(|(_, since)| *since);
    release.is_none_or(|release| since.is_none_or(|since| since <= release))
}

/// The list with the words of the section that `word` opens (configuration manual, chapters 3 to 12; the last three are
/// of extended versions), empty where those are not looked at; none when it opens none.
pub fn section(word: &str) -> Option<&'static str> {
    Some(match word {
        "global" => "global",
        "defaults" | "frontend" | "backend" | "listen" => "listen",
        "userlist" => "userlist",
        "peers" => "peers",
        "resolvers" => "resolvers",
        "mailers" => "mailers",
        "cache" => "cache",
        "program" => "program",
        "http-errors" => "http-errors",
        "ring" => "ring",
        "log-forward" => "log-forward",
        "fcgi-app" => "fcgi-app",
        "log-profile" | "traces" | "crt-store" | "acme" | "healthcheck" => "",
        "crt-list" | "udp-lb" | "dynamic-update" => "",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_known_by_place_and_release() {
        assert!(find("server", "weight", None).is_some_and(|word| word.value));
        assert!(find("server", "check", Some((2, 6))).is_some_and(|word| !word.value));
        assert!(find("listen", "guid", None).is_some() && find("listen", "guid", Some((2, 8))).is_none());
        assert!(find("http-request", "set-var(txn.x)", None).is_some() && find("http-request", "set-vra(txn.x)", None).is_none());
        assert!(find("tcp-request content", "accept", None).is_some());
        assert_eq!(near("listen", "blaance"), Some("balance"));
        assert_eq!(near("server", "wieght"), Some("weight"));
        assert_eq!(near("listen", "entirely"), None);
        assert_eq!([release("2.8.25-5cf5d0683"), release("3.3-dev8"), release("x")], [Some((2, 8)), Some((3, 3)), None]);
    }
}
