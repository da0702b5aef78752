//! The series of a story: the traffic model played over the configs that were in force.

use std::collections::BTreeMap;

use chrono::Duration;

use super::story::Moment;
use super::traffic::{Load, PoolRun};
use crate::balancer::model::Model;
use crate::domain::time::Timestamp;
use crate::signal::series::{Series, SeriesKey};

/// Most points that one series gets: enough for the columns of a chart.
const POINTS: i64 = 720;
/// The pace of the recorder.
const PACE: i64 = 5;

/// What was in force when.
pub struct Past {
    pub from: Timestamp,
    pub to: Timestamp,
    /// Each holds from its moment on; the first from ever.
    pub models: Vec<(Timestamp, Model)>,
}

/// One series for each server and metric of the pools, and the pools as they are at the end.
pub fn series(loads: &[Load], past: &Past, when: impl Fn(Moment) -> Timestamp) -> (Vec<Series>, Vec<PoolRun>) {
    let mut pools: Vec<PoolRun> = loads.iter().map(|load| PoolRun::new(load, &when)).collect();
    let mut found: BTreeMap<SeriesKey, Vec<(Timestamp, f64)>> = BTreeMap::new();
    let length = (past.to - past.from).num_seconds();
    let pace = (length / POINTS / PACE + 1) * PACE;
    for step in 0..=length / pace {
        let at = past.to - Duration::seconds(length / pace * pace - step * pace);
        let Some((_, model)) = past.models.iter().rev().find(|(from, _)| *from <= at) else { continue };
        for run in &mut pools {
            let Some(pool) = model.pool(&run.load.pool) else { continue };
            run.step(pool, at, pace as f64);
            for (server, metric, value) in run.measured() {
                let key = SeriesKey { pool: run.load.pool.clone(), server: server.map(str::to_owned), metric };
                found.entry(key).or_default().push((at, value));
            }
        }
    }
    (found.into_iter().map(|(key, points)| Series { key, points }).collect(), pools)
}
