//! What the store reports upwards.

/// A fault of the store. Those that a person can mend are turned into `domain::Error` by the services;
/// the rest become an opaque 500 with the cause in the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A unique index was violated. The text names it (PostgreSQL) or its `table.column`s (SQLite).
    #[error("already there: {0}")]
    Unique(String),
    #[error("refers to something that is not there: {0}")]
    ForeignKey(String),
    /// The database cannot be reached or is overloaded; trying again later may work.
    #[error("the database does not answer: {0}")]
    Unavailable(String),
    #[error("the disk is full or not writable: {0}")]
    Full(String),
    #[error("stored data cannot be read: {0}")]
    Corrupt(String),
    #[error("{0}")]
    Unusable(String),
    #[error(transparent)]
    Other(sqlx::Error),
}

impl Error {
    /// Whether this violated a unique index that covers `table` (`incident_groups`, …).
    pub fn is_unique_in(&self, table: &str) -> bool {
        matches!(self, Self::Unique(place) if place.contains(table))
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(cause) => {
                let place = cause.constraint().map_or_else(|| cause.message().to_owned(), str::to_owned);
                let code = cause.code().unwrap_or_default().into_owned();
                if cause.is_unique_violation() {
                    Self::Unique(place)
                } else if cause.is_foreign_key_violation() {
                    Self::ForeignKey(place)
                } else if matches!(code.as_str(), "13" | "8" | "53100") {
                    Self::Full(cause.message().to_owned())
                } else if matches!(
                    code.as_str(),
                    "5" | "6" | "517" | "261" | "57P01" | "57P02" | "57P03" | "53300" | "40001" | "40P01"
                ) {
                    Self::Unavailable(cause.message().to_owned())
                } else {
                    Self::Other(error)
                }
            }
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Self::Unavailable(error.to_string())
            }
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Corrupt(error.to_string()),
            _ => Self::Other(error),
        }
    }
}
