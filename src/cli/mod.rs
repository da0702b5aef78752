//! The command line: one file a subcommand. What programs read goes to standard output alone, everything
//! for people goes to standard error or, for the server, to the log.
#![expect(clippy::print_stderr, reason = "a command line speaks through these")]

mod backup;
mod balancer;
mod check;
mod configs;
mod demo;
mod diff;
mod doctor;
mod export;
mod integration;
mod migrate;
mod model;
mod serve;
mod settings;
mod token;
mod user;

use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use serde::Serialize;

use crate::app::App;
use crate::config::{Config, DataConfig};
use crate::store::Store;

/// The flight recorder and the postmortem workshop for everything behind a load balancer.
///
/// Without a command it serves: SQLite in ./data, on 127.0.0.1:8080.
#[derive(Parser)]
#[command(name = "afterload", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    config: Config,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    App(AppCommand),
    #[command(flatten)]
    Config(ConfigCommand),
}

/// Commands that read configs and nothing else: no data, no network, and their exit status is an answer.
#[derive(Subcommand)]
enum ConfigCommand {
    /// Hold a config against the rules: afterload check /etc/haproxy/haproxy.cfg
    Check(check::Check),
    /// Print what a config says, as JSON
    Model(model::ModelCommand),
    /// Say what one config means otherwise than another
    Diff(diff::Diff),
    /// Settings of this server: print
    #[command(subcommand, name = "config")]
    Settings(settings::SettingsCommand),
}

/// Commands on an installation's data.
#[derive(Subcommand)]
enum AppCommand {
    /// Serve pages, API and hooks, and record (the default)
    Serve(Box<Config>),
    /// Show everything on a made-up year of incidents, in a temporary folder that is removed at the end
    Demo,
    /// Write an incident as Markdown: afterload export INC-42
    Export(export::Export),
    /// API tokens: create, list, revoke
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Inbound alert sources: create, list, rotate, disable, enable
    #[command(subcommand)]
    Integration(integration::IntegrationCommand),
    /// Recorded balancers: add, list, edit, pause, resume, remove
    #[command(subcommand)]
    Balancer(balancer::BalancerCommand),
    /// Accounts: create, list, password, role, disable, enable
    #[command(subcommand)]
    User(user::UserCommand),
    /// Print the OpenAPI document
    Openapi,
    /// Write everything into one file, while the server serves: afterload backup FILE
    Backup(backup::Backup),
    /// Check a backup in full (--verify), or put it where there is no data yet
    Restore(backup::Restore),
    /// Measure what the installation rests on, one line a check; exit 1 when one failed
    Doctor(doctor::Doctor),
    /// Bring the database's schema up to date and stop
    ///
    /// SQLite files are copied first, beside themselves, as afterload.before-upgrade-N.db (N: the schema before); the copy
    /// stays until the next upgrade makes another, and none is changed below a server that runs. A schema newer than this
    /// program is refused.
    Migrate(DataConfig),
    /// Exit 0 when a server answers at the address (for containers)
    Healthcheck(serve::Healthcheck),
}

/// One line for programs. A reader that has gone is no fault of the command.
fn say(line: std::fmt::Arguments<'_>) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A list for a command: as JSON with every field, or a line each with tabs between.
fn list<T: Serialize>(json: bool, items: &[T], line: impl Fn(&T) -> String) -> anyhow::Result<()> {
    if json {
        say(format_args!("{}", serde_json::to_string_pretty(items)?));
        return Ok(());
    }
    for item in items {
        say(format_args!("{}", line(item)));
    }
    Ok(())
}

/// How to list.
#[derive(Args)]
struct List {
    /// As JSON, with every field
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataConfig,
}

/// Runs the command that was given.
pub fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(fault) => fault.exit(),
    };
    let command = match cli.command {
        Some(Command::Config(ConfigCommand::Check(command))) => return check::run(&command),
        Some(Command::Config(ConfigCommand::Model(command))) => return model::run(&command),
        Some(Command::Config(ConfigCommand::Diff(command))) => return diff::run(&command),
        Some(Command::Config(ConfigCommand::Settings(command))) => return ended(settings::run(&command, &matches)),
        Some(Command::App(command)) => command,
        None => AppCommand::Serve(Box::new(cli.config)),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(fault) => {
            eprintln!("afterload: the runtime could not start: {fault}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(run(command)).unwrap_or_else(|fault| ended(Err(fault)))
}

fn ended(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("afterload: {fault:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(command: AppCommand) -> anyhow::Result<ExitCode> {
    match command {
        // Its exit status is an answer.
        AppCommand::Doctor(command) => return doctor::run(command).await,
        AppCommand::Serve(config) => serve::run(*config).await,
        AppCommand::Demo => demo::run().await,
        AppCommand::Export(command) => export::run(command).await,
        AppCommand::Token(command) => token::run(command).await,
        AppCommand::Integration(command) => integration::run(command).await,
        AppCommand::Balancer(command) => balancer::run(command).await,
        AppCommand::User(command) => user::run(command).await,
        AppCommand::Openapi => {
            say(format_args!("{}", crate::api::openapi().to_pretty_json()?));
            Ok(())
        }
        AppCommand::Backup(command) => backup::run(command).await,
        AppCommand::Restore(command) => backup::restore(command).await,
        AppCommand::Migrate(data) => migrate::run(data).await,
        AppCommand::Healthcheck(command) => serve::healthcheck(command).await,
    }
    .map(|()| ExitCode::SUCCESS)
}

/// The app for one command: the same store as the server's, which may be running beside it.
async fn open(data: DataConfig) -> anyhow::Result<App> {
    let config = Config::for_command(data);
    let store = Store::connect(config.data.url()?.as_deref(), &config.data.data).await?;
    let lock = serve::lock_for_upgrade(&store).await?;
    let store = store.ready().await?;
    drop(lock);
    Ok(App::open(config, store).await?)
}
