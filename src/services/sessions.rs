//! Where somebody is signed in, and who was refused. Opening and ending one's own session is in `people`.

use chrono::{DateTime, Duration, Utc};
use serde_json::json;

use super::people::SESSION_IDLE_HOURS;
use super::{Result, Unit, secrets};
use crate::app::App;
use crate::domain::Error;
use crate::domain::access::{Actor, Permission};
use crate::domain::event::{Event, EventKind, NewEvent};
use crate::domain::id::PersonId;
use crate::domain::time::Timestamp;
use crate::store::{events, sessions};

/// A browser in which the actor is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession {
    /// The beginning of the stored hash: it names the session and opens nothing.
    pub id: String,
    pub since: DateTime<Utc>,
    /// At most five minutes behind.
    pub last_used: DateTime<Utc>,
    /// When it ends if it is not used any more.
    pub ends: DateTime<Utc>,
    /// What the browser said of itself.
    pub browser: String,
    /// Whether it is the one that asks.
    pub is_this: bool,
}

fn name(hash: &[u8]) -> String {
    hex::encode(&hash[..hash.len().min(12)])
}

fn owner(actor: &Actor) -> Result<PersonId> {
    match actor {
        Actor::Person { id, .. } => Ok(*id),
        _ => Err(Error::Forbidden("only a signed-in person has sessions".into()).into()),
    }
}

fn ends(session: &sessions::Listed) -> Timestamp {
    session.expires_at.min(session.last_seen_at + Duration::hours(SESSION_IDLE_HOURS))
}

/// The actor's own, last used first; `secret` is that of the session that asks.
pub async fn mine(app: &App, actor: &Actor, secret: &str) -> Result<Vec<OpenSession>> {
    let (this, now) = (secrets::hash(secret), app.now());
    let stored = sessions::list(&mut app.store().read().await?, owner(actor)?).await?;
    let open = stored.into_iter().filter(|session| ends(session) > now).map(|session| OpenSession {
        id: name(&session.hash),
        since: session.created_at,
        last_used: session.last_seen_at,
        ends: ends(&session),
        is_this: session.hash == this,
        browser: session.user_agent,
    });
    Ok(open.collect())
}

/// Ends one of the actor's own by its [`OpenSession::id`]; true when it was the one that asks.
pub async fn end(app: &App, actor: &Actor, id: &str, secret: &str) -> Result<bool> {
    let person = owner(actor)?;
    let mut unit = Unit::begin(app, actor).await?;
    let stored = sessions::list(&mut unit.conn, person).await?;
    let Some(session) = stored.into_iter().find(|session| name(&session.hash) == id) else {
        return Err(Error::NotFound { what: "this session" }.into());
    };
    sessions::remove(&mut unit.conn, &session.hash).await?;
    note(&mut unit, person, "session ended");
    unit.commit().await?;
    Ok(session.hash == secrets::hash(secret))
}

/// Ends all of the actor's own but the one that asks.
pub async fn end_others(app: &App, actor: &Actor, secret: &str) -> Result<()> {
    let person = owner(actor)?;
    let mut unit = Unit::begin(app, actor).await?;
    sessions::remove_of(&mut unit.conn, person, Some(&secrets::hash(secret))).await?;
    note(&mut unit, person, "other sessions ended");
    unit.commit().await
}

fn note(unit: &mut Unit<'_>, person: PersonId, what: &str) {
    let data = json!({"handle": unit.actor(), "what": what});
    unit.event(NewEvent::new(EventKind::PersonChanged).subject(person).data(data));
}

/// How far back [`refused`] looks, in events.
const LOOK_BACK: i64 = 20_000;

/// Who was not let in lately, newest first, for administrators.
pub async fn refused(app: &App, actor: &Actor, limit: i64) -> Result<Vec<Event>> {
    actor.may(Permission::ReadAudit)?;
    let mut conn = app.store().read().await?;
    let from = events::latest(&mut conn).await? - LOOK_BACK;
    Ok(events::newest_of(&mut conn, EventKind::SessionRefused, from, limit).await?)
}
