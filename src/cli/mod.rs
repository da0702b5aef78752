//! The command line: one file a subcommand. What programs read goes to standard output alone, everything
//! for people goes to standard error or, for the server, to the log.
#![expect(clippy::print_stderr, reason = "a command line speaks through these")]

mod admin;
mod check;
mod configs;
mod demo;
mod diff;
mod export;
mod model;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    Token(admin::TokenCommand),
    /// Inbound alert sources: create, list
    #[command(subcommand)]
    Integration(admin::IntegrationCommand),
    /// Recorded balancers: add, list
    #[command(subcommand)]
    Balancer(admin::BalancerCommand),
    /// Accounts: create, list, password
    #[command(subcommand)]
    User(admin::UserCommand),
    /// Print the OpenAPI document
    Openapi,
    /// Bring the database's schema up to date and stop
    Migrate(DataConfig),
    /// Exit 0 when a server answers at the address (for containers)
    Healthcheck(serve::Healthcheck),
}

/// One line for programs. A reader that has gone is no fault of the command.
fn say(line: std::fmt::Arguments<'_>) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Runs the command that was given.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let command = match cli.command {
        Some(Command::Config(ConfigCommand::Check(command))) => return check::run(&command),
        Some(Command::Config(ConfigCommand::Model(command))) => return model::run(&command),
        Some(Command::Config(ConfigCommand::Diff(command))) => return diff::run(&command),
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
    match runtime.block_on(run(command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("afterload: {fault:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(command: AppCommand) -> anyhow::Result<()> {
    match command {
        AppCommand::Serve(config) => serve::run(*config).await,
        AppCommand::Demo => demo::run().await,
        AppCommand::Export(command) => export::run(command).await,
        AppCommand::Token(command) => admin::token(command).await,
        AppCommand::Integration(command) => admin::integration(command).await,
        AppCommand::Balancer(command) => admin::balancer(command).await,
        AppCommand::User(command) => admin::user(command).await,
        AppCommand::Openapi => {
            say(format_args!("{}", crate::api::openapi().to_pretty_json()?));
            Ok(())
        }
        AppCommand::Migrate(data) => open(data).await.map(drop),
        AppCommand::Healthcheck(command) => serve::healthcheck(command).await,
    }
}

/// The app for one command: the same store as the server's, which may be running beside it.
async fn open(data: DataConfig) -> anyhow::Result<App> {
    let config = Config::for_command(data);
    let store = Store::open(config.data.url()?.as_deref(), &config.data.data).await?;
    Ok(App::open(config, store).await?)
}
