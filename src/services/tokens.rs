//! API tokens: made once, shown once, stored as hashes.

use chrono::Duration;

use super::{Result, Unit, secrets};
use crate::app::App;
use crate::domain::access::{Actor, Permission, Scope};
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::id::TokenId;
use crate::domain::person::Token;
use crate::domain::{Error, FieldErrors};
use crate::store::tokens;

/// Longest life of a token that a person makes.
const DAYS_MOST: i64 = 366;

/// Returns the token and its secret. `days` of life: 90 when not said; on the command line none means no end.
pub async fn create(app: &App, actor: &Actor, name: &str, scopes: Vec<Scope>, days: Option<i64>) -> Result<(Token, String)> {
    actor.may(Permission::ManageOwnTokens)?;
    let mut errors = FieldErrors::default();
    let name = errors.line("name", name);
    if scopes.is_empty() {
        errors.push("scopes", "required", "choose what the token may be used for");
    }
    let days = if matches!(actor, Actor::Console) { days } else { Some(days.unwrap_or(90)) };
    if days.is_some_and(|days| !(1..=DAYS_MOST * 10).contains(&days))
        || (!matches!(actor, Actor::Console) && days > Some(DAYS_MOST))
    {
        errors.push("days", "out_of_range", format!("a token lives between 1 and {DAYS_MOST} days"));
    }
    errors.into_result()?;
    let mut unit = Unit::begin(app, actor).await?;
    let token = Token {
        id: TokenId(app.uuid()),
        name,
        scopes,
        maker: actor.person_id().map(|_| actor.to_string()),
        created_at: unit.now,
        expires_at: days.map(|days| unit.now + Duration::days(days)),
        last_used_at: None,
        revoked_at: None,
    };
    let secret = secrets::generate(app, "afl_pat_");
    tokens::insert(&mut unit.conn, &token, actor.person_id(), &secrets::hash(&secret)).await?;
    unit.event(
        NewEvent::new(EventKind::TokenChanged)
            .subject(token.id)
            .data(serde_json::json!({"name": token.name, "scopes": token.scopes})),
    );
    unit.commit().await?;
    Ok((token, secret))
}

/// An administrator sees all tokens, everybody else their own.
pub async fn list(app: &App, actor: &Actor) -> Result<Vec<Token>> {
    actor.may(Permission::ManageOwnTokens)?;
    let all = actor.may(Permission::ManagePeople).is_ok();
    let rows = tokens::list(&mut app.store().read().await?).await?;
    let own = |known: &tokens::Known| known.maker.as_ref().is_some_and(|(id, ..)| Some(*id) == actor.person_id());
    Ok(rows.into_iter().filter(|known| all || own(known)).map(|known| known.token).collect())
}

pub async fn revoke(app: &App, actor: &Actor, id: TokenId) -> Result<()> {
    actor.may(Permission::ManageOwnTokens)?;
    let mut unit = Unit::begin(app, actor).await?;
    let known = tokens::find(&mut unit.conn, id).await?.ok_or_else(TokenId::not_found)?;
    let own = known.maker.is_some_and(|(maker, ..)| Some(maker) == actor.person_id());
    if !own && actor.may(Permission::ManagePeople).is_err() {
        return Err(TokenId::not_found().into());
    }
    tokens::revoke(&mut unit.conn, id, unit.now).await?;
    unit.event(NewEvent::new(EventKind::TokenChanged).subject(id).data(serde_json::json!({"revoked": true})));
    unit.commit().await
}

/// The actor behind a bearer token.
///
/// # Errors
/// `SignInRequired` for an unknown, expired or revoked token, or one whose maker was disabled.
pub async fn authenticate(app: &App, secret: &str) -> Result<Actor> {
    let mut conn = app.store().read().await?;
    let known = tokens::by_hash(&mut conn, &secrets::hash(secret)).await?;
    drop(conn);
    let now = app.now();
    let Some(known) = known.filter(|known| known.token.is_live(now) && !known.maker_disabled) else {
        return Err(Error::SignInRequired.into());
    };
    let token = known.token;
    if token.last_used_at.is_none_or(|at| now - at > Duration::minutes(1)) {
        // Being seen is worth a write now and then, and never worth failing a request for.
        if let Ok(mut conn) = app.store().begin().await
            && tokens::touch(&mut conn, token.id, now).await.is_ok()
        {
            let _ = conn.commit().await;
        }
    }
    Ok(Actor::Token { id: token.id, name: token.name, scopes: token.scopes, maker: known.maker })
}
