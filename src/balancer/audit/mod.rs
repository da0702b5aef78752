//! Rules that say what will go wrong with a config, before it does.
//!
//! A rule is a value in the catalogue: stable id, words for people, and a pure function over a [`Case`]. It looks at
//! the model, the run-time state laid over it, and at a change; rules that need traffic are in the catalogue with
//! their ids and are decided elsewhere.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::change::Change;
use super::model::Model;
use super::source::Place;
use crate::domain::balancer::BalancerKind;

/// How much depends on it. Ordered: critical is the greatest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    #[default]
    Info,
    Low,
    Medium,
    High,
    Critical,
}

/// What a rule has to see before it can say anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    Config,
    /// Run-time state.
    State,
    /// The config before.
    Change,
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
    /// None for rules that need traffic.
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
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Finding {
    /// Id of the rule, such as `LB001`.
    pub rule: String,
    pub severity: Severity,
    pub pool: Option<String>,
    pub server: Option<String>,
    /// One or two sentences with the numbers that were seen.
    pub message: String,
    /// What to do, for this config.
    pub remedy: String,
    /// The main place first.
    pub places: Vec<Place>,
    /// The numbers that were compared, by name.
    pub numbers: BTreeMap<String, f64>,
}
