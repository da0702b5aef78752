//! Files that hang on entries, and which incident each belongs to.

use serde_json::Value;
use uuid::Uuid;

use super::Result;
use super::db::{Conn, Query, Row};
use super::incidents::visible;
use crate::domain::attachment::Attachment;
use crate::domain::id::{AttachmentId, IncidentId};

const COLUMNS: &str = "select a.id, a.hash, a.name, a.media_type, a.size, a.created_by, a.created_at
    from attachments a left join incidents i on i.id = a.incident_id ";

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

/// The file, when it may be shown to them, and the hash of its bytes.
pub async fn find(conn: &mut Conn, id: AttachmentId, to: &Reader<'_>) -> Result<Option<(Attachment, Vec<u8>)>> {
    shown(conn.query(COLUMNS).push_bind("where a.id = ", id.0), to).maybe(attachment).await
}

/// Those of `ids` that exist and may be shown to them, for listing.
pub async fn of_ids(conn: &mut Conn, ids: &[AttachmentId], to: &Reader<'_>) -> Result<Vec<Attachment>> {
    shown(conn.query(COLUMNS).push_list("where a.id in ", ids.iter().map(|id| id.0)), to).all(|row| Ok(attachment(row)?.0)).await
}

/// Who asks for a file.
pub struct Reader<'a> {
    /// As of `Actor::sees_only_as`.
    pub sees_only_as: Option<&'a str>,
    /// Whose the files are that belong to no incident yet.
    pub owner: &'a str,
    /// Whether they may bring a deleted incident back, and so see what hangs on it.
    pub sees_deleted: bool,
}

/// A file is seen by those who see its incident; while no text names it, by whoever sent it.
fn shown<'c>(query: Query<'c>, to: &Reader<'_>) -> Query<'c> {
    let query = if to.sees_deleted { query } else { query.push(" and i.deleted_at is null") };
    if to.sees_only_as.is_none() {
        return query;
    }
    let query = query.push_bind(" and ((i.id is null and a.created_by = ", to.owner).push(") or (i.id is not null");
    visible(query, to.sees_only_as).push("))")
}

/// The file for the write-up of an incident: its own, or one of an incident that everybody sees. Who asks makes no
/// difference, so that the same incident gives the same bytes.
pub async fn find_within(conn: &mut Conn, id: AttachmentId, incident: IncidentId) -> Result<Option<(Attachment, Vec<u8>)>> {
    conn.query(COLUMNS)
        .push_bind("where a.id = ", id.0)
        .push_bind(" and (i.id = ", incident.0)
        .push(" or (i.visibility = 'internal' and i.deleted_at is null))")
        .maybe(attachment)
        .await
}

/// Files that the texts of an incident name ([`named`]) belong to it from now on, unless they belong to one already: the first
/// that names a file decides who sees it, so that naming it elsewhere shows it to nobody else.
pub async fn tie(conn: &mut Conn, incident: IncidentId, named: Vec<Uuid>) -> Result<()> {
    if named.is_empty() {
        return Ok(());
    }
    conn.query("update attachments set ")
        .push_bind("incident_id = ", incident.0)
        .push_list(" where incident_id is null and id in ", named)
        .execute()
        .await
        .map(drop)
}

/// Everything in these texts that looks like an id.
pub(super) fn named(texts: &Value) -> Vec<Uuid> {
    let mut found = Vec::new();
    ids(texts, &mut found);
    found
}

fn ids(texts: &Value, found: &mut Vec<Uuid>) {
    match texts {
        Value::String(text) => {
            found.extend(text.as_bytes().windows(36).filter(|w| w[8] == b'-').filter_map(|w| Uuid::try_parse_ascii(w).ok()))
        }
        Value::Array(items) => items.iter().for_each(|item| ids(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| ids(field, found)),
        _ => {}
    }
}
