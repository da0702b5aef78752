//! What goes by age: one bounded batch a call, so that whoever writes never waits long behind clean-up. What belongs to an
//! incident under legal hold is left out of every one of them.

use serde_json::Value;

use super::db::Conn;
use super::{Result, attachments};
use crate::domain::id::{BalancerId, EntryId, IncidentId, IntegrationId};
use crate::domain::time::Timestamp;

/// Rows of one batch; fewer where rows are large.
pub const BATCH: i64 = 500;
const LARGE: i64 = 50;

/// Balancers that samples are kept of, in the samples' database.
pub async fn sampled(conn: &mut Conn) -> Result<Vec<BalancerId>> {
    let text = "select balancer_id from chunks group by balancer_id union select balancer_id from frames group by balancer_id";
    conn.query(text).all(|row| row.id("balancer_id")).await
}

/// Samples of one balancer that end before `before`, also those that were never packed.
pub async fn drop_samples(conn: &mut Conn, balancer: BalancerId, before: Timestamp) -> Result<u64> {
    let chunks = conn.per_dialect(
        "delete from chunks where rowid in (select rowid from chunks where balancer_id = $1 and to_at < $2 limit $3)",
        "delete from chunks where ctid = any(array(select ctid from chunks where balancer_id = $1 and to_at < $2 limit $3))",
    );
    let frames = conn.per_dialect(
        "delete from frames where rowid in (select rowid from frames where balancer_id = $1 and at < $2 limit $3)",
        "delete from frames where ctid = any(array(select ctid from frames where balancer_id = $1 and at < $2 limit $3))",
    );
    let mut dropped = 0;
    for text in [chunks, frames] {
        dropped += conn.query(text).bind(balancer.0).bind(before).bind(BATCH).execute().await?;
    }
    Ok(dropped)
}

/// Raw bodies that came in before `before`. Of a held incident all stay that may have reported one of its alerts: those of
/// its integration from the alert's first report to its last.
pub async fn drop_deliveries(conn: &mut Conn, integration: IntegrationId, before: Timestamp) -> Result<u64> {
    conn.query(
        "delete from deliveries where id in (select d.id from deliveries d where d.integration_id = $1 and d.received_at < $2
            and not exists (select 1 from incidents i join alerts a on a.incident_id = i.id
                where i.hold is not null and a.integration_id = d.integration_id
                and d.received_at between a.first_seen_at and a.last_received_at)
         order by d.received_at limit $3)",
    )
    .bind(integration.0)
    .bind(before)
    .bind(LARGE)
    .execute()
    .await
}

/// The number of the first event that is young enough; what stands before it is too old. The newest is never too old.
pub async fn first_young_event(conn: &mut Conn, before: Timestamp) -> Result<i64> {
    let young: Option<i64> =
        conn.query("select seq from events where at >= $1 order by seq limit 1").bind(before).value().await?;
    match young {
        Some(seq) => Ok(seq),
        None => super::events::latest(conn).await,
    }
}

/// Events before number `seq`.
pub async fn drop_events(conn: &mut Conn, seq: i64) -> Result<u64> {
    conn.query(
        "delete from events where seq in (select e.seq from events e where e.seq < $1
            and not exists (select 1 from incidents i where i.id = e.incident_id and i.hold is not null)
         order by e.seq limit $2)",
    )
    .bind(seq)
    .bind(BATCH)
    .execute()
    .await
}

/// Erases entries that were deleted before `before`, with their earlier versions; says which incidents lost some. The log
/// keeps that something happened to them, and forgets what they said.
pub async fn erase_entries(conn: &mut Conn, before: Timestamp) -> Result<Vec<IncidentId>> {
    // Nobody sets a hold in between.
    let lock = conn.per_dialect("", " for update of i");
    let found: Vec<(EntryId, IncidentId)> = conn
        .query("select e.id, e.incident_id from entries e join incidents i on i.id = e.incident_id where i.hold is null")
        .push_bind(" and e.deleted_at < ", before)
        .push_bind(" order by e.deleted_at limit ", BATCH / 5)
        .push(lock)
        .all(|row| Ok((row.id("id")?, row.id("incident_id")?)))
        .await?;
    let ids = || found.iter().map(|(entry, _)| entry.0);
    let incidents: std::collections::BTreeSet<_> = found.iter().map(|(_, incident)| incident.0).collect();
    if found.is_empty() {
        return Ok(Vec::new());
    }
    conn.query("update events set data = 'null'")
        .push_list(" where incident_id in ", incidents.iter().copied())
        .push_list(" and subject in ", ids())
        .execute()
        .await?;
    conn.query("delete from entries").push_list(" where id in ", ids()).execute().await?;
    Ok(incidents.into_iter().map(IncidentId).collect())
}

/// Incidents that were deleted before `before`.
pub async fn deleted_incidents(conn: &mut Conn, before: Timestamp) -> Result<Vec<IncidentId>> {
    conn.query("select id from incidents where hold is null")
        .push_bind(" and deleted_at < ", before)
        .push_bind(" order by deleted_at limit ", LARGE)
        .all(|row| row.id("id"))
        .await
}

/// A part of what hangs on a deleted incident; 0 when only the incident itself is left.
pub async fn erase_part(conn: &mut Conn, incident: IncidentId) -> Result<u64> {
    let frozen = conn.per_dialect(
        "delete from frozen_chunks where rowid in (select rowid from frozen_chunks where incident_id = $1 limit $2)",
        "delete from frozen_chunks where ctid = any(array(select ctid from frozen_chunks where incident_id = $1 limit $2))",
    );
    let mut erased = 0;
    for (text, limit) in [
        ("delete from entries where id in (select id from entries where incident_id = $1 limit $2)", BATCH / 5),
        ("delete from alerts where id in (select id from alerts where incident_id = $1 limit $2)", BATCH),
        (
            "update events set data = 'null' where seq in (select seq from events where incident_id = $1 and data <> 'null' limit $2)",
            BATCH,
        ),
        (frozen, LARGE),
    ] {
        erased += conn.query(text).bind(incident.0).bind(limit).execute().await?;
    }
    Ok(erased)
}

/// The incident itself with its tasks and the files that it still has; false when it was brought back or held meanwhile.
pub async fn erase_incident(conn: &mut Conn, incident: IncidentId, before: Timestamp) -> Result<bool> {
    let there = "select 1 from incidents i where i.id = $1 and i.deleted_at < $2 and i.hold is null";
    let still: Option<i32> = conn.query(there).bind(incident.0).bind(before).value().await?;
    if still.is_none() {
        return Ok(false);
    }
    conn.query("delete from attachments where incident_id = $1").bind(incident.0).execute().await?;
    Ok(conn.query("delete from incidents where id = $1").bind(incident.0).execute().await? == 1)
}

/// Files of an incident.
pub async fn files(conn: &mut Conn, incident: IncidentId) -> Result<Vec<uuid::Uuid>> {
    conn.query("select id from attachments where incident_id = $1").bind(incident.0).all(|row| row.get("id")).await
}

/// Gives a file of an incident to the first other one whose texts name it, earlier versions included: it stays as long as
/// they do. False where there is none. A file of a restricted incident is given to nobody, since naming it elsewhere showed
/// it to nobody either.
pub async fn hand_over(conn: &mut Conn, incident: IncidentId, file: uuid::Uuid) -> Result<bool> {
    let heir: Option<uuid::Uuid> = conn
        .query(
            "select i.id from incidents i where i.id <> $1
                and exists (select 1 from incidents o where o.id = $1 and o.visibility = 'internal')
                and (lower(cast(i.fields as text)) like $2
                    or exists (select 1 from tasks t where t.incident_id = i.id and lower(cast(t.fields as text)) like $2)
                    or exists (select 1 from entries e where e.incident_id = i.id and (lower(cast(e.fields as text)) like $2
                        or exists (select 1 from entry_revisions r where r.entry_id = e.id and lower(cast(r.fields as text)) like $2))))
             order by case when i.deleted_at is null then 0 else 1 end, i.number limit 1",
        )
        .bind(incident.0)
        .bind(format!("%{file}%"))
        .value()
        .await?;
    let Some(heir) = heir else { return Ok(false) };
    let given = conn.query("update attachments set incident_id = $2 where id = $1").bind(file).bind(heir).execute().await?;
    Ok(given == 1)
}

/// Drops files of an incident, sent before `before`, that no text names any more, those of other incidents included.
pub async fn drop_unnamed_files(conn: &mut Conn, incident: IncidentId, before: Timestamp) -> Result<()> {
    for file in unnamed_files(conn, incident, before).await? {
        if !hand_over(conn, incident, file).await? {
            conn.query("delete from attachments where id = $1").bind(file).execute().await?;
        }
    }
    Ok(())
}

/// Those that none of the incident's own texts names any more; earlier versions count.
async fn unnamed_files(conn: &mut Conn, incident: IncidentId, before: Timestamp) -> Result<Vec<uuid::Uuid>> {
    let mut files: Vec<uuid::Uuid> = conn
        .query("select id from attachments where incident_id = $1 and created_at < $2")
        .bind(incident.0)
        .bind(before)
        .all(|row| row.get("id"))
        .await?;
    for text in [
        "select fields from incidents where id = $1",
        "select fields from entries where incident_id = $1",
        "select r.fields from entry_revisions r join entries e on e.id = r.entry_id where e.incident_id = $1",
        "select fields from tasks where incident_id = $1",
    ] {
        if files.is_empty() {
            break;
        }
        let read = conn.query(text).bind(incident.0).each(|row| {
            let named = attachments::named(&row.json::<Value>("fields")?);
            files.retain(|id| !named.contains(id));
            Ok(())
        });
        read.await?;
    }
    Ok(files)
}

/// Files that were sent before `before` and that no text ever named.
pub async fn drop_loose_files(conn: &mut Conn, before: Timestamp) -> Result<u64> {
    conn.query(
        "delete from attachments where id in (select id from attachments where incident_id is null and created_at < $1 limit $2)",
    )
    .bind(before)
    .bind(BATCH)
    .execute()
    .await
}

/// What is left of balancers that were deleted before `before`, as far as no incident keeps it.
pub async fn drop_balancers(conn: &mut Conn, before: Timestamp) -> Result<u64> {
    let mut dropped = 0;
    for text in [
        "delete from snapshots where id in (select s.id from balancers b join snapshots s on s.balancer_id = b.id
            where b.deleted_at < $1 and not exists (select 1 from incident_snapshots l where l.snapshot_id = s.id) limit $2)",
        "delete from balancers where id in (select b.id from balancers b where b.deleted_at < $1
            and not exists (select 1 from snapshots s where s.balancer_id = b.id) limit $2)",
    ] {
        dropped += conn.query(text).bind(before).bind(LARGE).execute().await?;
    }
    Ok(dropped)
}

const UNOWNED: &str = " not exists (select 1 from attachments a where a.hash = blobs.hash)
    and not exists (select 1 from snapshots s where s.config_hash = blobs.hash)";

/// Texts and files that nothing refers to.
pub async fn unowned_blobs(conn: &mut Conn) -> Result<Vec<Vec<u8>>> {
    conn.query("select hash from blobs where").push(UNOWNED).push_bind(" limit ", LARGE).all(|row| row.get("hash")).await
}

/// Drops those of them that still belong to nothing.
pub async fn drop_blobs(conn: &mut Conn, hashes: &[Vec<u8>]) -> Result<u64> {
    conn.query("delete from blobs where")
        .push(UNOWNED)
        .push_list(" and hash in ", hashes.iter().map(Vec::as_slice))
        .execute()
        .await
}
