//! `afterload check`: reads a config, holds it against the rules, and says what it found to people or to a pipeline.
//! Exits 0 where it is clean, 1 where something is found at or above the bar, 2 where it cannot be read or the balancer
//! would refuse it.

mod github;
mod json;
mod report;
mod sarif;
mod text;

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::configs::{REFUSED, Reader, errors, print, refuse};
use crate::balancer::audit::{self, Case, Severity};
use crate::balancer::diff::diff;
use crate::balancer::model::{Gravity, Notice};
use crate::balancer::source::{Origin, Place, Source};
use crate::domain::balancer::BalancerKind;
use crate::domain::time::shorten;
use crate::record::config_file::Known;
use crate::record::verdict;
use report::Report;

#[derive(Args)]
pub struct Check {
    /// Config files or folders, read as one config; - is standard input
    #[arg(required_unless_present = "explain", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// haproxy, nginx, envoy, traefik or caddy; otherwise detected
    #[arg(long)]
    kind: Option<BalancerKind>,
    /// The config before: adds the rules that judge a change. Repeat it for several files
    #[arg(long, value_name = "OLD")]
    against: Vec<PathBuf>,
    /// Run-time state to lay over it, as the balancer prints it (HAProxy: show servers state, show stat)
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Version of the balancer, for its defaults
    #[arg(long, value_name = "VERSION")]
    balancer_version: Option<String>,
    /// Ask the balancer's own program too (haproxy -c, nginx -t, envoy --mode validate, caddy validate)
    #[arg(long)]
    validate: bool,
    /// The lowest severity that makes the exit status 1
    #[arg(long, value_name = "SEVERITY", default_value = "high")]
    fail_on: Bar,
    #[arg(long, default_value = "text")]
    format: Format,
    /// Explain a rule, such as LB001, and check nothing
    #[arg(long, value_name = "RULE")]
    explain: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Bar {
    Critical,
    High,
    Medium,
    Low,
}

impl From<Bar> for Severity {
    fn from(bar: Bar) -> Self {
        match bar {
            Bar::Critical => Self::Critical,
            Bar::High => Self::High,
            Bar::Medium => Self::Medium,
            Bar::Low => Self::Low,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
    Sarif,
    Github,
}

pub fn run(command: &Check) -> ExitCode {
    if let Some(id) = &command.explain {
        return explain(id);
    }
    let checked = look(command);
    print(&match (command.format, &checked) {
        (Format::Text, Ok(report)) => text::render(report, colours()),
        (Format::Json, Ok(report)) => json::render(report),
        (Format::Sarif, Ok(report)) => sarif::render(report),
        (Format::Github, Ok(report)) => github::render(report),
        (Format::Text, Err(_)) => String::new(),
        (Format::Json, Err(why)) => json::refusal(why),
        (Format::Sarif, Err(why)) => sarif::refusal(why),
        (Format::Github, Err(why)) => github::refusal(why),
    });
    match checked {
        Ok(report) => ExitCode::from(report.outcome().exit()),
        Err(why) => refuse(&why),
    }
}

fn look(command: &Check) -> Result<Report, String> {
    let mut reader = Reader::new()?;
    let version = command.balancer_version.as_deref();
    let config = reader.load(&command.files, Known { kind: command.kind, version }).map_err(|error| error.to_string())?;
    let (kind, mut model) = (config.kind, config.model);
    let mut remarks = Vec::new();
    if let Some(path) = &command.state {
        let strangers = reader.lay_state(&mut model, path)?;
        if !strangers.is_empty() {
            let told = shorten(&strangers.join(", "), 300);
            let text =
                format!("the state tells of servers that the config does not have: {told}; is it the state of this config?");
            remarks.push((Gravity::Warning, text));
        }
    }
    let before = match command.against.as_slice() {
        [] => None,
        paths => {
            let old = reader.load(paths, Known { kind: Some(kind), version }).map_err(|error| error.to_string())?;
            remarks
                .extend(errors(&old.model).into_iter().map(|error| (Gravity::Error, format!("in the config before: {error}"))));
            let changes = diff(&old.model, &model);
            Some((old.model, changes))
        }
    };
    if command.validate {
        model.notices.extend(verdict(&mut reader, kind, &command.files, &config.sources)?);
    }
    let case = Case {
        model: &model,
        has_state: command.state.is_some(),
        before: before.as_ref().map(|(model, changes)| (model, changes.as_slice())),
    };
    let findings = audit::audit(&case, &BTreeMap::new());
    model.notices.extend(remarks.into_iter().map(|(gravity, text)| Notice { gravity, text, ..Notice::default() }));
    let changes = before.map(|(_, changes)| changes);
    Ok(Report::new(model, config.sources, findings, changes, command.fail_on.into()))
}

/// What the balancer's own program says; that it could not be asked is an error, because it was asked for.
/// Each line stands where the program says that the trouble is.
fn verdict(reader: &mut Reader, kind: BalancerKind, files: &[PathBuf], sources: &[Source]) -> Result<Vec<Notice>, String> {
    const LINES: usize = 20;
    let paths: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    if paths.contains(&Path::new(crate::record::STDIN)) {
        return Err("--validate needs a file: standard input cannot be handed on to the balancer".to_owned());
    }
    let said = verdict::ask(kind, &paths, verdict::WITHIN)?;
    let program = format!("{} ({})", said.program, said.version.as_deref().unwrap_or("version not known"));
    const MOST: usize = 64 * 1024;
    let output = reader.wash_output(kind, &shorten(&said.output, MOST));
    // HAProxy's notices only tell which program it is.
    let lines = output.lines().filter(|line| !line.starts_with("[NOTICE]"));
    let lines = lines.take(LINES).map(|line| crate::balancer::printable(shorten(line, 300)));
    let names: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
    let (mut notices, mut rest) = (Vec::new(), Vec::new());
    let mut origins: BTreeMap<usize, Arc<Origin>> = BTreeMap::new();
    for line in lines {
        let placed = verdict::place(kind, &line, &names).and_then(|(file, number)| {
            let text = &sources[file].text;
            let origin = origins.entry(file).or_insert_with(|| Origin::new(file, text.clone()));
            line_of(text, number).map(|span| Place::new(origin, span))
        });
        let (gravity, says) = match verdict::is_warning(&line) {
            true => (Gravity::Warning, "warns"),
            false => (Gravity::Error, "refuses the config"),
        };
        match placed {
            Some(place) if !said.accepted || gravity == Gravity::Warning => {
                notices.push(Notice { gravity, text: format!("{program} {says}: {line}"), place });
            }
            _ => rest.push(line),
        }
    }
    // That there were errors is no news behind the errors themselves.
    let summary =
        |line: &String| line.contains("rror(s) found in") || line.contains("Fatal errors found") || line.contains("test failed");
    let placed = notices.iter().any(|notice| notice.gravity == Gravity::Error);
    rest.retain(|line| !placed || (!summary(line) && !line.trim().is_empty()));
    if said.accepted {
        notices.push(Notice { gravity: Gravity::Note, text: format!("{program} takes the config"), ..Notice::default() });
    } else if !placed || !rest.is_empty() {
        let text = format!("{program} refuses the config: {}", rest.join("\n"));
        notices.push(Notice { gravity: Gravity::Error, text, ..Notice::default() });
    }
    Ok(notices)
}

/// The bytes of a whole line, counted from 1, without its indent.
fn line_of(text: &str, number: usize) -> Option<Range<usize>> {
    let mut start = 0;
    for (at, line) in text.split_inclusive('\n').enumerate() {
        if at + 1 == number {
            let indent = line.len() - line.trim_start().len();
            return Some(start + indent.min(line.trim_end().len())..start + line.trim_end().len());
        }
        start += line.len();
    }
    None
}

fn explain(id: &str) -> ExitCode {
    match audit::rule(&id.to_ascii_uppercase()) {
        Some(rule) => {
            print(&audit::explain(rule));
            ExitCode::SUCCESS
        }
        None => {
            refuse(&format!("no rule is called “{}”: rules are LB001 and so on, docs/rules.md lists them", shorten(id, 40)));
            ExitCode::from(REFUSED)
        }
    }
}

/// Colours are for people: only on a terminal, and not where NO_COLOR asks for none (no-color.org).
fn colours() -> bool {
    let is = |name: &str, unwanted: &dyn Fn(&str) -> bool| std::env::var(name).is_ok_and(|value| unwanted(&value));
    std::io::stdout().is_terminal() && !is("NO_COLOR", &|value| !value.is_empty()) && !is("TERM", &|value| value == "dumb")
}
