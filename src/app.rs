//! What everything shares: store, clock, ids, bus, HTTP client. Built once for the server, the commands
//! and the tests; the only place where time and randomness enter.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::balancer::redact::RedactionKey;
use crate::config::Config;
use crate::domain::id::IdSource;
use crate::domain::time::{Clock, Timestamp, to_micros};
use crate::live::Bus;
use crate::metrics::Metrics;
use crate::store::{Store, settings};

/// Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    config: Config,
    store: Store,
    clock: Box<dyn Clock>,
    ids: Box<dyn IdSource>,
    bus: Bus,
    metrics: Metrics,
    leads: AtomicBool,
    /// Microseconds since 1970 at which the database stopped to answer; 0 while it does.
    away_since: AtomicI64,
    http: reqwest::Client,
    shutdown: CancellationToken,
    hash_slots: tokio::sync::Semaphore,
    hash_line: tokio::sync::Semaphore,
    streams: Arc<tokio::sync::Semaphore>,
    sign_in_gate: SignInGate,
    redaction_key: RedactionKey,
}

/// The address of who asks, found in a request's extensions.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

impl Peer {
    /// The network of one client: a provider lets it choose among all the addresses of a /64.
    pub fn network(self) -> IpAddr {
        match self.0 {
            IpAddr::V4(_) => self.0,
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        }
    }
}

/// The machine's own clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where time enters")]
    fn now(&self) -> Timestamp {
        to_micros(chrono::Utc::now())
    }
}

/// UUIDv7 and the operating system's randomness.
pub struct SystemIds;

impl IdSource for SystemIds {
    #[expect(clippy::disallowed_methods, reason = "this is where ids enter")]
    fn uuid(&self) -> Uuid {
        Uuid::now_v7()
    }

    fn secret(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        bytes
    }
}

impl App {
    /// With the machine's clock and randomness.
    pub async fn open(config: Config, store: Store) -> crate::store::Result<Self> {
        Self::open_with(config, store, Box::new(SystemClock), Box::new(SystemIds)).await
    }

    /// Reads (or makes, the first time) the installation's redaction key.
    pub async fn open_with(
        config: Config,
        store: Store,
        clock: Box<dyn Clock>,
        ids: Box<dyn IdSource>,
    ) -> crate::store::Result<Self> {
        let fresh = hex::encode(ids.secret());
        let mut conn = store.begin().await?;
        let stored = settings::get_or_set(&mut conn, "redaction_key", &fresh).await?;
        conn.commit().await?;
        Ok(Self::with(config, store, clock, ids, RedactionKey(key_bytes(&stored))))
    }

    fn with(config: Config, store: Store, clock: Box<dyn Clock>, ids: Box<dyn IdSource>, redaction_key: RedactionKey) -> Self {
        // A second call in the same process finds the provider in place, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let streams = config.max_connections.div_ceil(2).max(STREAMS_LEAST);
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(3))
            .timeout(Duration::from_secs(10))
            .user_agent(concat!("afterload/", env!("CARGO_PKG_VERSION")))
            .build()
            .expect("the client's settings are constants");
        Self(Arc::new(Inner {
            config,
            store,
            clock,
            ids,
            bus: Bus::default(),
            metrics: Metrics::default(),
            leads: AtomicBool::new(false),
            away_since: AtomicI64::new(0),
            http,
            shutdown: CancellationToken::new(),
            hash_slots: tokio::sync::Semaphore::new(HASHES),
            hash_line: tokio::sync::Semaphore::new(HASHES + HASHES_WAITING),
            streams: Arc::new(tokio::sync::Semaphore::new(streams)),
            sign_in_gate: SignInGate::default(),
            redaction_key,
        }))
    }

    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    pub fn uuid(&self) -> Uuid {
        self.0.ids.uuid()
    }

    pub fn secret(&self) -> [u8; 32] {
        self.0.ids.secret()
    }

    pub fn config(&self) -> &Config {
        &self.0.config
    }

    pub fn store(&self) -> &Store {
        &self.0.store
    }

    pub fn bus(&self) -> &Bus {
        &self.0.bus
    }

    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Whether this server is the one that polls the balancers.
    pub fn leads(&self) -> bool {
        self.0.leads.load(Ordering::Relaxed)
    }

    pub fn set_leads(&self, leads: bool) {
        self.0.leads.store(leads, Ordering::Relaxed);
    }

    /// Since when the database does not answer; none while it does.
    pub fn away_since(&self) -> Option<Timestamp> {
        let micros = self.0.away_since.load(Ordering::Relaxed);
        Timestamp::from_timestamp_micros(micros).filter(|_| micros != 0)
    }

    /// Says whether the database answered just now. The first time that it does not is remembered.
    pub fn database_answered(&self, answered: bool) {
        let since = if answered { 0 } else { self.away_since().unwrap_or_else(|| self.now()).timestamp_micros() };
        self.0.away_since.store(since, Ordering::Relaxed);
    }

    pub fn http(&self) -> &reqwest::Client {
        &self.0.http
    }

    /// Cancelled when the server is told to stop: streams and tickers end on it.
    pub fn shutdown(&self) -> &CancellationToken {
        &self.0.shutdown
    }

    /// At most two password hashes are computed at once: each takes 19 MiB.
    pub fn hash_slots(&self) -> &tokio::sync::Semaphore {
        &self.0.hash_slots
    }

    /// A place in front of them; none when so many wait that the last would give up.
    pub fn hash_line(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        self.0.hash_line.try_acquire().ok()
    }

    /// A place for one endless answer, held as long as it lasts; none when half of all connections are such.
    pub fn stream_slot(&self) -> Option<tokio::sync::OwnedSemaphorePermit> {
        self.0.streams.clone().try_acquire_owned().ok()
    }

    pub fn sign_in_gate(&self) -> &SignInGate {
        &self.0.sign_in_gate
    }

    /// Fingerprints of redacted secrets are made with this.
    pub fn redaction_key(&self) -> &RedactionKey {
        &self.0.redaction_key
    }
}

fn key_bytes(hex: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = hex.get(index * 2..index * 2 + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()).unwrap_or_default();
    }
    bytes
}

/// Password hashes at once, 19 MiB each, and those that may wait for their turn.
const HASHES: usize = 2;
const HASHES_WAITING: usize = 32;
/// Endless answers at once, also where few connections are allowed.
const STREAMS_LEAST: usize = 64;

/// Slows guessing.
pub struct SignInGate {
    by_account: DefaultKeyedRateLimiter<(String, Option<IpAddr>)>,
    by_address: DefaultKeyedRateLimiter<IpAddr>,
}

impl Default for SignInGate {
    fn default() -> Self {
        let a_minute = |tries| Quota::per_minute(NonZeroU32::new(tries).expect("both numbers are constants above zero"));
        Self {
            by_account: RateLimiter::keyed(a_minute(Self::TRIES)),
            by_address: RateLimiter::keyed(a_minute(Self::TRIES_OF_ADDRESS)),
        }
    }
}

impl SignInGate {
    /// Tries a minute for one account from one address.
    pub const TRIES: u32 = 10;
    /// Tries a minute from one address, whatever the account.
    pub const TRIES_OF_ADDRESS: u32 = 60;

    /// Whether another try may be made now.
    pub fn pass(&self, handle: &str, peer: Option<IpAddr>) -> bool {
        if self.by_account.len() > 10_000 {
            self.by_account.retain_recent();
        }
        if self.by_address.len() > 10_000 {
            self.by_address.retain_recent();
        }
        let network = peer.map(|address| Peer(address).network());
        network.is_none_or(|network| self.by_address.check_key(&network).is_ok())
            && self.by_account.check_key(&(handle.to_owned(), network)).is_ok()
    }
}
