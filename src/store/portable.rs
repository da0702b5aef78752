//! Rows of any table in a form that both databases share, for moving an installation from one to the other.
//!
//! Tables and columns are read from the database's own catalogue, so that a migration adds nothing here. The shared
//! form is SQLite's: bytes (also of ids), text (also of times and JSON), whole numbers (also of truth), numbers. What is
//! derived stays out: columns that the database computes, and tables called `search_…`, which the store fills by itself.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::db::{Conn, Dialect, Name, Query, Row};
use super::{Error, Result};

/// What a cell holds in the shared form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Bytes,
    Text,
    Integer,
    Real,
}

/// One value in the shared form.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Null,
    Bytes(Vec<u8>),
    Text(String),
    Integer(i64),
    Real(f64),
}

/// What PostgreSQL keeps where SQLite has bytes, text or a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Native {
    Same,
    Uuid,
    Time,
    Json,
    Flag,
}

#[derive(Debug, Clone)]
pub struct Column {
    pub name: Name,
    pub kind: Kind,
    native: Native,
    is_key: bool,
    /// Numbered by the database; the numbers of the rows are kept all the same.
    is_identity: bool,
}

#[derive(Debug, Clone)]
pub struct Table {
    pub name: Name,
    pub columns: Vec<Column>,
}

/// All tables with data, each after those that it refers to.
pub async fn tables(conn: &mut Conn) -> Result<Vec<Table>> {
    let text = conn.per_dialect(
        "select name from pragma_table_list where schema = 'main' and type = 'table' and name not like 'sqlite\\_%' escape '\\'
            and name not like '\\_sqlx%' escape '\\' and name not like 'search\\_%' escape '\\' order by name",
        "select relname::text from pg_class where relnamespace = current_schema()::regnamespace and relkind = 'r'
            and relname not like '\\_sqlx%' and relname not like 'search\\_%' order by relname",
    );
    let names: Vec<String> = conn.query(text).all(|row| row.at(0)).await?;
    let mut waiting = Vec::new();
    for name in names {
        let text = conn.per_dialect(
            "select distinct \"table\" from pragma_foreign_key_list($1)",
            "select distinct target.relname::text from pg_constraint k join pg_class target on target.oid = k.confrelid
                where k.contype = 'f' and k.conrelid = to_regclass($1)",
        );
        let targets: BTreeSet<String> = conn.query(text).bind(&name).all(|row| row.at(0)).await?.into_iter().collect();
        let columns = columns(conn, &name).await?;
        waiting.push((targets, Table { name: Name::new(name)?, columns }));
    }
    let mut ordered: Vec<Table> = Vec::new();
    while !waiting.is_empty() {
        let done: BTreeSet<String> = ordered.iter().map(|table| table.name.as_str().to_owned()).collect();
        let ready = |(targets, table): &(BTreeSet<String>, Table)| {
            targets.iter().all(|target| target == table.name.as_str() || done.contains(target))
        };
        let at =
            waiting.iter().position(ready).ok_or_else(|| Error::Unusable("tables refer to each other in a circle".into()))?;
        ordered.push(waiting.remove(at).1);
    }
    Ok(ordered)
}

async fn columns(conn: &mut Conn, table: &str) -> Result<Vec<Column>> {
    let text = conn.per_dialect(
        "select name, lower(type) as type, pk > 0 as is_key, 0 as is_identity from pragma_table_info($1) order by cid",
        "select c.column_name::text as name, c.data_type::text as type, c.is_identity = 'YES' as is_identity,
            exists (select 1 from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
                where i.indrelid = to_regclass($1) and i.indisprimary and a.attname = c.column_name) as is_key
            from information_schema.columns c
            where c.table_schema = current_schema() and c.table_name = $1 and c.is_generated = 'NEVER' order by c.ordinal_position",
    );
    conn.query(text)
        .bind(table)
        .all(|row| {
            let (name, native): (String, String) = (row.get("name")?, row.get("type")?);
            let (kind, native) = match native.as_str() {
                "blob" | "bytea" => (Kind::Bytes, Native::Same),
                "uuid" => (Kind::Bytes, Native::Uuid),
                "text" | "character varying" => (Kind::Text, Native::Same),
                "timestamp with time zone" => (Kind::Text, Native::Time),
                "jsonb" => (Kind::Text, Native::Json),
                "integer" | "int" | "bigint" | "smallint" => (Kind::Integer, Native::Same),
                "boolean" => (Kind::Integer, Native::Flag),
                "real" | "double precision" => (Kind::Real, Native::Same),
                other => return Err(Error::Unusable(format!("{table}.{name} has the type {other}, which has no shared form"))),
            };
            let (is_key, is_identity) = (row.get("is_key")?, row.get("is_identity")?);
            Ok(Column { name: Name::new(name)?, kind, native, is_key, is_identity })
        })
        .await
}

pub async fn count(conn: &mut Conn, table: &Table) -> Result<i64> {
    Ok(conn.query("select count(*) from ").push_name(&table.name).value().await?.unwrap_or(0))
}

/// Hands over every row of the table, in the order of its key, as cells in the order of its columns.
pub async fn rows(conn: &mut Conn, table: &Table, mut take: impl FnMut(Vec<Cell>) -> Result<()>) -> Result<()> {
    let dialect = conn.dialect();
    let mut query = conn.query("select ");
    for (at, column) in table.columns.iter().enumerate() {
        let (before, after) = match (dialect, column.native, column.kind) {
            (Dialect::Postgres, Native::Uuid, _) => ("uuid_send(", ")"),
            (Dialect::Postgres, Native::Flag, _) => ("", "::int::bigint"),
            (Dialect::Postgres, _, Kind::Integer) => ("", "::bigint"),
            (Dialect::Postgres, _, Kind::Real) => ("", "::double precision"),
            _ => ("", ""),
        };
        query = query.push(if at == 0 { "" } else { ", " }).push(before).push_name(&column.name).push(after);
    }
    query = query.push(" from ").push_name(&table.name);
    let mut keys = table.columns.iter().filter(|column| column.is_key).peekable();
    query = query.push(if keys.peek().is_some() { " order by " } else { "" });
    while let Some(key) = keys.next() {
        // SQLite compares text by its bytes.
        let by_bytes = dialect == Dialect::Postgres && key.kind == Kind::Text && key.native == Native::Same;
        query = query.push_name(&key.name).push(if by_bytes { " collate \"C\"" } else { "" });
        query = query.push(if keys.peek().is_some() { ", " } else { "" });
    }
    query
        .each(|row| take(table.columns.iter().enumerate().map(|(at, column)| cell(row, at, column)).collect::<Result<_>>()?))
        .await
}

fn cell(row: &Row, at: usize, column: &Column) -> Result<Cell> {
    let cell = match (column.native, column.kind) {
        (Native::Time, _) => {
            let time: Option<DateTime<Utc>> = row.at(at)?;
            time.map(|time| Cell::Text(time.to_rfc3339_opts(SecondsFormat::AutoSi, false)))
        }
        (Native::Json, _) => {
            let value: Option<sqlx::types::Json<serde_json::Value>> = row.at(at)?;
            value.map(|value| Cell::Text(value.0.to_string()))
        }
        (_, Kind::Bytes) => row.at::<Option<Vec<u8>>>(at)?.map(Cell::Bytes),
        (_, Kind::Text) => row.at::<Option<String>>(at)?.map(Cell::Text),
        (_, Kind::Integer) => row.at::<Option<i64>>(at)?.map(Cell::Integer),
        (_, Kind::Real) => row.at::<Option<f64>>(at)?.map(Cell::Real),
    };
    Ok(cell.unwrap_or(Cell::Null))
}

/// Empties a table that a migration filled.
pub async fn clear(conn: &mut Conn, table: &Table) -> Result<()> {
    conn.query("delete from ").push_name(&table.name).execute().await.map(drop)
}

/// Adds one row. `columns` says which column of the table each cell is for.
pub async fn insert(conn: &mut Conn, table: &Table, columns: &[&Column], cells: Vec<Cell>) -> Result<()> {
    let dialect = conn.dialect();
    let mut query = conn.query("insert into ").push_name(&table.name).push(" (");
    for (at, column) in columns.iter().enumerate() {
        query = query.push(if at == 0 { "" } else { ", " }).push_name(&column.name);
    }
    let overriding = dialect == Dialect::Postgres && columns.iter().any(|column| column.is_identity);
    query = query.push(if overriding { ") overriding system value values (" } else { ") values (" });
    for (at, (column, cell)) in columns.iter().zip(cells).enumerate() {
        query = bind(query.push(if at == 0 { "" } else { ", " }), column, cell)?;
    }
    query.push(")").execute().await.map(drop)
}

fn bind<'c>(query: Query<'c>, column: &Column, cell: Cell) -> Result<Query<'c>> {
    let wrong = || Error::Corrupt(format!("the column {} holds no such value", column.name.as_str()));
    Ok(match (column.native, cell) {
        (_, Cell::Null) => query.push("null"),
        (Native::Uuid, Cell::Bytes(bytes)) => query.push_bind("", uuid::Uuid::from_slice(&bytes).map_err(|_| wrong())?),
        (Native::Time, Cell::Text(text)) => {
            query.push_bind("", DateTime::parse_from_rfc3339(&text).map_err(|_| wrong())?.with_timezone(&Utc))
        }
        (Native::Json, Cell::Text(text)) => {
            let value: serde_json::Value = serde_json::from_str(&text).map_err(|_| wrong())?;
            query.push_bind("", sqlx::types::Json(value))
        }
        (Native::Flag, Cell::Integer(flag @ (0 | 1))) => query.push_bind("", flag == 1),
        (Native::Same, Cell::Bytes(bytes)) if column.kind == Kind::Bytes => query.push_bind("", bytes),
        (Native::Same, Cell::Text(text)) if column.kind == Kind::Text => query.push_bind("", text),
        (Native::Same, Cell::Integer(number)) if column.kind == Kind::Integer => query.push_bind("", number),
        (Native::Same, Cell::Real(number)) if column.kind == Kind::Real => query.push_bind("", number),
        _ => return Err(wrong()),
    })
}

/// After the last row: the database goes on counting where the rows end. (SQLite does so by itself.)
pub async fn settle(conn: &mut Conn, table: &Table) -> Result<()> {
    for column in table.columns.iter().filter(|column| column.is_identity) {
        let (name, text) = (table.name.as_str(), column.name.as_str());
        let query = conn.query("select setval(pg_get_serial_sequence(").push_bind("", name).push_bind(", ", text);
        let query = query.push("), coalesce(max(").push_name(&column.name).push("), 1), max(").push_name(&column.name);
        query.push(") is not null) from ").push_name(&table.name).execute().await?;
    }
    Ok(())
}

/// Removes what [`super::Store::migrate_to`] made in a database where [`found`] found nothing before. PostgreSQL only.
pub async fn drop_all(conn: &mut Conn) -> Result<()> {
    let text = "do $$
        declare place record;
        begin
            for place in select relname from pg_class where relnamespace = current_schema()::regnamespace and relkind = 'r' loop
                execute format('drop table %I cascade', place.relname);
            end loop;
            for place in select p.oid::regprocedure::text as name from pg_proc p where p.pronamespace = current_schema()::regnamespace
                and not exists (select 1 from pg_depend d where d.objid = p.oid and d.deptype = 'e') loop
                execute 'drop function ' || place.name;
            end loop;
        end $$";
    conn.query(text).execute().await.map(drop)
}

/// The names of tables, views and functions that are there, whoever made them, without those of extensions. PostgreSQL
/// only.
pub async fn found(conn: &mut Conn) -> Result<Vec<String>> {
    conn.query(
        "select relname::text from pg_class c where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p', 'v')
            and not exists (select 1 from pg_depend d where d.objid = c.oid and d.deptype = 'e')
         union all
         select proname::text from pg_proc p where pronamespace = current_schema()::regnamespace
            and not exists (select 1 from pg_depend d where d.objid = p.oid and d.deptype = 'e')
         order by 1",
    )
    .all(|row| row.at(0))
    .await
}
