//! `afterload doctor`: what an installation rests on, measured where it runs, one line a check. It changes nothing that
//! people or recorders wrote, and no schema: what it writes is a file of its own that is gone afterwards, and the row in
//! the database with which `/readyz` tries, too, whether a write is safe.

mod data;
mod disk;
mod network;

use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use serde::Serialize;

use super::{list, say};
use crate::app::App;
use crate::config::Config;
use crate::services;
use crate::store::{self, Location, Schema, Store};

#[derive(Args)]
pub struct Doctor {
    /// As JSON: a list of `check`, `state`, `measured`, `remedy`
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: Box<Config>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    Warning,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    check: String,
    state: State,
    /// What was seen or measured.
    measured: String,
    /// What to do; none where nothing is to do.
    remedy: Option<String>,
}

fn ok(check: impl Into<String>, measured: impl Into<String>) -> Finding {
    Finding { check: check.into(), state: State::Ok, measured: measured.into(), remedy: None }
}

fn warning(check: impl Into<String>, measured: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { check: check.into(), state: State::Warning, measured: measured.into(), remedy: Some(remedy.into()) }
}

fn failed(check: impl Into<String>, measured: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { check: check.into(), state: State::Failed, measured: measured.into(), remedy: Some(remedy.into()) }
}

/// Exit status 0 when nothing failed, 1 otherwise.
pub async fn run(command: Doctor) -> anyhow::Result<ExitCode> {
    let clocks = Clocks::start();
    let mut findings = Vec::new();
    let config = *command.config;
    examine(config, &mut findings).await;
    findings.push(clocks.steady());
    if command.json {
        list(true, &findings, |_| String::new())?;
    } else {
        tell(&findings);
    }
    Ok(if findings.iter().any(|finding| finding.state == State::Failed) { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn tell(findings: &[Finding]) {
    let width = findings.iter().map(|finding| finding.check.chars().count()).max().unwrap_or(0);
    for Finding { check, state, measured, remedy } in findings {
        let state = match state {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Failed => "failed",
        };
        let remedy = remedy.as_deref().map(|remedy| format!(": {remedy}")).unwrap_or_default();
        say(format_args!("{state:7}  {check:width$}  {measured}{remedy}"));
    }
}

/// Every check that can be made; one that fails leaves out those that need what it found missing.
async fn examine(config: Config, findings: &mut Vec<Finding>) {
    let url = match config.data.url() {
        Ok(url) => url,
        Err(fault) => {
            let remedy = "check the path in DATABASE_URL_FILE and the right to read it";
            return findings.push(failed("database", format!("its address cannot be read ({fault})"), remedy));
        }
    };
    if let Some(path) = &config.data.database_url_file {
        findings.push(disk::secret(path));
    }
    match store::location(url.as_deref(), &config.data.data) {
        Ok(Location::Files(path)) if !path.is_file() => {
            let remedy = "name the folder with --data or AFTERLOAD_DATA, or start the server once";
            return findings.push(failed("database", format!("there is none at {}", path.display()), remedy));
        }
        Ok(Location::Files(path)) => disk::examine(&path, findings),
        Ok(Location::Postgres(_)) => {}
        Err(fault) => return findings.push(failed("database", fault.to_string(), "correct DATABASE_URL")),
    }
    let store = match Store::connect(url.as_deref(), &config.data.data).await {
        Ok(store) => store,
        Err(fault) => {
            return findings.push(failed("database", fault.to_string(), "nothing else can be checked before it opens"));
        }
    };
    if data::examine(&store, findings).await {
        match App::open(config, store.clone()).await {
            Ok(app) => {
                findings.push(match services::health::ready(&app).await {
                    Ok(()) => ok("write", "a write reaches the database"),
                    Err(fault) => {
                        let remedy = "look at the log of the server and at the disk: reading goes on, nothing is saved";
                        failed("write", format!("the database takes no write ({fault})"), remedy)
                    }
                });
                network::examine(&app, findings).await;
            }
            Err(fault) => {
                let remedy = "look at the log of the server and at the disk; proxy and balancers were not asked";
                findings.push(failed("write", format!("the database takes no write ({fault})"), remedy));
            }
        }
    }
    store.close().await;
}

/// Whether the schema is the one that this binary works with.
fn schema(found: Option<Schema>, newest: Schema) -> Finding {
    match found {
        None => warning("schema", "the database has no tables yet", "start the server, or run afterload migrate"),
        Some(found) if found.is_newer_than(newest) => {
            let measured = format!("{} was written by a newer afterload; this one knows {}", found.main, newest.main);
            failed("schema", measured, "run the newer version, or restore a backup made by this one")
        }
        Some(found) if found != newest => {
            let measured = format!("{}, and this version works with {}", found.main, newest.main);
            warning("schema", measured, "run afterload migrate, or restart the server with this version")
        }
        Some(found) => ok("schema", format!("{}, samples {}", found.main, found.samples)),
    }
}

/// The wall's clock and the one that only counts, from the same moment.
struct Clocks(Instant, SystemTime);

impl Clocks {
    fn start() -> Self {
        Self(Instant::now(), SystemTime::now())
    }

    /// Whether the wall's clock was set while the other checks ran.
    fn steady(&self) -> Finding {
        let counted = self.0.elapsed();
        let apart = self.1.elapsed().map_or_else(|back| back.duration() + counted, |wall| wall.abs_diff(counted));
        let measured = format!("{:.0} ms apart after {:.1} s", apart.as_secs_f64() * 1e3, counted.as_secs_f64());
        if apart > Duration::from_millis(200) {
            return warning(
                "clock",
                format!("wall clock and monotonic clock are {measured}"),
                "let one time service slew the clock; steps put entries in a wrong order",
            );
        }
        ok("clock", format!("wall clock and monotonic clock are {measured}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_are_told_apart() {
        let newest = Schema { main: 5, samples: 1 };
        for (found, state) in [
            (None, State::Warning),
            (Some(Schema { main: 4, samples: 1 }), State::Warning),
            (Some(newest), State::Ok),
            (Some(Schema { main: 6, samples: 1 }), State::Failed),
            (Some(Schema { main: 5, samples: 2 }), State::Failed),
        ] {
            assert_eq!(schema(found, newest).state, state, "{found:?}");
        }
    }

    #[test]
    fn a_clock_that_is_set_is_noticed() {
        let now = Clocks::start();
        assert_eq!(now.steady().state, State::Ok);
        for moved in [now.1 - Duration::from_secs(5), now.1 + Duration::from_secs(5)] {
            assert_eq!(Clocks(now.0, moved).steady().state, State::Warning);
        }
    }
}
