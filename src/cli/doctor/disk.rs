//! The disk below the embedded database: what kind it is, how fast a write is safe on it, space, times and modes of files.

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::FsWord;

use super::{Finding, failed, ok, warning};
use crate::store::folder_of;
use crate::store::space::{Room, reserve_path};

/// Writes that are timed, and how long that may take altogether.
const WRITES: usize = 200;
const PATIENCE: Duration = Duration::from_secs(3);

pub fn examine(database: &Path, findings: &mut Vec<Finding>) {
    let folder = folder_of(database);
    findings.push(kind(folder));
    match probe(folder) {
        Ok(probe) => findings.extend([speed(probe.times), stamped(probe.skew)]),
        Err(fault) => {
            let measured = format!("nothing can be written into {} ({fault})", folder.display());
            findings.push(failed(
                "disk sync",
                measured,
                "run this as the user of the server; look at owner, mode and free space",
            ));
        }
    }
    findings.push(space(folder));
    findings.push(reserve(database));
    modes(database, folder, findings);
}

/// Numbers of file systems, as `statfs(2)` tells them.
const MEMORY: [FsWord; 2] = [0x0102_1994, 0x8584_58f6];
const NETWORK: [(FsWord, &str); 6] =
    [(0x6969, "NFS"), (0x517b, "SMB"), (0xff53_4d42, "CIFS"), (0xfe53_4d42, "SMB"), (0x0102_1997, "9p"), (0x00c3_6400, "Ceph")];

fn kind(folder: &Path) -> Finding {
    let place = folder.display();
    match rustix::fs::statfs(folder).map(|found| found.f_type) {
        Ok(number) if MEMORY.contains(&number) => warning(
            "file system",
            format!("{place} is in memory"),
            "put the data on a disk; a restart of the machine loses it all",
        ),
        Ok(number) => match NETWORK.iter().find(|(known, _)| *known == number) {
            Some((_, name)) => {
                let remedy = "use a local disk, or PostgreSQL: SQLite's locks and shared memory do not hold over a network";
                failed("file system", format!("{place} is on {name}"), remedy)
            }
            None => ok("file system", format!("{place} is local")),
        },
        Err(fault) => {
            warning("file system", format!("{place} tells nothing of itself ({fault})"), "check that it is a local disk")
        }
    }
}

struct Probe {
    /// One for each write of 4 KiB that was brought to the disk.
    times: Vec<Duration>,
    /// How far the stamp on the file is from this machine's clock.
    skew: Duration,
}

/// Writes as the database does when it answers: 4 KiB appended, then `fdatasync`.
fn probe(folder: &Path) -> io::Result<Probe> {
    let mut file = tempfile::Builder::new().prefix(".afterload-doctor-").tempfile_in(folder)?;
    let (begin, mut times) = (Instant::now(), Vec::with_capacity(WRITES));
    while times.len() < WRITES && begin.elapsed() < PATIENCE {
        let start = Instant::now();
        file.write_all(&[0x5a; 4096])?;
        file.as_file().sync_data()?;
        times.push(start.elapsed());
    }
    let (stamp, now) = (file.as_file().metadata()?.modified()?, SystemTime::now());
    let skew = now.duration_since(stamp).unwrap_or_else(|ahead| ahead.duration());
    Ok(Probe { times, skew })
}

/// The value that `part` of 100 are not above.
fn percentile(sorted: &[Duration], part: usize) -> Duration {
    let at = (sorted.len() * part).div_ceil(100).max(1) - 1;
    sorted.get(at).copied().unwrap_or_default()
}

fn speed(mut times: Vec<Duration>) -> Finding {
    times.sort();
    let (half, most) = (percentile(&times, 50), percentile(&times, 99));
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let measured = format!("fdatasync p50 {:.2} ms, p99 {:.2} ms over {} writes", ms(half), ms(most), times.len());
    if half > Duration::from_millis(20) || most > Duration::from_millis(250) {
        return warning(
            "disk sync",
            measured,
            "each acknowledged write waits this long: use a faster disk, or one that is less busy",
        );
    }
    if half < Duration::from_micros(10) {
        return warning(
            "disk sync",
            measured,
            "no disk is that fast: flushes are not passed on, and a power cut may lose acknowledged writes",
        );
    }
    ok("disk sync", measured)
}

fn stamped(skew: Duration) -> Finding {
    let measured = format!("a new file is stamped within {:.1} s of the clock", skew.as_secs_f64());
    if skew > Duration::from_secs(2) {
        return warning("file times", measured, "the disk's machine has another time: set both clocks by one time service");
    }
    ok("file times", measured)
}

fn space(folder: &Path) -> Finding {
    match Room::of(folder) {
        Ok(room) => judge_space(room),
        Err(fault) => warning("free space", format!("it cannot be read ({fault})"), "look at it with df"),
    }
}

fn judge_space(room: Room) -> Finding {
    let measured = format!("{} MiB, {} % of the disk", room.free >> 20, room.part());
    let remedy = "make room: with a full disk reading goes on and nothing can be saved";
    match () {
        () if room.is_low() => failed("free space", format!("{measured}: the recorder pauses"), remedy),
        () if room.is_short() => warning("free space", measured, remedy),
        () => ok("free space", measured),
    }
}

/// What is held back for a full disk.
fn reserve(database: &Path) -> Finding {
    match std::fs::metadata(reserve_path(database)).map(|found| found.len()) {
        Ok(0) => failed(
            "reserve",
            "it was given back: the disk is full, or was and has too little room for it",
            "make room; the server makes it again by itself",
        ),
        Ok(held) => ok("reserve", format!("{} MiB are held back for a full disk", held >> 20)),
        Err(_) => warning(
            "reserve",
            "nothing is held back for a full disk",
            "start the server, which makes it (AFTERLOAD_RESERVE_MIB; at most an eighth of the disk)",
        ),
    }
}

/// A file with a secret in it.
pub fn secret(path: &Path) -> Finding {
    let check = "secret file";
    match std::fs::metadata(path) {
        Ok(found) => judge_mode(check, path, found.permissions().mode() & 0o777),
        Err(fault) => {
            failed(check, format!("{} cannot be read ({fault})", path.display()), "check the path and the right to read it")
        }
    }
}

fn judge_mode(check: &str, path: &Path, mode: u32) -> Finding {
    let measured = format!("{} has mode {mode:04o}", path.display());
    let remedy = format!("chmod 600 {}", path.display());
    match () {
        () if mode & 0o007 != 0 => failed(check, format!("{measured}, open to everybody"), remedy),
        () if mode & 0o070 != 0 => warning(check, format!("{measured}, open to its group"), remedy),
        () => ok(check, measured),
    }
}

/// The folder, the databases, and everything beside them that has their name: write-ahead logs, copies before upgrades.
fn modes(database: &Path, folder: &Path, findings: &mut Vec<Finding>) {
    let begin = findings.len();
    if let Ok(found) = std::fs::metadata(folder) {
        let mode = found.permissions().mode() & 0o777;
        let (measured, remedy) = (format!("{} has mode {mode:04o}", folder.display()), format!("chmod 700 {}", folder.display()));
        if mode & 0o022 != 0 {
            findings.push(failed("file modes", format!("{measured}: others may replace the files in it"), remedy));
        } else if mode & 0o055 != 0 {
            findings.push(warning("file modes", format!("{measured}: others may look into it"), remedy));
        }
    }
    let stem = database.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let mut count = 0;
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(&stem);
        let Some(found) = entry.metadata().ok().filter(|found| is_ours && found.is_file()) else { continue };
        count += 1;
        let finding = judge_mode("file modes", &entry.path(), found.permissions().mode() & 0o777);
        if finding.remedy.is_some() {
            findings.push(finding);
        }
    }
    if let Err(fault) = std::fs::OpenOptions::new().append(true).open(database) {
        let measured = format!("{} cannot be opened for writing ({fault})", database.display());
        findings.push(failed("file modes", measured, "run this as the user of the server, who must own the file"));
    }
    if findings.len() == begin {
        findings.push(ok("file modes", format!("the folder and {count} files are their owner's alone")));
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn speeds_are_judged_by_the_middle_and_the_slowest() {
        let all = |micros| vec![Duration::from_micros(micros); 200];
        assert_eq!(speed(all(800)).state, State::Ok);
        assert_eq!(speed(all(40_000)).state, State::Warning);
        assert_eq!(speed(all(2)).state, State::Warning);
        let mut stalls = all(800);
        stalls[..4].fill(Duration::from_millis(900));
        assert_eq!(speed(stalls).state, State::Warning);
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!((percentile(&times, 50).as_millis(), percentile(&times, 99).as_millis()), (100, 198));
        assert_eq!(percentile(&times[..1], 99).as_millis(), 1);
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }

    #[test]
    fn little_space_and_open_files_are_noticed() {
        let gib = 1 << 30;
        for (free, all, state) in [
            (50 * gib, 100 * gib, State::Ok),
            (5 * gib, 100 * gib, State::Warning),
            (gib / 8, 100 * gib, State::Failed),
            (gib / 8, gib, State::Ok),
            (gib / 16, gib, State::Failed),
        ] {
            assert_eq!(judge_space(Room { free, all }).state, state, "{free} of {all}");
        }
        for (mode, state) in [(0o600, State::Ok), (0o640, State::Warning), (0o604, State::Failed), (0o620, State::Warning)] {
            assert_eq!(judge_mode("x", Path::new("x"), mode).state, state);
        }
        assert_eq!(stamped(Duration::from_secs(60)).state, State::Warning);
    }
}
