//! Packing samples, freezing what incidents need, dropping what is too old.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::app::App;
use crate::services::{recording, retention};

pub async fn run(app: App) {
    let mut minute = interval(Duration::from_secs(60));
    let mut hour = interval(Duration::from_secs(3600));
    minute.set_missed_tick_behavior(MissedTickBehavior::Delay);
    hour.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = minute.tick() => {
                app.store().tidy();
                report("freezing the recordings of incidents", recording::freeze_all(&app).await);
                report("packing samples", recording::pack_frames(&app).await);
            }
            _ = hour.tick() => report("dropping what is too old", retention::expire(&app).await),
            () = app.shutdown().cancelled() => return,
        }
    }
}

fn report(what: &str, outcome: crate::services::Result<()>) {
    if let Err(fault) = outcome {
        tracing::warn!(%fault, "{what} failed; the next round tries again");
    }
}
