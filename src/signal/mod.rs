//! Numbers over time: the series catalogue, rates with counter resets, chunks on disk, charts. Pure.

pub mod chart;
pub mod chunk;
pub mod flight;
pub mod glance;
pub mod rates;
pub mod series;
mod verdict;
