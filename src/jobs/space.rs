//! Watches the disk on every server, whether it leads or not: each has one of its own.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::app::App;
use crate::services::space;

/// A storm of alerts writes less than what is left at the mark in this time.
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub async fn run(app: App) {
    let mut tick = interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut before, mut failed) = (space::level(&app), false);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = app.shutdown().cancelled() => return,
        }
        let looking = app.clone();
        let looked = tokio::task::spawn_blocking(move || space::look(&looking)).await;
        if let Ok(Err(fault)) = &looked
            && !failed
        {
            tracing::warn!(%fault, "the reserve for a full disk could not be made; it is tried again");
        }
        failed = !matches!(looked, Ok(Ok(_)));
        let level = space::level(&app);
        if level != before {
            space::tell(level);
            before = level;
        }
    }
}
