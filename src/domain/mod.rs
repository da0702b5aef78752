//! The nouns and their rules. Pure: no database, no network, no framework, no clock of its own.
//!
//! Everything here can be tested without starting anything. Serde and the schema derive are the only
//! outside words allowed, because one vocabulary serves storage, API and pages alike; and Unicode's tables, for searching.

pub mod access;
pub mod alert;
pub mod attachment;
pub mod balancer;
pub mod composer;
pub mod error;
pub mod event;
pub mod finding;
pub mod id;
pub mod incident;
pub mod integration;
pub mod patch;
pub mod person;
pub mod presence;
pub mod reading;
pub mod search;
pub mod snapshot;
pub mod task;
pub mod time;
pub mod timeline;
pub mod visibility;

pub use error::{Error, FieldErrors, Result};
