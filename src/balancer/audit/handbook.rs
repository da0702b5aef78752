//! The catalogue for people: one Markdown page of all rules, and one rule as plain text.

use std::fmt::Write;

use super::{CATALOGUE, Needs, Rule};
use crate::domain::balancer::BalancerKind;

impl Needs {
    /// What it looks at, for people.
    pub fn said(self) -> &'static str {
        match self {
            Self::Config => "the config, with the run-time state where it is known",
            Self::State => "the run-time state laid over the config",
            Self::Change => "a change: the config before and after",
            Self::Peer => "the configs of two balancers that stand in for each other",
            Self::Traffic => "measurements or logs; `afterload check` does not decide it",
        }
    }
}

/// `docs/rules.md`: every rule with a heading and an anchor of its own.
pub fn handbook() -> String {
    let mut page = String::from(
        "# Audit rules\n\n\
         What `afterload check` and the audit of every snapshot look for. Each rule has an id for ever, the class of outage \
         that it prevents, and numbers that can be set otherwise. This page is written by the test \
         `balancer::audit::tests::handbook` from the catalogue in `src/balancer/audit/`; do not edit it by hand. How to add \
         a rule: [adding-a-rule.md](adding-a-rule.md).\n\n\
         | rule | severity | finds | balancers |\n| --- | --- | --- | --- |\n",
    );
    for rule in CATALOGUE {
        let anchor = rule.id.to_lowercase();
        line(&mut page, &format!("| [{}](#{anchor}) | {} | {} | {} |", rule.id, rule.severity.said(), rule.title, kinds(rule)));
    }
    for rule in CATALOGUE {
        section(&mut page, rule);
    }
    page
}

fn section(page: &mut String, rule: &Rule) {
    let title = capital(rule.title);
    line(page, &format!("\n<a id=\"{}\"></a>\n\n## {}: {title}", rule.id.to_lowercase(), rule.id));
    line(
        page,
        &format!("\n**Severity** {} · **For** {} · **Looks at** {}", rule.severity.said(), kinds(rule), rule.needs.said()),
    );
    for (name, words) in parts(rule) {
        line(page, &format!("\n**{name}** {words}"));
    }
    if rule.parameters.is_empty() {
        return;
    }
    line(page, "\n| parameter | default | unit | meaning |\n| --- | --- | --- | --- |");
    for p in rule.parameters {
        line(page, &format!("| `{}` | {} | {} | {} |", p.name, p.default, p.unit, p.meaning));
    }
}

/// One rule as plain text, for `afterload check --explain LB001`.
pub fn explain(rule: &Rule) -> String {
    let mut text = format!("{}: {}\n", rule.id, capital(rule.title));
    line(&mut text, &format!("Severity {}. For {}.", rule.severity.said(), kinds(rule)));
    line(&mut text, &format!("Looks at {}.", rule.needs.said()));
    for (name, words) in parts(rule) {
        line(&mut text, &format!("\n{name}"));
        line(&mut text, &wrapped(words));
    }
    if !rule.parameters.is_empty() {
        line(&mut text, "\nParameters");
        for p in rule.parameters {
            line(&mut text, &wrapped(&format!("{} = {} {}: {}", p.name, p.default, p.unit, p.meaning)));
        }
    }
    text
}

fn parts(rule: &Rule) -> [(&'static str, &'static str); 4] {
    [("Prevents", rule.prevents), ("Why", rule.why), ("Remedy", rule.remedy), ("False positives", rule.false_positives)]
}

fn kinds(rule: &Rule) -> String {
    if rule.kinds == BalancerKind::ALL {
        return "all balancers".to_owned();
    }
    rule.kinds.iter().map(|kind| kind.said()).collect::<Vec<_>>().join(", ")
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    // A balancer's name keeps its own spelling.
    match chars.next() {
        Some(first) if !text.starts_with("nginx") => first.to_uppercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a string does not fail");
}

/// Words on lines of 80 characters at most, two spaces before each.
fn wrapped(words: &str) -> String {
    const WIDTH: usize = 78;
    let mut lines: Vec<String> = vec![String::new()];
    for word in words.split_whitespace() {
        let last = lines.last_mut().expect("there is always a line");
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(word.to_owned());
            continue;
        }
        if !last.is_empty() {
            last.push(' ');
        }
        last.push_str(word);
    }
    lines.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
