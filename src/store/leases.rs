//! Leases: what only one server of an installation may do at a time. PostgreSQL alone; its own clock decides, because
//! those of the servers may differ.

use uuid::Uuid;

use super::Result;
use super::db::Conn;

/// Takes or renews the lease for `seconds`; false while another server holds it.
pub async fn hold(conn: &mut Conn, name: &str, holder: Uuid, seconds: i64) -> Result<bool> {
    let rows = conn
        .query(
            "insert into leases (name, holder, held_until) values ($1, $2, clock_timestamp() + $3 * interval '1 second') \
             on conflict (name) do update set holder = excluded.holder, held_until = excluded.held_until \
             where leases.holder = excluded.holder or leases.held_until < clock_timestamp()",
        )
        .bind(name)
        .bind(holder)
        .bind(seconds)
        .execute()
        .await?;
    Ok(rows > 0)
}

/// Gives the lease back, so that nobody has to wait for its end.
pub async fn release(conn: &mut Conn, name: &str, holder: Uuid) -> Result<()> {
    conn.query("delete from leases where name = $1 and holder = $2").bind(name).bind(holder).execute().await.map(drop)
}
