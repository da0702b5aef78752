//! `afterload token`: API tokens. What scripts need is printed alone on standard output.

use clap::Subcommand;

use super::{List, list, open, say};
use crate::config::DataConfig;
use crate::domain::access::{Actor, Scope};
use crate::domain::id::TokenId;
use crate::services::tokens;

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
    List(List),
    /// Make a token unusable, at once and for ever
    Revoke {
        /// As `token list` shows it
        id: TokenId,
        #[command(flatten)]
        data: DataConfig,
    },
}

pub async fn run(command: TokenCommand) -> anyhow::Result<()> {
    match command {
        TokenCommand::Create { name, scopes, days, data } => {
            let app = open(data).await?;
            let (_, secret) = tokens::create(&app, &Actor::Console, &name, scopes, days).await?;
            say(format_args!("{secret}"));
        }
        TokenCommand::List(List { json, data }) => {
            let app = open(data).await?;
            list(json, &tokens::list(&app, &Actor::Console).await?, |token| {
                let scopes: Vec<_> = token.scopes.iter().map(|scope| scope.as_str()).collect();
                let state = if token.is_live(app.now()) { "live" } else { "ended" };
                format!("{}\t{}\t{}\t{state}", token.id, token.name, scopes.join(","))
            })?;
        }
        TokenCommand::Revoke { id, data } => tokens::revoke(&open(data).await?, &Actor::Console, id).await?,
    }
    Ok(())
}
