//! The incident room (`/incidents/INC-42`): its page, its parts for the script, its forms.

mod edit;
mod entries;
mod parts;
pub mod room;
