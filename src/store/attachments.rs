//! Files that hang on entries.

use super::Result;
use super::db::{Conn, Row};
use crate::domain::attachment::Attachment;
use crate::domain::id::AttachmentId;

fn attachment(row: &Row) -> Result<(Attachment, Vec<u8>)> {
    let attachment = Attachment {
        id: row.id("id")?,
        name: row.get("name")?,
        media_type: row.get("media_type")?,
        size: row.get("size")?,
        created_by: row.get("created_by")?,
        created_at: row.get("created_at")?,
    };
    Ok((attachment, row.get("hash")?))
}

pub async fn insert(conn: &mut Conn, attachment: &Attachment, hash: &[u8]) -> Result<()> {
    conn.query(
        "insert into attachments (id, hash, name, media_type, size, created_by, created_at) values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(attachment.id.0)
    .bind(hash)
    .bind(&attachment.name)
    .bind(&attachment.media_type)
    .bind(attachment.size)
    .bind(&attachment.created_by)
    .bind(attachment.created_at)
    .execute()
    .await
    .map(drop)
}

/// The attachment and the hash of its bytes.
pub async fn find(conn: &mut Conn, id: AttachmentId) -> Result<Option<(Attachment, Vec<u8>)>> {
    conn.query("select id, hash, name, media_type, size, created_by, created_at from attachments where id = $1")
        .bind(id.0)
        .maybe(attachment)
        .await
}

/// Those of `ids` that exist, for listing.
pub async fn of_ids(conn: &mut Conn, ids: &[AttachmentId]) -> Result<Vec<Attachment>> {
    conn.query("select id, hash, name, media_type, size, created_by, created_at from attachments where id in ")
        .push_list("", ids.iter().map(|id| id.0))
        .all(|row| Ok(attachment(row)?.0))
        .await
}
