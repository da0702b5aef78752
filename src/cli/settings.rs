//! `afterload config print`: every setting of the server, its value, and where the value comes from. Secrets stay hidden.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Subcommand};
use serde::Serialize;

use super::{list, say};
use crate::config::Config;
use crate::domain::balancer::mask;

#[derive(Subcommand)]
pub enum SettingsCommand {
    /// Print every setting with its value and where that comes from
    ///
    /// Give the flags and the environment that the server gets.
    Print(Print),
}

#[derive(Args)]
pub struct Print {
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: Box<Config>,
}

#[derive(Serialize)]
struct Setting {
    /// As the flag is spelled; in capitals when there is only an environment name.
    setting: String,
    /// None when it is not set.
    value: Option<String>,
    /// `flag`, `environment`, `file`, `default` or `unset`.
    origin: &'static str,
    /// Which flag, environment name or file.
    from: Option<String>,
}

/// What the log reads by itself before there are settings.
const LOG: [(&str, Option<&str>); 2] = [("AFTERLOAD_LOG", Some("info,sqlx=warn")), ("AFTERLOAD_LOG_FORMAT", Some("text"))];

/// `matches` is the whole command line as it was read.
pub fn run(command: &SettingsCommand, matches: &ArgMatches) -> anyhow::Result<()> {
    let SettingsCommand::Print(command) = command;
    let given = matches.subcommand_matches("config").and_then(|config| config.subcommand_matches("print"));
    print(command, given.unwrap_or(matches))
}

fn print(command: &Print, matches: &ArgMatches) -> anyhow::Result<()> {
    let known = Config::augment_args(clap::Command::new("afterload"));
    let mut settings: Vec<Setting> = known.get_arguments().map(|arg| setting(arg, matches)).collect();
    if let Some(path) = &command.config.data.database_url_file
        && let Some(address) = settings.iter_mut().find(|setting| setting.setting == "--database-url")
    {
        address.value = command.config.data.url()?.as_deref().map(hidden);
        (address.origin, address.from) = ("file", Some(path.display().to_string()));
    }
    for (name, default) in LOG {
        let found = std::env::var(name).ok();
        settings.push(Setting {
            setting: name.to_owned(),
            origin: if found.is_some() { "environment" } else { "default" },
            from: found.is_some().then(|| name.to_owned()),
            value: found.or(default.map(str::to_owned)),
        });
    }
    if command.json {
        return list(true, &settings, |_| String::new());
    }
    let width = |of: fn(&Setting) -> &str| settings.iter().map(|setting| of(setting).chars().count()).max().unwrap_or(0);
    let (names, values) = (width(|setting| &setting.setting), width(|setting| shown(setting)));
    for setting in &settings {
        let from = setting.from.as_deref().map(|from| format!(" {from}")).unwrap_or_default();
        say(format_args!("{:names$}  {:values$}  {}{from}", setting.setting, shown(setting), setting.origin));
    }
    Ok(())
}

fn shown(setting: &Setting) -> &str {
    setting.value.as_deref().unwrap_or("-")
}

fn setting(arg: &Arg, matches: &ArgMatches) -> Setting {
    let id = arg.get_id().as_str();
    let flag = format!("--{}", arg.get_long().unwrap_or(id));
    let raw: Vec<String> = matches.get_raw(id).into_iter().flatten().map(|value| value.to_string_lossy().into_owned()).collect();
    let value = (!raw.is_empty()).then(|| raw.join(","));
    let value = if arg.is_hide_env_values_set() { value.as_deref().map(hidden) } else { value };
    let (origin, from) = match matches.value_source(id) {
        Some(ValueSource::CommandLine) => ("flag", Some(flag.clone())),
        Some(ValueSource::EnvVariable) => ("environment", arg.get_env().map(|name| name.to_string_lossy().into_owned())),
        Some(_) => ("default", None),
        None => ("unset", None),
    };
    Setting { setting: flag, value, origin, from }
}

/// The password of an address hidden; all of anything else.
fn hidden(secret: &str) -> String {
    if secret.starts_with("sqlite:") {
        return secret.to_owned();
    }
    // A password may also stand among the options.
    let secret = secret.split_once('?').map_or(secret, |(address, _)| address);
    if secret.contains("://") { mask(secret) } else { "•••".to_owned() }
}
