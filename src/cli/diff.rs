//! `afterload diff`: what one config means otherwise than another, in sentences. Exits 0 where both mean the same, 1
//! where not, 2 where one of them cannot be read.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::configs::{REFUSED, Reader, errors, is_broken, print, refuse, spot};
use crate::balancer::change::Change;
use crate::balancer::diff::diff;
use crate::balancer::source::Place;
use crate::domain::balancer::BalancerKind;
use crate::record::config_file::{Config, Known};

#[derive(Args)]
pub struct Diff {
    /// The config before: a file or a folder; - is standard input
    old: PathBuf,
    /// The config after
    new: PathBuf,
    /// haproxy, nginx, envoy, traefik or caddy; otherwise detected
    #[arg(long)]
    kind: Option<BalancerKind>,
    /// Version of the balancer, for its defaults; of the config before with --old-balancer-version
    #[arg(long, value_name = "VERSION")]
    balancer_version: Option<String>,
    /// Version of the balancer that ran the config before, where it was another
    #[arg(long, value_name = "VERSION")]
    old_balancer_version: Option<String>,
    #[arg(long, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
    Markdown,
}

pub fn run(command: &Diff) -> ExitCode {
    match compare(command) {
        Ok((old, new, changes)) => {
            print(&match command.format {
                Format::Text => text(&old, &new, &changes),
                Format::Markdown => markdown(&changes),
                Format::Json => json(&old, &new, &changes),
            });
            for error in [&old, &new].into_iter().flat_map(|config| errors(&config.model)) {
                refuse(&error);
            }
            match is_broken(&old.model) || is_broken(&new.model) {
                true => ExitCode::from(REFUSED),
                false => ExitCode::from(u8::from(!changes.is_empty())),
            }
        }
        Err(why) => refuse(&why),
    }
}

fn compare(command: &Diff) -> Result<(Config, Config, Vec<Change>), String> {
    let mut reader = Reader::new()?;
    let version = command.balancer_version.as_deref();
    let known = Known { kind: command.kind, version };
    let new = reader.load(std::slice::from_ref(&command.new), known).map_err(|error| error.to_string())?;
    let known = Known { kind: Some(new.kind), version: command.old_balancer_version.as_deref().or(version) };
    let old = reader.load(std::slice::from_ref(&command.old), known).map_err(|error| error.to_string())?;
    let changes = diff(&old.model, &new.model);
    Ok((old, new, changes))
}

fn places(config: &Config, places: &[Place]) -> Vec<String> {
    let file = |place: &Place| config.model.files.get(place.file()).map_or("", String::as_str);
    places.iter().map(|place| spot(file(place), place.line(), place.column())).collect()
}

/// How many places of one change are told; a change of a thousand servers is one sentence.
const PLACES_TOLD: usize = 3;

fn text(old: &Config, new: &Config, changes: &[Change]) -> String {
    if changes.is_empty() {
        return "no change: both configs mean the same\n".to_owned();
    }
    let mut out = String::new();
    for change in changes {
        out += &format!("{}\n", change.sentence);
        for (word, config, side) in [("before", old, &change.before), ("after", new, &change.after)] {
            for (place, spot) in side.iter().zip(places(config, side)).take(PLACES_TOLD) {
                out += &format!("  {word:6} {spot}: {}\n", place.raw());
            }
            if let Some(more) = side.len().checked_sub(PLACES_TOLD + 1) {
                out += &format!("  {word:6} and {} more places\n", more + 1);
            }
        }
    }
    out
}

fn markdown(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "No change: both configs mean the same.\n".to_owned();
    }
    let escaped = |text: &str| -> String {
        text.chars().flat_map(|c| "\\`*_[]<>#|~&!".contains(c).then_some('\\').into_iter().chain([c])).collect()
    };
    changes.iter().map(|change| format!("- {}\n", escaped(&change.sentence))).collect()
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    change: &'a Change,
    /// `file:line:column` of each place.
    before_at: Vec<String>,
    after_at: Vec<String>,
}

fn json(old: &Config, new: &Config, changes: &[Change]) -> String {
    let told: Vec<_> = changes
        .iter()
        .map(|change| Told { change, before_at: places(old, &change.before), after_at: places(new, &change.after) })
        .collect();
    let side = |config: &Config| serde_json::json!({"files": config.model.files, "parsed": !is_broken(&config.model)});
    let all = serde_json::json!({
        "kind": new.kind, "same": changes.is_empty(), "old": side(old), "new": side(new), "changes": told,
    });
    format!("{all:#}\n")
}
