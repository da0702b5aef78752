//! `/incidents/{ref}/series`: numbers of the flight recorder.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::Result;
use super::extract::{Caller, Json, Path, Query};
use crate::app::App;
use crate::domain::id::IncidentRef;
use crate::services::flight::{self, SeriesColumns};
use crate::signal::series::Metric;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(series))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SeriesQuery {
    pool: Option<String>,
    server: Option<String>,
    name: Option<Metric>,
    /// Seconds of one column; chosen by the length of the window when left out.
    #[param(minimum = 1, maximum = 86400)]
    step: Option<i64>,
}

/// What was recorded in the incident's window, as columns
///
/// From half an hour before the incident began. Counters come as rates per second; null is a gap.
#[utoipa::path(
    get,
    path = "/api/v1/incidents/{ref}/series",
    tag = "series",
    params(SeriesQuery),
    responses((status = 200, body = SeriesColumns))
)]
async fn series(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(which): Path<IncidentRef>,
    Query(query): Query<SeriesQuery>,
) -> Result<Json<SeriesColumns>> {
    let SeriesQuery { pool, server, name, step } = query;
    Ok(Json(flight::series(&app, &actor, which, &flight::SeriesQuery { pool, server, name, step }).await?))
}
