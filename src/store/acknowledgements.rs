//! Findings that people know of.

use super::Result;
use super::db::{Conn, Row};
use crate::domain::finding::{Acknowledgement, AcknowledgementFields};
use crate::domain::id::{AcknowledgementId, BalancerId};
use crate::domain::time::Timestamp;

const COLUMNS: &str = "select id, balancer_id, rule, pool, server, reason, created_by, created_at, expires_at, ended_at, ended_by
    from acknowledgements ";

fn acknowledgement(row: &Row) -> Result<Acknowledgement> {
    Ok(Acknowledgement {
        id: row.id("id")?,
        balancer_id: row.id("balancer_id")?,
        fields: AcknowledgementFields {
            rule: row.get("rule")?,
            pool: row.get("pool")?,
            server: row.get("server")?,
            reason: row.get("reason")?,
            expires_at: row.get("expires_at")?,
        },
        created_by: row.get("created_by")?,
        created_at: row.get("created_at")?,
        ended_at: row.get("ended_at")?,
        ended_by: row.get("ended_by")?,
    })
}

pub async fn insert(conn: &mut Conn, new: &Acknowledgement) -> Result<()> {
    conn.query(
        "insert into acknowledgements (id, balancer_id, rule, pool, server, reason, created_by, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(new.id.0)
    .bind(new.balancer_id.0)
    .bind(&new.fields.rule)
    .bind(&new.fields.pool)
    .bind(&new.fields.server)
    .bind(&new.fields.reason)
    .bind(&new.created_by)
    .bind(new.created_at)
    .bind(new.fields.expires_at)
    .execute()
    .await
    .map(drop)
}

pub async fn find(conn: &mut Conn, id: AcknowledgementId) -> Result<Option<Acknowledgement>> {
    conn.query(COLUMNS).push_bind("where id = ", id.0).maybe(acknowledgement).await
}

/// Newest first, ended ones too.
pub async fn of_balancer(conn: &mut Conn, balancer: BalancerId) -> Result<Vec<Acknowledgement>> {
    conn.query(COLUMNS)
        .push_bind("where balancer_id = ", balancer.0)
        .push(" order by created_at desc, id limit 1000")
        .all(acknowledgement)
        .await
}

/// The row stays: who let it stand, and who ended that, is part of the story.
pub async fn end(conn: &mut Conn, id: AcknowledgementId, at: Timestamp, by: &str) -> Result<bool> {
    let ended = conn
        .query("update acknowledgements set ended_at = $1, ended_by = $2 where id = $3 and ended_at is null")
        .bind(at)
        .bind(by)
        .bind(id.0)
        .execute()
        .await?;
    Ok(ended == 1)
}
