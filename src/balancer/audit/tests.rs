//! The rules over the fixtures in `tests/fixtures/audit/RULE/`: `fires*` fires the rule, `near*` does not. Beside a
//! config may stand its run-time state (`….state.txt`) and the config before (`fires.before.…`); `settings.json` gives
//! the rule's parameters for all of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::balancer::haproxy;
use crate::balancer::source::{NoFiles, Source};
use crate::balancer::state::State;

fn root() -> PathBuf {
    // The folder of this file is src/balancer/audit, wherever the package is built.
    let here = Path::new(file!());
    let here = if here.is_absolute() { here.to_owned() } else { Path::new(env!("CARGO_MANIFEST_DIR")).join(here) };
    here.ancestors().nth(4).expect("the package's folder").to_owned()
}

/// Lays run-time state over a model, by the names of pools and servers.
fn lay(model: &mut Model, state: &State) {
    for pool in &mut model.pools {
        let Some(now) = state.pool(&pool.name) else { continue };
        for server in &mut pool.servers {
            server.now = now.server(&server.name).cloned();
        }
    }
}

fn parse(ending: &str, text: &str) -> Model {
    // A comment may say for which version the fixture is.
    let version = text.lines().next().and_then(|line| line.split_once("version: ")).map(|(_, rest)| rest);
    let version = version.and_then(|rest| rest.split([' ', ';']).next());
    let sources = [Source::new("fixture", text)];
    match ending {
        "haproxy.cfg" => haproxy::parse(&sources, &mut NoFiles, version),
        "envoy.yaml" => crate::balancer::envoy::parse(&sources, &mut NoFiles, version),
        other => panic!("no parser for {other}"),
    }
}

struct Fixture {
    name: String,
    model: Model,
    has_state: bool,
    before: Option<Model>,
    settings: BTreeMap<String, Settings>,
    /// Whether the balancer refuses the config, as the fixture's first line says.
    refused: bool,
}

const ENDINGS: [&str; 5] = ["haproxy.cfg", "nginx.conf", "envoy.yaml", "traefik.yaml", "caddy.json"];

impl Fixture {
    /// Every fixture of a rule whose name begins with `verdict`.
    fn all(rule: &str, verdict: &str) -> Vec<Self> {
        let folder = root().join("tests/fixtures/audit").join(rule);
        let Ok(entries) = fs::read_dir(&folder) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a plain name")).collect();
        names.sort();
        let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
        let settings: Option<Settings> = read("settings.json").map(|text| serde_json::from_str(&text).expect("settings"));
        let settings: BTreeMap<_, _> = settings.into_iter().map(|settings| (rule.to_owned(), settings)).collect();
        let mut found = Vec::new();
        for name in names.iter().filter(|name| name.starts_with(verdict) && !name.contains(".before.")) {
            let Some(ending) = ENDINGS.into_iter().find(|ending| name.ends_with(ending)) else { continue };
            let stem = name.strip_suffix(ending).expect("its ending").trim_end_matches('.');
            let text = read(name).expect("text");
            let refused = text.lines().next().is_some_and(|line| line.contains("refused:"));
            let mut model = parse(ending, &text);
            let state = read(&format!("{stem}.{}.state.txt", ending.split('.').next().expect("a kind")));
            if let Some(text) = &state {
                lay(&mut model, &haproxy::state::state(text).expect("state"));
            }
            let before = read(&format!("{stem}.before.{ending}")).map(|text| parse(ending, &text));
            let name = format!("{rule}/{name}");
            found.push(Self { name, model, has_state: state.is_some(), before, settings: settings.clone(), refused });
        }
        found
    }

    fn findings(&self) -> Vec<Finding> {
        let before = self.before.as_ref().map(|model| (model, &[] as &[Change]));
        let mut all = audit(&Case { model: &self.model, has_state: self.has_state, before }, &self.settings);
        // Fixtures of peers: the config of the other one stands as `before`.
        if let Some(other) = &self.before {
            all.extend(divergence(&self.model, other));
        }
        all
    }
}

#[test]
fn every_rule_fires_on_its_fixtures_and_not_on_near_misses() {
    let mut faults = Vec::new();
    for rule in CATALOGUE.iter().filter(|rule| rule.needs != Needs::Traffic) {
        let (fires, near) = (Fixture::all(rule.id, "fires"), Fixture::all(rule.id, "near"));
        if fires.is_empty() || near.is_empty() {
            faults.push(format!("{}: write tests/fixtures/audit/{}/fires.… and near.…", rule.id, rule.id));
        }
        for fixture in &fires {
            let findings = fixture.findings();
            let Some(finding) = findings.iter().find(|finding| finding.rule == rule.id) else {
                faults.push(format!("{} does not fire; found: {:?}", fixture.name, identities(&findings)));
                continue;
            };
            faults.extend(sound(finding, &fixture.model).map(|fault| format!("{}: {fault}: {finding:#?}", fixture.name)));
        }
        for fixture in &near {
            let finding = fixture.findings().into_iter().find(|finding| finding.rule == rule.id);
            faults.extend(finding.map(|finding| format!("{} fires: {}", fixture.name, finding.message)));
        }
        for fixture in fires.iter().chain(&near) {
            let errors = fixture.model.notices.iter().filter(|n| n.gravity == crate::balancer::model::Gravity::Error);
            let errors: Vec<&str> = errors.map(|notice| notice.text.as_str()).collect();
            if !errors.is_empty() && !fixture.refused {
                faults.push(format!("{} is taken for broken: {errors:?}", fixture.name));
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

fn identities(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(Finding::identity).collect()
}

/// What a finding lacks that people need.
fn sound(finding: &Finding, model: &Model) -> Option<&'static str> {
    let routes_gone = finding.subject.as_deref() == Some("routes");
    let placed = finding.places.first().is_some_and(|place| place.line > 0 && !place.raw.is_empty());
    let named =
        finding.pool.as_ref().is_none_or(|name| model.pool(name).is_some_and(|pool| finding.message.contains(&pool.name)));
    match finding {
        _ if !placed && !routes_gone => Some("no place"),
        _ if !named => Some("the message does not name the pool"),
        _ if !finding.message.ends_with(['.', '?']) || !finding.remedy.ends_with(['.', '?']) => Some("no sentence"),
        _ if finding.message.contains("NaN") || finding.message.contains("inf ") => Some("a number that is none"),
        _ if finding.pool.is_none() && finding.subject.is_none() => Some("nothing that it is about"),
        _ => None,
    }
}

#[test]
fn identities_tell_findings_of_one_config_apart_and_hold_no_lines() {
    for rule in CATALOGUE {
        for fixture in Fixture::all(rule.id, "") {
            let findings = fixture.findings();
            let ids: BTreeSet<String> = findings.iter().map(Finding::identity).collect();
            assert_eq!(ids.len(), findings.len(), "{}: {:?}", fixture.name, identities(&findings));
        }
    }
    let place = crate::balancer::source::Place { line: 7, ..Default::default() };
    let finding = Finding {
        rule: "LB015".into(),
        pool: Some("a/b%".into()),
        server: Some("s1".into()),
        places: vec![place],
        ..Finding::default()
    };
    assert_eq!(finding.identity(), "LB015/a%2Fb%25/s1");
    assert_eq!(
        Finding { rule: "LB050".into(), subject: Some("open files".into()), ..Finding::default() }.identity(),
        "LB050///open files"
    );
    assert_eq!(Finding { rule: "LB001".into(), pool: Some("web".into()), ..Finding::default() }.identity(), "LB001/web");
}
