//! The rules over the fixtures in `tests/fixtures/audit/RULE/`: `fires*` fires the rule, `near*` does not. Beside a
//! config may stand its run-time state (`….state.txt`) and the config before (`fires.before.…`); `settings.json` gives
//! the rule's parameters for all of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::*;
use crate::balancer::read;
use crate::balancer::source::{NoFiles, Source};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The endings of fixtures; the word before the dot is the kind.
const ENDINGS: [&str; 5] = ["haproxy.cfg", "nginx.conf", "envoy.yaml", "traefik.yaml", "caddy.json"];

fn kind(ending: &str) -> BalancerKind {
    ending.split('.').next().and_then(|word| word.parse().ok()).expect("a kind")
}

fn parse(ending: &str, text: &str) -> Model {
    // A comment may say for which version the fixture is.
    let version = text.lines().next().and_then(|line| line.split_once("version: ")).map(|(_, rest)| rest);
    let version = version.and_then(|rest| rest.split([' ', ';']).next());
    read::parse(kind(ending), &[Source::new("fixture", text)], &mut NoFiles, version)
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

impl Fixture {
    /// Every fixture of a rule whose name begins with `verdict`.
    fn all(rule: &str, verdict: &str) -> Vec<Self> {
        let folder = root().join("tests/fixtures/audit").join(rule);
        let Ok(entries) = fs::read_dir(&folder) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a plain name")).collect();
        names.sort();
        let text_of = |name: &str| fs::read_to_string(folder.join(name)).ok();
        let settings: Option<Settings> = text_of("settings.json").map(|text| serde_json::from_str(&text).expect("settings"));
        let settings: BTreeMap<_, _> = settings.into_iter().map(|settings| (rule.to_owned(), settings)).collect();
        let mut found = Vec::new();
        for name in names.iter().filter(|name| name.starts_with(verdict) && !name.contains(".before.")) {
            let Some(ending) = ENDINGS.into_iter().find(|ending| name.ends_with(ending)) else { continue };
            let stem = name.strip_suffix(ending).expect("its ending").trim_end_matches('.');
            let text = text_of(name).expect("text");
            let refused = text.lines().next().is_some_and(|line| line.contains("refused:"));
            let mut model = parse(ending, &text);
            let word = kind(ending).as_str();
            let state = text_of(&format!("{stem}.{word}.state.txt"));
            if let Some(text) = &state {
                let state = read::state(kind(ending), text).expect("state");
                assert_eq!(state.lay_over(&mut model), Vec::<String>::new(), "{name}: servers that the config lacks");
            }
            let before = text_of(&format!("{stem}.before.{ending}")).map(|text| parse(ending, &text));
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
    let placed = finding.places.first().is_some_and(|place| place.line() > 0 && !place.raw().is_empty());
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
    let place = crate::balancer::source::Place::of_line(0, 7);
    let finding = Finding {
        rule: "LB015",
        pool: Some("a/b%".into()),
        server: Some("s1".into()),
        places: vec![place],
        ..Finding::default()
    };
    assert_eq!(finding.identity(), "LB015/a%2Fb%25/s1");
    assert_eq!(
        Finding { rule: "LB050", subject: Some("open files".into()), ..Finding::default() }.identity(),
        "LB050///open files"
    );
    assert_eq!(Finding { rule: "LB001", pool: Some("web".into()), ..Finding::default() }.identity(), "LB001/web");
}

#[test]
fn the_catalogue_is_in_order_and_every_rule_says_what_people_need() {
    assert!(CATALOGUE.is_sorted_by(|a, b| a.id < b.id), "ids in order, each once");
    let ids: Vec<String> = (1..=CATALOGUE.len()).map(|number| format!("LB{number:03}")).collect();
    assert_eq!(CATALOGUE.iter().map(|rule| rule.id).collect::<Vec<_>>(), ids);
    for rule in CATALOGUE {
        assert_eq!(super::rule(rule.id).map(|found| found.title), Some(rule.title));
        assert_eq!(rule.check.is_none(), matches!(rule.needs, Needs::Traffic | Needs::Peer), "{}", rule.id);
        assert!(!rule.kinds.is_empty() && !rule.title.ends_with('.'), "{}", rule.id);
        for words in [rule.prevents, rule.why, rule.remedy, rule.false_positives] {
            assert!(words.len() > 3 && words.ends_with('.') && !words.contains("  "), "{}: {words}", rule.id);
        }
    }
    assert!(super::rule("LB000").is_none() && super::rule("lb001").is_none() && super::rule("").is_none());
}

/// `docs/rules.md` is the catalogue.
#[test]
fn handbook() {
    let path = root().join("docs/rules.md");
    let page = super::handbook();
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs::write(&path, &page).expect("docs/rules.md can be written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let differs = kept.lines().zip(page.lines()).find(|(kept, page)| kept != page);
    assert!(kept == page, "docs/rules.md is not the catalogue (first other line: {differs:?}); write it again with `just bless`");
    for rule in CATALOGUE {
        assert!(page.contains(&format!("<a id=\"{}\"></a>", rule.id.to_lowercase())), "{}", rule.id);
    }
}

#[test]
fn one_rule_is_explained_in_plain_text() {
    let rule = super::rule("LB003").expect("a rule");
    insta::assert_snapshot!(explain(rule));
}

fn case(model: &Model) -> Case<'_> {
    Case { model, has_state: false, before: None }
}

fn settings(rule: &str, parameters: &[(&str, f64)], pools: &[&str]) -> BTreeMap<String, Settings> {
    let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    let pools = pools.iter().map(|pool| (*pool).to_owned()).collect();
    BTreeMap::from([(rule.to_owned(), Settings { parameters, pools })])
}

const TWO_POOLS: &str = "defaults\n  mode http\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n\
    frontend in\n  bind :80\n  use_backend api if { path_beg /api }\n  default_backend web\n\
    backend web\n  server w1 10.0.0.1:80 check weight 30 maxconn 9\n  server w2 10.0.0.2:80 check weight 10 maxconn 9\n  server w3 10.0.0.3:80 check weight 10 maxconn 9\n\
    backend api\n  server a1 10.0.0.4:80 check weight 30 maxconn 9\n  server a2 10.0.0.5:80 check weight 10 maxconn 9\n  server a3 10.0.0.6:80 check weight 10 maxconn 9\n";

#[test]
fn a_guard_may_set_parameters_and_pools() {
    let model = parse("haproxy.cfg", TWO_POOLS);
    let pools = |settings: &BTreeMap<String, Settings>| -> Vec<String> {
        assert_eq!(check_settings(settings), Ok(()));
        let findings = audit(&case(&model), settings);
        findings.into_iter().filter(|finding| finding.rule == "LB005").filter_map(|finding| finding.pool).collect()
    };
    assert_eq!(pools(&BTreeMap::new()), Vec::<String>::new(), "30 is three times the median");
    assert_eq!(pools(&settings("LB005", &[("ratio", 3.0)], &[])), ["web", "api"]);
    assert_eq!(pools(&settings("LB005", &[("ratio", 3.0)], &["api", "gone"])), ["api"]);
    assert_eq!(pools(&settings("LB005", &[("ratio", 3.1)], &[])), Vec::<String>::new());
    // A finding that is about no pool is not within a scope of pools.
    let open = format!("global\n  maxconn 10\n  stats socket ipv4@0.0.0.0:9999 level admin\n{TWO_POOLS}");
    let model = parse("haproxy.cfg", &open);
    let told = |settings| audit(&case(&model), &settings).iter().any(|finding| finding.rule == "LB059");
    assert!(told(BTreeMap::new()) && !told(settings("LB059", &[], &["web"])));
}

#[test]
fn settings_that_name_nothing_are_refused_in_words() {
    let refused = |rule, parameters: &[(&str, f64)]| check_settings(&settings(rule, parameters, &[])).expect_err("refused");
    assert_eq!(refused("LB999", &[]), "there is no rule LB999; rules are called LB001, LB002 and so on");
    assert_eq!(refused("LB005", &[("rato", 3.0)]), "rule LB005 has no parameter rato; it has ratio");
    assert_eq!(refused("LB002", &[("x", 3.0)]), "rule LB002 has no parameter x; it has none");
    assert_eq!(
        refused("LB005", &[("ratio", f64::NAN)]),
        "parameter ratio of rule LB005 is NaN; write a number that is not below 0"
    );
    assert!(check_settings(&settings("LB005", &[("ratio", -1.0)], &[])).is_err());
}

#[test]
fn findings_come_gravest_first_then_by_place_and_always_alike() {
    let text = TWO_POOLS
        .replace("server a2 10.0.0.5:80 check weight 10", "server a2 10.0.0.5:80 weight 0")
        .replace("server a3 10.0.0.6:80 check weight 10", "server a3 10.0.0.6:80 weight 0");
    let model = parse("haproxy.cfg", &text);
    let findings = audit(&case(&model), &BTreeMap::new());
    assert_eq!(findings.first().map(|finding| finding.rule), Some("LB001"));
    let keys: Vec<_> = findings.iter().map(|f| (std::cmp::Reverse(f.severity), f.places.first().map(|p| p.line()))).collect();
    assert!(findings.len() > 3 && keys.is_sorted(), "{keys:?}");
    assert_eq!(findings, audit(&case(&model), &BTreeMap::new()));
    let ceiling = |finding: &Finding| super::rule(finding.rule).is_some_and(|rule| finding.severity <= rule.severity);
    assert!(findings.iter().all(ceiling));
}

#[test]
fn a_rule_is_silent_where_it_cannot_see() {
    let model = parse("haproxy.cfg", &TWO_POOLS.replace("weight 30", "weight 0"));
    for rule in CATALOGUE.iter().filter(|rule| matches!(rule.needs, Needs::State | Needs::Change | Needs::Peer | Needs::Traffic))
    {
        assert!(audit(&case(&model), &BTreeMap::new()).iter().all(|finding| finding.rule != rule.id), "{}", rule.id);
    }
    let foreign = Model { kind: BalancerKind::Traefik, ..model.clone() };
    for finding in audit(&case(&foreign), &BTreeMap::new()) {
        assert!(super::rule(finding.rule).is_some_and(|rule| rule.kinds.contains(&BalancerKind::Traefik)), "{finding:?}");
    }
}

#[test]
fn two_balancers_are_compared_from_both_sides() {
    let other = TWO_POOLS
        .replace("backend api\n", "backend app\n")
        .replace("use_backend api", "use_backend app")
        .replace("server w3 10.0.0.3:80 check weight 10", "server w3 10.0.0.3:80 check weight 1");
    let (one, other) = (parse("haproxy.cfg", TWO_POOLS), parse("haproxy.cfg", &other.replace("bind :80", "bind :81")));
    let told: Vec<String> = divergence(&one, &other).into_iter().map(|finding| finding.message).collect();
    insta::assert_debug_snapshot!(told);
    assert_eq!(divergence(&one, &one), []);
    // Conditions decide which of two pools with one name is there.
    let twice = ".if defined(A)\nbackend b\n server s 10.0.0.1:80\n.else\nbackend b\n server s 10.0.0.2:80\n server s 10.0.0.3:80\n.endif\n";
    let twice = parse("haproxy.cfg", twice);
    assert_eq!(divergence(&twice, &twice), []);
}

/// Every limit, time and weight at `value`.
fn at_the_end(model: &Model, value: u64) -> Model {
    let mut model = model.clone();
    let set = |setting: &mut Option<crate::balancer::model::Setting<u64>>| {
        let place = setting.take().map(|setting| setting.place).unwrap_or_default();
        *setting = Some(crate::balancer::model::Setting::new(value, place));
    };
    let process = &mut model.process;
    [&mut process.maxconn, &mut process.workers, &mut process.files].into_iter().for_each(set);
    model.listeners.iter_mut().for_each(|listener| set(&mut listener.maxconn));
    for pool in &mut model.pools {
        let (limits, timeouts) = (&mut pool.limits, &mut pool.timeouts);
        [&mut limits.connections, &mut limits.requests, &mut limits.queue, &mut limits.keepalive].into_iter().for_each(set);
        [&mut timeouts.server, &mut timeouts.request, &mut timeouts.connect, &mut timeouts.queue].into_iter().for_each(set);
        set(&mut pool.retry.count);
        for server in &mut pool.servers {
            set(&mut server.slots);
            for boxed in [&mut server.queue, &mut server.slow_start_ms] {
                let mut setting = boxed.take().map(|setting| *setting);
                set(&mut setting);
                *boxed = setting.map(Box::new);
            }
            let weight = u32::try_from(value).unwrap_or(u32::MAX);
            server.weight = Some(crate::balancer::model::Setting::new(weight, server.place.clone()));
        }
    }
    model
}

#[test]
fn numbers_at_their_ends_break_no_rule() {
    for rule in CATALOGUE {
        for fixture in Fixture::all(rule.id, "fires") {
            for (value, parameter) in [(0, 0.0), (u64::MAX, 0.0), (0, f64::MAX), (u64::MAX, f64::MAX), (1, 0.5)] {
                let (model, other) = (at_the_end(&fixture.model, value), at_the_end(&fixture.model, 1));
                let set = |rule: &Rule| {
                    let parameters = rule.parameters.iter().map(|p| (p.name.to_owned(), parameter)).collect();
                    (rule.id.to_owned(), Settings { parameters, pools: Vec::new() })
                };
                let settings: BTreeMap<_, _> = CATALOGUE.iter().map(set).collect();
                let case = Case { model: &model, has_state: true, before: Some((&other, &[])) };
                for finding in audit(&case, &settings) {
                    let words = format!("{} {}", finding.message, finding.remedy);
                    assert!(!words.contains("NaN"), "{}: {words}", fixture.name);
                    assert!(finding.numbers.values().all(|number| !number.is_nan()), "{}: {finding:?}", fixture.name);
                }
            }
        }
    }
}
