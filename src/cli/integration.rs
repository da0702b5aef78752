//! `afterload integration`: inbound alert sources. A hook's path is printed alone, when it is made.

use anyhow::Context;
use clap::{Args, Subcommand};

use super::{List, list, open, say};
use crate::app::App;
use crate::config::DataConfig;
use crate::domain::access::Actor;
use crate::domain::id::IntegrationId;
use crate::domain::integration::{Format, NewIntegration};
use crate::domain::time::rfc3339;
use crate::services::integrations;

#[derive(Subcommand)]
pub enum IntegrationCommand {
    /// Make an integration and print its hook's path alone
    Create(CreateIntegration),
    /// List integrations: id, name, format, last delivery, state
    List(List),
    /// Print a new path for the hook; the one before works for another 24 hours
    Rotate(Which),
    /// Refuse what comes in
    Disable(Which),
    /// Take what comes in again
    Enable(Which),
}

#[derive(Args)]
pub struct CreateIntegration {
    /// alertmanager, grafana or generic
    #[arg(value_name = "FORMAT", required_unless_present = "format")]
    kind: Option<Format>,
    /// The same, spelled as a flag
    #[arg(long, conflicts_with = "kind")]
    format: Option<Format>,
    #[arg(long)]
    name: String,
    #[command(flatten)]
    data: DataConfig,
}

#[derive(Args)]
pub struct Which {
    /// Name or id of the integration
    #[arg(value_name = "NAME|ID")]
    which: String,
    #[command(flatten)]
    data: DataConfig,
}

impl Which {
    async fn find(self) -> anyhow::Result<(App, IntegrationId)> {
        let app = open(self.data).await?;
        let known = integrations::list(&app, &Actor::Console).await?;
        let found = known.iter().find(|known| known.name == self.which || known.id.to_string() == self.which);
        let id = found.map(|known| known.id).with_context(|| {
            format!("no integration has the name or id “{}”; afterload integration list shows them all", self.which)
        })?;
        Ok((app, id))
    }
}

pub async fn run(command: IntegrationCommand) -> anyhow::Result<()> {
    match command {
        IntegrationCommand::Create(CreateIntegration { kind, format, name, data }) => {
            let Some(format) = kind.or(format) else { anyhow::bail!("name the format: alertmanager, grafana or generic") };
            let (_, path) = integrations::create(&open(data).await?, &Actor::Console, NewIntegration { name, format }).await?;
            say(format_args!("{path}"));
        }
        IntegrationCommand::List(List { json, data }) => {
            list(json, &integrations::list(&open(data).await?, &Actor::Console).await?, |known| {
                let last = known.last_delivery_at.map_or_else(|| "never".to_owned(), rfc3339);
                let state = if known.disabled_at.is_some() { "disabled" } else { "active" };
                format!("{}\t{}\t{}\t{last}\t{state}", known.id, known.name, known.format.as_str())
            })?;
        }
        IntegrationCommand::Rotate(which) => {
            let (app, id) = which.find().await?;
            say(format_args!("{}", integrations::rotate_key(&app, &Actor::Console, id).await?));
        }
        IntegrationCommand::Disable(which) => {
            let (app, id) = which.find().await?;
            integrations::set_disabled(&app, &Actor::Console, id, true).await?;
        }
        IntegrationCommand::Enable(which) => {
            let (app, id) = which.find().await?;
            integrations::set_disabled(&app, &Actor::Console, id, false).await?;
        }
    }
    Ok(())
}
