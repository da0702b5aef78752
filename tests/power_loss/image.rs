//! What a disk may hold after a power cut.

use std::collections::BTreeMap;
use std::path::Path;

use crate::trace::Step;

/// The database files of a folder.
#[derive(Clone)]
pub struct Disk(BTreeMap<String, Vec<u8>>);

impl Disk {
    pub fn read(folder: &Path) -> Self {
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name.ends_with(".db") || name.ends_with(".db-wal") {
                files.insert(name, std::fs::read(&path).expect("a file"));
            }
        }
        Self(files)
    }

    pub fn write(&self, folder: &Path) {
        for (name, bytes) in &self.0 {
            std::fs::write(folder.join(name), bytes).expect("written");
        }
    }

    /// After these steps and a cut: what was synced, and of the rest whatever chance leaves.
    pub fn after(&self, steps: &[Step], chance: &mut Chance) -> Self {
        let mut disk = self.clone();
        let mut pending: BTreeMap<&str, Vec<&Step>> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Write { file, .. } | Step::Truncate { file, .. } | Step::Unlink(file) => {
                    pending.entry(file).or_default().push(step);
                }
                Step::Sync(file) => {
                    for step in pending.remove(file.as_str()).unwrap_or_default() {
                        disk.apply(step, |_| true);
                    }
                }
                Step::Acknowledge(_) => {}
            }
        }
        // A disk writes whole sectors; old ones have 512 bytes, new ones 4,096.
        let sector = if chance.below(2) == 0 { 512 } else { 4_096 };
        for step in pending.into_values().flatten() {
            match chance.below(3) {
                0 => {}
                1 => disk.apply(step, |_| true),
                _ => {
                    let kept: Vec<bool> = (0..1_024).map(|_| chance.below(2) == 0).collect();
                    disk.apply(step, |at| kept[at / sector % kept.len()]);
                }
            }
        }
        disk
    }

    /// Carries out a step; of a write only the bytes whose place in the file `keeps` takes.
    fn apply(&mut self, step: &Step, keeps: impl Fn(usize) -> bool) {
        match step {
            Step::Write { file, at, bytes } => {
                let content = self.0.entry(file.clone()).or_default();
                if content.len() < at + bytes.len() {
                    content.resize(at + bytes.len(), 0);
                }
                for (index, byte) in bytes.iter().enumerate() {
                    if keeps(at + index) {
                        content[at + index] = *byte;
                    }
                }
            }
            Step::Truncate { file, length } => self.0.entry(file.clone()).or_default().resize(*length, 0),
            Step::Unlink(file) => drop(self.0.remove(file)),
            Step::Sync(_) | Step::Acknowledge(_) => {}
        }
    }
}

/// Reproducible chance (xorshift64).
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).expect("below a usize")
    }
}
