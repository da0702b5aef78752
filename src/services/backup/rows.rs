//! The portable form: one entry `tables/NAME.ndjson` for each table, one JSON object for each row.
//!
//! Bytes are base64 (RFC 4648, with padding), ids are their 16 bytes, times are RFC 3339 text with at most microseconds,
//! JSON is text that holds JSON, truth is 0 or 1. The columns and what they hold stand in the manifest.

use std::io::{BufRead, BufReader, Write};

use anyhow::{Context, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::archive::{Archive, Writer};
use super::{ColumnHeld, Manifest, TableHeld};
use crate::store::portable::{self, Cell, Column, Kind, Table};
use crate::store::{self, Conn, Store, checks};

/// Writes all rows, each database in one consistent state, and returns what was written, with the number of the last event.
pub async fn dump(store: &Store, writer: &mut Writer) -> anyhow::Result<(Vec<TableHeld>, i64)> {
    let (mut held, mut last_event) = (Vec::new(), 0);
    for part in store.parts() {
        let mut conn = part.snapshot().await?;
        for table in portable::tables(&mut conn).await? {
            let mut entry = writer.entry(&entry_name(table.name.as_str()))?;
            let mut rows = 0;
            portable::rows(&mut conn, &table, |cells| {
                rows += 1;
                let row: Map<String, Value> = table
                    .columns
                    .iter()
                    .zip(cells)
                    .map(|(column, cell)| (column.name.as_str().to_owned(), value(cell)))
                    .collect();
                serde_json::to_writer(&mut entry, &row)
                    .map_err(std::io::Error::from)
                    .and_then(|()| entry.write_all(b"\n"))
                    .map_err(|fault| store::Error::Unusable(format!("the backup cannot be written: {fault}")))
            })
            .await
            .with_context(|| format!("the table {}", table.name.as_str()))?;
            if table.name.as_str() == "events" {
                last_event = checks::events(&mut conn).await?.1;
            }
            let columns = table.columns.iter().map(|c| ColumnHeld { name: c.name.as_str().to_owned(), holds: c.kind }).collect();
            held.push(TableHeld { name: table.name.as_str().to_owned(), rows, columns });
        }
    }
    Ok((held, last_event))
}

fn entry_name(table: &str) -> String {
    format!("tables/{table}.ndjson")
}

fn value(cell: Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Bytes(bytes) => Value::String(STANDARD.encode(bytes)),
        Cell::Text(text) => Value::String(text),
        Cell::Integer(number) => Value::from(number),
        Cell::Real(number) => Value::from(number),
    }
}

/// Fills a database that has the manifest's schema and nothing else in it. All rows of a database, or none.
pub async fn fill(store: &Store, archive: &mut Archive, manifest: &Manifest) -> anyhow::Result<()> {
    let mut waiting: Vec<&TableHeld> = manifest.tables.iter().collect();
    for part in store.parts() {
        let mut conn = part.begin().await?;
        let tables = portable::tables(&mut conn).await?;
        for table in tables.iter().rev() {
            portable::clear(&mut conn, table).await?;
        }
        for table in &tables {
            let Some(at) = waiting.iter().position(|held| held.name == table.name.as_str()) else { continue };
            let held = waiting.remove(at);
            fill_table(&mut conn, archive, table, held).await.with_context(|| format!("the table {}", held.name))?;
            portable::settle(&mut conn, table).await?;
        }
        conn.commit().await?;
    }
    if let Some(left) = waiting.first() {
        bail!("the backup holds a table {} that this version does not know", left.name);
    }
    Ok(())
}

async fn fill_table(conn: &mut Conn, archive: &mut Archive, table: &Table, held: &TableHeld) -> anyhow::Result<()> {
    let columns: Vec<&Column> = held.columns.iter().map(|held| column(table, held)).collect::<anyhow::Result<_>>()?;
    let mut lines = BufReader::new(archive.by_name(&entry_name(&held.name)).context("its rows are missing")?);
    let (mut line, mut number) = (String::new(), 0);
    while lines.read_line(&mut line)? > 0 {
        number += 1;
        let place = || format!("line {number}");
        let mut row: Map<String, Value> = serde_json::from_str(&line).with_context(place)?;
        let mut cells = Vec::with_capacity(columns.len());
        for column in &columns {
            let name = column.name.as_str();
            let value = row.remove(name).with_context(|| format!("line {number} has no {name}"))?;
            cells.push(
                cell(column.kind, value).with_context(|| format!("line {number}: {name} does not hold {:?}", column.kind))?,
            );
        }
        ensure!(row.is_empty(), "line {number} has more than the manifest's columns");
        portable::insert(conn, table, &columns, cells).await.with_context(place)?;
        line.clear();
    }
    Ok(())
}

fn column<'t>(table: &'t Table, held: &ColumnHeld) -> anyhow::Result<&'t Column> {
    let found = table.columns.iter().find(|column| column.name.as_str() == held.name);
    found
        .filter(|column| column.kind == held.holds)
        .with_context(|| format!("its column {} is not as this version knows it", held.name))
}

fn cell(kind: Kind, value: Value) -> Option<Cell> {
    Some(match (kind, value) {
        (_, Value::Null) => Cell::Null,
        (Kind::Bytes, Value::String(text)) => Cell::Bytes(STANDARD.decode(text).ok()?),
        (Kind::Text, Value::String(text)) => Cell::Text(text),
        (Kind::Integer, Value::Number(number)) => Cell::Integer(number.as_i64()?),
        (Kind::Real, Value::Number(number)) => Cell::Real(number.as_f64()?),
        _ => return None,
    })
}
