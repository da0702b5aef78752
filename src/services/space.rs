//! Room on the disk: looked at again and again, so that a full disk is met before it stops people.

use std::io;

use crate::app::App;
use crate::store::space::Space;

pub use crate::store::space::Level;

/// How things stood when somebody looked last; always `Plenty` on PostgreSQL, whose disk is not ours.
pub fn level(app: &App) -> Level {
    app.store().space().map_or(Level::Plenty, Space::level)
}

/// Looks, and moves the reserve as needed.
pub fn look(app: &App) -> io::Result<Level> {
    match app.store().space() {
        Some(space) => space.look(app.config().reserve_mib << 20),
        None => Ok(Level::Plenty),
    }
}

/// Says in the log what changed.
pub fn tell(level: Level) {
    match level {
        Level::Plenty => tracing::info!("there is room on the disk again: everything is written as before"),
        Level::Low => tracing::warn!("little room is left on the disk: the recorder pauses; make room"),
        Level::Full => tracing::error!(
            "the disk is full: hooks answer 503 and the API 507; people sign in and write in incidents on the reserve; make room"
        ),
    }
}
