//! A config file, or a directory of them, as text. Opens nothing that is not a plain file: a pipe would hang, a
//! device would never end.

use std::path::Path;

use tokio::fs;
use tokio::io::AsyncReadExt;

use super::{MAX_BYTES, ReadError};

/// The text and what was odd about it. Of a directory, as `haproxy -f DIR` does it (management guide, chapter
/// 3): every `*.cfg` file that is not hidden, in the order of their bytes, here each under a `# file: NAME` line.
pub(super) async fn read(path: &str) -> Result<(String, Vec<String>), ReadError> {
    let mut notices = Vec::new();
    let meta = fs::metadata(path).await.map_err(|e| ReadError::io(path, &e))?;
    if !meta.is_dir() {
        let text = file(Path::new(path), path, MAX_BYTES, &mut notices).await?;
        return Ok((text, notices));
    }
    let mut names = Vec::new();
    let mut entries = fs::read_dir(path).await.map_err(|e| ReadError::io(path, &e))?;
    while let Some(entry) = entries.next_entry().await.map_err(|e| ReadError::io(path, &e))? {
        let name = entry.file_name();
        let bytes = name.as_encoded_bytes();
        if bytes.ends_with(b".cfg") && !bytes.starts_with(b".") {
            names.push(name);
        }
    }
    if names.is_empty() {
        return Err(ReadError::EmptyDirectory { place: path.to_owned() });
    }
    names.sort();
    let mut joined = String::new();
    for name in names {
        let file_path = Path::new(path).join(&name);
        let shown = file_path.to_string_lossy();
        let left = MAX_BYTES.saturating_sub(joined.len());
        let text = match file(&file_path, &shown, left, &mut notices).await {
            Err(ReadError::TooLarge { .. }) => return Err(ReadError::TooLarge { place: path.to_owned() }),
            text => text?,
        };
        joined.push_str(&format!("# file: {}\n", name.to_string_lossy().replace(char::is_control, "?")));
        joined.push_str(&text);
        if !text.ends_with('\n') {
            joined.push('\n');
        }
    }
    Ok((joined, notices))
}

async fn file(path: &Path, shown: &str, most: usize, notices: &mut Vec<String>) -> Result<String, ReadError> {
    let meta = fs::metadata(path).await.map_err(|e| ReadError::io(shown, &e))?;
    if !meta.is_file() {
        return Err(ReadError::NotAFile { place: shown.to_owned() });
    }
    let mut bytes = Vec::new();
    let opened = fs::File::open(path).await.map_err(|e| ReadError::io(shown, &e))?;
    opened.take(most as u64 + 1).read_to_end(&mut bytes).await.map_err(|e| ReadError::io(shown, &e))?;
    if bytes.len() > most {
        return Err(ReadError::TooLarge { place: shown.to_owned() });
    }
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| {
        notices.push(format!("{shown} is not UTF-8 throughout; the bytes that are not are shown as �"));
        String::from_utf8_lossy(error.as_bytes()).into_owned()
    }))
}
