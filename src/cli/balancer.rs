//! `afterload balancer`: what is recorded. A running server takes up each change within a second.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{List, list, open, say};
use crate::app::App;
use crate::config::DataConfig;
use crate::domain::access::Actor;
use crate::domain::balancer::{Balancer, BalancerFields, BalancerKind};
use crate::domain::time::rfc3339;
use crate::services::balancers;

#[derive(Subcommand)]
pub enum BalancerCommand {
    /// Record a balancer and print its id alone
    Add(AddBalancer),
    /// List balancers: id, name, last answer, state
    List(List),
    /// Change what is given, leave the rest
    Edit(EditBalancer),
    /// Stop recording, keep what was recorded
    Pause(Which),
    /// Record again
    Resume(Which),
    /// Forget the balancer, its samples, and the snapshots that no incident keeps
    Remove(Which),
}

#[derive(Args)]
pub struct AddBalancer {
    name: String,
    #[arg(long, default_value = "haproxy")]
    kind: BalancerKind,
    /// Path of the config file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Runtime socket, statistics page or admin API
    #[arg(long, value_name = "SOCKET|URL")]
    state: Option<String>,
    /// Seconds between two polls
    #[arg(long, default_value_t = 5, value_name = "SECONDS")]
    every: i64,
    /// Ask the balancer's own program (haproxy -c, nginx -t, …) about each new config
    #[arg(long)]
    ask_program: bool,
    #[command(flatten)]
    data: DataConfig,
}

#[derive(Args)]
pub struct EditBalancer {
    #[command(flatten)]
    which: Which,
    /// A new name
    #[arg(long)]
    name: Option<String>,
    #[arg(long)]
    kind: Option<BalancerKind>,
    /// Path of the config file; "" for none
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Runtime socket, statistics page or admin API; "" for none
    #[arg(long, value_name = "SOCKET|URL")]
    state: Option<String>,
    /// Seconds between two polls
    #[arg(long, value_name = "SECONDS")]
    every: Option<i64>,
    /// Ask the balancer's own program about each new config
    #[arg(long, value_name = "true|false")]
    ask_program: Option<bool>,
}

#[derive(Args)]
pub struct Which {
    /// Name or id of the balancer
    #[arg(value_name = "NAME|ID")]
    which: String,
    #[command(flatten)]
    data: DataConfig,
}

impl Which {
    async fn find(self) -> anyhow::Result<(App, Balancer)> {
        let app = open(self.data).await?;
        let known = balancers::list(&app, &Actor::Console).await?;
        let found = known.into_iter().find(|known| known.fields.name == self.which || known.id.to_string() == self.which);
        let found = found.with_context(|| {
            format!("no balancer has the name or id “{}”; afterload balancer list shows them all", self.which)
        })?;
        Ok((app, found))
    }

    async fn edit(self, patch: Value) -> anyhow::Result<()> {
        let (app, balancer) = self.find().await?;
        balancers::edit(&app, &Actor::Console, balancer.id, balancer.version, &patch).await?;
        Ok(())
    }
}

/// The whole path, since the server runs elsewhere; no path stays none.
fn whole(path: PathBuf) -> std::io::Result<String> {
    if path.as_os_str().is_empty() {
        return Ok(String::new());
    }
    std::path::absolute(path).map(|path| path.display().to_string())
}

pub async fn run(command: BalancerCommand) -> anyhow::Result<()> {
    match command {
        BalancerCommand::Add(AddBalancer { name, kind, config, state, every, ask_program, data }) => {
            let fields = BalancerFields {
                name,
                kind,
                config_path: config.map(whole).transpose()?.unwrap_or_default(),
                state_address: state.unwrap_or_default(),
                poll_seconds: every,
                paused: false,
                ask_program,
            };
            say(format_args!("{}", balancers::add(&open(data).await?, &Actor::Console, fields).await?.id));
        }
        BalancerCommand::List(List { json, data }) => {
            let app = open(data).await?;
            let mut all = balancers::list(&app, &Actor::Console).await?;
            let answered = balancers::answered(&app, &Actor::Console).await?;
            all.iter_mut().for_each(|known| known.last_answer_at = answered.get(&known.id).copied());
            list(json, &all, |known| {
                let last = known.last_answer_at.map_or_else(|| "never".to_owned(), rfc3339);
                let state = match () {
                    () if known.fields.paused => "paused",
                    () if known.failing_since.is_some() => "failing",
                    () if known.last_answer_at.is_none() => "new",
                    () => "answering",
                };
                format!("{}\t{}\t{last}\t{state}", known.id, known.fields.name)
            })?;
        }
        BalancerCommand::Edit(EditBalancer { which, name, kind, config, state, every, ask_program }) => {
            let changes = [
                ("name", name.map(Value::from)),
                ("kind", kind.map(|kind| json!(kind))),
                ("config_path", config.map(whole).transpose()?.map(Value::from)),
                ("state_address", state.map(Value::from)),
                ("poll_seconds", every.map(Value::from)),
                ("ask_program", ask_program.map(Value::from)),
            ];
            let patch: Map<String, Value> =
                changes.into_iter().filter_map(|(field, value)| Some((field.to_owned(), value?))).collect();
            anyhow::ensure!(!patch.is_empty(), "say what to change, such as --every 10; afterload balancer edit --help lists it");
            which.edit(Value::Object(patch)).await?;
        }
        BalancerCommand::Pause(which) => which.edit(json!({"paused": true})).await?,
        BalancerCommand::Resume(which) => which.edit(json!({"paused": false})).await?,
        BalancerCommand::Remove(which) => {
            let (app, balancer) = which.find().await?;
            balancers::delete(&app, &Actor::Console, balancer.id).await?;
        }
    }
    Ok(())
}
