//! Matcher trees (`xds.type.matcher.v3.Matcher`): from their branches to what each leads to.
//!
//! What an input or a predicate of an extension asks is told as it is written.

use super::super::clean_name;
use super::super::data::{Node, compact};
use super::{listed, short_kind};
use crate::domain::time::shorten;

/// Most branches within each other, and most leaves of one tree.
const DEPTH_MAX: usize = 40;
const LEAVES_MAX: usize = 10_000;

/// Longest part of a condition, in characters.
const SAID_MAX: usize = 300;

/// The end of a branch.
pub struct Leaf<'n, 'a> {
    /// What has to hold, from the trunk on; empty where nothing has to.
    pub conditions: Vec<String>,
    /// The action's config.
    pub action: &'n Node<'a>,
}

/// The leaves of a tree, in the order in which they are tried.
pub fn leaves<'n, 'a>(matcher: &'n Node<'a>) -> Vec<Leaf<'n, 'a>> {
    let mut found = Vec::new();
    walk(matcher, &[], 0, &mut found);
    found
}

fn walk<'n, 'a>(matcher: &'n Node<'a>, conditions: &[String], depth: usize, found: &mut Vec<Leaf<'n, 'a>>) {
    if depth > DEPTH_MAX {
        return;
    }
    let with = |more: String| conditions.iter().cloned().chain([shorten(&more, SAID_MAX)]).collect::<Vec<_>>();
    if let Some(list) = matcher.get("matcher_list") {
        for branch in listed(list, "matchers") {
            let said = branch.get("predicate").map_or_else(String::new, |node| predicate(node, 0));
            lead(branch.get("on_match"), with(said), depth, found);
        }
    }
    if let Some(tree) = matcher.get("matcher_tree") {
        let input = tree.get("input").map_or_else(String::new, input);
        for (kind, word) in [("exact_match_map", "is"), ("prefix_match_map", "begins with")] {
            let map = tree.get(kind).and_then(|map| map.get("map"));
            for entry in map.map(Node::entries).unwrap_or_default() {
                lead(Some(&entry.node), with(format!("{input} {word} {}", clean_name(&entry.key))), depth, found);
            }
        }
        if let Some(custom) = tree.get("custom_match").and_then(|custom| custom.get("typed_config")) {
            custom_branches(custom, &input, &with, depth, found);
        }
    }
    lead(matcher.get("on_no_match"), conditions.to_vec(), depth, found);
}

/// Branches of a matcher of an extension, such as one for ranges of addresses.
fn custom_branches<'n, 'a>(
    custom: &'n Node<'a>,
    input: &str,
    with: &dyn Fn(String) -> Vec<String>,
    depth: usize,
    found: &mut Vec<Leaf<'n, 'a>>,
) {
    for branch in listed(custom, "range_matchers").chain(listed(custom, "domain_matchers")) {
        let asks = branch.get("ranges").or_else(|| branch.get("domains")).map(compact).unwrap_or_default();
        lead(branch.get("on_match"), with(format!("{input} in {asks}")), depth, found);
    }
}

fn lead<'n, 'a>(to: Option<&'n Node<'a>>, conditions: Vec<String>, depth: usize, found: &mut Vec<Leaf<'n, 'a>>) {
    let Some(to) = to.filter(|_| found.len() < LEAVES_MAX) else { return };
    if let Some(matcher) = to.get("matcher") {
        walk(matcher, &conditions, depth + 1, found);
    } else if let Some(action) = to.get("action").and_then(|action| action.get("typed_config")) {
        found.push(Leaf { conditions, action });
    }
}

/// What is looked at: `header x-user`, or the kind of the input with what it is given.
fn input(node: &Node<'_>) -> String {
    let Some(config) = node.get("typed_config") else {
        return clean_name(node.get("name").and_then(Node::text).unwrap_or_default());
    };
    if let Some(header) = config.get("header_name").and_then(Node::text) {
        return format!("header {}", clean_name(header));
    }
    let kind = short_kind(config).trim_end_matches("Input").trim_end_matches("Match");
    let rest = config.entries().iter().filter(|entry| entry.key != "@type").map(|entry| compact(&entry.node));
    std::iter::once(clean_name(kind)).chain(rest).collect::<Vec<_>>().join(" ")
}

fn predicate(node: &Node<'_>, depth: usize) -> String {
    if depth > DEPTH_MAX {
        return "…".to_owned();
    }
    let all = |node: &Node<'_>, word: &str| {
        let parts: Vec<_> = listed(node, "predicate").map(|inner| predicate(inner, depth + 1)).collect();
        format!("({})", parts.join(word))
    };
    if let Some(single) = node.get("single_predicate") {
        let input = single.get("input").map_or_else(String::new, input);
        let wanted = single.get("value_match").or_else(|| single.get("custom_match")?.get("typed_config"));
        format!("{input} {}", wanted.map(compact).unwrap_or_default())
    } else if let Some(any) = node.get("or_matcher") {
        all(any, " or ")
    } else if let Some(every) = node.get("and_matcher") {
        all(every, " and ")
    } else if let Some(not) = node.get("not_matcher") {
        format!("not {}", predicate(not, depth + 1))
    } else {
        compact(node)
    }
}
