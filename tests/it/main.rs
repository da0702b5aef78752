//! The integration tests: one binary, every test on both databases.

mod api;
mod canary;
mod check;
mod demo;
mod hooks;
mod incidents;
mod kill;
mod leaks;
mod oracle;
mod people;
mod recording;
mod redaction;
mod store;
mod tasks;
mod timeline;
mod web;
mod world;
