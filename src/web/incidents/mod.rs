//! Incidents: the list, the form for a new one, the room (`/incidents/INC-42`) with its parts for the
//! script and its forms, and the write-up that comes out.

pub mod access;
mod edit;
mod entries;
pub mod list;
pub mod new;
mod parts;
pub mod postmortem;
pub mod presence;
pub mod room;
