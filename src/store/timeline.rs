//! Timeline entries and their earlier versions.

use super::db::{Conn, ROWS, Row, json};
use super::{Result, attachments, search};
use crate::domain::id::{EntryId, IncidentId};
use crate::domain::search::{Document, Found};
use crate::domain::time::Timestamp;
use crate::domain::timeline::{Entry, EntryKind, Revision};

const COLUMNS: &str =
    "select id, incident_id, fields, recorded_at, source, author, version, edited_at, edited_by, deleted_at from entries ";

fn entry(row: &Row) -> Result<Entry> {
    Ok(Entry {
        id: row.id("id")?,
        incident_id: row.id("incident_id")?,
        fields: row.json("fields")?,
        recorded_at: row.get("recorded_at")?,
        source: row.word("source")?,
        author: row.get("author")?,
        version: row.get("version")?,
        edited_at: row.get("edited_at")?,
        edited_by: row.get("edited_by")?,
        deleted_at: row.get("deleted_at")?,
    })
}

/// `false` when an entry with this id is already there.
pub async fn insert(conn: &mut Conn, entry: &Entry) -> Result<bool> {
    insert_all(conn, std::slice::from_ref(entry)).await
}

/// [`insert`] for several; `false` when one of them was already there, and the caller has to undo them all.
pub async fn insert_all(conn: &mut Conn, entries: &[Entry]) -> Result<bool> {
    for batch in entries.chunks(ROWS) {
        let fields = batch.iter().map(|entry| json(&entry.fields)).collect::<Result<Vec<_>>>()?;
        for (entry, fields) in batch.iter().zip(&fields) {
            attachments::tie(conn, entry.incident_id, attachments::named(&fields.0)).await?;
        }
        let query = conn.query(
            "insert into entries (id, incident_id, kind, occurred_at, recorded_at, pinned, source, author, fields, version) values ",
        );
        let query = query.push_rows(batch.iter().zip(fields), |row, (entry, fields)| {
            let row = row.value(entry.id.0).value(entry.incident_id.0).value(entry.fields.kind.as_str());
            let row = row.value(entry.fields.occurred_at).value(entry.recorded_at).value(entry.fields.pinned);
            Ok(row.value(entry.source.as_str()).value(&entry.author).value(fields).value(entry.version))
        })?;
        let inserted = query.push(" on conflict (id) do nothing").execute().await?;
        if usize::try_from(inserted).ok() != Some(batch.len()) {
            return Ok(false);
        }
        search::keep_all(conn, &batch.iter().filter_map(Document::of_entry).collect::<Vec<_>>()).await?;
    }
    Ok(true)
}

/// Saves when the stored version is still `expected`; `false` when somebody saved first.
pub async fn update(conn: &mut Conn, entry: &Entry, expected: i64) -> Result<bool> {
    let fields = json(&entry.fields)?;
    attachments::tie(conn, entry.incident_id, attachments::named(&fields.0)).await?;
    let changed = conn
        .query(
            "update entries set kind = $3, occurred_at = $4, pinned = $5, fields = $6, deleted_at = $7, version = $8, edited_at = $9,
                edited_by = $10
             where id = $1 and version = $2",
        )
        .bind(entry.id.0)
        .bind(expected)
        .bind(entry.fields.kind.as_str())
        .bind(entry.fields.occurred_at)
        .bind(entry.fields.pinned)
        .bind(fields)
        .bind(entry.deleted_at)
        .bind(entry.version)
        .bind(entry.edited_at)
        .bind(&entry.edited_by)
        .execute()
        .await?;
    if changed == 1 {
        keep_found(conn, entry).await?;
    }
    Ok(changed == 1)
}

async fn keep_found(conn: &mut Conn, entry: &Entry) -> Result<()> {
    search::keep_or_forget(conn, Document::of_entry(entry).as_ref(), Found::Entry, entry.id.0).await
}

/// In order of their ids, deleted ones too: for making the index of what can be found.
pub(super) async fn batch(conn: &mut Conn, after: uuid::Uuid, limit: i64) -> Result<Vec<Entry>> {
    conn.query(COLUMNS).push_bind("where id > ", after).push_bind(" order by id limit ", limit).all(entry).await
}

pub async fn keep_revision(conn: &mut Conn, id: EntryId, revision: &Revision) -> Result<()> {
    let fields = json(&revision.fields)?;
    conn.query("insert into entry_revisions (entry_id, version, at, author, fields) values ($1, $2, $3, $4, $5)")
        .bind(id.0)
        .bind(revision.version)
        .bind(revision.at)
        .bind(&revision.author)
        .bind(fields)
        .execute()
        .await
        .map(drop)
}

/// Every version, oldest first, the current one last.
pub async fn revisions(conn: &mut Conn, id: EntryId) -> Result<Vec<Revision>> {
    conn.query("select version, at, author, fields from entry_revisions where entry_id = $1 order by version")
        .bind(id.0)
        .all(|row| {
            Ok(Revision {
                version: row.get("version")?,
                at: row.get("at")?,
                author: row.get("author")?,
                fields: row.json("fields")?,
            })
        })
        .await
}

pub async fn find(conn: &mut Conn, id: EntryId) -> Result<Option<Entry>> {
    conn.query(COLUMNS).push_bind("where id = ", id.0).maybe(entry).await
}

/// In order of `occurred_at`, then id, after the keyset position `after`.
pub async fn list(
    conn: &mut Conn,
    incident: IncidentId,
    after: Option<(Timestamp, uuid::Uuid)>,
    limit: i64,
) -> Result<Vec<Entry>> {
    let mut query = conn.query(COLUMNS).push_bind("where deleted_at is null and incident_id = ", incident.0);
    if let Some((at, id)) = after {
        query = query.push_bind(" and (occurred_at, id) > (", at).push_bind(", ", id).push(")");
    }
    query.push_bind(" order by occurred_at, id limit ", limit).all(entry).await
}

/// The last `limit` entries, in the order of [`list`].
pub async fn newest(conn: &mut Conn, incident: IncidentId, with_deleted: bool, limit: usize) -> Result<Vec<Entry>> {
    let mut query = conn.query(COLUMNS).push_bind("where incident_id = ", incident.0);
    if !with_deleted {
        query = query.push(" and deleted_at is null");
    }
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut entries = query.push_bind(" order by occurred_at desc, id desc limit ", limit).all(entry).await?;
    entries.reverse();
    Ok(entries)
}

/// The last `limit` entries that a chart may mark, in the order of [`list`]: all but plain notes of people.
pub async fn notable(conn: &mut Conn, incident: IncidentId, limit: usize) -> Result<Vec<Entry>> {
    let kinds = [EntryKind::Change, EntryKind::Alert, EntryKind::Recovery, EntryKind::Status, EntryKind::Hypothesis];
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut entries = conn
        .query(COLUMNS)
        .push_bind("where deleted_at is null and incident_id = ", incident.0)
        .push_list(" and (pinned = true or kind in ", kinds.map(EntryKind::as_str))
        .push_bind(") order by occurred_at desc, id desc limit ", limit)
        .all(entry)
        .await?;
    entries.reverse();
    Ok(entries)
}

/// How many entries there are, and how many were deleted and are not erased yet.
pub async fn counts(conn: &mut Conn, incident: IncidentId) -> Result<(i64, i64)> {
    // Each is counted in an index of its own; the rows themselves are long.
    let query = conn.query(
        "select (select count(*) from entries where incident_id = $1) as whole,
            (select count(*) from entries where incident_id = $1 and deleted_at is not null) as deleted",
    );
    let (whole, deleted): (i64, i64) = query.bind(incident.0).one(|row| Ok((row.get("whole")?, row.get("deleted")?))).await?;
    Ok((whole - deleted, deleted))
}
