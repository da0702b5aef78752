//! Pairs of configs with the sentences of their difference, word for word, for all five balancers: the files in
//! `tests/fixtures/diff`, whose README says how one is written.

use std::collections::BTreeSet;

use super::{Change, ChangeKind, apply, diff};
use crate::balancer::model::{Gravity, Model};
use crate::balancer::read;
use crate::balancer::source::{NoFiles, Place, Source};
use crate::domain::balancer::BalancerKind;

/// What a format has no words for, and why.
const CANNOT: [(BalancerKind, ChangeKind, &str); 8] = [
    (BalancerKind::Nginx, ChangeKind::ServerRenamed, "a server is called by its address"),
    (BalancerKind::Envoy, ChangeKind::ServerRenamed, "a server is called by its address"),
    (BalancerKind::Envoy, ChangeKind::DefaultByVersion, "no default is known that differs by version"),
    (BalancerKind::Traefik, ChangeKind::Role, "there are no backup servers, only services for failover"),
    (BalancerKind::Caddy, ChangeKind::ServerRenamed, "a server is called by its address"),
    (BalancerKind::Caddy, ChangeKind::Role, "there are no backup servers"),
    (BalancerKind::Caddy, ChangeKind::AdminState, "a server is there or it is not"),
    (BalancerKind::Caddy, ChangeKind::DefaultByVersion, "no default is known that differs by version"),
];

/// One pair of a file.
struct Pair {
    title: String,
    versions: [Option<String>; 2],
    before: String,
    after: String,
    /// Lines after `= `.
    wanted: Vec<String>,
    /// Lines after `~ `: the way back; empty where nobody asks.
    back: Vec<String>,
}

fn pairs(kind: BalancerKind) -> Vec<Pair> {
    let path = format!("{}/tests/fixtures/diff/{}.txt", env!("CARGO_MANIFEST_DIR"), kind.as_str());
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut parts = text.split("\n==== ");
    let before = format!("{}\n", parts.next().expect("a config"));
    parts.map(|part| pair(&before, part)).collect()
}

/// A title, perhaps with `[version]` or `[version → version]`; changes as `diff -u` writes them, a blank line between
/// two of them; what is said.
fn pair(before: &str, text: &str) -> Pair {
    let (head, rest) = text.split_once('\n').expect("a title and changes");
    let (title, versions) = head.split_once(" [").unwrap_or((head, "]"));
    let versions: Vec<&str> = versions.trim_end_matches(']').split(" → ").collect();
    let version =
        |at: usize| versions.get(at).or(versions.first()).filter(|text| !text.is_empty()).map(|text| (*text).to_owned());
    let lines = |start: char| rest.lines().filter_map(move |line| line.strip_prefix(start));
    let told = |start: char| lines(start).map(|line| line.trim().to_owned()).collect::<Vec<_>>();
    let changes: Vec<&str> = rest.lines().filter(|line| !line.starts_with(['=', '~'])).collect();
    let mut after = before.to_owned();
    let whole =
        changes.iter().any(|line| line.starts_with('+')) && changes.iter().all(|line| line.is_empty() || line.starts_with('+'));
    if whole {
        after = lines('+').map(|line| format!("{line}\n")).collect();
    } else {
        for change in changes.split(|line| line.is_empty()).filter(|change| !change.is_empty()) {
            let side = |other: char| -> String {
                let own = change.iter().filter(|line| !line.starts_with(other));
                own.map(|line| format!("{}\n", line.get(1..).expect("a sign before each line"))).collect()
            };
            let (old, new) = (format!("\n{}", side('+')), format!("\n{}", side('-')));
            let whole = format!("\n{after}");
            assert_eq!(whole.matches(&old).count(), 1, "{title}: stands once in the config:{old}");
            after = whole.replacen(&old, &new, 1).split_off(1);
        }
    }
    Pair {
        title: title.to_owned(),
        versions: [version(0), version(1)],
        before: before.to_owned(),
        after,
        wanted: told('='),
        back: told('~'),
    }
}

impl Pair {
    fn models(&self, kind: BalancerKind) -> [Model; 2] {
        let read = |text: &str, version: &Option<String>| {
            read::parse(kind, &Source::split("config", text), &mut NoFiles, version.as_deref())
        };
        [read(&self.before, &self.versions[0]), read(&self.after, &self.versions[1])]
    }
}

/// `weight 5 → 5: pool web: …`: the kind, the lines of both sides, the sentence.
fn told(change: &Change) -> String {
    let lines = |places: &[Place]| -> String {
        let all: Vec<String> = places.iter().map(|place| place.line().to_string()).collect();
        if all.is_empty() { "none".to_owned() } else { all.join(",") }
    };
    let kind = serde_json::to_value(change.kind).expect("a word");
    format!("{} {} → {}: {}", kind.as_str().expect("a word"), lines(&change.before), lines(&change.after), change.sentence)
}

#[test]
fn pairs_are_said_word_for_word() {
    let mut faults = Vec::new();
    for kind in BalancerKind::ALL {
        for pair in pairs(*kind) {
            let [old, new] = pair.models(*kind);
            let changes = diff(&old, &new);
            let mut said: Vec<String> = changes.iter().map(told).collect();
            if said.is_empty() {
                said.push("nothing".to_owned());
            }
            let mut fault = |text: String| faults.push(format!("{}: {}: {text}", kind.as_str(), pair.title));
            if said != pair.wanted {
                fault(format!("is\n= {}\nand not\n= {}", said.join("\n= "), pair.wanted.join("\n= ")));
            }
            let again = diff(&apply(&old, &changes), &new);
            if !again.is_empty() {
                fault(format!("not all of the change: {again:#?}"));
            }
            let back: Vec<String> = diff(&new, &old).iter().map(told).collect();
            if back.is_empty() != changes.is_empty() {
                fault("the way back is another one".to_owned());
            }
            if back != pair.back && !pair.back.is_empty() {
                fault(format!("back is\n~ {}\nand not\n~ {}", back.join("\n~ "), pair.back.join("\n~ ")));
            }
            if pair.before == pair.after && pair.versions[0] == pair.versions[1] {
                fault("changes nothing".to_owned());
            }
            let errors = old.notices.iter().chain(&new.notices).filter(|notice| notice.gravity == Gravity::Error);
            for error in errors {
                fault(format!("line {}: {}", error.place.line(), error.text));
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n\n"));
}

#[test]
fn every_kind_of_change_has_a_pair_in_every_format_that_can_say_it() {
    let all = [
        ChangeKind::Weight,
        ChangeKind::AdminState,
        ChangeKind::ServerAdded,
        ChangeKind::ServerRemoved,
        ChangeKind::ServerRenamed,
        ChangeKind::ServerReaddressed,
        ChangeKind::Role,
        ChangeKind::PoolAdded,
        ChangeKind::PoolRemoved,
        ChangeKind::PoolRenamed,
        ChangeKind::Algorithm,
        ChangeKind::Persistence,
        ChangeKind::HealthCheck,
        ChangeKind::Limit,
        ChangeKind::Timeout,
        ChangeKind::Retry,
        ChangeKind::Route,
        ChangeKind::Listener,
        ChangeKind::Tls,
        ChangeKind::DefaultByVersion,
        ChangeKind::Order,
        ChangeKind::Process,
        ChangeKind::Other,
    ];
    let mut missing = BTreeSet::new();
    for kind in BalancerKind::ALL {
        let mut told = Vec::new();
        for pair in pairs(*kind) {
            let [old, new] = pair.models(*kind);
            told.extend(diff(&old, &new).into_iter().map(|change| change.kind));
        }
        for change in all {
            let cannot = CANNOT.iter().any(|(of, what, _)| (of, *what) == (kind, change));
            if told.contains(&change) == cannot {
                missing.insert(format!("{}: {change:?}", kind.as_str()));
            }
        }
    }
    assert!(missing.is_empty(), "neither a pair nor a reason in CANNOT, or both: {missing:#?}");
}
