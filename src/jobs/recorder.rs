//! The recorder's clock: every balancer is polled at its own pace, whether or not anyone looks.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

use crate::app::App;
use crate::domain::balancer::Balancer;
use crate::domain::id::BalancerId;
use crate::services::{balancers, recording};

/// How often the list of balancers is read again.
const LOOK_EVERY: Duration = Duration::from_secs(1);

struct Running {
    balancer: Balancer,
    /// Ends with the recorder.
    task: AbortOnDropHandle<()>,
}

/// Keeps one polling task for each balancer that is not paused.
pub async fn run(app: App) {
    let mut running: HashMap<BalancerId, Running> = HashMap::new();
    let mut tick = interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = app.shutdown().cancelled() => return,
        }
        let wanted = match balancers::for_recorder(&app).await {
            Ok(list) => list,
            Err(fault) => {
                tracing::warn!(%fault, "the list of balancers cannot be read; recording goes on with the one known");
                continue;
            }
        };
        let wanted: HashMap<BalancerId, Balancer> =
            wanted.into_iter().filter(|balancer| !balancer.fields.paused).map(|balancer| (balancer.id, balancer)).collect();
        running.retain(|id, known| {
            wanted.get(id).is_some_and(|balancer| balancer.fields == known.balancer.fields) && !known.task.is_finished()
        });
        for (id, balancer) in wanted {
            running.entry(id).or_insert_with(|| {
                let task = AbortOnDropHandle::new(tokio::spawn(poll(app.clone(), balancer.clone())));
                Running { balancer, task }
            });
        }
    }
}

async fn poll(app: App, balancer: Balancer) {
    let pace = Duration::from_secs(u64::try_from(balancer.fields.poll_seconds).unwrap_or(5).max(1));
    let mut tick = interval(pace);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(fault) = recording::poll(&app, &balancer).await {
            tracing::warn!(balancer = %balancer.fields.name, %fault, "a poll could not be kept");
        }
    }
}
