//! What has to hold for any bytes: one function for each fuzz target.
//!
//! A target panics where something does not hold. The targets in `targets/` hand it what the fuzzer makes up, and
//! `tests/it/fuzz.rs` what the corpora keep. Bytes that are no UTF-8 are read as they are when a file comes in: with
//! U+FFFD in their place.

use std::collections::BTreeMap;

use afterload::balancer::audit::{self, Case};
use afterload::balancer::diff;
use afterload::balancer::model::Model;
use afterload::balancer::redact::{RedactionKey, fingerprints, redact};
use afterload::balancer::source::{Files, RAW_MAX, Source};
use afterload::balancer::state::State;
use afterload::balancer::{self, printable};
use afterload::domain::balancer::BalancerKind;
use serde::Deserialize;
use serde_json::Value;

/// What a target does with its bytes.
type Target = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: [(&str, Target); 9] = [
    ("haproxy", haproxy),
    ("nginx", nginx),
    ("envoy", envoy),
    ("traefik", traefik),
    ("caddy", caddy),
    ("state", state),
    ("redaction", redaction),
    ("diff", difference),
    ("audit", rules),
];

const KINDS: [BalancerKind; 5] =
    [BalancerKind::Haproxy, BalancerKind::Nginx, BalancerKind::Envoy, BalancerKind::Traefik, BalancerKind::Caddy];

/// Stands between the texts of a target that takes several; never a byte of UTF-8.
const BETWEEN: u8 = 0xff;

/// Answers every `include` with the config itself, so that files include each other, and no more after a few.
struct Mirror<'a> {
    text: &'a str,
    left: usize,
}

impl Files for Mirror<'_> {
    fn read(&mut self, pattern: &str, _from: &str) -> Result<Vec<Source>, String> {
        self.left = self.left.checked_sub(1).ok_or("there are no more files")?;
        Ok(vec![Source::new(pattern, self.text)])
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The kind that the first byte names, and the texts behind it.
fn texts(data: &[u8]) -> Option<(BalancerKind, Vec<String>)> {
    let (first, rest) = data.split_first()?;
    Some((KINDS[usize::from(*first) % KINDS.len()], rest.split(|byte| *byte == BETWEEN).map(text).collect()))
}

/// Versions that decide defaults and which words are known.
fn versions(kind: BalancerKind) -> &'static [&'static str] {
    match kind {
        BalancerKind::Haproxy => &["2.4.22", "2.8.5", "3.3.0"],
        BalancerKind::Nginx => &["1.22.1", "nginx/1.31.0"],
        _ => &["1"],
    }
}

/// The version that a length picks: a text that grows by a byte is read for another one.
fn version(kind: BalancerKind, length: usize) -> &'static str {
    let versions = versions(kind);
    versions[length % versions.len()]
}

fn parse(kind: BalancerKind, text: &str, version: Option<&str>) -> (Vec<Source>, Model) {
    let sources = Source::split("config", text);
    let model = balancer::parse(kind, &sources, &mut Mirror { text, left: 3 }, version);
    (sources, model)
}

pub fn haproxy(data: &[u8]) {
    parsed(BalancerKind::Haproxy, data);
}

pub fn nginx(data: &[u8]) {
    parsed(BalancerKind::Nginx, data);
}

pub fn envoy(data: &[u8]) {
    parsed(BalancerKind::Envoy, data);
}

pub fn traefik(data: &[u8]) {
    parsed(BalancerKind::Traefik, data);
}

pub fn caddy(data: &[u8]) {
    parsed(BalancerKind::Caddy, data);
}

/// A parser: places are where they say they are.
fn parsed(kind: BalancerKind, data: &[u8]) {
    let text = text(data);
    let version = (!text.len().is_multiple_of(5)).then(|| version(kind, text.len()));
    let (sources, model) = parse(kind, &text, version);
    assert_eq!(model.kind, kind);
    balancer::is_config(kind, &text);
    let pools = model.pools.iter().flat_map(|pool| pool.servers.iter().map(|server| &server.name).chain([&pool.name]));
    let listeners = model.listeners.iter().map(|listener| &listener.name);
    let told = model.notices.iter().map(|notice| &notice.text);
    for words in pools.chain(listeners).chain(told).chain(&model.files) {
        assert!(!words.contains(char::is_control), "{words:?} does not fit on a line");
    }
    // Files that are included are the text itself; see `Mirror`. Names may be there twice.
    let named = |name: &String| {
        let found = sources.iter().filter(|source| printable(&source.name) == *name).map(|source| &*source.text);
        found.chain([text.as_str()]).collect()
    };
    let value = serde_json::to_value(&model).expect("a model can be shown");
    places(&value, &model.files.iter().map(named).collect::<Vec<_>>());
}

/// A place as it is shown to readers outside.
#[derive(Debug, Deserialize)]
struct Place {
    file: usize,
    line: usize,
    column: usize,
    start: usize,
    end: usize,
    raw: String,
}

/// Holds every place of a model against what its files may be.
fn places(value: &Value, files: &[Vec<&str>]) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| places(item, files)),
        Value::Object(fields) => {
            if fields.contains_key("column") {
                hold(&Place::deserialize(value).expect("a place"), files);
            }
            fields.values().for_each(|field| places(field, files));
        }
        _ => {}
    }
}

/// A place stands within its file, where its line and column say, and its raw text begins what stands there.
fn hold(place: &Place, files: &[Vec<&str>]) {
    if place.line == 0 {
        assert_eq!((place.start..place.end, place.raw.as_str()), (0..0, ""), "a place that is nowhere");
        return;
    }
    assert!(place.raw.chars().count() <= RAW_MAX + 1 && !place.raw.contains(char::is_control), "{place:?}");
    let texts = files.get(place.file).unwrap_or_else(|| panic!("{place:?}, of {} files", files.len()));
    assert!(texts.iter().any(|text| stands(place, text)), "{place:?} stands at {:?}", texts[0].get(place.start..place.end));
}

fn stands(place: &Place, text: &str) -> bool {
    let Some(found) = text.get(place.start..place.end) else { return false };
    let before = &text[..place.start];
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    let counted = (before.matches('\n').count() + 1, before[line..].chars().count() + 1);
    let said = place.raw.strip_suffix('…').unwrap_or(&place.raw);
    let mut words = found.split_whitespace().map(printable);
    let mut said = said.split(' ').filter(|word| !word.is_empty());
    (place.line, place.column) == counted && said.all(|word| words.next().is_some_and(|found| found.starts_with(word)))
}

/// What a running balancer says of itself: no difference from itself, and it can be laid over any config.
pub fn state(data: &[u8]) {
    let Some((kind, texts)) = texts(data) else { return };
    let states: Vec<State> = texts.iter().filter_map(|text| told(kind, text)).collect();
    for state in &states {
        assert_eq!(diff::state_changes(Some(state), state), [] as [&str; 0]);
        assert!(state.decides_as(state));
        for pool in &state.pools {
            let names = pool.servers.iter().map(|server| &server.name).chain([&pool.name]);
            names.for_each(|name| assert!(!name.contains(char::is_control), "{name:?} does not fit on a line"));
            let shares: Vec<f64> = pool.servers.iter().filter_map(|server| pool.expected_share(server)).collect();
            assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)), "{shares:?}");
        }
        let stored = serde_json::to_string(state).expect("a state can be stored");
        assert_eq!(&serde_json::from_str::<State>(&stored).expect("a stored state can be read"), state);
    }
    if let [before, after, ..] = states.as_slice() {
        diff::state_changes(Some(before), after);
        sound(&diff::changes((None, Some(before)), (None, Some(after))));
    }
}

fn told(kind: BalancerKind, text: &str) -> Option<State> {
    balancer::state(kind, text).inspect_err(|told| assert!(!told.trim().is_empty(), "an error says why")).ok()
}

/// Redaction: once is enough, and nothing but secrets gives way.
pub fn redaction(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let (kind, text, key) = (KINDS[usize::from(first) % KINDS.len()], text(rest), RedactionKey([7; 32]));
    let once = redact(kind, &text, &key);
    let twice = redact(kind, &once.text, &key);
    assert_eq!((&twice.text, twice.secrets), (&once.text, 0), "twice is once");
    assert_eq!(diff::secret_changes(&once.text, &once.text), [] as [&str; 0]);
    diff::secret_changes(&text, &once.text);
    // What stands between the marks stood there before, in the same order.
    let marks = fingerprints(&once.text);
    assert!(once.secrets == 0 || !marks.is_empty(), "{} secrets without a mark", once.secrets);
    let (mut left, mut from) = (text.as_str(), 0);
    for (span, _) in &marks {
        let mut piece = &once.text[from..span.start];
        let find = |piece: &str| if from == 0 { left.starts_with(piece).then_some(0) } else { left.find(piece) };
        let (mut at, mut end) = (find(piece), span.end);
        // A number gives way to a string, whose quotes are new.
        if let (None, Some(bare), Some('"')) = (at, piece.strip_suffix('"'), once.text[end..].chars().next()) {
            (at, piece, end) = (find(bare), bare, end + 1);
        }
        left = &left[at.unwrap_or_else(|| panic!("{piece:?} is new")) + piece.len()..];
        from = end;
    }
    assert!(left.ends_with(&once.text[from..]), "{:?} is new", &once.text[from..]);
    assert!(once.secrets > 0 || once.text == text, "nothing was hidden, and the text is another one");
}

/// Two configs: no difference from itself, and a difference that is all there is to do, in the model and in the text.
pub fn difference(data: &[u8]) {
    let Some((kind, texts)) = texts(data) else { return };
    let [before, after, ..] = texts.as_slice() else { return };
    let read = |text: &str| parse(kind, text, Some(version(kind, text.len()))).1;
    let (a, b) = (read(before), read(after));
    assert_eq!(read(before), a, "the same text is the same model");
    assert!(diff::diff(&a, &a).is_empty());
    let changes = diff::diff(&a, &b);
    sound(&changes);
    assert_eq!(diff::diff(&a, &b), changes, "always the same");
    let applied = diff::apply(&a, &changes);
    let left = diff::diff(&applied, &b);
    assert!(left.is_empty(), "{left:?} is left");
    assert_eq!(changes.is_empty(), diff::diff(&b, &a).is_empty(), "no change one way is none the other way");
    as_text(before, after);
}

/// A change says something, and takes no more away than there is.
fn sound(changes: &[diff::Change]) {
    for change in changes {
        assert!(!change.sentence.is_empty() && !change.sentence.contains('\n'), "{:?}", change.sentence);
        assert!((0.0..=100.0).contains(&change.lost_percent), "{}: {}", change.sentence, change.lost_percent);
    }
}

/// Every line of both texts is there, side by side and as a patch.
fn as_text(before: &str, after: &str) {
    let all = diff::lines(before, after, usize::MAX);
    let rows = diff::side_by_side(&all);
    let patch = diff::unified(before, after, "before", "after", usize::MAX);
    if before == after {
        assert!(all.is_empty() && patch.is_empty());
        return;
    }
    let said = |line: &&diff::Line| line.words.iter().map(|word| word.text.as_str()).collect::<String>();
    let whole =
        |text: &str| text.split_inclusive('\n').map(|line| line.trim_end_matches(['\n', '\r']).to_owned()).collect::<Vec<_>>();
    assert_eq!(rows.iter().filter_map(|row| row.0.as_ref()).map(said).collect::<Vec<_>>(), whole(before));
    assert_eq!(rows.iter().filter_map(|row| row.1.as_ref()).map(said).collect::<Vec<_>>(), whole(after));
    let mut sides = [String::new(), String::new()];
    // Two lines of names, then the hunk's own.
    for line in patch.split_inclusive('\n').skip(3) {
        let (mark, rest) = line.split_at(1);
        match mark {
            " " => sides.iter_mut().for_each(|side| side.push_str(rest)),
            "-" => sides[0].push_str(rest),
            "+" => sides[1].push_str(rest),
            _ => assert_eq!(line, "\\ No newline at end of file\n"),
        }
    }
    let ended = |text: &str| if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
    assert_eq!(sides, [ended(before), ended(after)]);
}

/// The rules over a config, the config before it, and what runs: the second and third text.
pub fn rules(data: &[u8]) {
    let Some((kind, texts)) = texts(data) else { return };
    let Some(now) = texts.first() else { return };
    let read = |text: &str| parse(kind, text, Some(version(kind, data.len()))).1;
    let mut model = read(now);
    let state = texts.get(2).and_then(|text| told(kind, text));
    if let Some(state) = &state {
        state.lay_over(&mut model);
    }
    let before = texts.get(1).map(|text| read(text));
    let changes = before.as_ref().map(|before| diff::changes((Some(before), None), (Some(&model), state.as_ref())));
    let case = Case { model: &model, has_state: state.is_some(), before: before.as_ref().zip(changes.as_deref()) };
    let found = audit::audit(&case, &BTreeMap::new());
    for finding in &found {
        let rule = audit::rule(finding.rule).expect("a finding has its rule");
        assert!(finding.severity <= rule.severity, "{finding:?}");
        assert!(!finding.message.is_empty() && !finding.remedy.is_empty(), "{finding:?}");
        assert!(finding.numbers.values().all(|number| number.is_finite()), "{finding:?}");
    }
    assert_eq!(audit::audit(&case, &BTreeMap::new()), found, "always the same");
    assert_eq!(audit::divergence(&model, &model), []);
    if let Some(before) = &before {
        audit::divergence(&model, before);
    }
}
