//! Whether stored data holds together: what the database says of itself, hashes of stored bytes, the log of events.

use sha2::{Digest, Sha256};

use super::db::{Conn, Db, Dialect};
use super::{Error, Result};

/// What SQLite finds wrong with the file's structure and with references between rows; nothing on PostgreSQL, which
/// enforces references with every write and has `pg_amcheck` for the rest.
pub async fn integrity(db: &Db) -> Result<Vec<String>> {
    if db.dialect() == Dialect::Postgres {
        return Ok(Vec::new());
    }
    let mut conn = db.read().await?;
    let told = conn.query("select integrity_check from pragma_integrity_check limit 20").all(|row| row.at::<String>(0)).await;
    let mut wrong: Vec<String> = match told {
        Ok(told) => told.into_iter().filter(|line| line != "ok").collect(),
        // A file so broken that it cannot even be walked.
        Err(Error::Other(fault)) => vec![fault.to_string()],
        Err(fault) => return Err(fault),
    };
    if wrong.is_empty() {
        let dangling = conn.query(
            "select \"table\" || ' refers to a row of ' || parent || ' that is not there' from pragma_foreign_key_check limit 20",
        );
        wrong = dangling.all(|row| row.at(0)).await?;
    }
    Ok(wrong)
}

/// How many texts and files are stored, and how many of them are not what their hash says. A text may be stored
/// deflated; the hash is of the text itself.
pub async fn blobs(conn: &mut Conn) -> Result<(u64, u64)> {
    let (mut count, mut wrong) = (0, 0);
    conn.query("select hash, bytes from blobs")
        .each(|row| {
            let (hash, bytes): (Vec<u8>, Vec<u8>) = (row.at(0)?, row.at(1)?);
            count += 1;
            if Sha256::digest(&bytes)[..] != hash[..] && inflated_hash(&bytes).as_deref() != Some(&hash[..]) {
                wrong += 1;
            }
            Ok(())
        })
        .await?;
    Ok((count, wrong))
}

fn inflated_hash(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut sum = Sha256::new();
    let mut reader = flate2::read::DeflateDecoder::new(bytes);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match std::io::Read::read(&mut reader, &mut buffer).ok()? {
            0 => return Some(sum.finalize().to_vec()),
            length => sum.update(&buffer[..length]),
        }
    }
}

/// The log of events: how many, and the number of the last. Each is read in full.
pub async fn events(conn: &mut Conn) -> Result<(i64, i64)> {
    let (mut count, mut last) = (0, 0);
    conn.query("select seq, at, kind, actor, data from events order by seq")
        .each(|row| {
            let seq: i64 = row.get("seq")?;
            let read = || -> Result<()> {
                row.get::<chrono::DateTime<chrono::Utc>>("at")?;
                row.get::<String>("kind")?;
                row.get::<String>("actor")?;
                row.json::<serde_json::Value>("data").map(drop)
            };
            read().map_err(|fault| Error::Corrupt(format!("event {seq}: {fault}")))?;
            (count, last) = (count + 1, seq);
            Ok(())
        })
        .await?;
    Ok((count, last))
}

/// When the newest event was, by the clock of the machine that wrote it.
pub async fn newest_event(conn: &mut Conn) -> Result<Option<chrono::DateTime<chrono::Utc>>> {
    conn.query("select at from events order by seq desc limit 1").value().await
}

/// The version of the database: SQLite's or PostgreSQL's.
pub async fn version(conn: &mut Conn) -> Result<String> {
    let text = conn.per_dialect("select sqlite_version()", "select current_setting('server_version')");
    Ok(conn.query(text).value().await?.unwrap_or_default())
}

/// PostgreSQL's settings that durability rests on, as (name, value), and its clock.
pub async fn postgres_settings(conn: &mut Conn) -> Result<Vec<(String, String)>> {
    conn.query("select name, setting from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit', 'data_checksums', 'server_version_num') order by name")
        .all(|row| Ok((row.at(0)?, row.at(1)?)))
        .await
}

pub async fn postgres_clock(conn: &mut Conn) -> Result<Option<chrono::DateTime<chrono::Utc>>> {
    conn.query("select clock_timestamp()").value().await
}

/// Bytes that PostgreSQL's database takes on its disk.
pub async fn postgres_size(conn: &mut Conn) -> Result<u64> {
    let size: Option<i64> = conn.query("select pg_database_size(current_database())").value().await?;
    Ok(size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0))
}
