//! The only room that knows SQL.
//!
//! Repositories are free functions on a [`db::Conn`], grouped by noun. They know nothing of permissions,
//! events or time; services call them inside the transaction that they began.

pub mod db;

pub mod acknowledgements;
pub mod alerts;
pub mod attachments;
pub mod balancers;
pub mod blobs;
pub mod checks;
pub mod copies;
pub mod events;
pub mod incidents;
pub mod integrations;
pub mod leases;
pub mod people;
pub mod portable;
pub mod presence;
pub mod readings;
pub mod retention;
pub mod samples;
pub mod search;
pub mod sessions;
pub mod settings;
pub mod snapshots;
pub mod space;
pub mod tasks;
pub mod timeline;
pub mod tokens;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use db::{Conn, Error, Result};
use db::{Db, Durability};
use serde::{Deserialize, Serialize};
use space::{Level, Space};

/// The databases of one installation: incident data, and samples kept apart from it (a second file on
/// SQLite, own tables on PostgreSQL), so that recording never waits behind a person or the reverse.
#[derive(Debug, Clone)]
pub struct Store {
    main: Db,
    samples: Db,
    /// The SQLite files of `main` and `samples`.
    files: Option<[PathBuf; 2]>,
    /// The disk below them.
    space: Option<Arc<Space>>,
}

/// The numbers of the newest migrations of both kinds of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    pub main: i64,
    pub samples: i64,
}

impl Schema {
    /// What this binary brings a database up to.
    pub fn newest(dialect: db::Dialect) -> Result<Self> {
        Ok(Self { main: db::Folder::Main.newest(dialect)?, samples: db::Folder::Samples.newest(dialect)? })
    }

    /// Whether this binary is too old for data of this schema.
    pub fn is_newer_than(self, other: Self) -> bool {
        self.main > other.main || self.samples > other.samples
    }
}

/// What [`Store::upgrade`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgrade {
    /// None when the database was empty.
    pub before: Option<Schema>,
    pub after: Schema,
    /// Files that hold the data as it was before.
    pub copies: Vec<PathBuf>,
}

/// Where an installation's data is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location<'a> {
    Postgres(&'a str),
    /// The file of the incident data; the samples' stands beside it.
    Files(PathBuf),
}

/// Reads a database address as [`Store::open`] does.
pub fn location<'a>(url: Option<&'a str>, data: &Path) -> Result<Location<'a>> {
    match url {
        Some(url) if url.starts_with("postgres:") || url.starts_with("postgresql:") => Ok(Location::Postgres(url)),
        Some(url) => match url.strip_prefix("sqlite:") {
            Some(path) => Ok(Location::Files(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))),
            None => {
                let scheme = url.split(':').next().unwrap_or_default();
                Err(Error::Unusable(format!("DATABASE_URL begins with “{scheme}:”; it must begin with sqlite: or postgres:")))
            }
        },
        None => Ok(Location::Files(data.join("afterload.db"))),
    }
}

/// The file of the samples that belongs to a file of incident data.
pub fn samples_path(path: &Path) -> PathBuf {
    path.with_extension("samples.db")
}

/// The folder in which a file stands.
pub fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl Store {
    /// Opens what `url` names (`postgres://…`, `sqlite:PATH`), or `afterload.db` in `data` when there is none,
    /// and brings the schema up to date. SQLite files that are there are copied first ([`Upgrade`]).
    pub async fn open(url: Option<&str>, data: &Path) -> Result<Self> {
        Self::connect(url, data).await?.ready().await
    }

    /// SQLite in `data` with another durability than people's data has: for what is thrown away when the program ends,
    /// and for tests that show what [`Durability::Full`] is for.
    pub async fn open_with(data: &Path, durability: Durability) -> Result<Self> {
        Self::open_files(&data.join("afterload.db"), durability).await?.ready().await
    }

    /// Brings the schema of what was connected up to date, and the index of what can be found.
    pub async fn ready(self) -> Result<Self> {
        self.upgrade().await?;
        search::fill(&self.main).await?;
        Ok(self)
    }

    /// As [`Self::open`], with the schema as it stands. SQLite files that are not there are made, and empty.
    pub async fn connect(url: Option<&str>, data: &Path) -> Result<Self> {
        match location(url, data)? {
            Location::Postgres(url) => {
                let main = Db::open_postgres(url).await?;
                Ok(Self { samples: main.clone(), main, files: None, space: None })
            }
            Location::Files(path) => Self::open_files(&path, Durability::Full).await,
        }
    }

    async fn open_files(path: &Path, durability: Durability) -> Result<Self> {
        let folder = folder_of(path);
        make_folder(folder).map_err(|fault| Error::Unusable(format!("{} cannot be made: {fault}", folder.display())))?;
        let samples_path = samples_path(path);
        for file in [path, &samples_path] {
            make_file(file).map_err(|fault| Error::Unusable(format!("{} cannot be opened: {fault}", file.display())))?;
        }
        let main = Db::open_sqlite(path, durability).await?;
        let samples = Db::open_sqlite(&samples_path, durability.max(Durability::Normal)).await?;
        let space = Some(Arc::new(Space::of(path)));
        Ok(Self { main, samples, files: Some([path.to_owned(), samples_path]), space })
    }

    /// Brings both schemas up to date. A newer schema is refused before anything is touched.
    pub async fn upgrade(&self) -> Result<Upgrade> {
        let before = self.schema().await?;
        let newest = Schema::newest(self.dialect())?;
        let mut upgrade = Upgrade { before, after: newest, copies: Vec::new() };
        if let (Some(before), Some(files)) = (before, &self.files) {
            let main = (&self.main, db::Folder::Main, before.main, newest.main);
            let samples = (&self.samples, db::Folder::Samples, before.samples, newest.samples);
            for ((db, folder, from, to), file) in [main, samples].into_iter().zip(files) {
                if (1..to).contains(&from) {
                    upgrade.copies.extend(copies::before_upgrade(db, folder, file, from).await?);
                }
            }
        }
        self.migrate_to(newest).await?;
        for copy in &upgrade.copies {
            copies::forget_older(copy);
        }
        Ok(upgrade)
    }

    /// Brings the schemas up to `schema`, for filling with data that was written under it.
    pub async fn migrate_to(&self, schema: Schema) -> Result<()> {
        self.main.migrate(db::Folder::Main, Some(schema.main)).await?;
        self.samples.migrate(db::Folder::Samples, Some(schema.samples)).await
    }

    /// The schema that the data has; none when there are no tables yet.
    pub async fn schema(&self) -> Result<Option<Schema>> {
        let main = self.main.schema(db::Folder::Main).await?;
        let samples = self.samples.schema(db::Folder::Samples).await?;
        Ok(main.map(|main| Schema { main, samples: samples.unwrap_or(0) }))
    }

    /// The databases, each once: on PostgreSQL both kinds of data live in one.
    pub fn parts(&self) -> Vec<&Db> {
        match self.dialect() {
            db::Dialect::Sqlite => vec![&self.main, &self.samples],
            db::Dialect::Postgres => vec![&self.main],
        }
    }

    /// Bytes that incident data and samples take: the files and their write-ahead logs; on PostgreSQL the database, which
    /// holds both.
    pub async fn size(&self) -> Result<u64> {
        match &self.files {
            Some(files) => {
                let logs = files.iter().map(|file| copies::beside(file, "-wal"));
                let all = files.iter().cloned().chain(logs);
                Ok(all.filter_map(|file| std::fs::metadata(file).ok()).map(|found| found.len()).sum())
            }
            None => checks::postgres_size(&mut self.read().await?).await,
        }
    }

    pub fn dialect(&self) -> db::Dialect {
        self.main.dialect()
    }

    pub async fn read(&self) -> Result<Conn> {
        self.main.read().await
    }

    /// A read of one consistent state over several statements.
    pub async fn snapshot(&self) -> Result<Conn> {
        self.main.snapshot().await
    }

    /// A transaction that writes.
    ///
    /// # Errors
    /// `Full` at once while the disk is full, so that nothing but [`Self::begin_urgent`] uses the reserve.
    pub async fn begin(&self) -> Result<Conn> {
        self.has_room()?;
        self.main.begin().await
    }

    /// The same for what writes many rows at once, one after the other.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub async fn begin_bulk(&self) -> Result<Conn> {
        self.has_room()?;
        self.main.begin_bulk().await
    }

    fn has_room(&self) -> Result<()> {
        match &self.space {
            Some(space) if space.level() == Level::Full => {
                Err(Error::Full("only what people cannot do without is written".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// The same for what people cannot do without during an outage, as long as the reserve lasts.
    pub async fn begin_urgent(&self) -> Result<Conn> {
        self.main.begin().await
    }

    /// The disk below the files; none on PostgreSQL.
    pub fn space(&self) -> Option<&Space> {
        self.space.as_deref()
    }

    pub fn samples(&self) -> &Db {
        &self.samples
    }

    /// Gives memory back that a rush has left with connections.
    pub fn tidy(&self) {
        self.main.tidy();
        self.samples.tidy();
    }

    pub async fn close(&self) {
        self.main.close().await;
        self.samples.close().await;
    }
}

/// A folder that only its owner may enter.
fn make_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// A file that only its owner may read; one that is there keeps the mode that it has. The folder may have been made
/// by somebody else, open to all. SQLite gives the files beside it the same mode.
fn make_file(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map(drop)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn only_the_owner_reads_the_files_also_in_an_open_folder() {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("chmod");
        let store = Store::open(None, folder.path()).await.expect("opens");
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder.path()).expect("list") {
            let entry = entry.expect("entry");
            let mode = entry.metadata().expect("metadata").permissions().mode() & 0o777;
            files.push((entry.file_name().to_string_lossy().into_owned(), mode));
        }
        assert!(files.iter().any(|(name, _)| name == "afterload.samples.db") && files.len() >= 4, "{files:?}");
        assert!(files.iter().all(|(_, mode)| *mode == 0o600), "{files:?}");
        store.close().await;
    }
}
