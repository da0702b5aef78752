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

    /// This disk and, of what was not synced, whatever chance leaves.
    fn cut(mut self, pending: &BTreeMap<&str, Vec<&Step>>, chance: &mut Chance) -> Self {
        // A disk writes whole sectors; old ones have 512 bytes, new ones 4,096.
        let sector = if chance.below(2) == 0 { 512 } else { 4_096 };
        for step in pending.values().flatten() {
            match chance.below(3) {
                0 => {}
                1 => self.apply(step),
                _ => self.tear(step, sector, chance),
            }
        }
        self
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Write { file, at, bytes } => self.put(file, *at, bytes),
            Step::Truncate { file, length } => self.0.entry(file.clone()).or_default().resize(*length, 0),
            Step::Unlink(file) => drop(self.0.remove(file)),
            Step::Sync(_) | Step::Acknowledge(_) => {}
        }
    }

    /// Of a write some sectors; anything else is done or not.
    fn tear(&mut self, step: &Step, sector: usize, chance: &mut Chance) {
        let Step::Write { file, at, bytes } = step else { return };
        let mut from = 0;
        while from < bytes.len() {
            let to = bytes.len().min((at + from) / sector * sector + sector - at);
            if chance.below(2) == 0 {
                self.put(file, at + from, &bytes[from..to]);
            }
            from = to;
        }
    }

    fn put(&mut self, file: &str, at: usize, bytes: &[u8]) {
        let content = self.0.entry(file.to_owned()).or_default();
        if content.len() < at + bytes.len() {
            content.resize(at + bytes.len(), 0);
        }
        content[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

/// The steps from the beginning on, one cut after the other.
pub struct Replay<'a> {
    steps: &'a [Step],
    done: usize,
    synced: Disk,
    /// By file, in the order of the calls.
    pending: BTreeMap<&'a str, Vec<&'a Step>>,
}

impl<'a> Replay<'a> {
    pub fn new(before: Disk, steps: &'a [Step]) -> Self {
        Self { steps, done: 0, synced: before, pending: BTreeMap::new() }
    }

    /// The disk when the power goes before the step `cut`, which must not lie before the last one asked for.
    pub fn cut(&mut self, cut: usize, chance: &mut Chance) -> Disk {
        for step in &self.steps[self.done..cut] {
            match step {
                Step::Write { file, .. } | Step::Truncate { file, .. } | Step::Unlink(file) => {
                    self.pending.entry(file).or_default().push(step);
                }
                Step::Sync(file) => {
                    for step in self.pending.remove(file.as_str()).unwrap_or_default() {
                        self.synced.apply(step);
                    }
                }
                Step::Acknowledge(_) => {}
            }
        }
        self.done = cut;
        self.synced.clone().cut(&self.pending, chance)
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
