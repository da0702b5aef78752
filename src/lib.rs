//! Afterload: the flight recorder and the postmortem workshop for everything behind a load balancer.
//!
//! # The map
//!
//! Rooms are layers, and the same noun names the file in every layer: everything about timeline
//! entries is `**/timeline*`. Each room may import the rooms named after the arrow, and nothing else;
//! `tests/architecture.rs` holds this table against the code.
//!
//! | room | what it is for | may import |
//! |---|---|---|
//! | `domain` | the nouns and their rules; pure | |
//! | `balancer` | what a balancer's config and run-time state mean; pure | domain |
//! | `signal` | numbers over time: series, rates, charts; pure | domain |
//! | `text` | Markdown, exports; pure | domain, signal |
//! | `ingest` | bytes of a hook to alert reports; pure | domain |
//! | `store` | the only room that knows SQL | domain, balancer, signal |
//! | `record` | reads balancers: sockets, files, pages | domain, balancer, signal |
//! | `live` | wakes readers of the event log | |
//! | `config` | the settings | |
//! | `metrics` | what the process counts about itself | |
//! | `app` | what everything shares, built once | balancer, config, domain, live, metrics, store |
//! | `services` | one function for each thing that a person or a machine can do | app, config, domain, balancer, metrics, signal, text, ingest, store, record, live |
//! | `jobs` | what runs by itself: the recorder's schedule, freezing, clean-up | app, services, domain, record |
//! | `api` | JSON over HTTP | app, services, domain, balancer, metrics, signal, text |
//! | `web` | pages over HTTP | app, services, domain, balancer, signal, text |
//! | `server` | routes, listener, limits, shutdown | app, api, domain, metrics, services, web |
//! | `demo` | the throw-away installation of `afterload demo`: its stories, its traffic, its balancers | app, balancer, config, domain, services, signal, store |
//! | `cli` | one file a subcommand; puts the parts together | api, app, balancer, config, demo, domain, jobs, record, server, services, store |

pub mod api;
pub mod app;
pub mod balancer;
pub mod cli;
pub mod config;
pub mod demo;
pub mod domain;
pub mod ingest;
pub mod jobs;
pub mod live;
pub mod metrics;
pub mod record;
pub mod server;
pub mod services;
pub mod signal;
pub mod store;
pub mod text;
pub mod web;
