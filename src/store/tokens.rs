//! API tokens, stored as hashes.

use super::Result;
use super::db::{Conn, Row, json};
use crate::domain::access::Role;
use crate::domain::id::{PersonId, TokenId};
use crate::domain::person::Token;
use crate::domain::time::Timestamp;

const COLUMNS: &str = "select t.id, t.name, t.scopes, t.person_id, p.handle, p.role, p.disabled_at, t.created_at, t.expires_at, t.last_used_at, t.revoked_at
    from tokens t left join people p on p.id = t.person_id ";

/// A token with what it acts for.
pub struct Known {
    pub token: Token,
    pub maker: Option<(PersonId, String, Role)>,
    pub maker_disabled: bool,
}

fn known(row: &Row) -> Result<Known> {
    let handle: Option<String> = row.get("handle")?;
    let person: Option<uuid::Uuid> = row.get("person_id")?;
    let maker = match (person, &handle) {
        (Some(id), Some(handle)) => Some((PersonId(id), handle.clone(), row.word("role")?)),
        _ => None,
    };
    let disabled: Option<Timestamp> = row.get("disabled_at")?;
    let token = Token {
        id: row.id("id")?,
        name: row.get("name")?,
        scopes: row.json("scopes")?,
        maker: handle,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
        last_used_at: row.get("last_used_at")?,
        revoked_at: row.get("revoked_at")?,
    };
    Ok(Known { token, maker, maker_disabled: disabled.is_some() })
}

pub async fn insert(conn: &mut Conn, token: &Token, person: Option<PersonId>, hash: &[u8]) -> Result<()> {
    let scopes = json(&token.scopes)?;
    conn.query("insert into tokens (id, secret_hash, name, scopes, person_id, created_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7)")
        .bind(token.id.0)
        .bind(hash)
        .bind(&token.name)
        .bind(scopes)
        .bind(person.map(|id| id.0))
        .bind(token.created_at)
        .bind(token.expires_at)
        .execute()
        .await
        .map(drop)
}

pub async fn by_hash(conn: &mut Conn, hash: &[u8]) -> Result<Option<Known>> {
    conn.query(COLUMNS).push_bind("where t.secret_hash = ", hash).maybe(known).await
}

pub async fn find(conn: &mut Conn, id: TokenId) -> Result<Option<Known>> {
    conn.query(COLUMNS).push_bind("where t.id = ", id.0).maybe(known).await
}

pub async fn list(conn: &mut Conn) -> Result<Vec<Known>> {
    conn.query(COLUMNS).push("order by t.created_at desc, t.id").all(known).await
}

pub async fn touch(conn: &mut Conn, id: TokenId, now: Timestamp) -> Result<()> {
    conn.query("update tokens set last_used_at = $2 where id = $1").bind(id.0).bind(now).execute().await.map(drop)
}

pub async fn revoke(conn: &mut Conn, id: TokenId, now: Timestamp) -> Result<()> {
    conn.query("update tokens set revoked_at = $2 where id = $1 and revoked_at is null")
        .bind(id.0)
        .bind(now)
        .execute()
        .await
        .map(drop)
}
