//! What runs by itself: the recorder, packing, freezing, clean-up.
//!
//! Nothing here is waited for by a person, and nothing that fails here stops a person.

mod housekeeping;
mod recorder;

use crate::app::App;

/// Starts everything; it ends with the app's shutdown.
pub fn start(app: &App) {
    tokio::spawn(recorder::run(app.clone()));
    tokio::spawn(housekeeping::run(app.clone()));
}
