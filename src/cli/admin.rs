//! Administration from the shell: tokens, integrations, balancers, accounts. Works on the data with the
//! server running or not; what scripts need is printed alone on standard output.

use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{open, say};
use crate::config::DataConfig;
use crate::domain::access::{Actor, Role, Scope};
use crate::domain::balancer::{BalancerFields, BalancerKind};
use crate::domain::id::TokenId;
use crate::domain::integration::{Format, NewIntegration};
use crate::domain::person::NewPerson;
use crate::services::{balancers, integrations, people, tokens};

#[derive(Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it alone: afterload token create ci --scopes incidents:read
    Create {
        name: String,
        /// What it may be used for, with commas between
        #[arg(long, value_delimiter = ',', required = true)]
        scopes: Vec<Scope>,
        /// Days until it ends; without it the token has no end
        #[arg(long)]
        days: Option<i64>,
        #[command(flatten)]
        data: DataConfig,
    },
    /// List tokens: id, name, scopes, state
    List(DataConfig),
    /// Make a token unusable
    Revoke {
        id: TokenId,
        #[command(flatten)]
        data: DataConfig,
    },
}

pub async fn token(command: TokenCommand) -> anyhow::Result<()> {
    match command {
        TokenCommand::Create { name, scopes, days, data } => {
            let app = open(data).await?;
            let (_, secret) = tokens::create(&app, &Actor::Console, &name, scopes, days).await?;
            say(format_args!("{secret}"));
        }
        TokenCommand::List(data) => {
            let app = open(data).await?;
            for token in tokens::list(&app, &Actor::Console).await? {
                let scopes: Vec<_> = token.scopes.iter().map(|scope| scope.as_str()).collect();
                let state = if token.is_live(app.now()) { "live" } else { "ended" };
                say(format_args!("{}\t{}\t{}\t{state}", token.id, token.name, scopes.join(",")));
            }
        }
        TokenCommand::Revoke { id, data } => tokens::revoke(&open(data).await?, &Actor::Console, id).await?,
    }
    Ok(())
}

#[derive(Subcommand)]
pub enum IntegrationCommand {
    /// Make an integration and print its hook's path alone
    Create(CreateIntegration),
    /// List integrations: id, name, format, last delivery
    List(DataConfig),
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

pub async fn integration(command: IntegrationCommand) -> anyhow::Result<()> {
    match command {
        IntegrationCommand::Create(CreateIntegration { kind, format, name, data }) => {
            let Some(format) = kind.or(format) else { anyhow::bail!("name the format: alertmanager, grafana or generic") };
            let (_, path) = integrations::create(&open(data).await?, &Actor::Console, NewIntegration { name, format }).await?;
            say(format_args!("{path}"));
        }
        IntegrationCommand::List(data) => {
            for known in integrations::list(&open(data).await?, &Actor::Console).await? {
                let last = known.last_delivery_at.map_or_else(|| "never".to_owned(), crate::domain::time::rfc3339);
                say(format_args!("{}\t{}\t{}\t{last}", known.id, known.name, known.format.as_str()));
            }
        }
    }
    Ok(())
}

#[derive(Subcommand)]
pub enum BalancerCommand {
    /// Record a balancer and print its id alone
    Add(AddBalancer),
    /// List balancers: id, name, last answer
    List(DataConfig),
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

pub async fn balancer(command: BalancerCommand) -> anyhow::Result<()> {
    match command {
        BalancerCommand::Add(AddBalancer { name, kind, config, state, every, ask_program, data }) => {
            let absolute = |path: PathBuf| std::path::absolute(path).map(|path| path.display().to_string());
            let config_path = config.map(absolute).transpose()?.unwrap_or_default();
            let fields = BalancerFields {
                name,
                kind,
                config_path,
                state_address: state.unwrap_or_default(),
                poll_seconds: every,
                paused: false,
                ask_program,
            };
            say(format_args!("{}", balancers::add(&open(data).await?, &Actor::Console, fields).await?.id));
        }
        BalancerCommand::List(data) => {
            for known in balancers::list(&open(data).await?, &Actor::Console).await? {
                let last = known.last_answer_at.map_or_else(|| "never".to_owned(), crate::domain::time::rfc3339);
                say(format_args!("{}\t{}\t{last}", known.id, known.fields.name));
            }
        }
    }
    Ok(())
}

#[derive(Subcommand)]
pub enum UserCommand {
    /// Make an account; the password is read from standard input
    Create {
        handle: String,
        #[arg(long, default_value = "responder")]
        role: Role,
        #[command(flatten)]
        data: DataConfig,
    },
    /// List accounts: handle, role, state
    List(DataConfig),
    /// Set a password, read from standard input, and end all sessions of the account
    Password {
        handle: String,
        #[command(flatten)]
        data: DataConfig,
    },
}

pub async fn user(command: UserCommand) -> anyhow::Result<()> {
    match command {
        UserCommand::Create { handle, role, data } => {
            let app = open(data).await?;
            let password = read_password()?;
            people::add(&app, &Actor::Console, NewPerson { handle, password, role }).await?;
        }
        UserCommand::List(data) => {
            for person in people::list(&open(data).await?, &Actor::Console).await? {
                let state = if person.disabled_at.is_some() { "disabled" } else { "active" };
                say(format_args!("{}\t{}\t{state}", person.handle, person.role.as_str()));
            }
        }
        UserCommand::Password { handle, data } => {
            let app = open(data).await?;
            people::reset_password(&app, &handle, &read_password()?).await?;
        }
    }
    Ok(())
}

fn read_password() -> anyhow::Result<String> {
    if std::io::stdin().is_terminal() {
        eprintln!("Password (at least 12 characters; it is shown while you type):");
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
