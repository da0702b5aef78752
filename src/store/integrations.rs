//! Integrations and what came in through them.

use super::Result;
use super::db::{Conn, ROWS, Row};
use crate::domain::id::{DeliveryId, IntegrationId};
use crate::domain::integration::{Delivery, DeliveryStatus, Integration};
use crate::domain::time::Timestamp;

const COLUMNS: &str = "select id, name, format, created_at, disabled_at, last_delivery_at, last_error, last_error_at, deliveries from integrations ";

fn integration(row: &Row) -> Result<Integration> {
    Ok(Integration {
        id: row.id("id")?,
        name: row.get("name")?,
        format: row.word("format")?,
        created_at: row.get("created_at")?,
        disabled_at: row.get("disabled_at")?,
        last_delivery_at: row.get("last_delivery_at")?,
        last_error: row.get("last_error")?,
        last_error_at: row.get("last_error_at")?,
        deliveries: row.get("deliveries")?,
    })
}

pub async fn insert(conn: &mut Conn, integration: &Integration, key_hash: &[u8]) -> Result<()> {
    conn.query("insert into integrations (id, name, format, key_hash, created_at, deliveries) values ($1, $2, $3, $4, $5, 0)")
        .bind(integration.id.0)
        .bind(&integration.name)
        .bind(integration.format.as_str())
        .bind(key_hash)
        .bind(integration.created_at)
        .execute()
        .await
        .map(drop)
}

pub async fn find(conn: &mut Conn, id: IntegrationId) -> Result<Option<Integration>> {
    conn.query(COLUMNS).push_bind("where id = ", id.0).maybe(integration).await
}

pub async fn list(conn: &mut Conn) -> Result<Vec<Integration>> {
    conn.query(COLUMNS).push("order by name").all(integration).await
}

/// The integration that a key belongs to; a key that was rotated out counts until its time is up.
pub async fn by_key(conn: &mut Conn, hash: &[u8], now: Timestamp) -> Result<Option<Integration>> {
    conn.query(COLUMNS)
        .push_bind("where key_hash = ", hash)
        .push_bind(" or (previous_key_hash = ", hash)
        .push_bind(" and previous_key_until > ", now)
        .push(")")
        .maybe(integration)
        .await
}

/// The key so far stays valid until `until`, so that no alert is lost while the sender is changed.
pub async fn rotate_key(conn: &mut Conn, id: IntegrationId, hash: &[u8], until: Timestamp) -> Result<()> {
    conn.query("update integrations set previous_key_hash = key_hash, previous_key_until = $3, key_hash = $2 where id = $1")
        .bind(id.0)
        .bind(hash)
        .bind(until)
        .execute()
        .await
        .map(drop)
}

pub async fn set_disabled(conn: &mut Conn, id: IntegrationId, at: Option<Timestamp>) -> Result<()> {
    conn.query("update integrations set disabled_at = $2 where id = $1").bind(id.0).bind(at).execute().await.map(drop)
}

/// Counts deliveries and remembers the last error.
pub async fn note(conn: &mut Conn, id: IntegrationId, at: Timestamp, count: i64, error: Option<&str>) -> Result<()> {
    conn.query(
        "update integrations set last_delivery_at = $2, deliveries = deliveries + $3, last_error = coalesce($4, last_error),
            last_error_at = case when $4 is null then last_error_at else $2 end where id = $1",
    )
    .bind(id.0)
    .bind(at)
    .bind(count)
    .bind(error)
    .execute()
    .await
    .map(drop)
}

pub struct NewDelivery<'a> {
    pub id: DeliveryId,
    pub integration_id: IntegrationId,
    pub received_at: Timestamp,
    pub status: DeliveryStatus,
    pub error: Option<&'a str>,
    pub alerts: i64,
    /// Bytes before compression.
    pub size: i64,
    /// Compressed.
    pub body: &'a [u8],
}

/// Keeps what came in, many rows a statement.
pub async fn insert_deliveries(conn: &mut Conn, deliveries: &[NewDelivery<'_>]) -> Result<()> {
    for batch in deliveries.chunks(ROWS) {
        let query =
            conn.query("insert into deliveries (id, integration_id, received_at, status, error, alerts, size, body) values ");
        let query = query.push_rows(batch, |row, delivery| {
            let row = row.value(delivery.id.0).value(delivery.integration_id.0).value(delivery.received_at);
            let row = row.value(delivery.status.as_str()).value(delivery.error).value(delivery.alerts);
            Ok(row.value(delivery.size).value(delivery.body))
        })?;
        query.execute().await?;
    }
    Ok(())
}

/// Newest first; the body comes beside each, still compressed.
pub async fn deliveries(
    conn: &mut Conn,
    integration: IntegrationId,
    before: Option<(Timestamp, uuid::Uuid)>,
    limit: i64,
) -> Result<Vec<(Delivery, Vec<u8>)>> {
    let mut query = conn
        .query("select id, integration_id, received_at, status, error, alerts, size, body from deliveries ")
        .push_bind("where integration_id = ", integration.0);
    if let Some((at, id)) = before {
        query = query.push_bind(" and (received_at, id) < (", at).push_bind(", ", id).push(")");
    }
    query
        .push_bind(" order by received_at desc, id desc limit ", limit)
        .all(|row| {
            let delivery = Delivery {
                id: row.id("id")?,
                integration_id: row.id("integration_id")?,
                received_at: row.get("received_at")?,
                status: row.word("status")?,
                error: row.get("error")?,
                alerts: row.get("alerts")?,
                bytes: row.get("size")?,
                excerpt: String::new(),
            };
            Ok((delivery, row.get("body")?))
        })
        .await
}

/// The body of one delivery, compressed.
pub async fn body(conn: &mut Conn, integration: IntegrationId, delivery: DeliveryId) -> Result<Option<Vec<u8>>> {
    conn.query("select body from deliveries where id = $1 and integration_id = $2")
        .bind(delivery.0)
        .bind(integration.0)
        .value()
        .await
}
