//! Whole copies of SQLite files, made while others read and write them: for backups, and before an upgrade.
//!
//! `VACUUM INTO` reads one consistent state and writes no byte into the source. On PostgreSQL there is none: its copies
//! are `pg_dump`'s, or the portable form of `store::portable`.

use std::path::{Path, PathBuf};

use super::db::{Db, Durability, Folder};
use super::{Error, Result, folder_of, make_file};

/// Writes the database into `target`, which must not hold anything yet. Only its owner may read the copy.
pub async fn copy(db: &Db, target: &Path) -> Result<()> {
    let unusable = |fault: std::io::Error| Error::Unusable(format!("{} cannot be written: {fault}", target.display()));
    make_file(target).map_err(unusable)?;
    db.read().await?.query("vacuum into $1").bind(target.display().to_string()).execute().await?;
    std::fs::File::open(target).and_then(|file| file.sync_all()).map_err(unusable)
}

/// Where the copy of `file` from before an upgrade from `schema` stands: `afterload.before-upgrade-5.db`.
fn copy_path(file: &Path, schema: i64) -> PathBuf {
    file.with_extension(format!("{MARK}{schema}.db"))
}

const MARK: &str = "before-upgrade-";

/// Copies `file`, whose schema is `schema` of `folder`, before migrations change it. None when another process brought it up to
/// date meanwhile. A copy that cannot be made refuses the upgrade.
pub async fn before_upgrade(db: &Db, folder: Folder, file: &Path, schema: i64) -> Result<Option<PathBuf>> {
    let target = copy_path(file, schema);
    let making = target.with_extension(format!("{}.partial", std::process::id()));
    let outcome = async {
        copy(db, &making).await?;
        let copied = Db::open_sqlite(&making, Durability::Full).await?;
        let found = copied.schema(folder).await;
        copied.close().await;
        if found? != Some(schema) {
            return Ok(None);
        }
        let placed = std::fs::rename(&making, &target).and_then(|()| std::fs::File::open(folder_of(&target))?.sync_all());
        placed.map_err(|fault| Error::Unusable(fault.to_string()))?;
        Ok(Some(target))
    };
    let outcome: Result<Option<PathBuf>> = outcome.await;
    for left in [making.clone(), beside(&making, "-wal"), beside(&making, "-shm")] {
        let _ = std::fs::remove_file(left);
    }
    outcome.map_err(|fault| {
        let file = file.display();
        Error::Unusable(format!("the schema was not touched, because no copy of {file} could be made before: {fault}"))
    })
}

/// A file that SQLite puts beside a database: `-wal`, `-shm`.
pub fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Removes copies from before earlier upgrades than the one that made `newest`: one of each file is kept.
pub fn forget_older(newest: &Path) {
    let Some(name) = newest.file_name().and_then(|name| name.to_str()) else { return };
    let Some(start) = name.find(MARK).map(|at| &name[..at + MARK.len()]) else { return };
    for entry in std::fs::read_dir(folder_of(newest)).into_iter().flatten().flatten() {
        let found = entry.file_name();
        let Some(found) = found.to_str().filter(|found| *found != name) else { continue };
        let number = found.strip_prefix(start).and_then(|rest| rest.strip_suffix(".db"));
        if number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())) {
            // A copy too many is no reason to fail; the next upgrade tries again.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
