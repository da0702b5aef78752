//! `afterload backup` and `restore`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{say, serve};
use crate::app::SystemClock;
use crate::config::DataConfig;
use crate::domain::time::{Clock, rfc3339};
use crate::services::backup::{self, Form, Held};
use crate::store::{self, Location, Store, db::Dialect};

#[derive(Args)]
pub struct Backup {
    /// File to write; refused when it is there already
    file: PathBuf,
    /// Write rows that SQLite and PostgreSQL both read, instead of SQLite's own files; PostgreSQL always does
    #[arg(long)]
    portable: bool,
    #[command(flatten)]
    data: DataConfig,
}

pub async fn run(command: Backup) -> anyhow::Result<()> {
    let store = open_existing(&command.data).await?;
    let form = match store.dialect() {
        Dialect::Sqlite if !command.portable => Form::Sqlite,
        Dialect::Sqlite | Dialect::Postgres => Form::Portable,
    };
    let outcome = backup::write(&store, &command.file, form, SystemClock.now()).await;
    if outcome.is_ok() {
        backup::remember(&store, SystemClock.now()).await;
    }
    store.close().await;
    tell(&command.file, &outcome?, "written and read back");
    Ok(())
}

/// The data as it stands: nothing is made and no schema is changed.
pub(super) async fn open_existing(data: &DataConfig) -> anyhow::Result<Store> {
    let url = data.url()?;
    if let Location::Files(path) = store::location(url.as_deref(), &data.data)? {
        anyhow::ensure!(
            path.is_file(),
            "there is no database at {}; say where it is with --data, AFTERLOAD_DATA or DATABASE_URL",
            path.display()
        );
    }
    Ok(Store::connect(url.as_deref(), &data.data).await?)
}

#[derive(Args)]
pub struct Restore {
    /// What `afterload backup` wrote
    file: PathBuf,
    /// Only check the file, in full, and say what it holds
    #[arg(long)]
    verify: bool,
    #[command(flatten)]
    data: DataConfig,
}

pub async fn restore(command: Restore) -> anyhow::Result<()> {
    if command.verify {
        tell(&command.file, &backup::verify(&command.file).await?, "whole");
        return Ok(());
    }
    let url = command.data.url()?;
    let location = store::location(url.as_deref(), &command.data.data)?;
    let _lock = match &location {
        Location::Files(path) => Some(serve::lock(store::folder_of(path))?),
        Location::Postgres(_) => None,
    };
    let held = backup::restore(&command.file, &location, url.is_some()).await?;
    tell(&command.file, &held, "restored");
    match location {
        Location::Files(path) => say(format_args!("It is in {} now; start the server with it.", path.display())),
        Location::Postgres(_) => say(format_args!("It is in PostgreSQL now; start the server with the same DATABASE_URL.")),
    }
    Ok(())
}

fn tell(file: &Path, held: &Held, outcome: &str) {
    let manifest = &held.manifest;
    let form = match manifest.form {
        Form::Sqlite => "SQLite's own files",
        Form::Portable => "portable rows",
    };
    let (schema, samples) = (manifest.schema.main, manifest.schema.samples);
    say(format_args!("{}: {outcome}", file.display()));
    say(format_args!(
        "  made {} by afterload {}: {form}, schema {schema}, samples {samples}",
        rfc3339(manifest.made_at),
        manifest.afterload
    ));
    say(format_args!(
        "  {} events, the last is number {}; {} texts and files fit their hashes",
        held.events, manifest.last_event, held.blobs
    ));
    for table in manifest.tables.iter().filter(|table| table.rows > 0) {
        say(format_args!("  {:>9}  {}", table.rows, table.name));
    }
}
