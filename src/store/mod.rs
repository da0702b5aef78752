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
pub mod events;
pub mod incidents;
pub mod integrations;
pub mod people;
pub mod samples;
pub mod sessions;
pub mod settings;
pub mod snapshots;
pub mod tasks;
pub mod timeline;
pub mod tokens;

use std::path::Path;

pub use db::{Conn, Error, Result};
use db::{Db, Durability};

/// The databases of one installation: incident data, and samples kept apart from it (a second file on
/// SQLite, own tables on PostgreSQL), so that recording never waits behind a person or the reverse.
#[derive(Debug, Clone)]
pub struct Store {
    main: Db,
    samples: Db,
}

impl Store {
    /// Opens what `url` names (`postgres://…`, `sqlite:PATH`), or `afterload.db` in `data` when there is none,
    /// and brings the schema up to date.
    pub async fn open(url: Option<&str>, data: &Path) -> Result<Self> {
        let store = match url {
            Some(url) if url.starts_with("postgres:") || url.starts_with("postgresql:") => {
                let main = Db::open_postgres(url).await?;
                Self { samples: main.clone(), main }
            }
            Some(url) => {
                let Some(path) = url.strip_prefix("sqlite:") else {
                    let scheme = url.split(':').next().unwrap_or_default();
                    return Err(Error::Unusable(format!(
                        "DATABASE_URL begins with “{scheme}:”; it must begin with sqlite: or postgres:"
                    )));
                };
                Self::open_files(Path::new(path.strip_prefix("//").unwrap_or(path)), Durability::Full).await?
            }
            None => Self::open_files(&data.join("afterload.db"), Durability::Full).await?,
        };
        store.migrated().await
    }

    /// SQLite in `data` that waits for no disk: for data that is thrown away when the program ends.
    pub async fn open_throw_away(data: &Path) -> Result<Self> {
        Self::open_files(&data.join("afterload.db"), Durability::Off).await?.migrated().await
    }

    async fn migrated(self) -> Result<Self> {
        self.main.migrate("").await?;
        self.samples.migrate("samples").await?;
        Ok(self)
    }

    async fn open_files(path: &Path, durability: Durability) -> Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            make_folder(folder).map_err(|fault| Error::Unusable(format!("{} cannot be made: {fault}", folder.display())))?;
        }
        let samples_path = path.with_extension("samples.db");
        for file in [path, &samples_path] {
            make_file(file).map_err(|fault| Error::Unusable(format!("{} cannot be opened: {fault}", file.display())))?;
        }
        let main = Db::open_sqlite(path, durability).await?;
        let samples = Db::open_sqlite(&samples_path, durability.max(Durability::Normal)).await?;
        Ok(Self { main, samples })
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

    pub async fn begin(&self) -> Result<Conn> {
        self.main.begin().await
    }

    pub fn samples(&self) -> &Db {
        &self.samples
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
