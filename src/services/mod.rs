//! One function for each thing that a person or a machine can do.
//!
//! Each begins a transaction, loads, asks `actor.may`, calls the pure domain, saves, appends its events,
//! commits and wakes the bus. Handlers above know nothing of SQL, repositories below nothing of rights.

pub mod alerts;
pub mod attachments;
pub mod backup;
pub mod balancers;
pub mod checks;
pub mod composer;
pub mod events;
pub mod findings;
pub mod flight;
pub mod health;
pub mod holds;
pub mod hooks;
pub mod incidents;
pub mod integrations;
mod lookup;
mod page;
pub mod people;
pub mod postmortems;
pub mod presence;
pub mod readings;
pub mod recording;
pub mod replicas;
pub mod retention;
pub mod search;
mod secrets;
pub mod sessions;
pub mod snapshots;
pub mod space;
pub mod tasks;
pub mod timeline;
pub mod tokens;
mod unit;

pub use page::{Page, Paged};
pub(crate) use unit::Unit;

use crate::domain;
use crate::store;

/// Either something that a person can act on, or a fault of ours that becomes an opaque 500.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Domain(domain::Error),
    #[error(transparent)]
    Store(store::Error),
    #[error("{0:#}")]
    Internal(anyhow::Error),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<domain::Error> for Error {
    fn from(error: domain::Error) -> Self {
        Self::Domain(error)
    }
}

impl From<store::Error> for Error {
    /// Faults that people can wait out or mend are said; the others stay opaque.
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Unavailable(_) => Self::Domain(domain::Error::Unavailable(
                "the database does not answer; nothing was saved, try again in a moment".into(),
            )),
            store::Error::Full(_) => Self::Domain(domain::Error::Full),
            other => Self::Store(other),
        }
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}
