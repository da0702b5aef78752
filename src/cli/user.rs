//! `afterload user`: accounts. Passwords are read from standard input, never from an argument.

use std::io::{BufRead, IsTerminal};

use anyhow::Context;
use clap::{Args, Subcommand};

use super::{List, list, open};
use crate::app::App;
use crate::config::DataConfig;
use crate::domain::access::{Actor, Role};
use crate::domain::id::PersonId;
use crate::domain::person::NewPerson;
use crate::services::people;

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
    List(List),
    /// Set a password, read from standard input, and end all sessions of the account
    Password(Which),
    /// Give an account another role
    Role {
        #[command(flatten)]
        which: Which,
        /// viewer, responder, editor or admin
        role: Role,
    },
    /// End all sessions of an account and refuse its tokens; what it wrote stays
    Disable(Which),
    /// Let a disabled account sign in again
    Enable(Which),
}

#[derive(Args)]
pub struct Which {
    handle: String,
    #[command(flatten)]
    data: DataConfig,
}

impl Which {
    async fn find(self) -> anyhow::Result<(App, PersonId)> {
        let app = open(self.data).await?;
        let handle = self.handle.trim().to_lowercase();
        let known = people::list(&app, &Actor::Console).await?;
        let found = known.iter().find(|person| person.handle == handle).map(|person| person.id);
        let id = found.with_context(|| format!("nobody has the handle “{handle}”; afterload user list shows all accounts"))?;
        Ok((app, id))
    }
}

pub async fn run(command: UserCommand) -> anyhow::Result<()> {
    match command {
        UserCommand::Create { handle, role, data } => {
            let app = open(data).await?;
            let password = read_password()?;
            people::add(&app, &Actor::Console, NewPerson { handle, password, role }).await?;
        }
        UserCommand::List(List { json, data }) => {
            list(json, &people::list(&open(data).await?, &Actor::Console).await?, |person| {
                let state = if person.disabled_at.is_some() { "disabled" } else { "active" };
                format!("{}\t{}\t{state}", person.handle, person.role.as_str())
            })?;
        }
        UserCommand::Password(which) => {
            let handle = which.handle.trim().to_lowercase();
            let (app, _) = which.find().await?;
            people::reset_password(&app, &handle, &read_password()?).await?;
        }
        UserCommand::Role { which, role } => {
            let (app, id) = which.find().await?;
            people::set_role(&app, &Actor::Console, id, role).await?;
        }
        UserCommand::Disable(which) => {
            let (app, id) = which.find().await?;
            people::set_disabled(&app, &Actor::Console, id, true).await?;
        }
        UserCommand::Enable(which) => {
            let (app, id) = which.find().await?;
            people::set_disabled(&app, &Actor::Console, id, false).await?;
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
