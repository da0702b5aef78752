//! Small named values of the installation.

use super::Result;
use super::db::Conn;

/// Where people reach this installation; kept so that commands write the same links as the server.
pub const BASE_URL: &str = "base_url";

/// When `afterload backup` last wrote one, as RFC 3339.
pub const LAST_BACKUP: &str = "last_backup";

pub async fn get(conn: &mut Conn, name: &str) -> Result<Option<String>> {
    conn.query("select value from settings where name = $1").bind(name).value().await
}

pub async fn set(conn: &mut Conn, name: &str, value: &str) -> Result<()> {
    conn.query("insert into settings (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value")
        .bind(name)
        .bind(value)
        .execute()
        .await
        .map(drop)
}

/// Sets `name` only when it is not there yet; returns what stands then.
pub async fn get_or_set(conn: &mut Conn, name: &str, value: &str) -> Result<String> {
    conn.query("insert into settings (name, value) values ($1, $2) on conflict (name) do nothing")
        .bind(name)
        .bind(value)
        .execute()
        .await?;
    Ok(get(conn, name).await?.unwrap_or_else(|| value.to_owned()))
}

pub async fn remove(conn: &mut Conn, name: &str) -> Result<bool> {
    Ok(conn.query("delete from settings where name = $1").bind(name).execute().await? > 0)
}
