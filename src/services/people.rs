//! Accounts: the first one, signing in and out, roles.

use std::net::IpAddr;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use chrono::Duration;
use serde_json::json;

use super::{Result, Unit, secrets};
use crate::app::App;
use crate::domain::access::{Actor, Permission, Role};
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::id::PersonId;
use crate::domain::person::{NewPerson, Person, check_password};
use crate::domain::time::Timestamp;
use crate::domain::{Error, FieldErrors};
use crate::store::{Conn, people, sessions, settings};

/// How long a session lasts, used or not.
pub const SESSION_DAYS: i64 = 7;
/// How long it lasts without use.
pub const SESSION_IDLE_HOURS: i64 = 12;
const SETUP_MINUTES: i64 = 60;
const SETUP_CODE: &str = "setup_code";
const LOGIN_CODE: &str = "login_code";

fn pass_gate(app: &App, handle: &str, peer: Option<IpAddr>) -> Result<()> {
    if app.sign_in_gate().pass(handle, peer) { Ok(()) } else { Err(Error::Throttled { seconds: 6 }.into()) }
}

/// Makes a fresh one-time setup code while nobody has an account; `None` once somebody has.
pub async fn new_setup_code(app: &App) -> Result<Option<String>> {
    let mut conn = app.store().begin_urgent().await?;
    if people::count(&mut conn).await? > 0 {
        settings::remove(&mut conn, SETUP_CODE).await?;
        conn.commit().await?;
        return Ok(None);
    }
    let code = secrets::generate(app, "");
    let until = (app.now() + Duration::minutes(SETUP_MINUTES)).timestamp();
    settings::set(&mut conn, SETUP_CODE, &format!("{until} {}", hex_hash(&code))).await?;
    conn.commit().await?;
    Ok(Some(code))
}

/// Whether the first account is still to be made. An unreadable database is an error, never "yes".
pub async fn setup_open(app: &App) -> Result<bool> {
    Ok(people::count(&mut app.store().read().await?).await? == 0)
}

/// Makes the first account, an administrator, and signs it in. Of two at once exactly one wins.
pub async fn claim_setup(app: &App, code: &str, new: NewPerson, user_agent: &str) -> Result<(Person, String)> {
    let new = NewPerson { role: Role::Admin, ..new }.checked()?;
    let password_hash = hash_password(app, new.password.clone()).await?;
    let mut unit = Unit::begin(app, &Actor::Console).await?;
    if people::count(&mut unit.conn).await? > 0 {
        return Err(Error::NotFound { what: "the setup page" }.into());
    }
    let stored = settings::get(&mut unit.conn, SETUP_CODE).await?.unwrap_or_default();
    let (until, hash) = stored.split_once(' ').unwrap_or_default();
    if hex_hash(code) != hash || until.parse::<i64>().unwrap_or(0) < unit.now.timestamp() {
        let detail = "this setup link is not valid any more; restart the server, it prints a fresh one";
        return Err(Error::invalid("code", "invalid", detail).into());
    }
    if !settings::remove(&mut unit.conn, SETUP_CODE).await? {
        return Err(Error::NotFound { what: "the setup page" }.into());
    }
    let person = insert(app, &mut unit, &new, &password_hash).await?;
    let secret = open_session(app, &mut unit, &person, user_agent).await?;
    unit.commit().await?;
    Ok((person, secret))
}

/// Makes a one-time code that signs this person in, for whoever holds the machine; the one before ends.
pub async fn new_login_code(app: &App, person: PersonId) -> Result<String> {
    let code = secrets::generate(app, "");
    let until = (app.now() + Duration::minutes(SETUP_MINUTES)).timestamp();
    let mut conn = app.store().begin().await?;
    settings::set(&mut conn, LOGIN_CODE, &format!("{until} {} {person}", hex_hash(&code))).await?;
    conn.commit().await?;
    Ok(code)
}

/// Signs in with a one-time code. Of two at once exactly one wins.
pub async fn claim_login(app: &App, code: &str, user_agent: &str) -> Result<(Person, String)> {
    let mut unit = Unit::begin(app, &Actor::Console).await?;
    let stored = settings::get(&mut unit.conn, LOGIN_CODE).await?.unwrap_or_default();
    let mut parts = stored.split(' ');
    let (until, hash, person) = (parts.next().unwrap_or_default(), parts.next(), parts.next().unwrap_or_default());
    let live = hash == Some(hex_hash(code).as_str()) && until.parse::<i64>().unwrap_or(0) >= unit.now.timestamp();
    let person = match person.parse() {
        Ok(id) if live => people::find(&mut unit.conn, id).await?.filter(|person| person.disabled_at.is_none()),
        _ => None,
    };
    let Some(person) = person else {
        let detail = "this link was used or is too old; sign in with handle and password";
        return Err(Error::invalid("code", "invalid", detail).into());
    };
    settings::remove(&mut unit.conn, LOGIN_CODE).await?;
    unit.act_as(&person.actor());
    let secret = open_session(app, &mut unit, &person, user_agent).await?;
    unit.commit().await?;
    Ok((person, secret))
}

fn hex_hash(code: &str) -> String {
    hex::encode(secrets::hash(code.trim()))
}

async fn insert(app: &App, unit: &mut Unit<'_>, new: &NewPerson, password_hash: &str) -> Result<Person> {
    let person =
        Person { id: PersonId(app.uuid()), handle: new.handle.clone(), role: new.role, created_at: unit.now, disabled_at: None };
    if let Err(fault) = people::insert(&mut unit.conn, &person, password_hash).await {
        if fault.is_unique_in("people") {
            return Err(Error::invalid("handle", "taken", "somebody has this handle already; choose another").into());
        }
        return Err(fault.into());
    }
    note(unit, &person, "made");
    Ok(person)
}

fn note(unit: &mut Unit<'_>, person: &Person, what: &str) {
    let data = json!({"handle": person.handle, "role": person.role, "what": what});
    unit.event(NewEvent::new(EventKind::PersonChanged).subject(person.id).data(data));
}

async fn open_session(app: &App, unit: &mut Unit<'_>, person: &Person, user_agent: &str) -> Result<String> {
    let secret = secrets::generate(app, "");
    let agent = crate::domain::time::shorten(&user_agent.replace(char::is_control, " "), 200);
    let expires = unit.now + Duration::days(SESSION_DAYS);
    sessions::insert(&mut unit.conn, &secrets::hash(&secret), person.id, unit.now, expires, &agent).await?;
    unit.event(NewEvent::new(EventKind::SessionOpened).subject(person.id).data(json!({"handle": person.handle})));
    Ok(secret)
}

/// Checks a password and opens a session; returns its secret for the cookie.
pub async fn sign_in(
    app: &App,
    handle: &str,
    password: &str,
    peer: Option<IpAddr>,
    user_agent: &str,
) -> Result<(Person, String)> {
    let handle = handle.trim().to_lowercase();
    pass_gate(app, &handle, peer)?;
    let mut conn = app.store().read().await?;
    let person = people::by_handle(&mut conn, &handle).await?;
    let stored = match &person {
        Some(person) => people::password_hash(&mut conn, person.id).await?,
        None => None,
    };
    drop(conn);
    // An unknown handle costs the same time as a wrong password.
    let right = verify_password(app, password.to_owned(), stored).await?;
    match person.filter(|person| right && person.disabled_at.is_none()) {
        Some(person) => {
            let first = begin_session(app, &person, user_agent).await;
            let secret = match (first, app.store().space()) {
                // Fuller than was seen last: signing in is what the reserve is for.
                (Err(super::Error::Domain(Error::Full)), Some(space)) => {
                    space.release().map_err(anyhow::Error::from)?;
                    begin_session(app, &person, user_agent).await?
                }
                (first, _) => first?,
            };
            Ok((person, secret))
        }
        None => {
            match note_refused(app, &handle, peer).await {
                // The answer is the same on a full disk.
                Ok(()) | Err(super::Error::Domain(Error::Full)) => {}
                Err(fault) => return Err(fault),
            }
            Err(Error::invalid("password", "wrong", "handle or password is wrong").into())
        }
    }
}

async fn begin_session(app: &App, person: &Person, user_agent: &str) -> Result<String> {
    let mut unit = Unit::urgent(app, &person.actor()).await?;
    let secret = open_session(app, &mut unit, person, user_agent).await?;
    unit.commit().await?;
    Ok(secret)
}

async fn note_refused(app: &App, handle: &str, peer: Option<IpAddr>) -> Result<()> {
    let mut unit = Unit::begin(app, &Actor::Console).await?;
    let tried = crate::domain::time::shorten(handle, 40);
    unit.event(NewEvent::new(EventKind::SessionRefused).data(json!({"handle": tried, "peer": peer})));
    unit.commit().await
}

pub async fn sign_out(app: &App, secret: &str) -> Result<()> {
    let mut conn = app.store().begin_urgent().await?;
    sessions::remove(&mut conn, &secrets::hash(secret)).await?;
    Ok(conn.commit().await?)
}

/// The person behind a session cookie. A session ends 12 h after its last use or 7 days after its
/// beginning, and at once when the account is disabled.
pub async fn by_session(app: &App, secret: &str) -> Result<Option<Person>> {
    let Some((last_seen_at, person)) = live_session(app, secret).await? else { return Ok(None) };
    let now = app.now();
    if now - last_seen_at > Duration::minutes(5) {
        // Being seen is worth a write now and then, and never worth failing a request for.
        if let Ok(mut conn) = app.store().begin().await
            && sessions::touch(&mut conn, &secrets::hash(secret), now).await.is_ok()
        {
            let _ = conn.commit().await;
        }
    }
    Ok(Some(person))
}

/// As [`by_session`], but it does not count as use: a page that is merely open keeps no session alive.
pub async fn of_session(app: &App, secret: &str) -> Result<Option<Person>> {
    Ok(live_session(app, secret).await?.map(|(_, person)| person))
}

/// When the session was last used, and whose it is.
async fn live_session(app: &App, secret: &str) -> Result<Option<(Timestamp, Person)>> {
    let now = app.now();
    let mut conn = app.store().read().await?;
    let Some(session) = sessions::find(&mut conn, &secrets::hash(secret)).await? else { return Ok(None) };
    if session.expires_at <= now || session.last_seen_at + Duration::hours(SESSION_IDLE_HOURS) <= now {
        return Ok(None);
    }
    Ok((session.person.disabled_at.is_none()).then_some((session.last_seen_at, session.person)))
}

pub async fn list(app: &App, actor: &Actor) -> Result<Vec<Person>> {
    actor.may(Permission::ManagePeople)?;
    Ok(people::list(&mut app.store().read().await?).await?)
}

pub async fn add(app: &App, actor: &Actor, new: NewPerson) -> Result<Person> {
    actor.may(Permission::ManagePeople)?;
    let new = new.checked()?;
    let password_hash = hash_password(app, new.password.clone()).await?;
    let mut unit = Unit::begin(app, actor).await?;
    let person = insert(app, &mut unit, &new, &password_hash).await?;
    unit.commit().await?;
    Ok(person)
}

pub async fn set_role(app: &App, actor: &Actor, id: PersonId, role: Role) -> Result<Person> {
    change(app, actor, id, |person| person.role = role, "role").await
}

/// Disabling ends all sessions at once; tokens of a disabled person are refused.
pub async fn set_disabled(app: &App, actor: &Actor, id: PersonId, disabled: bool) -> Result<Person> {
    let now = app.now();
    change(app, actor, id, |person| person.disabled_at = disabled.then_some(now), if disabled { "disabled" } else { "enabled" })
        .await
}

async fn change(app: &App, actor: &Actor, id: PersonId, apply: impl FnOnce(&mut Person), what: &str) -> Result<Person> {
    actor.may(Permission::ManagePeople)?;
    let mut unit = Unit::begin(app, actor).await?;
    people::one_change(&mut unit.conn).await?;
    let mut person = people::find(&mut unit.conn, id).await?.ok_or_else(PersonId::not_found)?;
    let admins = people::count_admins(&mut unit.conn).await?;
    apply(&mut person);
    people::set_role(&mut unit.conn, id, person.role).await?;
    people::set_disabled(&mut unit.conn, id, person.disabled_at).await?;
    // Where there is none, any change is a way out of that.
    if admins > 0 {
        keep_an_admin(&mut unit.conn).await?;
    }
    if person.disabled_at.is_some() {
        sessions::remove_of(&mut unit.conn, id, None).await?;
    }
    note(&mut unit, &person, what);
    unit.commit().await?;
    Ok(person)
}

async fn keep_an_admin(conn: &mut Conn) -> Result<()> {
    if people::count_admins(conn).await? == 0 {
        return Err(Error::invalid("role", "last_admin", "somebody must stay administrator; make another one first").into());
    }
    Ok(())
}

/// Changes one's own password and ends all other sessions.
pub async fn change_password(app: &App, actor: &Actor, current: &str, new: &str, session: &str) -> Result<()> {
    let Actor::Person { id, handle, .. } = actor else {
        return Err(Error::Forbidden("only a signed-in person has a password".into()).into());
    };
    pass_gate(app, handle, None)?;
    let stored = people::password_hash(&mut app.store().read().await?, *id).await?;
    if !verify_password(app, current.to_owned(), stored).await? {
        return Err(Error::invalid("current", "wrong", "this is not your current password").into());
    }
    set_password(app, actor, *id, handle, new, Some(session)).await
}

/// Sets somebody's password from the command line and ends all their sessions.
pub async fn reset_password(app: &App, handle: &str, new: &str) -> Result<()> {
    let person = people::by_handle(&mut app.store().read().await?, handle).await?.ok_or_else(PersonId::not_found)?;
    set_password(app, &Actor::Console, person.id, &person.handle, new, None).await
}

async fn set_password(app: &App, actor: &Actor, id: PersonId, handle: &str, new: &str, keep_session: Option<&str>) -> Result<()> {
    let mut errors = FieldErrors::default();
    check_password(&mut errors, "password", new, handle);
    errors.into_result()?;
    let hash = hash_password(app, new.to_owned()).await?;
    let mut unit = Unit::begin(app, actor).await?;
    people::set_password_hash(&mut unit.conn, id, &hash).await?;
    let keep = keep_session.map(secrets::hash);
    sessions::remove_of(&mut unit.conn, id, keep.as_deref()).await?;
    unit.event(NewEvent::new(EventKind::PersonChanged).subject(id).data(json!({"handle": handle, "what": "password"})));
    unit.commit().await
}

/// Argon2id with the crate's defaults: 19 MiB, 2 passes, 1 lane (OWASP's minimum).
async fn hash_password(app: &App, password: String) -> Result<String> {
    on_hash_slot(app, move || Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string()))
        .await?
        .map_err(|fault| anyhow::anyhow!("hashing failed: {fault}").into())
}

/// A hash that no password has: checked for unknown handles, so that they take as long as known ones.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$YWZ0ZXJsb2FkLW5vYm9keQ$mX8fXCvOTBRoNqO5wG6uZ0fzVYxVZyF3l2C0fN3wCRs";

async fn verify_password(app: &App, password: String, stored: Option<String>) -> Result<bool> {
    let known = stored.is_some();
    let stored = stored.unwrap_or_else(|| NOBODY.to_owned());
    let fits = on_hash_slot(app, move || {
        let hash = PasswordHash::new(&stored)?;
        Argon2::default().verify_password(password.as_bytes(), &hash)?;
        Ok::<_, argon2::password_hash::Error>(())
    })
    .await?;
    Ok(known && fits.is_ok())
}

async fn on_hash_slot<T: Send + 'static>(app: &App, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let crowded = || Error::Unavailable("too many people sign in at this moment; try again in a few seconds".into());
    let _place = app.hash_line().ok_or_else(crowded)?;
    let _slot = app.hash_slots().acquire().await.map_err(anyhow::Error::from)?;
    Ok(tokio::task::spawn_blocking(work).await.map_err(anyhow::Error::from)?)
}
