//! Alerts: one row per occurrence of a key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Result;
use super::db::{Conn, Dialect, ROWS, Row, json};
use super::incidents::visible;
use crate::domain::alert::{Alert, AlertLink, AlertStatus};
use crate::domain::id::{AlertId, IncidentId, IntegrationId};
use crate::domain::time::Timestamp;

const COLUMNS: &str =
    "select a.id, a.integration_id, n.name as integration, a.dedup_key, a.group_key, a.status, a.severity, a.service, a.title,
    a.detail, a.starts_at, a.ends_at, a.first_seen_at, a.last_received_at, a.count, a.incident_id
    from alerts a join integrations n on n.id = a.integration_id ";

/// What is only shown, never searched by.
#[derive(Serialize, Deserialize)]
struct Detail {
    description: String,
    severity_raw: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    links: Vec<AlertLink>,
}

fn alert(row: &Row) -> Result<Alert> {
    let detail: Detail = row.json("detail")?;
    Ok(Alert {
        id: row.id("id")?,
        integration: row.get("integration")?,
        integration_id: row.id("integration_id")?,
        dedup_key: row.get("dedup_key")?,
        group_key: row.get("group_key")?,
        status: row.word("status")?,
        title: row.get("title")?,
        description: detail.description,
        severity: row.word("severity")?,
        severity_raw: detail.severity_raw,
        service: row.get("service")?,
        labels: detail.labels,
        annotations: detail.annotations,
        links: detail.links,
        starts_at: row.get("starts_at")?,
        ends_at: row.get("ends_at")?,
        first_seen_at: row.get("first_seen_at")?,
        last_received_at: row.get("last_received_at")?,
        count: row.get("count")?,
        incident_id: row.get::<Option<uuid::Uuid>>("incident_id")?.map(IncidentId),
    })
}

/// Inserts new occurrences and overwrites known ones by id, many rows a statement.
pub async fn save(conn: &mut Conn, alerts: &[Alert]) -> Result<()> {
    for batch in alerts.chunks(ROWS) {
        let query = conn.query(
            "insert into alerts (id, integration_id, dedup_key, group_key, status, severity, service, title, detail, starts_at, ends_at,
                first_seen_at, last_received_at, count, incident_id) values ",
        );
        let query = query.push_rows(batch, |row, alert| {
            let detail = Detail {
                description: alert.description.clone(),
                severity_raw: alert.severity_raw.clone(),
                labels: alert.labels.clone(),
                annotations: alert.annotations.clone(),
                links: alert.links.clone(),
            };
            let row = row.value(alert.id.0).value(alert.integration_id.0).value(&alert.dedup_key).value(&alert.group_key);
            let row = row.value(alert.status.as_str()).value(alert.severity.as_str()).value(&alert.service).value(&alert.title);
            let row = row.value(json(&detail)?).value(alert.starts_at).value(alert.ends_at).value(alert.first_seen_at);
            Ok(row.value(alert.last_received_at).value(alert.count).value(alert.incident_id.map(|id| id.0)))
        })?;
        query
            .push(
                " on conflict (id) do update set group_key = excluded.group_key, status = excluded.status, severity = excluded.severity,
                service = excluded.service, title = excluded.title, detail = excluded.detail, starts_at = excluded.starts_at,
                ends_at = excluded.ends_at, last_received_at = excluded.last_received_at, count = excluded.count,
                incident_id = excluded.incident_id",
            )
            .execute()
            .await?;
    }
    Ok(())
}

/// Lets one replica at a time fold alerts in; the others wait instead of running into deadlocks. SQLite
/// has one writer as it is.
pub async fn one_writer(conn: &mut Conn) -> Result<()> {
    if conn.dialect() == Dialect::Postgres {
        conn.query("select pg_advisory_xact_lock($1)::text").bind(INTAKE_LOCK).execute().await?;
    }
    Ok(())
}

const INTAKE_LOCK: i64 = 0x000A_F7E2_10AE;

/// The occurrence of each of these keys that a report is about: the open one, else the one seen last. Start
/// times do not decide: a sender may correct them.
pub async fn newest_by_keys(conn: &mut Conn, integration: IntegrationId, keys: &[&str]) -> Result<Vec<Alert>> {
    let mut found = Vec::new();
    for batch in keys.chunks(500) {
        let rows = conn
            .query(COLUMNS)
            .push_bind("where a.integration_id = ", integration.0)
            .push_list(" and a.dedup_key in ", batch.iter().copied())
            .push(
                " and (a.status <> 'resolved' or not exists (select 1 from alerts other where other.integration_id = a.integration_id
                    and other.dedup_key = a.dedup_key and (other.status <> 'resolved' or (other.first_seen_at, other.id) > (a.first_seen_at, a.id))))",
            )
            .all(alert)
            .await?;
        found.extend(rows);
    }
    Ok(found)
}

/// Alerts that still fire leave an incident that was deleted: their next report finds or opens another.
pub async fn leave(conn: &mut Conn, incident: IncidentId) -> Result<()> {
    conn.query("update alerts set incident_id = null where incident_id = $1 and status <> 'resolved'")
        .bind(incident.0)
        .execute()
        .await
        .map(drop)
}

pub async fn find(conn: &mut Conn, id: AlertId) -> Result<Option<Alert>> {
    conn.query(COLUMNS).push_bind("where a.id = ", id.0).maybe(alert).await
}

/// Firing first, then newest first. Each status comes in the order of the index and ends at the limit: an incident may
/// have a storm of alerts.
pub async fn of_incident(conn: &mut Conn, incident: IncidentId, limit: i64) -> Result<Vec<Alert>> {
    let mut found = Vec::new();
    for status in [AlertStatus::Firing, AlertStatus::Acknowledged, AlertStatus::Resolved] {
        let rows = conn
            .query(COLUMNS)
            .push_bind("where a.incident_id = ", incident.0)
            .push_bind(" and a.status = ", status.as_str())
            .push_bind(" order by a.starts_at desc, a.id desc limit ", limit)
            .all(alert)
            .await?;
        found.extend(rows);
    }
    found.sort_by_key(|alert| (alert.status == AlertStatus::Resolved, std::cmp::Reverse((alert.starts_at, alert.id))));
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

/// Whether an alert of the incident still fires.
pub async fn any_firing(conn: &mut Conn, incident: IncidentId) -> Result<bool> {
    let found: Option<i64> = conn
        .query("select cast(1 as bigint) from alerts where incident_id = $1 and status in ('firing', 'acknowledged') limit 1")
        .bind(incident.0)
        .value()
        .await?;
    Ok(found.is_some())
}

/// Firing, resolved, and reports in all.
pub async fn counts_of_incident(conn: &mut Conn, incident: IncidentId) -> Result<(i64, i64, i64)> {
    conn.query(
        "select count(*) filter (where status <> 'resolved') as firing, count(*) filter (where status = 'resolved') as resolved,
            cast(coalesce(sum(count), 0) as bigint) as reports from alerts where incident_id = $1",
    )
    .bind(incident.0)
    .one(|row| Ok((row.get("firing")?, row.get("resolved")?, row.get("reports")?)))
    .await
}

#[derive(Debug, Clone, Default)]
pub struct AlertFilter {
    pub status: Option<AlertStatus>,
    pub integration: Option<IntegrationId>,
}

/// Last reported first. Alerts of restricted incidents are only for those who see the incident.
pub async fn list(
    conn: &mut Conn,
    filter: &AlertFilter,
    sees_only_as: Option<&str>,
    before: Option<(Timestamp, uuid::Uuid)>,
    limit: i64,
) -> Result<Vec<Alert>> {
    let mut query = conn
        .query(COLUMNS)
        .push("left join incidents i on i.id = a.incident_id where 1 = 1")
        .and_if(" and a.status = ", filter.status.map(AlertStatus::as_str))
        .and_if(" and a.integration_id = ", filter.integration.map(|id| id.0));
    query = visible(query.push(" and (i.id is null or (1 = 1"), sees_only_as).push("))");
    if let Some((at, id)) = before {
        query = query.push_bind(" and (a.last_received_at, a.id) < (", at).push_bind(", ", id).push(")");
    }
    query.push_bind(" order by a.last_received_at desc, a.id desc limit ", limit).all(alert).await
}
