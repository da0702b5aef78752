//! Which addresses in Markdown may become links and images. Everything else stays text.
//!
//! The check reads the address after Markdown has decoded entities and escapes, as a browser would see it.

use uuid::Uuid;

use crate::domain::id::AttachmentId;

/// Whether `address` may be a link: http, https, mailto, a fragment, or a path on this server.
///
/// Browsers drop tabs and line breaks inside addresses and read `\` as `/` (WHATWG URL, 4.4), so any control
/// character and any backslash in a path disqualify.
pub fn is_link(address: &str) -> bool {
    if address.chars().any(char::is_control) {
        return false;
    }
    let has = |scheme: &str| address.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    has("https://") || has("http://") || has("mailto:") || address.starts_with('#') || is_local_path(address)
}

/// Whether `address` is a path on this server: one leading `/`, so that no other host can be meant.
pub fn is_local_path(address: &str) -> bool {
    address.starts_with('/') && !address.starts_with("//") && !address.chars().any(|c| c == '\\' || c.is_control())
}

/// The attachment that `/attachments/ID` or `/attachments/ID/name.png` means; images come from nowhere else.
pub fn attachment(address: &str) -> Option<AttachmentId> {
    let rest = address.strip_prefix("/attachments/")?;
    let (id, name) = rest.split_once('/').unwrap_or((rest, ""));
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ');
    if name.starts_with('.') || !name.chars().all(plain) {
        return None;
    }
    Uuid::try_parse(id).ok().map(AttachmentId)
}

/// Writes `address` with all that could end it, or an attribute or Markdown around it, percent-encoded.
/// `&` stays as it is: what it must become depends on the language around it.
pub fn push_encoded(out: &mut String, address: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in address.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~!*;:@&=+$,/?#%[]".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// The next `INC-42` at or after `from`: its byte range. A reference stands alone: not inside a word, a path or a
/// longer name.
pub fn next_reference(text: &str, from: usize) -> Option<std::ops::Range<usize>> {
    let joins = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '/');
    let mut search = from;
    while let Some(found) = text.get(search..)?.find("INC-") {
        let start = search + found;
        let digits = text[start + 4..].bytes().take_while(u8::is_ascii_digit).count();
        let end = start + 4 + digits;
        search = start + 4;
        let alone = !text[..start].chars().next_back().is_some_and(joins) && !text[end..].chars().next().is_some_and(joins);
        if alone && (1..=18).contains(&digits) && !text[start + 4..].starts_with('0') {
            return Some(start..end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_cannot_run_or_mislead_are_links() {
        for good in ["https://a.example/x?y=1", "HTTP://A", "mailto:a@b", "#top", "/incidents/INC-1", "/"] {
            assert!(is_link(good), "{good}");
        }
        let bad = ["javascript:alert(1)", "java\nscript:x", " javascript:x", "//evil", "/\\evil", "/\t/evil", "data:text/html,x"];
        for bad in bad.into_iter().chain(["", "relative", "vbscript:x", "file:///etc", "https:evil", "\u{1}https://a", "é"]) {
            assert!(!is_link(bad), "{bad}");
        }
    }

    #[test]
    fn images_are_attachments_alone() {
        let id = "01900000-0000-7000-8000-000000000001";
        assert!(attachment(&format!("/attachments/{id}")).is_some());
        assert!(attachment(&format!("/attachments/{id}/load per server.png")).is_some());
        for bad in [format!("/attachments/{id}/../../x"), format!("/attachments/{id}/%2e%2e"), format!("//a/attachments/{id}")] {
            assert!(attachment(&bad).is_none(), "{bad}");
        }
        assert!(attachment("/attachments/").is_none() && attachment("https://a/attachments/1").is_none());
    }

    #[test]
    fn references_stand_alone() {
        let all = |text: &str| {
            let mut from = 0;
            std::iter::from_fn(|| next_reference(text, from).inspect(|range| from = range.end))
                .map(|range| text[range].to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(all("see INC-42, (INC-7). INC-INC-9"), ["INC-42", "INC-7"]);
        assert!(all("xINC-1 INC-0 INC-1x INC- a/INC-3 INC-4-fix éINC-5 INC-9999999999999999999").is_empty());
    }
}
