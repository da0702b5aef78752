//! What runs by itself: the recorder, packing, freezing, clean-up.
//!
//! Nothing here is waited for by a person, and nothing that fails here stops a person.

mod housekeeping;
mod leader;
mod recorder;
mod space;

use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

use crate::app::App;

/// Starts everything; it ends with the app's shutdown.
pub fn start(app: &App) {
    // They end by themselves.
    drop(supervised(app, "leader", leader::run));
    drop(supervised(app, "listening to other servers", leader::listen));
    drop(supervised(app, "watching the disk", space::run));
}

/// Starts a task again when it broke: a fault in one incident must not end recording for all.
fn supervised<F: Future<Output = ()> + Send + 'static>(app: &App, name: &'static str, run: fn(App) -> F) -> JoinHandle<()> {
    let app = app.clone();
    tokio::spawn(async move {
        while !app.shutdown().is_cancelled() {
            // Ends with the one who waits for it.
            match AbortOnDropHandle::new(tokio::spawn(run(app.clone()))).await {
                Ok(()) => return,
                Err(fault) => tracing::error!(%fault, task = name, "a task broke; it starts again in five seconds"),
            }
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        }
    })
}
