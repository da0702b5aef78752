//! Backups: written while the server serves, read back before they are called written, checked in full before they are
//! restored.
//!
//! A backup is one file. It holds SQLite's own files or, for PostgreSQL and for moving between the two, portable rows.
//! Nothing that is there is ever overwritten: neither a file by a backup nor data by a restore.

pub mod archive;
mod rows;

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::time::{Timestamp, rfc3339};
use crate::store::{self, Location, Schema, Store, checks, copies, db::Dialect, folder_of, portable, settings};
use archive::{Archive, Writer};

const FORMAT: &str = "afterload-backup";
const FORMAT_VERSION: u32 = 1;
const MANIFEST: &str = "manifest.json";
/// Names inside a backup, and of the files of a folder: incident data, samples.
const FILES: [&str; 2] = ["afterload.db", "afterload.samples.db"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    Sqlite,
    Portable,
}

/// What a backup says of itself, in `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: String,
    pub format_version: u32,
    pub form: Form,
    /// The version that wrote it.
    pub afterload: String,
    pub made_at: DateTime<Utc>,
    pub schema: Schema,
    /// Number of the newest event; 0 when there is none.
    pub last_event: i64,
    pub tables: Vec<TableHeld>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableHeld {
    pub name: String,
    pub rows: i64,
    /// In portable rows only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ColumnHeld>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnHeld {
    pub name: String,
    pub holds: portable::Kind,
}

/// What was found in a backup that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub manifest: Manifest,
    /// Stored texts and files whose hash fits.
    pub blobs: u64,
    pub events: i64,
}

/// Notes when a backup was written, for whoever asks how the installation does. Where that cannot be noted (the disk is
/// full, the server is too busy) the backup is as good.
pub async fn remember(store: &Store, now: Timestamp) {
    let Ok(mut conn) = store.begin().await else { return };
    if settings::set(&mut conn, settings::LAST_BACKUP, &rfc3339(now)).await.is_ok() {
        let _ = conn.commit().await;
    }
}

/// Writes a backup to `file`, which must not be there, and reads it back. Until that is done `file` does not exist.
pub async fn write(store: &Store, file: &Path, form: Form, now: Timestamp) -> anyhow::Result<Held> {
    ensure!(!file.exists(), "{} is there already; a backup overwrites nothing, choose another name", file.display());
    let schema = store.schema().await?.context("there is nothing to back up: the database holds no tables yet")?;
    ensure!(
        !schema.is_newer_than(Schema::newest(store.dialect())?),
        "this database was written by a newer afterload (schema {}); back up with that version",
        schema.main
    );
    let folder = folder_of(file);
    let making = private_folder(folder, ".afterload-backup-")?;
    let path = making.path().join("backup");
    let mut writer = Writer::create(&path)?;
    let mut manifest = Manifest {
        format: FORMAT.to_owned(),
        format_version: FORMAT_VERSION,
        form,
        afterload: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: now,
        schema,
        last_event: 0,
        tables: Vec::new(),
    };
    match form {
        Form::Sqlite => add_files(store, &mut writer, &mut manifest, making.path()).await?,
        Form::Portable => (manifest.tables, manifest.last_event) = rows::dump(store, &mut writer).await?,
    }
    serde_json::to_writer_pretty(writer.entry(MANIFEST)?, &manifest)?;
    writer.finish()?;
    let held = verify_in(&path, making.path()).await.context("what was written could not be read back; nothing is kept of it")?;
    let path = tempfile::TempPath::try_from_path(path)?;
    path.persist_noclobber(file)
        .map_err(|fault| fault.error)
        .with_context(|| format!("{} cannot be written; it may be there already", file.display()))?;
    sync_folder(folder)?;
    Ok(held)
}

/// Copies of both files, samples last: what an incident froze is never newer than what it was frozen from.
async fn add_files(store: &Store, writer: &mut Writer, manifest: &mut Manifest, folder: &Path) -> anyhow::Result<()> {
    let copied = folder.join("copy");
    std::fs::DirBuilder::new().mode(0o700).create(&copied)?;
    for (part, name) in store.parts().into_iter().zip(FILES) {
        copies::copy(part, &copied.join(name)).await.with_context(|| format!("{name} could not be copied"))?;
    }
    let copy = Store::connect(None, &copied).await?;
    let counted = count(&copy).await;
    let last_event = async { Ok::<_, anyhow::Error>(checks::events(&mut copy.read().await?).await?.1) }.await;
    copy.close().await;
    (manifest.tables, manifest.last_event) = (counted?, last_event?);
    for name in FILES {
        let mut file = std::fs::File::open(copied.join(name))?;
        std::io::copy(&mut file, writer.entry(name)?)?;
    }
    std::fs::remove_dir_all(&copied)?;
    Ok(())
}

async fn count(store: &Store) -> anyhow::Result<Vec<TableHeld>> {
    let mut held = Vec::new();
    for part in store.parts() {
        let mut conn = part.read().await?;
        for table in portable::tables(&mut conn).await? {
            let rows = portable::count(&mut conn, &table).await?;
            held.push(TableHeld { name: table.name.as_str().to_owned(), rows, columns: Vec::new() });
        }
    }
    Ok(held)
}

/// Checks a backup in full, in a folder that is gone afterwards.
pub async fn verify(file: &Path) -> anyhow::Result<Held> {
    let beside = private_folder(folder_of(file), ".afterload-verify-");
    // A backup may lie where nothing can be written.
    let folder = beside.or_else(|_| private_folder(&std::env::temp_dir(), ".afterload-verify-"))?;
    verify_in(file, folder.path()).await
}

async fn verify_in(file: &Path, folder: &Path) -> anyhow::Result<Held> {
    let folder = folder.join("verify");
    let mut archive = archive::open(file)?;
    let manifest = read_manifest(&mut archive)?;
    let store = unpack(&mut archive, &manifest, &folder).await?;
    let held = check(&store, manifest).await;
    store.close().await;
    std::fs::remove_dir_all(&folder)?;
    held
}

/// Puts a backup where there is no data yet. `is_named` says that the address names a file, whose folder may hold others.
pub async fn restore(file: &Path, location: &Location<'_>, is_named: bool) -> anyhow::Result<Held> {
    let mut archive = archive::open(file)?;
    let manifest = read_manifest(&mut archive)?;
    match location {
        Location::Files(path) => restore_files(&mut archive, manifest, path, is_named).await,
        Location::Postgres(url) => restore_postgres(&mut archive, manifest, url).await,
    }
}

async fn restore_files(archive: &mut Archive, manifest: Manifest, path: &Path, is_named: bool) -> anyhow::Result<Held> {
    let folder = folder_of(path);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    refuse_used(path, folder, is_named)?;
    let making = private_folder(folder, ".afterload-restore-")?;
    let store = unpack(archive, &manifest, making.path()).await?;
    let held = check(&store, manifest).await;
    store.close().await;
    let held = held?;
    // The incident data comes last: where it stands, the restore is whole.
    let targets = [path.to_owned(), store::samples_path(path)];
    for (name, target) in FILES.into_iter().zip(&targets).rev() {
        let from = making.path().join(name);
        std::fs::File::open(&from)?.sync_all()?;
        std::fs::rename(from, target).with_context(|| format!("{} cannot be put in place", target.display()))?;
        sync_folder(folder)?;
    }
    Ok(held)
}

/// A restore never lands on data, nor in the middle of something else.
fn refuse_used(path: &Path, folder: &Path, is_named: bool) -> anyhow::Result<()> {
    if is_named {
        for file in [path.to_owned(), store::samples_path(path)] {
            for file in [file.clone(), copies::beside(&file, "-wal"), copies::beside(&file, "-shm")] {
                ensure!(!file.exists(), "{} is there already; a restore overwrites nothing, move it away first", file.display());
            }
        }
        return Ok(());
    }
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let may_stay = name == "serve.lock" || name == "lost+found";
        ensure!(
            may_stay,
            "{} is not empty ({} is there); a restore overwrites nothing: name an empty folder with --data, or move the old one away",
            folder.display(),
            name.to_string_lossy()
        );
    }
    Ok(())
}

async fn restore_postgres(archive: &mut Archive, manifest: Manifest, url: &str) -> anyhow::Result<Held> {
    ensure!(
        manifest.form == Form::Portable,
        "this backup holds SQLite's own files, which PostgreSQL cannot take: restore it into a folder (--data), then move it \
         with `afterload backup --portable`"
    );
    let store = Store::connect(Some(url), Path::new("")).await?;
    let outcome = async {
        let found = portable::found(&mut store.read().await?).await?;
        ensure!(
            found.is_empty(),
            "the database is not empty ({} is there); a restore overwrites nothing: make a new one with createdb",
            found.first().map(String::as_str).unwrap_or_default()
        );
        let filled = async {
            store.migrate_to(manifest.schema).await?;
            rows::fill(&store, archive, &manifest).await?;
            check(&store, manifest).await
        };
        let filled = filled.await;
        if filled.is_err() {
            let mut conn = store.begin().await?;
            portable::drop_all(&mut conn).await?;
            conn.commit().await?;
        }
        filled
    };
    let outcome = outcome.await;
    store.close().await;
    outcome
}

fn read_manifest(archive: &mut Archive) -> anyhow::Result<Manifest> {
    let entry = archive.by_name(MANIFEST).context("it is not a backup of Afterload: it has no manifest")?;
    let manifest: Manifest = serde_json::from_reader(entry).context("its manifest cannot be read")?;
    ensure!(manifest.format == FORMAT, "it is not a backup of Afterload, but “{}”", manifest.format);
    ensure!(
        manifest.format_version <= FORMAT_VERSION && !manifest.schema.is_newer_than(Schema::newest(Dialect::Sqlite)?),
        "it was written by a newer afterload ({}, schema {}); restore it with that version",
        manifest.afterload,
        manifest.schema.main
    );
    Ok(manifest)
}

/// Makes SQLite files in `folder` out of a backup of either form.
async fn unpack(archive: &mut Archive, manifest: &Manifest, folder: &Path) -> anyhow::Result<Store> {
    match manifest.form {
        Form::Sqlite => {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            for name in FILES {
                let mut entry = archive.by_name(name).with_context(|| format!("{name} is missing in it"))?;
                let mut options = std::fs::OpenOptions::new();
                let mut file = options.write(true).create_new(true).mode(0o600).open(folder.join(name))?;
                std::io::copy(&mut entry, &mut file).with_context(|| format!("{name} cannot be unpacked"))?;
                file.flush()?;
            }
            Ok(Store::connect(None, folder).await?)
        }
        Form::Portable => {
            let store = Store::connect(None, folder).await?;
            store.migrate_to(manifest.schema).await?;
            if let Err(fault) = rows::fill(&store, archive, manifest).await {
                store.close().await;
                return Err(fault);
            }
            Ok(store)
        }
    }
}

/// Holds unpacked data against its manifest and against itself.
async fn check(store: &Store, manifest: Manifest) -> anyhow::Result<Held> {
    let schema = store.schema().await?;
    ensure!(schema == Some(manifest.schema), "its schema is {schema:?}, and {:?} in the manifest", manifest.schema);
    for part in store.parts() {
        let wrong = checks::integrity(part).await?;
        ensure!(wrong.is_empty(), "the database in it is damaged: {}", wrong.join("; "));
    }
    let found = count(store).await?;
    for table in &found {
        let promised = manifest.tables.iter().find(|held| held.name == table.name).map_or(0, |held| held.rows);
        ensure!(table.rows == promised, "{} holds {} rows, and {promised} in the manifest", table.name, table.rows);
    }
    if let Some(missing) = manifest.tables.iter().find(|held| !found.iter().any(|table| table.name == held.name)) {
        bail!("the table {} is missing in it", missing.name);
    }
    let mut conn = store.read().await?;
    let (blobs, wrong) = checks::blobs(&mut conn).await?;
    ensure!(wrong == 0, "{wrong} of {blobs} stored texts and files are not what their hash says");
    let (events, last) = checks::events(&mut conn).await?;
    ensure!(last == manifest.last_event, "the log of events ends at {last}, and at {} in the manifest", manifest.last_event);
    Ok(Held { manifest, blobs, events })
}

/// A folder that only its owner may enter, gone when it is dropped.
fn private_folder(inside: &Path, prefix: &str) -> anyhow::Result<tempfile::TempDir> {
    let owner = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    let made = tempfile::Builder::new().prefix(prefix).permissions(owner).tempdir_in(inside);
    made.with_context(|| format!("nothing can be written into {}", inside.display()))
}

fn sync_folder(folder: &Path) -> anyhow::Result<()> {
    std::fs::File::open(folder)?.sync_all().with_context(|| format!("{} cannot be brought to the disk", folder.display()))
}
