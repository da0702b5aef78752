//! The container of a backup: a zip archive, so that any `unzip` opens it, sealed with a checksum over all of it.
//!
//! The archive's comment is `sha256:` and 64 hexadecimal digits: the SHA-256 of every byte of the file before the comment.
//! A single changed byte anywhere is found before anything in the file is believed.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, ensure};
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

const MARK: &str = "sha256:";
const SEAL_LENGTH: usize = MARK.len() + 64;

pub type Archive = ZipArchive<BufReader<File>>;

pub struct Writer(ZipWriter<BufWriter<File>>);

impl Writer {
    /// A new file that only its owner may read.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(0o600).open(path);
        Ok(Self(ZipWriter::new(BufWriter::new(file.with_context(|| format!("{} cannot be written", path.display()))?))))
    }

    /// Begins an entry; what is written to the result belongs to it.
    pub fn entry(&mut self, name: &str) -> anyhow::Result<&mut ZipWriter<BufWriter<File>>> {
        self.0.start_file(name, SimpleFileOptions::default().large_file(true).unix_permissions(0o600))?;
        Ok(&mut self.0)
    }

    /// Seals the archive and brings it to the disk.
    pub fn finish(mut self) -> anyhow::Result<()> {
        self.0.set_raw_comment(vec![b'0'; SEAL_LENGTH].into_boxed_slice())?;
        let mut file = self.0.finish()?.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        let seal = seal(&mut file)?;
        file.seek(SeekFrom::End(-(SEAL_LENGTH as i64)))?;
        file.write_all(seal.as_bytes())?;
        file.sync_all()?;
        Ok(())
    }
}

/// Opens an archive whose seal holds.
pub fn open(path: &Path) -> anyhow::Result<Archive> {
    let shown = path.display();
    let mut file = File::open(path).with_context(|| format!("{shown} cannot be read"))?;
    let length = file.metadata()?.len();
    ensure!(length > SEAL_LENGTH as u64, "{shown} is not a backup of Afterload: it is too short");
    file.seek(SeekFrom::End(-(SEAL_LENGTH as i64)))?;
    let mut found = String::new();
    let is_text = Read::by_ref(&mut file).read_to_string(&mut found).is_ok();
    ensure!(
        is_text && found.starts_with(MARK),
        "{shown} is not a whole backup of Afterload: its end, where the checksum stands, is missing or damaged"
    );
    let seal = seal(&mut file)?;
    ensure!(seal == found, "{shown} is damaged: its checksum is {seal}, and {found} when it was written; take another backup");
    file.rewind()?;
    ZipArchive::new(BufReader::new(file)).with_context(|| format!("{shown} is not a backup of Afterload"))
}

/// The seal that the file should carry.
fn seal(file: &mut File) -> anyhow::Result<String> {
    let length = file.metadata()?.len() - SEAL_LENGTH as u64;
    file.rewind()?;
    let mut reader = BufReader::with_capacity(256 * 1024, file).take(length);
    let mut sum = Sha256::new();
    std::io::copy(&mut reader, &mut HashInto(&mut sum))?;
    Ok(format!("{MARK}{}", hex::encode(sum.finalize())))
}

struct HashInto<'a>(&'a mut Sha256);

impl Write for HashInto<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
