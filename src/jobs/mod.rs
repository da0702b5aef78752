//! What runs by itself: the recorder, packing, freezing, clean-up.
//!
//! Nothing here is waited for by a person, and nothing that fails here stops a person.

mod housekeeping;
mod recorder;

use crate::app::App;

/// Starts everything; it ends with the app's shutdown.
pub fn start(app: &App) {
    supervise(app, "recorder", recorder::run);
    supervise(app, "housekeeping", housekeeping::run);
}

/// Starts a task again when it broke: a fault in one incident must not end recording for all.
fn supervise<F: Future<Output = ()> + Send + 'static>(app: &App, name: &'static str, run: fn(App) -> F) {
    let app = app.clone();
    tokio::spawn(async move {
        while !app.shutdown().is_cancelled() {
            match tokio::spawn(run(app.clone())).await {
                Ok(()) => return,
                Err(fault) => tracing::error!(%fault, task = name, "a task broke; it starts again in five seconds"),
            }
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        }
    });
}
