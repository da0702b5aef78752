//! Room on the disk of the SQLite files, and a reserve for the day when there is none: a file that holds space and gives it
//! back then, so that people can still sign in and write down what happens. It refuses to speed through: what only
//! machines send waits until there is room again.
//!
//! The reserve's file says by itself how things stand: with its length it holds the space, empty it was given back and is
//! made again once there is room. So a restart in between changes nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::fs::FallocateFlags;

use super::folder_of;

const MIB: u64 = 1 << 20;
/// Below this much free space only people write, and only what cannot wait.
const FULL: u64 = 4 * MIB;
/// Below this much, or a tenth of the disk where that is less, the recorder pauses.
const LOW: u64 = 256 * MIB;
/// A reserve takes at most this part of a disk.
const PART: u64 = 8;

/// How much room there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Level {
    #[default]
    Plenty,
    /// The recorder keeps nothing new, so that what people write finds room.
    Low,
    /// The reserve was given back.
    Full,
}

/// The disk below one installation.
#[derive(Debug)]
pub struct Space {
    folder: PathBuf,
    reserve: PathBuf,
    level: AtomicU8,
}

/// The file of the reserve that belongs to a file of incident data.
pub fn reserve_path(database: &Path) -> PathBuf {
    database.with_extension("reserve")
}

/// Bytes of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// For us.
    pub free: u64,
    pub all: u64,
}

impl Room {
    pub fn of(folder: &Path) -> io::Result<Self> {
        let found = rustix::fs::statvfs(folder)?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Ok(Self { free: bytes(found.f_bavail), all: bytes(found.f_blocks) })
    }

    /// Free hundredths.
    pub fn part(self) -> u64 {
        self.free.saturating_mul(100).checked_div(self.all).unwrap_or(0)
    }

    /// Less than a tenth of the disk: nothing is refused yet, and a copy before an upgrade may not fit.
    pub fn is_short(self) -> bool {
        self.free < self.all / 10
    }

    /// So little that the recorder pauses; a disk with so little is short too.
    pub fn is_low(self) -> bool {
        self.free < LOW.min(self.all / 10)
    }

    fn mark(self) -> u64 {
        FULL.min(self.all / 16)
    }
}

impl Space {
    pub fn of(database: &Path) -> Self {
        Self { folder: folder_of(database).to_owned(), reserve: reserve_path(database), level: AtomicU8::new(0) }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn room(&self) -> io::Result<Room> {
        Room::of(&self.folder)
    }

    /// As it was seen last.
    pub fn level(&self) -> Level {
        match self.level.load(Ordering::Relaxed) {
            0 => Level::Plenty,
            1 => Level::Low,
            _ => Level::Full,
        }
    }

    fn set(&self, level: Level) {
        let number = match level {
            Level::Plenty => 0,
            Level::Low => 1,
            Level::Full => 2,
        };
        self.level.store(number, Ordering::Relaxed);
    }

    /// Before anything is opened on a disk that is full already: a server that starts there must be able to write a little.
    pub fn make_way(&self) -> io::Result<()> {
        let room = self.room()?;
        if room.free < room.mark() { self.release() } else { Ok(()) }
    }

    /// Looks how much room there is, gives the reserve back where there is none, and makes it again once there is.
    /// `wanted` is its size in bytes; on a disk that is too small for it there is none.
    ///
    /// # Errors
    /// When the disk tells nothing or the reserve cannot be made. What was seen is known all the same.
    pub fn look(&self, wanted: u64) -> io::Result<Level> {
        let room = self.room()?;
        let wanted = if wanted > room.all / PART { 0 } else { wanted };
        let held = fs::metadata(&self.reserve).ok().map(|found| found.len());
        let released = self.level() == Level::Full || (wanted > 0 && held == Some(0));
        let missing = wanted.saturating_sub(held.unwrap_or(0));
        let full = if released { room.free < missing + 2 * room.mark() } else { room.free < room.mark() };
        let low = Room { free: room.free.saturating_sub(missing), ..room }.is_low();
        self.set(match () {
            () if full => Level::Full,
            () if low => Level::Low,
            () => Level::Plenty,
        });
        match held {
            Some(held) if full && held > 0 => self.release()?,
            _ if !full && missing > 0 && room.free >= missing + 2 * room.mark() => self.make(wanted)?,
            _ => {}
        }
        Ok(self.level())
    }

    /// Gives the space back. Its file stays, empty: emptying works also where a new name would find no room.
    pub fn release(&self) -> io::Result<()> {
        match OpenOptions::new().write(true).open(&self.reserve) {
            Ok(file) => file.set_len(0),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    fn make(&self, wanted: u64) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.reserve)?;
        let made = match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, wanted) {
            // Not every file system can; then it is written.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => fill(&mut file, wanted),
            other => other.map_err(io::Error::from),
        };
        let made = made.and_then(|()| file.sync_all());
        if made.is_err() {
            // Half a reserve is none, and the space is better left to what is written.
            fs::remove_file(&self.reserve)?;
        }
        made
    }
}

fn fill(file: &mut File, wanted: u64) -> io::Result<()> {
    let block = [0x5a; 64 * 1024];
    let mut left = wanted;
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(block.len()).min(block.len());
        file.write_all(&block[..part])?;
        left -= part as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_made_given_back_and_made_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let space = Space::of(&folder.path().join("afterload.db"));
        let held = || fs::metadata(folder.path().join("afterload.reserve")).ok().map(|found| found.len());
        assert_ne!(space.look(MIB).expect("seen"), Level::Full);
        assert_eq!(held(), Some(MIB));
        space.release().expect("given back");
        assert_eq!(held(), Some(0));
        assert_ne!(space.look(MIB).expect("seen"), Level::Full);
        assert_eq!(held(), Some(MIB), "there was room for it");
        // More than its part of any disk.
        space.release().expect("given back");
        let all = space.room().expect("room").all;
        assert_ne!(space.look(all).expect("seen"), Level::Full);
        assert_eq!(held(), Some(0), "a disk that is too small has none");
    }
}
