//! Incidents and their numbers.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::db::{Conn, Dialect, Query, ROWS, Row, json};
use super::{Error, Result, attachments, search};
use crate::domain::id::{IncidentId, IncidentRef, IntegrationId, Reference};
use crate::domain::incident::{Incident, IncidentFields, IncidentKind, IncidentLine, Milestones, Severity, Status, Visibility};
use crate::domain::search::{Document, Found, Search};
use crate::domain::time::Timestamp;

const COLUMNS: &str =
    "select i.id, i.number, i.fields, i.created_by, i.created_at, i.updated_at, i.deleted_at, i.hold, i.version ";
const FROM: &str = "from incidents i ";
/// What a list shows. The texts of a write-up stay unread in `fields`.
const LINE: &str = "select i.id, i.number, i.title, i.kind, i.severity, i.status, i.visibility, i.began_at, i.hold is not null as held, i.fields ";

/// All of them, to be narrowed.
fn incidents(conn: &mut Conn) -> Query<'_> {
    conn.query(COLUMNS).push(FROM)
}

fn incident(row: &Row) -> Result<Incident> {
    Ok(Incident {
        id: row.id("id")?,
        reference: Reference(row.get("number")?),
        fields: row.json("fields")?,
        created_by: row.get("created_by")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        deleted_at: row.get("deleted_at")?,
        hold: row.maybe_json("hold")?,
        version: row.get("version")?,
    })
}

fn line(row: &Row) -> Result<IncidentLine> {
    #[derive(Deserialize)]
    struct Shown {
        #[serde(default)]
        milestones: Milestones,
        #[serde(default)]
        services: Vec<String>,
        #[serde(default)]
        roles: BTreeMap<String, String>,
    }
    let mut shown: Shown = row.json("fields")?;
    Ok(IncidentLine {
        id: row.id("id")?,
        reference: Reference(row.get("number")?),
        title: row.get("title")?,
        kind: row.word("kind")?,
        severity: row.word("severity")?,
        status: row.word("status")?,
        visibility: row.word("visibility")?,
        is_held: row.get("held")?,
        beginning: row.get("began_at")?,
        resolved: shown.milestones.resolved,
        mitigated: shown.milestones.mitigated,
        services: shown.services,
        lead: shown.roles.remove("commander"),
    })
}

/// The next gapless number. It is taken inside the caller's transaction: a rollback gives it back.
pub async fn next_number(conn: &mut Conn) -> Result<Reference> {
    let number: Option<i64> =
        conn.query("update counters set value = value + 1 where name = 'incident' returning value").value().await?;
    number.map(Reference).ok_or_else(|| Error::Corrupt("the incident counter is missing".to_owned()))
}

pub async fn insert(conn: &mut Conn, incident: &Incident) -> Result<()> {
    let fields = json(&incident.fields)?;
    let files = attachments::named(&fields.0);
    conn.query(
        "insert into incidents (id, number, title, kind, severity, status, visibility, began_at, fields, created_by, created_at, updated_at, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(incident.id.0)
    .bind(incident.reference.0)
    .bind(&incident.fields.title)
    .bind(incident.fields.kind.as_str())
    .bind(incident.fields.severity.as_str())
    .bind(incident.fields.status.as_str())
    .bind(incident.fields.visibility.as_str())
    .bind(incident.beginning())
    .bind(fields)
    .bind(&incident.created_by)
    .bind(incident.created_at)
    .bind(incident.updated_at)
    .bind(incident.version)
    .execute()
    .await?;
    keep_beside(conn, incident, files).await?;
    keep_found(conn, incident).await
}

/// Saves the fields when the stored version is still `expected`; `false` when somebody saved first.
pub async fn update(conn: &mut Conn, incident: &Incident, expected: i64) -> Result<bool> {
    let fields = json(&incident.fields)?;
    let files = attachments::named(&fields.0);
    let changed = conn
        .query(
            "update incidents set title = $3, kind = $4, severity = $5, status = $6, visibility = $7, began_at = $8, fields = $9,
                updated_at = $10, deleted_at = $11, version = $12, hold = $13
             where id = $1 and version = $2",
        )
        .bind(incident.id.0)
        .bind(expected)
        .bind(&incident.fields.title)
        .bind(incident.fields.kind.as_str())
        .bind(incident.fields.severity.as_str())
        .bind(incident.fields.status.as_str())
        .bind(incident.fields.visibility.as_str())
        .bind(incident.beginning())
        .bind(fields)
        .bind(incident.updated_at)
        .bind(incident.deleted_at)
        .bind(incident.version)
        .bind(incident.hold.as_ref().map(json).transpose()?)
        .execute()
        .await?;
    if changed == 1 {
        keep_beside(conn, incident, files).await?;
        keep_found(conn, incident).await?;
    }
    Ok(changed == 1)
}

/// Keeps what a search finds of it. A deleted one stays there, unseen, until it is brought back.
pub(super) async fn keep_found(conn: &mut Conn, incident: &Incident) -> Result<()> {
    search::keep(conn, &Document::of_incident(incident)).await?;
    let write_up = Document::of_postmortem(incident);
    search::keep_or_forget(conn, write_up.as_ref(), Found::Postmortem, incident.id.0).await
}

/// In order of their ids, deleted ones too: for making the index.
pub(super) async fn batch(conn: &mut Conn, after: uuid::Uuid, limit: i64) -> Result<Vec<Incident>> {
    incidents(conn).push_bind("where i.id > ", after).push_bind(" order by i.id limit ", limit).all(incident).await
}

/// Who is named, which services are meant and which files the texts show, for looking up.
async fn keep_beside(conn: &mut Conn, incident: &Incident, files: Vec<uuid::Uuid>) -> Result<()> {
    attachments::tie(conn, incident.id, files).await?;
    conn.query("delete from incident_people where incident_id = $1").bind(incident.id.0).execute().await?;
    for handle in incident.fields.people() {
        conn.query("insert into incident_people (incident_id, handle) values ($1, $2) on conflict do nothing")
            .bind(incident.id.0)
            .bind(handle)
            .execute()
            .await?;
    }
    conn.query("delete from incident_services where incident_id = $1").bind(incident.id.0).execute().await?;
    for service in &incident.fields.services {
        conn.query("insert into incident_services (incident_id, service, began_at) values ($1, $2, $3) on conflict do nothing")
            .bind(incident.id.0)
            .bind(service)
            .bind(incident.beginning())
            .execute()
            .await?;
    }
    Ok(())
}

pub async fn find(conn: &mut Conn, which: IncidentRef) -> Result<Option<Incident>> {
    let query = incidents(conn);
    match which {
        IncidentRef::Id(id) => query.push_bind("where i.id = ", id.0),
        IncidentRef::Reference(reference) => query.push_bind("where i.number = ", reference.0),
    }
    .maybe(incident)
    .await
}

/// What is asked of an incident for each alert that comes in.
#[derive(Debug, Clone)]
pub struct Told {
    pub reference: Reference,
    pub restricted: bool,
    /// Whether an entry speaks of its alerts.
    pub has_entry: bool,
}

/// What a list may be narrowed by; absent means any.
#[derive(Debug, Clone, Default)]
pub struct IncidentFilter {
    pub status: Option<Status>,
    /// Only open ones (or, with `Some(false)`, only resolved ones).
    pub open: Option<bool>,
    pub severity: Option<Severity>,
    pub kind: Option<IncidentKind>,
    pub service: Option<String>,
    /// A label and its value.
    pub label: Option<(String, String)>,
    /// What the incident or its write-up says.
    pub q: Option<Search>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// Only those whose write-up lacks one of its [`IncidentFields::WRITE_UP`] parts.
    pub unwritten: bool,
}

/// What a list is narrowed to, and from where on it goes: the keyset position after which it begins, and how many.
pub struct Part<'a> {
    pub filter: &'a IncidentFilter,
    pub sees_only_as: Option<&'a str>,
    pub after: Option<(Timestamp, uuid::Uuid)>,
    pub limit: i64,
}

/// Newest beginning first.
pub async fn list(conn: &mut Conn, part: Part<'_>) -> Result<Vec<Incident>> {
    listed(conn, COLUMNS, part).all(incident).await
}

/// [`list`], of each only what a line shows.
pub async fn lines(conn: &mut Conn, part: Part<'_>) -> Result<Vec<IncidentLine>> {
    listed(conn, LINE, part).all(line).await
}

fn listed<'c>(conn: &'c mut Conn, columns: &'static str, part: Part<'_>) -> Query<'c> {
    let Part { filter, sees_only_as, after, limit } = part;
    let dialect = conn.dialect();
    let by_service = filter.service.as_ref();
    let query = conn.query(columns);
    let query = match by_service {
        None => query.push(FROM).push("where i.deleted_at is null"),
        // A service leads to its incidents in their order; a cross join keeps SQLite from going the other way round.
        Some(service) => query
            .push("from incident_services s cross join incidents i ")
            .push_bind("where s.incident_id = i.id and s.service = ", service)
            .push(" and i.deleted_at is null"),
    };
    let mut query = visible(query, sees_only_as)
        .and_if(" and i.status = ", filter.status.map(Status::as_str))
        .and_if(" and i.severity = ", filter.severity.map(Severity::as_str))
        .and_if(" and i.kind = ", filter.kind.map(IncidentKind::as_str))
        .and_if(" and i.began_at >= ", filter.from)
        .and_if(" and i.began_at < ", filter.to);
    query = match filter.open {
        Some(true) => query.push(" and i.status <> 'resolved'"),
        Some(false) => query.push(" and i.status = 'resolved'"),
        None => query,
    };
    if let Some((name, value)) = &filter.label {
        query = with_label(query.push(" and "), dialect, name, Some(value));
    }
    if let Some(q) = &filter.q {
        query = search::matching(query, dialect, q);
    }
    if filter.unwritten {
        let (each, blank) = match dialect {
            Dialect::Sqlite => ("json_each(i.fields) w", "trim(w.value, char(9, 10, 13, 32)) = ''"),
            Dialect::Postgres => ("jsonb_each_text(i.fields) w(key, value)", r"btrim(w.value, E'\t\n\r ') = ''"),
        };
        query = query.push(" and exists (select 1 from ").push(each).push_list(" where w.key in ", IncidentFields::WRITE_UP);
        query = query.push(" and ").push(blank).push(")");
    }
    let (position, order) = match by_service {
        None => (" and (i.began_at, i.id) < (", " order by i.began_at desc, i.id desc limit "),
        Some(_) => (" and (s.began_at, s.incident_id) < (", " order by s.began_at desc, s.incident_id desc limit "),
    };
    if let Some((at, id)) = after {
        query = query.push_bind(position, at).push_bind(", ", id).push(")");
    }
    query.push_bind(order, limit)
}

/// That the incident `i` has this service.
pub(super) fn with_service<'c>(query: Query<'c>, service: &str) -> Query<'c> {
    query.push_bind("exists (select 1 from incident_services s where s.incident_id = i.id and s.service = ", service).push(")")
}

/// That the incident `i` has this label, with this value when one is said.
pub(super) fn with_label<'c>(query: Query<'c>, dialect: Dialect, name: &str, value: Option<&str>) -> Query<'c> {
    let each = match dialect {
        Dialect::Sqlite => "json_each(i.fields, '$.labels') l",
        Dialect::Postgres => "jsonb_each_text(i.fields -> 'labels') l(key, value)",
    };
    let query = query.push("exists (select 1 from ").push(each).push_bind(" where l.key = ", name);
    query.and_if(" and l.value = ", value).push(")")
}

/// Narrows a query that names the incident `i` to what a handle may see; nothing is hidden without one. Every query
/// for people over more than one incident goes through here: it says in SQL what `Actor::sees` says of one.
pub(super) fn visible<'c>(query: Query<'c>, sees_only_as: Option<&str>) -> Query<'c> {
    match sees_only_as {
        None => query,
        Some(handle) => query
            .push_bind(" and (i.visibility = 'internal' or exists (select 1 from incident_people n where n.incident_id = i.id and n.handle = ", handle)
            .push("))"),
    }
}

/// Open incidents, the worst first, then the newest; no more than `limit`.
pub async fn worst(conn: &mut Conn, sees_only_as: Option<&str>, limit: i64) -> Result<Vec<Incident>> {
    let query = incidents(conn).push("where i.deleted_at is null and i.status <> 'resolved'");
    visible(query, sees_only_as).push_bind(" order by i.severity, i.began_at desc, i.id desc limit ", limit).all(incident).await
}

/// Open incidents, for the recorder.
pub async fn open(conn: &mut Conn) -> Result<Vec<Incident>> {
    incidents(conn)
        .push("where i.status <> 'resolved' and i.deleted_at is null order by i.began_at desc limit 5000")
        .all(incident)
        .await
}

/// Incidents whose window of samples may still grow: open ones and those resolved after `since`.
pub async fn recording(conn: &mut Conn, since: Timestamp) -> Result<Vec<Incident>> {
    incidents(conn)
        .push_bind("where i.deleted_at is null and (i.status <> 'resolved' or i.updated_at > ", since)
        .push(") order by i.began_at desc limit 5000")
        .all(incident)
        .await
}

/// The incidents that are open for these group keys of an integration, each with its key.
pub async fn open_groups(conn: &mut Conn, integration: IntegrationId, group_keys: &[&str]) -> Result<Vec<(String, IncidentId)>> {
    let mut found = Vec::new();
    for batch in group_keys.chunks(ROWS) {
        let query = conn.query("select group_key, incident_id from incident_groups where is_open = true");
        let query =
            query.push_bind(" and integration_id = ", integration.0).push_list(" and group_key in ", batch.iter().copied());
        found.extend(query.all(|row| Ok((row.get("group_key")?, row.id("incident_id")?))).await?);
    }
    Ok(found)
}

/// What an alert that comes in needs to know of each of these.
pub async fn told(conn: &mut Conn, ids: &[IncidentId]) -> Result<Vec<(IncidentId, Told)>> {
    let mut found = Vec::new();
    for batch in ids.chunks(ROWS) {
        let query = conn.query(
            // In their order: else PostgreSQL reads all entries there are while it knows little of them.
            "select i.id, i.number, i.visibility, (select 1 from entries e where e.incident_id = i.id and e.kind = 'alert'
                and e.deleted_at is null order by e.occurred_at, e.id limit 1) is not null as has_entry from incidents i",
        );
        let query = query.push_list(" where i.id in ", batch.iter().map(|id| id.0));
        let told = |row: &Row| {
            let restricted = row.get::<String>("visibility")? != Visibility::Internal.as_str();
            Ok((row.id("id")?, Told { reference: Reference(row.get("number")?), restricted, has_entry: row.get("has_entry")? }))
        };
        found.extend(query.all(told).await?);
    }
    Ok(found)
}

/// The incident that was open for this key until a short while ago.
pub async fn recently_closed_group(
    conn: &mut Conn,
    integration: IntegrationId,
    group_key: &str,
    since: Timestamp,
) -> Result<Option<IncidentId>> {
    conn.query(
        "select g.incident_id from incident_groups g join incidents i on i.id = g.incident_id
         where g.integration_id = $1 and g.group_key = $2 and g.closed_at > $3 and i.deleted_at is null order by g.closed_at desc limit 1",
    )
    .bind(integration.0)
    .bind(group_key)
    .bind(since)
    .maybe(|row| row.id("incident_id"))
    .await
}

/// Makes `incident` the open one for the key. A unique index refuses a second.
pub async fn open_group_with(conn: &mut Conn, incident: IncidentId, integration: IntegrationId, group_key: &str) -> Result<()> {
    conn.query(
        "insert into incident_groups (incident_id, integration_id, group_key, is_open) values ($1, $2, $3, true)
         on conflict (incident_id, integration_id, group_key) do update set is_open = true, closed_at = null",
    )
    .bind(incident.0)
    .bind(integration.0)
    .bind(group_key)
    .execute()
    .await
    .map(drop)
}

/// Lets go of the incident's keys (it was resolved or deleted), so that the next alert opens a new one.
pub async fn close_groups(conn: &mut Conn, incident: IncidentId, at: Timestamp) -> Result<()> {
    conn.query("update incident_groups set is_open = false, closed_at = $2 where incident_id = $1 and is_open = true")
        .bind(incident.0)
        .bind(at)
        .execute()
        .await
        .map(drop)
}

/// Takes the incident's keys back after a re-opening, where no newer incident holds them.
pub async fn reopen_groups(conn: &mut Conn, incident: IncidentId) -> Result<()> {
    conn.query(
        "update incident_groups set is_open = true, closed_at = null where incident_id = $1 and is_open = false and not exists (
            select 1 from incident_groups o where o.integration_id = incident_groups.integration_id
                and o.group_key = incident_groups.group_key and o.is_open = true)",
    )
    .bind(incident.0)
    .execute()
    .await
    .map(drop)
}
