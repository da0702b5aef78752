//! Balancers: the list, one of them as it stands now, its snapshots, and the forms that add, change and forget one.

mod answers;
mod form;
mod history;
mod list;
mod show;

use axum::Router;
use axum::routing::get;

use crate::app::App;

pub use answers::Answers;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/balancers", get(list::show).post(form::add))
        .route("/balancers/new", get(form::new))
        .route("/balancers/{balancer}", get(show::show).post(form::save))
        .route("/balancers/{balancer}/edit", get(form::edit))
        .route("/balancers/{balancer}/delete", get(form::ask_delete).post(form::delete))
        .route("/balancers/{balancer}/snapshots", get(history::show))
}
