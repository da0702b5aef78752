//! The demo's clock: held while the past is played, the machine's own from then on.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::app::SystemClock;
use crate::domain::time::{Clock, Timestamp};

/// What it shows, in microseconds; 0 for the machine's clock.
#[derive(Debug, Clone, Default)]
pub struct StageClock(Arc<AtomicI64>);

impl StageClock {
    /// Stands still at this moment.
    pub fn hold(&self, at: Timestamp) {
        self.0.store(at.timestamp_micros(), Ordering::SeqCst);
    }

    /// Goes on as the machine's clock.
    pub fn release(&self) {
        self.0.store(0, Ordering::SeqCst);
    }
}

impl Clock for StageClock {
    fn now(&self) -> Timestamp {
        match self.0.load(Ordering::SeqCst) {
            0 => SystemClock.now(),
            held => Timestamp::from_timestamp_micros(held).unwrap_or_default(),
        }
    }
}
