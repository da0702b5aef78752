//! `/users`: accounts.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::Result;
use super::extract::{Body, Caller, Json, List, Path};
use crate::app::App;
use crate::domain::Error;
use crate::domain::access::Role;
use crate::domain::id::PersonId;
use crate::domain::person::{NewPerson, Person};
use crate::services::people;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(edit))
}

/// All accounts
#[utoipa::path(get, path = "/api/v1/users", tag = "people", responses((status = 200, body = List<Person>)))]
async fn list(State(app): State<App>, Caller(actor): Caller) -> Result<List<Person>> {
    Ok(people::list(&app, &actor).await?.into())
}

/// Make an account
#[utoipa::path(post, path = "/api/v1/users", tag = "people", request_body = NewPerson, responses((status = 201, body = Person)))]
async fn add(State(app): State<App>, Caller(actor): Caller, Body(new): Body<NewPerson>) -> Result<(StatusCode, Json<Person>)> {
    Ok((StatusCode::CREATED, Json(people::add(&app, &actor, new).await?)))
}

/// One change at a time: either the role, or whether the account may be used.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PersonPatch {
    role: Option<Role>,
    /// Disabling ends all sessions at once.
    disabled: Option<bool>,
}

/// Change somebody's role, or disable or enable the account
#[utoipa::path(
    patch,
    path = "/api/v1/users/{id}",
    tag = "people",
    request_body = PersonPatch,
    responses((status = 200, body = Person))
)]
async fn edit(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<PersonId>,
    Body(patch): Body<PersonPatch>,
) -> Result<Json<Person>> {
    let person = match (patch.role, patch.disabled) {
        (Some(role), None) => people::set_role(&app, &actor, id, role).await?,
        (None, Some(disabled)) => people::set_disabled(&app, &actor, id, disabled).await?,
        _ => return Err(Error::invalid("", "one_change", "send either role or disabled, one at a time").into()),
    };
    Ok(Json(person))
}
