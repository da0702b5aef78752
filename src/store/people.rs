//! Accounts.

use super::Result;
use super::db::{Conn, Dialect, Row};
use crate::domain::access::Role;
use crate::domain::id::PersonId;
use crate::domain::person::Person;
use crate::domain::time::Timestamp;

const COLUMNS: &str = "select id, handle, role, created_at, disabled_at from people ";

pub(super) fn person(row: &Row) -> Result<Person> {
    Ok(Person {
        id: row.id("id")?,
        handle: row.get("handle")?,
        role: row.word("role")?,
        created_at: row.get("created_at")?,
        disabled_at: row.get("disabled_at")?,
    })
}

pub async fn insert(conn: &mut Conn, person: &Person, password_hash: &str) -> Result<()> {
    conn.query("insert into people (id, handle, role, password_hash, created_at) values ($1, $2, $3, $4, $5)")
        .bind(person.id.0)
        .bind(&person.handle)
        .bind(person.role.as_str())
        .bind(password_hash)
        .bind(person.created_at)
        .execute()
        .await
        .map(drop)
}

pub async fn find(conn: &mut Conn, id: PersonId) -> Result<Option<Person>> {
    conn.query(COLUMNS).push_bind("where id = ", id.0).maybe(person).await
}

pub async fn by_handle(conn: &mut Conn, handle: &str) -> Result<Option<Person>> {
    conn.query(COLUMNS).push_bind("where handle = ", handle).maybe(person).await
}

pub async fn list(conn: &mut Conn) -> Result<Vec<Person>> {
    conn.query(COLUMNS).push("order by handle").all(person).await
}

pub async fn count(conn: &mut Conn) -> Result<i64> {
    Ok(conn.query("select count(*) from people").value().await?.unwrap_or(0))
}

/// Administrators that can sign in.
pub async fn count_admins(conn: &mut Conn) -> Result<i64> {
    Ok(conn.query("select count(*) from people where role = 'admin' and disabled_at is null").value().await?.unwrap_or(0))
}

pub async fn password_hash(conn: &mut Conn, id: PersonId) -> Result<Option<String>> {
    conn.query("select password_hash from people where id = $1").bind(id.0).value().await
}

pub async fn set_password_hash(conn: &mut Conn, id: PersonId, hash: &str) -> Result<()> {
    conn.query("update people set password_hash = $2 where id = $1").bind(id.0).bind(hash).execute().await.map(drop)
}

/// One change of roles at a time: two administrators demoting each other must not both succeed.
pub async fn one_change(conn: &mut Conn) -> Result<()> {
    if conn.dialect() == Dialect::Postgres {
        conn.query("select pg_advisory_xact_lock($1)::text").bind(PEOPLE_LOCK).execute().await?;
    }
    Ok(())
}

const PEOPLE_LOCK: i64 = 0x000A_F7E2_10AF;

pub async fn set_role(conn: &mut Conn, id: PersonId, role: Role) -> Result<()> {
    conn.query("update people set role = $2 where id = $1").bind(id.0).bind(role.as_str()).execute().await.map(drop)
}

pub async fn set_disabled(conn: &mut Conn, id: PersonId, at: Option<Timestamp>) -> Result<()> {
    conn.query("update people set disabled_at = $2 where id = $1").bind(id.0).bind(at).execute().await.map(drop)
}

/// Handles for choosing an owner or a role holder.
pub async fn handles(conn: &mut Conn) -> Result<Vec<String>> {
    conn.query("select handle from people where disabled_at is null order by handle").all(|row| row.at(0)).await
}
