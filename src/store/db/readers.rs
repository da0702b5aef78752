//! Connections that read a SQLite file.
//!
//! The driver's own pool asks a connection whether it is still there when it is taken and again, in a task of its own,
//! when it is given back. A file does not hang up, and with a thread behind each connection every such question costs as
//! much as a short statement: a page of twenty statements asked sixty times. This pool asks nothing.

use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{Manager, Metrics, Object, Pool, PoolError, QueueMode, RecycleResult, TimeoutType};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use super::Result;

const CONNECTIONS: usize = 6;
/// How long a reader waits for one of them.
const WAIT: Duration = Duration::from_secs(10);
/// What was read in a rush is cached by each connection: those that nobody needed for so long end with their caches.
const IDLE: Duration = Duration::from_secs(60);

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Readers(Pool<Opener>);

/// A connection on loan.
pub type Reader = Object<Opener>;

#[derive(Debug)]
pub struct Opener(SqliteConnectOptions);

impl Manager for Opener {
    type Type = SqliteConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<SqliteConnection, sqlx::Error> {
        self.0.connect().await
    }

    async fn recycle(&self, _: &mut SqliteConnection, _: &Metrics) -> RecycleResult<sqlx::Error> {
        Ok(())
    }
}

impl Readers {
    /// The first connection is opened at once, so that a file that cannot be read is said at the start.
    pub async fn open(options: SqliteConnectOptions) -> Result<Self> {
        // The one that was given back last is taken first, so that those of a rush grow idle.
        let pool = Pool::builder(Opener(options)).max_size(CONNECTIONS).queue_mode(QueueMode::Lifo);
        let pool = pool.wait_timeout(Some(WAIT)).runtime(Runtime::Tokio1).build().map_err(|_| sqlx::Error::PoolClosed)?;
        let readers = Self(pool);
        drop(readers.get().await?);
        Ok(readers)
    }

    pub async fn get(&self) -> Result<Reader> {
        self.0.get().await.map_err(|fault| {
            let fault = match fault {
                PoolError::Backend(fault) => fault,
                PoolError::Timeout(TimeoutType::Wait | TimeoutType::Create | TimeoutType::Recycle) => sqlx::Error::PoolTimedOut,
                PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => sqlx::Error::PoolClosed,
            };
            fault.into()
        })
    }

    /// Ends those that nobody needed lately, but for one.
    pub fn tidy(&self) {
        let mut is_first = true;
        self.0.retain(|_, metrics| std::mem::take(&mut is_first) || metrics.last_used() < IDLE);
    }

    /// Those that are not on loan end before this returns, the others when they come back.
    pub async fn close(&self) {
        let ended = self.0.retain(|_, _| false);
        self.0.close();
        for reader in ended.removed {
            if let Err(fault) = reader.close().await {
                tracing::debug!(%fault, "a connection that read did not end in order");
            }
        }
    }
}
