//! The dialect facade: the only place that knows there are two databases.
//!
//! Repositories write SQL once, in the subset that SQLite and PostgreSQL share (`$1`, RETURNING,
//! ON CONFLICT, CTEs, row-value comparison). Where the two must differ, [`Conn::per_dialect`] picks one
//! of two texts. Values are generic, databases are concrete: [`Value`] says that both drivers can carry
//! a type, and the compiler refuses one that a driver lacks.

mod error;
mod open;
mod query;
mod readers;

pub use error::Error;
pub use open::{Durability, Folder};
pub use query::{Name, Query, ROWS, Row, Value, json};
use readers::{Reader, Readers};
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres, Row as _, Sqlite, SqlitePool, Transaction};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One database. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Db {
    /// One writing connection, so that writers queue fairly, and read-only ones beside it: for single statements, and
    /// for transactions of several.
    Sqlite { write: SqlitePool, read: Readers, whole: SqlitePool },
    /// Those that read wait for none that write; one is for many rows at once.
    Postgres { write: PgPool, bulk: PgPool, read: PgPool },
}

/// A connection or a transaction of either kind; repositories take `&mut Conn`.
pub enum Conn {
    Sqlite(Reader),
    SqliteTransaction(Transaction<'static, Sqlite>),
    Postgres(PoolConnection<Postgres>),
    PostgresTransaction(Transaction<'static, Postgres>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

impl Db {
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite { .. } => Dialect::Sqlite,
            Self::Postgres { .. } => Dialect::Postgres,
        }
    }

    /// A connection for reading.
    pub async fn read(&self) -> Result<Conn> {
        Ok(match self {
            Self::Sqlite { read, .. } => Conn::Sqlite(read.get().await?),
            Self::Postgres { read, .. } => Conn::Postgres(read.acquire().await?),
        })
    }

    /// A transaction that writes. On SQLite it holds the one writing connection from the start
    /// (BEGIN IMMEDIATE): a deferred one that later wants to write would fail under load.
    pub async fn begin(&self) -> Result<Conn> {
        Ok(match self {
            Self::Sqlite { write, .. } => Conn::SqliteTransaction(begin_immediate(write).await?),
            Self::Postgres { write, .. } => Conn::PostgresTransaction(write.begin().await?),
        })
    }

    /// The same for what writes many rows at once, one after the other: on PostgreSQL always on one connection, which
    /// has planned a statement for each number of rows.
    pub async fn begin_bulk(&self) -> Result<Conn> {
        Ok(match self {
            Self::Sqlite { .. } => self.begin().await?,
            Self::Postgres { bulk, .. } => Conn::PostgresTransaction(bulk.begin().await?),
        })
    }

    /// A transaction that reads one consistent state.
    pub async fn snapshot(&self) -> Result<Conn> {
        Ok(match self {
            Self::Sqlite { whole, .. } => Conn::SqliteTransaction(whole.begin().await?),
            Self::Postgres { read, .. } => {
                Conn::PostgresTransaction(read.begin_with("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
            }
        })
    }

    /// Moves what the write-ahead log holds into the database and empties the log, so that nothing which was deleted
    /// stands there any more; false when somebody still reads an older state. Nothing to do on PostgreSQL.
    pub async fn empty_log(&self) -> Result<bool> {
        let Self::Sqlite { write, .. } = self else { return Ok(true) };
        let mut conn = write.acquire().await?;
        // Most of it without holding up anybody; then writers wait for a tenth of a second at most.
        sqlx::query("pragma wal_checkpoint(passive)").execute(&mut *conn).await?;
        sqlx::query("pragma busy_timeout = 100").execute(&mut *conn).await?;
        let outcome = sqlx::query("pragma wal_checkpoint(truncate)").fetch_one(&mut *conn).await;
        sqlx::query("pragma busy_timeout = 5000").execute(&mut *conn).await?;
        Ok(outcome?.try_get::<i64, _>(0)? == 0)
    }

    /// Gives memory back that a rush has left with connections.
    pub fn tidy(&self) {
        if let Self::Sqlite { read, .. } = self {
            read.tidy();
        }
    }

    pub async fn close(&self) {
        match self {
            Self::Sqlite { write, read, whole } => {
                read.close().await;
                whole.close().await;
                write.close().await;
            }
            Self::Postgres { write, bulk, read } => {
                read.close().await;
                bulk.close().await;
                write.close().await;
            }
        }
    }
}

/// A commit that failed (the disk was full) leaves its connection inside the transaction for good: such a
/// one is closed, which rolls back, and a new one takes its place.
async fn begin_immediate(write: &SqlitePool) -> Result<Transaction<'static, Sqlite>> {
    const BEGIN: &str = "BEGIN IMMEDIATE";
    match write.begin_with(BEGIN).await {
        Err(sqlx::Error::InvalidSavePointStatement) => {
            write.acquire().await?.close().await?;
            Ok(write.begin_with(BEGIN).await?)
        }
        other => Ok(other?),
    }
}

impl Conn {
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) | Self::SqliteTransaction(_) => Dialect::Sqlite,
            Self::Postgres(_) | Self::PostgresTransaction(_) => Dialect::Postgres,
        }
    }

    pub fn per_dialect(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self.dialect() {
            Dialect::Sqlite => sqlite,
            Dialect::Postgres => postgres,
        }
    }

    /// Makes everything since [`Db::begin`] durable. Dropping a transaction instead rolls it back.
    pub async fn commit(self) -> Result<()> {
        match self {
            Self::SqliteTransaction(tx) => tx.commit().await?,
            Self::PostgresTransaction(tx) => tx.commit().await?,
            Self::Sqlite(_) | Self::Postgres(_) => {}
        }
        Ok(())
    }

    /// Marks a point inside a transaction to which [`Self::rollback_to_savepoint`] returns.
    pub async fn savepoint(&mut self) -> Result<()> {
        self.query("savepoint part").execute().await.map(drop)
    }

    pub async fn release_savepoint(&mut self) -> Result<()> {
        self.query("release savepoint part").execute().await.map(drop)
    }

    pub async fn rollback_to_savepoint(&mut self) -> Result<()> {
        self.query("rollback to savepoint part").execute().await?;
        self.release_savepoint().await
    }
}
