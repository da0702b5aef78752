//! Opening and migrating a database.

use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqlSafeStr};

use super::readers::Readers;
use super::{Db, Dialect, Error, Result};

/// How hard a commit tries. Incident data is always `Full`: a 2xx means on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    Full,
    /// For samples: a power cut may cost the last seconds, never consistency.
    Normal,
    /// For what is thrown away: a power cut may cost all of it.
    Off,
}

#[derive(rust_embed::RustEmbed)]
#[folder = "migrations"]
struct Files;

/// Two folders may share one PostgreSQL database: the second counts from here.
const FOLDER_STEP: i64 = 1_000_000;

/// The WAL-reset corruption bug is fixed in this version (reference: SQLite 3.51.3 release notes).
const SQLITE_AT_LEAST: (u32, u32, u32) = (3, 51, 3);

/// Statements that the writing connection keeps prepared: those that write many rows are there in each number of rows up
/// to [`super::ROWS`].
const WRITER_STATEMENTS: usize = 300;

/// After how long without use a connection for transactions that read is closed.
const IDLE: Duration = Duration::from_secs(60);

impl Db {
    /// Opens (and makes, if it is not there) the SQLite file at `path`.
    pub async fn open_sqlite(path: &std::path::Path, durability: Durability) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(match durability {
                Durability::Full => SqliteSynchronous::Full,
                Durability::Normal => SqliteSynchronous::Normal,
                Durability::Off => SqliteSynchronous::Off,
            })
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            // Lists are read whole: fewer times that the thread of the database waits for ours.
            .row_buffer_size(200)
            .pragma("journal_size_limit", "67108864")
            // 16 MB: a rush of alerts moves the same pages into the file once, not again every few commits.
            .pragma("wal_autocheckpoint", "4000")
            // What is deleted is overwritten, not only unlinked.
            .pragma("secure_delete", "ON")
            .pragma("trusted_schema", "OFF")
            .pragma("temp_store", "memory")
            .pragma("cache_size", "-16000");
        let pool = || SqlitePoolOptions::new().acquire_timeout(Duration::from_secs(10)).max_lifetime(None);
        let write = pool().max_connections(1).idle_timeout(None).test_before_acquire(false);
        let write = write.connect_with(options.clone().statement_cache_capacity(WRITER_STATEMENTS)).await?;
        let options = options.read_only(true).create_if_missing(false);
        let whole = pool().max_connections(3).idle_timeout(IDLE).connect_lazy_with(options.clone());
        let db = Self::Sqlite { write, read: Readers::open(options).await?, whole };
        let version: String = db.read().await?.query("select sqlite_version()").value().await?.unwrap_or_default();
        let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        let mut next = || parts.next().unwrap_or(0);
        if (next(), next(), next()) < SQLITE_AT_LEAST {
            return Err(Error::Unusable(format!("SQLite {version} can corrupt a database; at least 3.51.3 is needed")));
        }
        Ok(db)
    }

    pub async fn open_postgres(url: &str) -> Result<Self> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|fault| Error::Unusable(format!("the database address cannot be read: {fault}")))?
            .application_name("afterload");
        // The pool would only say that its time ran out.
        let first = PgConnection::connect_with(&options).await.map_err(|fault| {
            let (host, port) = (options.get_host(), options.get_port());
            Error::Unusable(format!(
                "PostgreSQL at {host}:{port} cannot be used: {fault}; check DATABASE_URL and that the server runs"
            ))
        })?;
        first.close().await?;
        let pool = |most: u32| PgPoolOptions::new().max_connections(most).acquire_timeout(Duration::from_secs(5));
        let writer = options.clone().statement_cache_capacity(WRITER_STATEMENTS);
        // It looks rows up by their keys and adds others. A plan that was made while a table was small would read and sort
        // all of it for that, and is kept while it grows.
        let by_key = "set enable_seqscan = off; set enable_bitmapscan = off; set enable_sort = off";
        let bulk = pool(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .after_connect(move |conn, _| Box::pin(async move { sqlx::raw_sql(by_key).execute(conn).await.map(drop) }));
        let bulk = bulk.connect_with(writer).await?;
        let write = pool(5).connect_with(options.clone()).await?;
        let read = pool(10).connect_with(options).await?;
        Ok(Self::Postgres { write, bulk, read })
    }

    /// The number of the newest migration of `folder` that this database has; none in a database without tables.
    pub async fn schema(&self, folder: Folder) -> Result<Option<i64>> {
        let mut conn = self.read().await?;
        let known = conn.per_dialect(
            "select count(*) from sqlite_master where name = '_sqlx_migrations'",
            "select count(*) from pg_class where oid = to_regclass('_sqlx_migrations')",
        );
        if conn.query(known).value::<i64>().await? == Some(0) {
            return Ok(None);
        }
        let found: Option<i64> = conn
            .query("select max(version) from _sqlx_migrations where version >= $1 and version < $2")
            .bind(folder.first())
            .bind(folder.first() + FOLDER_STEP)
            .maybe(|row| row.at::<Option<i64>>(0))
            .await?
            .flatten();
        Ok(found.map(|version| version - folder.first()))
    }

    /// Brings the schema up to the migration `until` of `folder`, or to the newest. Safe to run from several processes
    /// at once. A schema newer than this binary is refused before anything is touched.
    pub async fn migrate(&self, folder: Folder, until: Option<i64>) -> Result<()> {
        let known = migrations(self.dialect(), folder)?;
        if let Some(found) = self.schema(folder).await?.filter(|found| *found > newest(&known, folder)) {
            let detail = "start that version, or restore a backup made by this one";
            return Err(Error::Unusable(format!("this database was written by a newer afterload (schema {found}); {detail}")));
        }
        let wanted =
            known.into_iter().filter(|migration| until.is_none_or(|until| migration.version <= folder.first() + until)).collect();
        let mut migrator = Migrator::with_migrations(wanted);
        // The other folder's migrations may be there too.
        migrator.set_ignore_missing(true);
        let outcome = match self {
            Self::Sqlite { write, .. } => migrator.run(write).await,
            Self::Postgres { write, .. } => migrator.run(write).await,
        };
        outcome.map_err(|fault| Error::Unusable(format!("the database could not be brought up to date: {fault}")))
    }
}

/// Which of the two schemas. On PostgreSQL both live in one database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folder {
    Main,
    Samples,
}

impl Folder {
    /// Where its numbers begin in the table of migrations.
    fn first(self) -> i64 {
        match self {
            Self::Main => 0,
            Self::Samples => FOLDER_STEP,
        }
    }

    /// The number of the newest migration that this binary carries.
    pub fn newest(self, dialect: Dialect) -> Result<i64> {
        Ok(newest(&migrations(dialect, self)?, self))
    }
}

fn newest(migrations: &[Migration], folder: Folder) -> i64 {
    migrations.iter().map(|migration| migration.version - folder.first()).max().unwrap_or(0)
}

fn migrations(dialect: Dialect, folder: Folder) -> Result<Vec<Migration>> {
    let prefix = match (dialect, folder) {
        (Dialect::Sqlite, Folder::Main) => "sqlite/",
        (Dialect::Sqlite, Folder::Samples) => "sqlite/samples/",
        (Dialect::Postgres, Folder::Main) => "postgres/",
        (Dialect::Postgres, Folder::Samples) => "postgres/samples/",
    };
    let mut found = Vec::new();
    for path in Files::iter() {
        let Some(name) = path.strip_prefix(prefix).filter(|name| !name.contains('/')) else { continue };
        let Some((version, description)) = name.strip_suffix(".sql").and_then(|stem| stem.split_once('_')) else { continue };
        let number: i64 = version.parse().map_err(|_| Error::Unusable(format!("the migration {path} has no number")))?;
        let text = Files::get(&path).map(|file| String::from_utf8_lossy(&file.data).into_owned()).unwrap_or_default();
        let text = AssertSqlSafe(text).into_sql_str();
        let kind = MigrationType::Simple;
        found.push(Migration::new(folder.first() + number, description.to_owned().into(), kind, text, false));
    }
    Ok(found)
}
