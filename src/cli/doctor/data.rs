//! The database itself: version, schema, integrity, the settings that durability rests on, its clock.

use chrono::TimeDelta;

use super::{Finding, failed, ok, schema, warning};
use crate::app::SystemClock;
use crate::domain::time::{Clock, rfc3339};
use crate::store::{Result, Schema, Store, checks, db::Dialect};

/// Returns whether the data can be worked with, so that what else needs it can be checked.
pub async fn examine(store: &Store, findings: &mut Vec<Finding>) -> bool {
    match look(store, findings).await {
        Ok(usable) => usable,
        Err(fault) => {
            findings.push(failed("database", fault.to_string(), "look at the log of the database or of the disk"));
            false
        }
    }
}

async fn look(store: &Store, findings: &mut Vec<Finding>) -> Result<bool> {
    let mut conn = store.read().await?;
    let version = checks::version(&mut conn).await?;
    match store.dialect() {
        // An older one than 3.51.3 is not even opened.
        Dialect::Sqlite => {
            findings.push(ok("database", format!("SQLite {version}, without the fault of WAL files before 3.51.3")))
        }
        Dialect::Postgres => {
            let settings = checks::postgres_settings(&mut conn).await?;
            findings.push(ok("database", format!("PostgreSQL {version}")));
            findings.push(durability(&settings));
            if let Some(theirs) = checks::postgres_clock(&mut conn).await? {
                findings.push(clock("database clock", "the database's clock", theirs - SystemClock.now(), TimeDelta::seconds(2)));
            }
        }
    }
    let (found, newest) = (store.schema().await?, Schema::newest(store.dialect())?);
    findings.push(schema(found, newest));
    for (part, name) in store.parts().into_iter().zip(["integrity", "integrity of samples"]) {
        if store.dialect() == Dialect::Sqlite {
            findings.push(integrity(name, &checks::integrity(part).await?));
        }
    }
    if found.is_some()
        && let Some(newest) = checks::newest_event(&mut conn).await?
    {
        let ahead = newest - SystemClock.now();
        match ahead > TimeDelta::minutes(2) {
            true => findings.push(warning(
                "newest event",
                format!("it is of {}, which is still to come", rfc3339(newest)),
                "a clock was or is wrong: set it by a time service",
            )),
            false => findings.push(ok("newest event", format!("it is of {}", rfc3339(newest)))),
        }
    }
    Ok(found == Some(newest))
}

fn integrity(name: &str, wrong: &[String]) -> Finding {
    if wrong.is_empty() {
        return ok(name, "the file holds together, and every reference has its row");
    }
    failed(
        name,
        wrong.join("; "),
        "stop the server, keep a copy of the folder, and restore the newest backup that afterload restore --verify accepts",
    )
}

/// Reads PostgreSQL's own settings, as (name, value).
fn durability(settings: &[(String, String)]) -> Finding {
    let value = |name: &str| settings.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str());
    let shown: Vec<String> = settings.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let measured = shown.join(", ");
    if value("server_version_num").parse::<u32>().is_ok_and(|version| version < 140_000) {
        return failed("durability", measured, "use PostgreSQL 14 or newer");
    }
    for name in ["fsync", "full_page_writes"] {
        if value(name) == "off" {
            return failed("durability", measured, format!("set {name} = on: without it a power cut can destroy the database"));
        }
    }
    if value("synchronous_commit") == "off" {
        return failed("durability", measured, "set synchronous_commit = on: acknowledged writes can be lost");
    }
    ok("durability", measured)
}

fn clock(check: &str, what: &str, apart: TimeDelta, most: TimeDelta) -> Finding {
    let seconds = apart.num_milliseconds() as f64 / 1e3;
    let measured = format!("{what} is {:.1} s {} ours", seconds.abs(), if seconds < 0.0 { "behind" } else { "ahead of" });
    if apart.abs() > most {
        return warning(check, measured, "set both clocks by one time service");
    }
    ok(check, measured)
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn settings_that_lose_data_are_failures() {
        let set = |name: &str, value: &str| {
            let all =
                [("fsync", "on"), ("full_page_writes", "on"), ("synchronous_commit", "on"), ("server_version_num", "150000")];
            let all = all.map(|(known, good)| (known.to_owned(), if known == name { value } else { good }.to_owned()));
            durability(&all).state
        };
        assert_eq!(set("", ""), State::Ok);
        assert_eq!(set("synchronous_commit", "remote_apply"), State::Ok);
        for (name, value) in
            [("fsync", "off"), ("full_page_writes", "off"), ("synchronous_commit", "off"), ("server_version_num", "130004")]
        {
            assert_eq!(set(name, value), State::Failed, "{name}");
        }
    }

    #[test]
    fn clocks_apart_are_noticed_in_both_directions() {
        let judge = |seconds| clock("x", "x", TimeDelta::seconds(seconds), TimeDelta::seconds(2)).state;
        assert_eq!((judge(1), judge(-3), judge(3)), (State::Ok, State::Warning, State::Warning));
    }
}
