//! Wakes those who follow the event log.
//!
//! The bus carries only the newest sequence number; readers fetch the rows themselves, so a slow reader
//! costs nothing and loses nothing.

use tokio::sync::watch;

/// In-process wake-up. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bus(watch::Sender<i64>);

impl Default for Bus {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Bus {
    /// Says that events up to `seq` are committed.
    pub fn wake(&self, seq: i64) {
        self.0.send_if_modified(|newest| {
            let grown = seq > *newest;
            *newest = (*newest).max(seq);
            grown
        });
    }

    pub fn subscribe(&self) -> watch::Receiver<i64> {
        self.0.subscribe()
    }
}
