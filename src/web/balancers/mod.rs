//! Balancers: the list, one of them as it stands now, and the forms that add, change and forget one.

mod form;
mod list;
mod show;

use axum::Router;
use axum::routing::get;

use crate::app::App;
use crate::domain::time::Timestamp;

/// Whether an answer at `at` counts as "now". The time of the last answer is stored once a minute, so
/// that a finer age would be made up.
pub fn is_recent(at: &Timestamp, now: &Timestamp) -> bool {
    (*now - at).num_seconds() < 120
}

pub fn routes() -> Router<App> {
    Router::new()
        .route("/balancers", get(list::show).post(form::add))
        .route("/balancers/new", get(form::new))
        .route("/balancers/{balancer}", get(show::show).post(form::save))
        .route("/balancers/{balancer}/edit", get(form::edit))
        .route("/balancers/{balancer}/delete", get(form::ask_delete).post(form::delete))
}
