//! Signed-in browsers. Only the hash of a session's secret is stored.

use super::db::Conn;
use super::{Result, people};
use crate::domain::id::PersonId;
use crate::domain::person::Person;
use crate::domain::time::Timestamp;

/// A session and whose it is.
pub struct Session {
    pub person: Person,
    pub last_seen_at: Timestamp,
    pub expires_at: Timestamp,
}

pub async fn insert(
    conn: &mut Conn,
    hash: &[u8],
    person: PersonId,
    now: Timestamp,
    expires: Timestamp,
    user_agent: &str,
) -> Result<()> {
    conn.query(
        "insert into sessions (secret_hash, person_id, created_at, last_seen_at, expires_at, user_agent) values ($1, $2, $3, $3, $4, $5)",
    )
    .bind(hash)
    .bind(person.0)
    .bind(now)
    .bind(expires)
    .bind(user_agent)
    .execute()
    .await
    .map(drop)
}

/// Asked for every page: one statement for both.
pub async fn find(conn: &mut Conn, hash: &[u8]) -> Result<Option<Session>> {
    conn.query(
        "select s.last_seen_at, s.expires_at, p.id, p.handle, p.role, p.created_at, p.disabled_at
         from sessions s join people p on p.id = s.person_id where s.secret_hash = $1",
    )
    .bind(hash)
    .maybe(|row| {
        let person = people::person(row)?;
        Ok(Session { person, last_seen_at: row.get("last_seen_at")?, expires_at: row.get("expires_at")? })
    })
    .await
}

/// A session as its owner may see it.
pub struct Listed {
    pub hash: Vec<u8>,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
    pub expires_at: Timestamp,
    pub user_agent: String,
}

/// Of one person, last used first; those that are over by time too.
pub async fn list(conn: &mut Conn, person: PersonId) -> Result<Vec<Listed>> {
    conn.query("select secret_hash, created_at, last_seen_at, expires_at, user_agent from sessions where person_id = $1 order by last_seen_at desc, created_at desc limit 200")
        .bind(person.0)
        .all(|row| {
            Ok(Listed {
                hash: row.get("secret_hash")?,
                created_at: row.get("created_at")?,
                last_seen_at: row.get("last_seen_at")?,
                expires_at: row.get("expires_at")?,
                user_agent: row.get("user_agent")?,
            })
        })
        .await
}

pub async fn touch(conn: &mut Conn, hash: &[u8], now: Timestamp) -> Result<()> {
    conn.query("update sessions set last_seen_at = $2 where secret_hash = $1").bind(hash).bind(now).execute().await.map(drop)
}

pub async fn remove(conn: &mut Conn, hash: &[u8]) -> Result<()> {
    conn.query("delete from sessions where secret_hash = $1").bind(hash).execute().await.map(drop)
}

/// Ends every session of a person, but for the one given.
pub async fn remove_of(conn: &mut Conn, person: PersonId, except: Option<&[u8]>) -> Result<()> {
    conn.query("delete from sessions where person_id = $1 and secret_hash <> $2")
        .bind(person.0)
        .bind(except.unwrap_or_default())
        .execute()
        .await
        .map(drop)
}

/// Those that ended by `now`, or that were last used before `idle_since`; some at once.
pub async fn remove_expired(conn: &mut Conn, now: Timestamp, idle_since: Timestamp) -> Result<u64> {
    conn.query(
        "delete from sessions where secret_hash in (select secret_hash from sessions where expires_at < $1 or last_seen_at < $2 limit 500)",
    )
    .bind(now)
    .bind(idle_since)
    .execute()
    .await
}
