//! The integration tests: one binary, every test on both databases.

mod api;
mod away;
mod canary;
mod check;
mod demo;
mod fuzz;
mod hooks;
mod incidents;
mod kill;
mod leaks;
mod operations;
mod oracle;
mod pages;
mod people;
mod presence;
mod recording;
mod redaction;
mod replicas;
mod search;
mod store;
mod tasks;
mod timeline;
mod visibility;
mod web;
mod world;
