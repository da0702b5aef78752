//! Pages over HTTP: one file a page, its templates under the same name.
//!
//! A handler is: own extractors, one service call, a page struct or a redirect. Every action is a link
//! or a form that works without scripts; the same handler answers the script with a fragment when the
//! request says so (`x-fragment`). No SQL, no permission checks, no business rules here.

pub mod assets;
pub mod error;
pub mod extract;
pub mod format;
pub mod forms;
pub mod page;

pub mod attachments;
pub mod balancers;
pub mod configs;
pub mod dashboard;
pub mod incidents;
pub mod live;
pub mod login;
pub mod postmortems;
pub mod preferences;
pub mod search;
pub mod sent;
pub mod settings;
pub mod setup;
pub mod snapshots;
pub mod tasks;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;

use crate::app::App;

pub use error::{Error, Result};

/// Everything under `/` that is a page or belongs to one.
pub fn routes(app: &App) -> Router<App> {
    Router::new()
        .merge(incidents::room::routes())
        .merge(incidents::access::routes())
        .merge(incidents::presence::routes())
        .merge(attachments::routes())
        .merge(live::routes())
        .merge(incidents::list::routes())
        .merge(incidents::new::routes())
        .merge(incidents::postmortem::routes())
        .merge(balancers::routes())
        .merge(configs::routes())
        .merge(dashboard::routes())
        .merge(login::routes())
        .merge(postmortems::routes())
        .merge(preferences::routes())
        .merge(search::routes())
        .merge(settings::routes())
        .merge(setup::routes())
        .merge(snapshots::routes())
        .merge(tasks::routes())
        .fallback(error::nowhere)
        .layer(from_fn_with_state(app.clone(), page::frame))
        .route("/static/{*file}", get(assets::serve))
        .route("/favicon.ico", get(assets::favicon))
}
