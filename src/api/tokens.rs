//! `/tokens`.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::Result;
use super::extract::{Body, Caller, Json, List, Path};
use crate::app::App;
use crate::domain::access::Scope;
use crate::domain::id::TokenId;
use crate::domain::person::Token;
use crate::services::tokens;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(revoke))
}

/// Tokens: one's own, or all for an administrator
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", responses((status = 200, body = List<Token>)))]
async fn list(State(app): State<App>, Caller(actor): Caller) -> Result<List<Token>> {
    Ok(tokens::list(&app, &actor).await?.into())
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewToken {
    name: String,
    scopes: Vec<Scope>,
    /// Days until it ends; 90 when left out.
    days: Option<i64>,
}

/// A new token with its secret, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
struct CreatedToken {
    #[serde(flatten)]
    token: Token,
    secret: String,
}

/// Make a token that acts for oneself within its scopes
#[utoipa::path(
    post,
    path = "/api/v1/tokens",
    tag = "tokens",
    request_body = NewToken,
    responses((status = 201, body = CreatedToken))
)]
async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Body(new): Body<NewToken>,
) -> Result<(StatusCode, Json<CreatedToken>)> {
    let (token, secret) = tokens::create(&app, &actor, &new.name, new.scopes, new.days).await?;
    Ok((StatusCode::CREATED, Json(CreatedToken { token, secret })))
}

/// End a token at once
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "tokens", responses((status = 204)))]
async fn revoke(State(app): State<App>, Caller(actor): Caller, Path(id): Path<TokenId>) -> Result<StatusCode> {
    tokens::revoke(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
