//! A statement with its values, and the rows that come back.

use std::borrow::Cow;

use futures_util::{Stream, TryStreamExt};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe, ColumnIndex, Decode, Encode, Postgres, Row as _, SqlSafeStr, SqlStr, Sqlite, Type};

use super::{Conn, Dialect, Error, Result};

/// What both drivers can write.
pub trait Value<'v>: Encode<'v, Sqlite> + Type<Sqlite> + Encode<'v, Postgres> + Type<Postgres> {}
impl<'v, T> Value<'v> for T where T: Encode<'v, Sqlite> + Type<Sqlite> + Encode<'v, Postgres> + Type<Postgres> {}

/// What both drivers can read.
pub trait Read: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres> {}
impl<T> Read for T where T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres> {}

enum Arguments {
    Sqlite(SqliteArguments),
    Postgres(PgArguments),
}

/// A statement under construction, on the connection that it will run on.
pub struct Query<'c> {
    conn: &'c mut Conn,
    text: Cow<'static, str>,
    arguments: Arguments,
    count: usize,
    fault: Option<String>,
}

impl Conn {
    /// Starts a statement. Only literals are taken, so that nothing from outside can become SQL.
    pub fn query(&mut self, text: &'static str) -> Query<'_> {
        let arguments = match self.dialect() {
            Dialect::Sqlite => Arguments::Sqlite(SqliteArguments::default()),
            Dialect::Postgres => Arguments::Postgres(PgArguments::default()),
        };
        Query { conn: self, text: Cow::Borrowed(text), arguments, count: 0, fault: None }
    }
}

/// One row of a statement that writes many.
pub struct Values<'c> {
    query: Query<'c>,
    is_first: bool,
}

impl Values<'_> {
    pub fn value<'v, T: Value<'v>>(self, value: T) -> Self {
        let comma = if self.is_first { "" } else { ", " };
        Self { query: self.query.push_bind(comma, value), is_first: false }
    }

    /// A value of text that is cast to what only this database has.
    pub fn cast<'v, T: Value<'v>>(self, value: T, end: &'static str) -> Self {
        let comma = if self.is_first { "cast(" } else { ", cast(" };
        Self { query: self.query.push_bind(comma, value).push(end), is_first: false }
    }
}

/// Rows that one statement writes at most. Each number of them is a statement of its own, which the connection keeps
/// prepared: more rows would fill its memory with long ones, and a statement costs little against so many rows.
pub const ROWS: usize = 32;

impl<'c> Query<'c> {
    /// Binds the next `$n`.
    pub fn bind<'v, T: Value<'v>>(mut self, value: T) -> Self {
        let outcome = match &mut self.arguments {
            Arguments::Sqlite(arguments) => arguments.add(value),
            Arguments::Postgres(arguments) => arguments.add(value),
        };
        if let Err(fault) = outcome {
            self.fault.get_or_insert_with(|| fault.to_string());
        }
        self.count += 1;
        self
    }

    /// Appends literal text.
    pub fn push(mut self, text: &'static str) -> Self {
        self.text.to_mut().push_str(text);
        self
    }

    /// Appends the name of a table or column, quoted.
    pub fn push_name(mut self, name: &Name) -> Self {
        let text = self.text.to_mut();
        text.push('"');
        text.push_str(&name.0);
        text.push('"');
        self
    }

    /// Appends literal text, then the next `$n` bound to `value`.
    pub fn push_bind<'v, T: Value<'v>>(self, text: &'static str, value: T) -> Self {
        let mut query = self.bind(value);
        let number = query.count;
        query.text.to_mut().push_str(text);
        query.text.to_mut().push_str(&format!("${number}"));
        query
    }

    /// As [`Self::push_bind`] when there is a value; nothing otherwise.
    pub fn and_if<'v, T: Value<'v>>(self, text: &'static str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.push_bind(text, value),
            None => self,
        }
    }

    /// Appends `($n, $n+1, …)` for a list of values; an empty list becomes `(null)`, which matches nothing. The last one
    /// is said again until there are 1, 2, 4, 8 or so: a connection then plans few texts, not one for each length.
    pub fn push_list<'v, T: Value<'v> + Clone>(self, text: &'static str, values: impl IntoIterator<Item = T>) -> Self {
        let mut query = self.push(text).push("(");
        let before = query.count;
        let mut last = None;
        for value in values {
            let comma = if last.is_none() { "" } else { ", " };
            last = Some(value.clone());
            query = query.push_bind(comma, value);
        }
        let Some(last) = last else { return query.push("null)") };
        while !(query.count - before).is_power_of_two() {
            query = query.push_bind(", ", last.clone());
        }
        query.push(")")
    }

    /// Appends `(…), (…)`: a row of values for each item, as `bind` says them. At most [`ROWS`] at once.
    pub fn push_rows<T>(
        self,
        items: impl IntoIterator<Item = T>,
        bind: impl Fn(Values<'c>, T) -> Result<Values<'c>>,
    ) -> Result<Self> {
        let mut query = self;
        for (index, item) in items.into_iter().enumerate() {
            let opened = Values { query: query.push(if index == 0 { "(" } else { ", (" }), is_first: true };
            query = bind(opened, item)?.query.push(")");
        }
        Ok(query)
    }

    /// The number of rows that were changed.
    pub async fn execute(self) -> Result<u64> {
        let (conn, text, arguments) = self.finish()?;
        Ok(match (conn, arguments) {
            (Conn::Sqlite(c), Arguments::Sqlite(a)) => sqlx::query_with(text, a).execute(&mut **c).await?.rows_affected(),
            (Conn::SqliteTransaction(c), Arguments::Sqlite(a)) => {
                sqlx::query_with(text, a).execute(&mut **c).await?.rows_affected()
            }
            (Conn::Postgres(c), Arguments::Postgres(a)) => sqlx::query_with(text, a).execute(&mut **c).await?.rows_affected(),
            (Conn::PostgresTransaction(c), Arguments::Postgres(a)) => {
                sqlx::query_with(text, a).execute(&mut **c).await?.rows_affected()
            }
            _ => unreachable!("a query is made for the connection that it holds"),
        })
    }

    /// All rows, each mapped by `read`.
    pub async fn all<T>(self, read: impl Fn(&Row) -> Result<T>) -> Result<Vec<T>> {
        self.rows().await?.iter().map(read).collect()
    }

    /// Hands rows to `take` as they come, so that a table of any size passes through little memory.
    pub async fn each(self, mut take: impl FnMut(&Row) -> Result<()>) -> Result<()> {
        let (conn, text, arguments) = self.finish()?;
        match (conn, arguments) {
            (Conn::Sqlite(c), Arguments::Sqlite(a)) => {
                pass(sqlx::query_with(text, a).fetch(&mut **c), Row::Sqlite, &mut take).await
            }
            (Conn::SqliteTransaction(c), Arguments::Sqlite(a)) => {
                pass(sqlx::query_with(text, a).fetch(&mut **c), Row::Sqlite, &mut take).await
            }
            (Conn::Postgres(c), Arguments::Postgres(a)) => {
                pass(sqlx::query_with(text, a).fetch(&mut **c), Row::Postgres, &mut take).await
            }
            (Conn::PostgresTransaction(c), Arguments::Postgres(a)) => {
                pass(sqlx::query_with(text, a).fetch(&mut **c), Row::Postgres, &mut take).await
            }
            _ => unreachable!("a query is made for the connection that it holds"),
        }
    }

    async fn rows(self) -> Result<Vec<Row>> {
        let (conn, text, arguments) = self.finish()?;
        Ok(match (conn, arguments) {
            (Conn::Sqlite(c), Arguments::Sqlite(a)) => {
                sqlx::query_with(text, a).fetch_all(&mut **c).await?.into_iter().map(Row::Sqlite).collect()
            }
            (Conn::SqliteTransaction(c), Arguments::Sqlite(a)) => {
                sqlx::query_with(text, a).fetch_all(&mut **c).await?.into_iter().map(Row::Sqlite).collect()
            }
            (Conn::Postgres(c), Arguments::Postgres(a)) => {
                sqlx::query_with(text, a).fetch_all(&mut **c).await?.into_iter().map(Row::Postgres).collect()
            }
            (Conn::PostgresTransaction(c), Arguments::Postgres(a)) => {
                sqlx::query_with(text, a).fetch_all(&mut **c).await?.into_iter().map(Row::Postgres).collect()
            }
            _ => unreachable!("a query is made for the connection that it holds"),
        })
    }

    /// The first row, if there is one.
    pub async fn maybe<T>(self, read: impl Fn(&Row) -> Result<T>) -> Result<Option<T>> {
        let row: Option<Row> = self.row().await?;
        row.as_ref().map(read).transpose()
    }

    async fn row(self) -> Result<Option<Row>> {
        let (conn, text, arguments) = self.finish()?;
        Ok(match (conn, arguments) {
            (Conn::Sqlite(c), Arguments::Sqlite(a)) => sqlx::query_with(text, a).fetch_optional(&mut **c).await?.map(Row::Sqlite),
            (Conn::SqliteTransaction(c), Arguments::Sqlite(a)) => {
                sqlx::query_with(text, a).fetch_optional(&mut **c).await?.map(Row::Sqlite)
            }
            (Conn::Postgres(c), Arguments::Postgres(a)) => {
                sqlx::query_with(text, a).fetch_optional(&mut **c).await?.map(Row::Postgres)
            }
            (Conn::PostgresTransaction(c), Arguments::Postgres(a)) => {
                sqlx::query_with(text, a).fetch_optional(&mut **c).await?.map(Row::Postgres)
            }
            _ => unreachable!("a query is made for the connection that it holds"),
        })
    }

    /// The one row that must be there.
    pub async fn one<T>(self, read: impl Fn(&Row) -> Result<T>) -> Result<T> {
        self.maybe(read).await?.ok_or(Error::Other(sqlx::Error::RowNotFound))
    }

    /// The first column of the first row.
    pub async fn value<T: Read>(self) -> Result<Option<T>> {
        self.maybe(|row| row.at(0)).await
    }
}

impl<'c> Query<'c> {
    fn finish(self) -> Result<(&'c mut Conn, SqlStr, Arguments)> {
        if let Some(fault) = self.fault {
            return Err(Error::Corrupt(format!("a value cannot be stored: {fault}")));
        }
        let text = match self.text {
            Cow::Borrowed(text) => text.into_sql_str(),
            // Every piece came in as a literal through `query`, `push` and `push_bind`.
            Cow::Owned(text) => AssertSqlSafe(text).into_sql_str(),
        };
        Ok((self.conn, text, self.arguments))
    }
}

async fn pass<R>(
    mut rows: impl Stream<Item = sqlx::Result<R>> + Unpin,
    wrap: fn(R) -> Row,
    take: &mut impl FnMut(&Row) -> Result<()>,
) -> Result<()> {
    while let Some(row) = rows.try_next().await? {
        take(&wrap(row))?;
    }
    Ok(())
}

/// The name of a table or column that was read from the database's own catalogue: safe to stand in a statement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// # Errors
    /// When it is not made of `a-z`, `0-9` and `_` alone, as all of ours are.
    pub fn new(text: String) -> Result<Self> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if text.is_empty() || !text.chars().all(fits) {
            return Err(Error::Unusable(format!("“{text}” is not a table or column of Afterload")));
        }
        Ok(Self(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

pub enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    /// The column called `name`.
    pub fn get<T: Read>(&self, name: &str) -> Result<T> {
        self.column(name)
    }

    /// The column at `index`, from 0.
    pub fn at<T: Read>(&self, index: usize) -> Result<T> {
        self.column(index)
    }

    fn column<T: Read, I: ColumnIndex<SqliteRow> + ColumnIndex<PgRow>>(&self, index: I) -> Result<T> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(index)?,
            Self::Postgres(row) => row.try_get(index)?,
        })
    }

    /// A JSON column as `T`.
    pub fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T> {
        // Straight from the text: a tree of values in between costs as much again.
        let value: sqlx::types::Json<T> = match self {
            Self::Sqlite(row) => row.try_get(name)?,
            Self::Postgres(row) => row.try_get(name)?,
        };
        Ok(value.0)
    }

    /// A JSON column that may be null.
    pub fn maybe_json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let value: Option<sqlx::types::Json<serde_json::Value>> = self.get(name)?;
        let read = value.map(|value| serde_json::from_value(value.0)).transpose();
        read.map_err(|fault| Error::Corrupt(format!("{name}: {fault}")))
    }

    /// A word column as the enum that it stands for.
    pub fn word<T: std::str::FromStr>(&self, name: &str) -> Result<T> {
        let text: String = self.get(name)?;
        text.parse().map_err(|_| Error::Corrupt(format!("{name}: unknown word {text}")))
    }

    /// A uuid column as a typed id.
    pub fn id<T: From<uuid::Uuid>>(&self, name: &str) -> Result<T> {
        Ok(self.get::<uuid::Uuid>(name)?.into())
    }
}

/// A value as JSON, for binding.
pub fn json<T: serde::Serialize>(value: &T) -> Result<sqlx::types::Json<serde_json::Value>> {
    serde_json::to_value(value).map(sqlx::types::Json).map_err(|fault| Error::Corrupt(fault.to_string()))
}
