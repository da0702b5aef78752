//! `/alerts`, and the alerts of an incident.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::Result;
use super::extract::{Caller, Json, List, Path, Query};
use crate::app::App;
use crate::domain::alert::{Alert, AlertStatus};
use crate::domain::id::{AlertId, IncidentRef, IntegrationId};
use crate::services::Page;
use crate::services::alerts::{self, AlertFilter};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(of_incident)).routes(routes!(list)).routes(routes!(show))
}

/// The alerts of an incident, firing first
///
/// At most 200.
#[utoipa::path(get, path = "/api/v1/incidents/{ref}/alerts", tag = "alerts", responses((status = 200, body = List<Alert>)))]
async fn of_incident(State(app): State<App>, Caller(actor): Caller, Path(which): Path<IncidentRef>) -> Result<List<Alert>> {
    Ok(alerts::of_incident(&app, &actor, which).await?.into())
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AlertQuery {
    status: Option<AlertStatus>,
    /// Id of an integration.
    integration: Option<IntegrationId>,
    /// Rows wanted, at most 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Alerts, last reported first
#[utoipa::path(get, path = "/api/v1/alerts", tag = "alerts", params(AlertQuery), responses((status = 200, body = List<Alert>)))]
async fn list(State(app): State<App>, Caller(actor): Caller, Query(query): Query<AlertQuery>) -> Result<List<Alert>> {
    let filter = AlertFilter { status: query.status, integration: query.integration };
    let page = Page { limit: query.limit, cursor: query.cursor };
    Ok(alerts::list(&app, &actor, &filter, &page).await?.into())
}

/// One alert
#[utoipa::path(get, path = "/api/v1/alerts/{id}", tag = "alerts", responses((status = 200, body = Alert)))]
async fn show(State(app): State<App>, Caller(actor): Caller, Path(id): Path<AlertId>) -> Result<Json<Alert>> {
    Ok(Json(alerts::find(&app, &actor, id).await?))
}
