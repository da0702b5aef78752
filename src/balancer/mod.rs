//! What a balancer's config and run-time state mean. Pure: text in, model out.

pub mod diff;
pub mod haproxy;
pub mod model;
pub mod redact;
pub mod state;
