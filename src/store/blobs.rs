//! Bytes by content: config texts and attachments, stored once each.

use super::db::Conn;
use super::{Error, Result};

/// Stores `bytes` under `hash` unless they are there already.
pub async fn put(conn: &mut Conn, hash: &[u8], bytes: &[u8]) -> Result<()> {
    // Clean-up on another server must not drop it before its owner is written: the row is held.
    let text = conn.per_dialect(
        "insert into blobs (hash, bytes) values ($1, $2) on conflict (hash) do nothing",
        "insert into blobs (hash, bytes) values ($1, $2) on conflict (hash) do update set hash = excluded.hash",
    );
    conn.query(text).bind(hash).bind(bytes).execute().await.map(drop)
}

pub async fn get(conn: &mut Conn, hash: &[u8]) -> Result<Vec<u8>> {
    let bytes: Option<Vec<u8>> = conn.query("select bytes from blobs where hash = $1").bind(hash).value().await?;
    bytes.ok_or_else(|| Error::Corrupt("a stored text is missing".to_owned()))
}
