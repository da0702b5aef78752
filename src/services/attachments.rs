//! Files for timeline entries.

use bytes::Bytes;

use super::{Result, Unit, secrets};
use crate::app::App;
use crate::domain::Error;
use crate::domain::access::{Actor, Permission};
use crate::domain::attachment::{Attachment, SIZE_MAX, clean_name, sniff};
use crate::domain::id::AttachmentId;
use crate::store::{attachments, blobs};

/// Stores a file; it is on disk when this returns.
pub async fn add(app: &App, actor: &Actor, name: &str, bytes: Bytes) -> Result<Attachment> {
    actor.may(Permission::WriteIncidents)?;
    if bytes.is_empty() {
        return Err(Error::invalid("file", "required", "the file is empty; choose another").into());
    }
    if bytes.len() > SIZE_MAX {
        let (have, most) = (bytes.len() / 1_048_576, SIZE_MAX / 1_048_576);
        return Err(Error::TooLarge(format!("the file has {have} MiB; at most {most} MiB are kept, link to the rest")).into());
    }
    let attachment = Attachment {
        id: AttachmentId(app.uuid()),
        name: clean_name(name),
        media_type: sniff(&bytes).to_owned(),
        size: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
        created_by: actor.owner(),
        created_at: app.now(),
    };
    let hash = secrets::digest(&bytes);
    let mut unit = Unit::begin(app, actor).await?;
    blobs::put(&mut unit.conn, &hash, &bytes).await?;
    attachments::insert(&mut unit.conn, &attachment, &hash).await?;
    unit.commit().await?;
    Ok(attachment)
}

/// The file and its bytes. Those who see the incident that it belongs to see it, nobody else does; of a deleted one those
/// who may bring it back.
pub async fn fetch(app: &App, actor: &Actor, id: AttachmentId) -> Result<(Attachment, Vec<u8>)> {
    actor.may(Permission::ReadIncidents)?;
    let mut conn = app.store().read().await?;
    let (attachment, hash) =
        attachments::find(&mut conn, id, &reader(actor, &actor.owner())).await?.ok_or_else(AttachmentId::not_found)?;
    Ok((attachment, blobs::get(&mut conn, &hash).await?))
}

/// Names and types of these files, for showing them beside an entry.
pub async fn of_ids(app: &App, actor: &Actor, ids: &[AttachmentId]) -> Result<Vec<Attachment>> {
    actor.may(Permission::ReadIncidents)?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Ok(attachments::of_ids(&mut app.store().read().await?, ids, &reader(actor, &actor.owner())).await?)
}

fn reader<'a>(actor: &'a Actor, owner: &'a str) -> attachments::Reader<'a> {
    let sees_deleted = actor.may(Permission::WriteIncidents).is_ok();
    attachments::Reader { sees_only_as: actor.sees_only_as(), owner, sees_deleted }
}
