//! A whole installation for one test: real store, real services, a clock and ids that are held.
//!
//! SQLite lives in a temporary folder. PostgreSQL is reached by `AFTERLOAD_TEST_POSTGRES`, which
//! `tests/run` sets to a cluster made for the run; each test gets a database of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use afterload::app::App;
use afterload::config::{Config, DataConfig};
use afterload::domain::access::{Actor, Role};
use afterload::domain::id::{IdSource, PersonId};
use afterload::domain::incident::{Incident, IncidentFields};
use afterload::domain::time::{Clock, Timestamp};
use afterload::domain::timeline::{EntryFields, NewEntry};
use afterload::services::incidents;
use afterload::store::Store;
use sqlx::Connection;
use uuid::Uuid;

/// Runs one body as two tests, one for each database.
macro_rules! on_both {
    ($name:ident, $world:ident => $body:block) => {
        mod $name {
            use super::*;

            async fn body($world: &$crate::world::World) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                body(&$crate::world::World::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                body(&$crate::world::World::postgres().await).await;
            }
        }
    };
}
pub(crate) use on_both;

pub struct World {
    pub app: App,
    pub clock: HeldClock,
    pub url: String,
    folder: tempfile::TempDir,
}

/// A clock that moves only when a test moves it. Starts at 2026-11-21 12:00 UTC.
#[derive(Clone)]
pub struct HeldClock(Arc<AtomicI64>);

impl HeldClock {
    pub fn advance_seconds(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

impl Clock for HeldClock {
    fn now(&self) -> Timestamp {
        chrono::DateTime::from_timestamp_micros(self.0.load(Ordering::SeqCst)).expect("in range")
    }
}

/// Ids that count up, secrets that differ.
struct CountingIds(AtomicU64);

impl IdSource for CountingIds {
    fn uuid(&self) -> Uuid {
        let number = self.0.fetch_add(1, Ordering::SeqCst);
        Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | u128::from(number))
    }

    fn secret(&self) -> [u8; 32] {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes());
        bytes
    }
}

static NEXT_DATABASE: AtomicU64 = AtomicU64::new(1);

impl World {
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite:{}", folder.path().join("afterload.db").display());
        Self::open(url, folder).await
    }

    pub async fn postgres() -> Self {
        Self::open(Self::empty_postgres().await, tempfile::tempdir().expect("a temporary folder")).await
    }

    /// The address of a new database without tables.
    pub async fn empty_postgres() -> String {
        let server = std::env::var("AFTERLOAD_TEST_POSTGRES")
            .expect("AFTERLOAD_TEST_POSTGRES names a PostgreSQL server for tests; `tests/run` makes one and sets it");
        let name = format!("afterload_{}_{}", std::process::id(), NEXT_DATABASE.fetch_add(1, Ordering::SeqCst));
        let mut admin = sqlx::PgConnection::connect(&server).await.expect("the test server answers");
        // An earlier process may have had the same number.
        for text in [format!("drop database if exists {name}"), format!("create database {name}")] {
            sqlx::query(sqlx::AssertSqlSafe(text)).execute(&mut admin).await.expect("a database for the test");
        }
        let (base, options) = server.split_once('?').map_or((server.as_str(), ""), |(base, options)| (base, options));
        let base = base.rsplit_once('/').map_or(base, |(base, _)| base);
        if options.is_empty() { format!("{base}/{name}") } else { format!("{base}/{name}?{options}") }
    }

    async fn open(url: String, folder: tempfile::TempDir) -> Self {
        let config = config(folder.path(), &url);
        let store = Store::open(Some(&url), folder.path()).await.expect("the store opens");
        let clock = HeldClock(Arc::new(AtomicI64::new(1_795_262_400_000_000)));
        let ids = CountingIds(AtomicU64::new(1));
        let app = App::open_with(config, store, Box::new(clock.clone()), Box::new(ids)).await.expect("the app opens");
        Self { app, clock, url, folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A plain incident, opened by hand.
    pub async fn incident(&self, title: &str) -> Incident {
        let fields = IncidentFields { title: title.into(), ..IncidentFields::default() };
        incidents::declare(&self.app, &responder(), None, fields).await.expect("declared").0
    }

    pub fn note(&self, title: &str) -> NewEntry {
        NewEntry { id: None, fields: EntryFields { title: title.into(), occurred_at: self.app.now(), ..EntryFields::default() } }
    }
}

pub fn config(folder: &Path, url: &str) -> Config {
    Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        ..Config::for_command(DataConfig { data: folder.to_owned(), database_url: Some(url.to_owned()), database_url_file: None })
    }
}

pub fn person(handle: &str, role: Role) -> Actor {
    Actor::Person { id: PersonId(Uuid::from_u128(u128::from(handle.len() as u64))), handle: handle.into(), role }
}

pub fn responder() -> Actor {
    person("mk", Role::Responder)
}

pub fn admin() -> Actor {
    person("root", Role::Admin)
}

/// The fields that a refusal names.
pub fn refused<T: std::fmt::Debug>(outcome: afterload::services::Result<T>) -> Vec<String> {
    match outcome {
        Err(afterload::services::Error::Domain(afterload::domain::Error::Invalid(errors))) => {
            errors.0.into_iter().map(|error| error.pointer).collect()
        }
        other => panic!("not refused as invalid: {other:?}"),
    }
}
