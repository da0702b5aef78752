//! `afterload model`: what a config says, as JSON, with run-time state laid over it where that is given.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::configs::{REFUSED, Reader, errors, is_broken, print, refuse};
use crate::domain::balancer::BalancerKind;
use crate::record::config_file::Known;

#[derive(Args)]
pub struct ModelCommand {
    /// Config files or folders, read as one config; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// haproxy, nginx, envoy, traefik or caddy; otherwise detected
    #[arg(long)]
    kind: Option<BalancerKind>,
    /// Run-time state to lay over it, as the balancer prints it (HAProxy: show servers state, show stat)
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Version of the balancer, for its defaults
    #[arg(long, value_name = "VERSION")]
    balancer_version: Option<String>,
}

pub fn run(command: &ModelCommand) -> ExitCode {
    match json(command) {
        Ok((text, broken)) => {
            print(&text);
            if broken { ExitCode::from(REFUSED) } else { ExitCode::SUCCESS }
        }
        Err(why) => refuse(&why),
    }
}

fn json(command: &ModelCommand) -> Result<(String, bool), String> {
    let mut reader = Reader::new()?;
    let known = Known { kind: command.kind, version: command.balancer_version.as_deref() };
    let mut config = reader.load(&command.files, known).map_err(|error| error.to_string())?;
    if let Some(path) = &command.state {
        let strangers = reader.lay_state(&mut config.model, path)?;
        if !strangers.is_empty() {
            refuse(&format!("the state tells of servers that the config does not have: {}", strangers.join(", ")));
        }
    }
    for error in errors(&config.model) {
        refuse(&error);
    }
    let text = serde_json::to_string_pretty(&config.model).map_err(|error| format!("the model cannot be written: {error}"))?;
    Ok((text + "\n", is_broken(&config.model)))
}
