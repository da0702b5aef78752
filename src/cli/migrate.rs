//! `afterload migrate`: the schema, brought up to date before the server starts.

use super::{say, serve};
use crate::config::DataConfig;
use crate::store::{Store, db::Dialect};

pub async fn run(data: DataConfig) -> anyhow::Result<()> {
    let store = Store::connect(data.url()?.as_deref(), &data.data).await?;
    let _lock = serve::lock_for_upgrade(&store).await?;
    let outcome = store.upgrade().await;
    let dialect = store.dialect();
    store.close().await;
    let done = outcome?;
    match done.before {
        Some(before) if before == done.after => {
            say(format_args!("The schema is up to date ({}, samples {}); nothing was done.", before.main, before.samples));
        }
        Some(before) => {
            say(format_args!(
                "The schema went from {} to {}, samples from {} to {}.",
                before.main, done.after.main, before.samples, done.after.samples
            ));
            for copy in &done.copies {
                say(format_args!("As it was before: {}", copy.display()));
            }
            if dialect == Dialect::Postgres {
                say(format_args!("Of PostgreSQL no copy was made; the way back is the backup from before."));
            }
        }
        None => say(format_args!("The tables were made (schema {}, samples {}).", done.after.main, done.after.samples)),
    }
    Ok(())
}
