//! Rules that say what will go wrong with a config, before it does.
//!
//! A rule is a value in the catalogue: stable id, words for people, and a pure function over a [`Case`]. It looks at
//! the model, the run-time state laid over it, and at a change; rules that need traffic are in the catalogue with
//! their ids and are decided elsewhere. Nothing is opened, asked or measured here.

mod admin;
mod capacity;
mod catalogue;
mod changes;
mod checks;
mod failover;
mod finding;
mod handbook;
mod hashing;
mod limits;
mod peers;
mod persistence;
mod retries;
mod routing;
mod timeouts;
mod traffic;
mod view;
mod weights;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

use super::change::Change;
use super::model::Model;
use super::source::Place;
use crate::domain::balancer::BalancerKind;
use crate::domain::incident::words;

pub use catalogue::{CATALOGUE, rule};
pub use handbook::{explain, handbook};
pub use peers::divergence;

/// How much depends on it. Ordered: critical is the greatest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    #[default]
    Info,
    Low,
    Medium,
    High,
    Critical,
}
words!(Severity { Info => "info" / "info", Low => "low" / "low", Medium => "medium" / "medium", High => "high" / "high", Critical => "critical" / "critical" });

/// What a rule has to see before it can say anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    Config,
    /// Run-time state.
    State,
    /// The config before.
    Change,
    /// The config of another balancer that should be the same: [`divergence`].
    Peer,
    /// Measurements or logs: not decided here.
    Traffic,
}

/// A number that a rule compares with, and that an installation or a guard may set otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct Parameter {
    pub name: &'static str,
    pub default: f64,
    /// `%`, `s`, `servers`, … for people.
    pub unit: &'static str,
    pub meaning: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// `LB001`; never given to another rule.
    pub id: &'static str,
    /// Of its gravest finding; a finding may be graded lower.
    pub severity: Severity,
    /// What it finds, as a short sentence without a full stop.
    pub title: &'static str,
    /// The outage class that it prevents, with a published case where there is one.
    pub prevents: &'static str,
    pub why: &'static str,
    pub remedy: &'static str,
    pub false_positives: &'static str,
    /// Balancers that it can be decided for.
    pub kinds: &'static [BalancerKind],
    pub needs: Needs,
    pub parameters: &'static [Parameter],
    /// None for rules that need traffic or a peer.
    pub check: Option<fn(&Case<'_>, &Settings, &mut Vec<Finding>)>,
}

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// With run-time state laid over it where that is known.
    pub model: &'a Model,
    /// Whether run-time state is laid over the model.
    pub has_state: bool,
    /// The model before, and what changed since.
    pub before: Option<(&'a Model, &'a [Change])>,
}

/// A rule's parameters for one run, and where it looks: the seam for guards.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Settings {
    /// Values other than the rule's defaults, by parameter name.
    pub parameters: BTreeMap<String, f64>,
    /// Pools that it is held against; empty for all.
    pub pools: Vec<String>,
}

/// What a rule says of a config.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Finding {
    /// Id of the rule, such as `LB001`.
    pub rule: &'static str,
    pub severity: Severity,
    pub pool: Option<String>,
    pub server: Option<String>,
    /// What else it is about, where pool and server do not tell: a listener's name, an admin surface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// One or two sentences with the numbers that were seen.
    pub message: String,
    /// What to do, for this config.
    pub remedy: Cow<'static, str>,
    /// The main place first.
    pub places: Vec<Place>,
    /// The numbers that were compared, by name.
    #[schema(value_type = BTreeMap<String, f64>)]
    pub numbers: Numbers,
}

/// A few numbers by name, ordered by it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Numbers(Vec<(&'static str, f64)>);

impl Numbers {
    pub fn values(&self) -> impl Iterator<Item = f64> {
        self.0.iter().map(|(_, number)| *number)
    }

    fn insert(&mut self, name: &'static str, number: f64) {
        match self.0.binary_search_by_key(&name, |(name, _)| name) {
            Ok(at) => self.0[at].1 = number,
            Err(at) => self.0.insert(at, (name, number)),
        }
    }
}

impl Serialize for Numbers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

/// What the rules say of `case`, the gravest first, then by place. `settings` holds values of an installation or of a
/// guard by rule id; [`check_settings`] tells whether they make sense. The same case gives the same list.
pub fn audit(case: &Case<'_>, settings: &BTreeMap<String, Settings>) -> Vec<Finding> {
    let servers: usize = case.model.pools.iter().map(|pool| pool.servers.len()).sum();
    let threads = if servers < PARALLEL_FROM { 1 } else { std::thread::available_parallelism().map_or(1, usize::from).min(4) };
    // Whoever has done one takes the next.
    let next = AtomicUsize::new(0);
    let run_all = || {
        let mut found = Vec::new();
        while let Some(rule) = CATALOGUE.get(next.fetch_add(1, Ordering::Relaxed)) {
            run(rule, case, settings.get(rule.id), &mut found);
        }
        found
    };
    let all = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run_all)).collect();
        let mut all = run_all();
        for other in others {
            all.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        all
    });
    finding::sort(all)
}

/// Servers from which rules are run side by side: below, starting a thread takes longer.
const PARALLEL_FROM: usize = 1_000;

/// One rule over one case, with the parameters and the scope that were given for it.
fn run(rule: &Rule, case: &Case<'_>, given: Option<&Settings>, all: &mut Vec<Finding>) {
    let Some(check) = rule.check else { return };
    let seen = match rule.needs {
        Needs::Config => true,
        Needs::State => case.has_state,
        Needs::Change => case.before.is_some(),
        Needs::Peer | Needs::Traffic => false,
    };
    if !seen || !rule.kinds.contains(&case.model.kind) {
        return;
    }
    let settings = rule.settings(given);
    let before = all.len();
    check(case, &settings, all);
    all[before..].iter_mut().for_each(|finding| finding.set_rule(rule));
    if !settings.pools.is_empty() {
        let found = all.split_off(before);
        all.extend(found.into_iter().filter(|finding| settings.holds(finding)));
    }
}

/// Whether `settings` name rules and parameters that exist, with numbers that can be compared. The error is one
/// sentence that says what is wrong and what would be right.
pub fn check_settings(settings: &BTreeMap<String, Settings>) -> Result<(), String> {
    for (id, given) in settings {
        let Some(rule) = rule(id) else {
            return Err(format!("there is no rule {id}; rules are called LB001, LB002 and so on"));
        };
        for (name, value) in &given.parameters {
            if !rule.parameters.iter().any(|parameter| parameter.name == name) {
                let known: Vec<&str> = rule.parameters.iter().map(|parameter| parameter.name).collect();
                let known = if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
                return Err(format!("rule {id} has no parameter {name}; {known}"));
            }
            if !value.is_finite() || *value < 0.0 {
                return Err(format!("parameter {name} of rule {id} is {value}; write a number that is not below 0"));
            }
        }
    }
    Ok(())
}

impl Rule {
    /// What was given for this rule, the defaults laid in.
    fn settings(&self, given: Option<&Settings>) -> Settings {
        let mut settings = given.cloned().unwrap_or_default();
        for parameter in self.parameters {
            settings.parameters.entry(parameter.name.to_owned()).or_insert(parameter.default);
        }
        settings
    }
}

impl Settings {
    /// The value of a parameter. For a name that the rule does not declare it is not a number, which no comparison
    /// holds for: the rule's own fixture then fails.
    fn number(&self, name: &str) -> f64 {
        self.parameters.get(name).copied().unwrap_or(f64::NAN)
    }

    /// Whether a finding is within the scope: of one of the pools, or nothing is named.
    fn holds(&self, finding: &Finding) -> bool {
        self.pools.is_empty() || finding.pool.as_ref().is_some_and(|pool| self.pools.contains(pool))
    }
}

#[cfg(test)]
mod tests;
