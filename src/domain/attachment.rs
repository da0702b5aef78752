//! Files that people hang on timeline entries: images first of all.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::id::AttachmentId;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Attachment {
    pub id: AttachmentId,
    pub name: String,
    /// What the bytes are, found by their own signature and never by the name.
    pub media_type: String,
    /// Bytes.
    pub size: i64,
    /// Handle of who sent it; `token:NAME` where no person did.
    pub created_by: String,
    pub created_at: DateTime<Utc>,
}

/// Largest file that is taken, in bytes.
pub const SIZE_MAX: usize = 25 * 1024 * 1024;

/// The media type by magic bytes. Only raster images are shown in pages; everything else, SVG and HTML
/// included, is `application/octet-stream` and can only be downloaded.
pub fn sniff(bytes: &[u8]) -> &'static str {
    match bytes {
        [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => "image/png",
        [0xFF, 0xD8, 0xFF, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        _ if std::str::from_utf8(bytes).is_ok_and(|text| !text.contains('\0') && !text.trim_start().starts_with('<')) => {
            "text/plain"
        }
        _ => "application/octet-stream",
    }
}

impl Attachment {
    pub fn is_image(&self) -> bool {
        self.media_type.starts_with("image/")
    }
}

/// A name without folders and control characters, at most 120 characters.
pub fn clean_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let cleaned: String =
        last.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '<' | '>' | '|' | ':' | '*' | '?')).take(120).collect();
    let cleaned = cleaned.trim_matches(['.', ' ']);
    if cleaned.is_empty() { "file".to_owned() } else { cleaned.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_decide_not_names() {
        assert_eq!(sniff(b"\x89PNG\r\n\x1a\n rest"), "image/png");
        assert_eq!(sniff(b"<svg onload=alert(1)>"), "application/octet-stream");
        assert_eq!(sniff(b"plain log line"), "text/plain");
        assert_eq!(sniff(b"\0\0"), "application/octet-stream");
    }

    #[test]
    fn names_lose_their_folders() {
        assert_eq!(clean_name("../../etc/passwd"), "passwd");
        assert_eq!(clean_name("C:\\x\\graph \"1\".png"), "graph 1.png");
        assert_eq!(clean_name("..\0"), "file");
    }
}
