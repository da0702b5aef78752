//! What a balancer's config and run-time state mean. Pure: text in, model out.

pub mod audit;
pub mod caddy;
pub mod change;
pub mod data;
pub mod diff;
pub mod envoy;
pub mod haproxy;
mod maps;
pub mod model;
mod names;
pub mod nginx;
mod read;
pub mod redact;
pub mod source;
pub mod state;
pub mod traefik;

pub use names::{NAME_MAX, clean_name, printable};
pub use read::{detect, is_config, parse, state};
