//! What `check`, `model` and `diff` share: configs from the disk, their secrets out before anything else is done, so
//! that no secret can reach an output.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::balancer::model::{Gravity, Model};
use crate::balancer::redact::{RedactionKey, fingerprints, redact};
use crate::balancer::state;
use crate::domain::balancer::BalancerKind;
use crate::record::ReadError;
use crate::record::config_file::{self, Config, Known, load};

/// Could not read or parse; [`ExitCode`] of all three commands.
pub const REFUSED: u8 = 2;

/// Reads configs and hides their secrets behind numbers: the first secret is `REDACTED-000000000001` wherever it
/// stands. The same input gives the same output, equal secrets stay equal, and nobody can try guesses against it, as
/// could be done with a fingerprint whose key is known.
pub struct Reader {
    key: RedactionKey,
    numbers: HashMap<String, String>,
    /// Secrets as they were written, and what stands for them.
    secrets: BTreeMap<String, String>,
}

impl Reader {
    pub fn new() -> Result<Self, String> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| format!("this machine gives no random numbers: {error}"))?;
        Ok(Self { key: RedactionKey(key), numbers: HashMap::new(), secrets: BTreeMap::new() })
    }

    pub fn load(&mut self, paths: &[PathBuf], known: Known<'_>) -> Result<Config, ReadError> {
        load(paths, known, &mut |kind, text| self.wash(kind, text))
    }

    /// `text` without secrets, every line where it was.
    pub fn wash(&mut self, kind: BalancerKind, text: &str) -> String {
        let redacted = redact(kind, text, &self.key).text;
        let (mut out, mut copied, mut raw) = (String::with_capacity(redacted.len()), 0, text);
        for (span, mark) in fingerprints(&redacted) {
            let between = &redacted[copied..span.start];
            self.replaced(skip(&mut raw, between), &mut out);
            out.push_str(between);
            let next = self.numbers.len() + 1;
            let number = self.numbers.entry(mark.to_owned()).or_insert_with(|| format!("REDACTED-{next:012}"));
            out.push_str(number);
            copied = span.end;
        }
        let rest = &redacted[copied..];
        self.replaced(skip(&mut raw, rest), &mut out);
        out + rest
    }

    /// `secret` was replaced by the mark at the end of `out`. A key of many lines was replaced by one mark; without its
    /// lines every place below would be told too high.
    fn replaced(&mut self, secret: &str, out: &mut String) {
        if let Some(at) = out.rfind("REDACTED-").filter(|_| secret.len() >= SECRET_MIN) {
            self.secrets.insert(secret.to_owned(), out[at..].to_owned());
        }
        out.push_str(&"\n".repeat(secret.matches('\n').count()));
    }

    /// What a program said of a config that was washed, which may quote any word of it.
    pub fn wash_output(&mut self, kind: BalancerKind, text: &str) -> String {
        let mut out = self.wash(kind, text);
        // Backwards, so that a secret comes before those that it begins with.
        for (secret, mark) in self.secrets.iter().rev() {
            out = out.replace(secret, mark);
        }
        out
    }

    /// Lays the run-time state in the file `path` over `model`; returns servers that the config does not have.
    pub fn lay_state(&mut self, model: &mut Model, path: &Path) -> Result<Vec<String>, String> {
        let text = config_file::text(path).map_err(|error| error.to_string())?;
        let state = state(model.kind, &self.wash(model.kind, &text))
            .map_err(|error| format!("{} is not the state of {}: {error}", path.display(), model.kind.said()))?;
        Ok(state.lay_over(model))
    }
}

/// Shorter ones are words that may stand anywhere.
const SECRET_MIN: usize = 4;

/// Moves `raw` behind the next `part` of it and gives what was skipped.
fn skip<'t>(raw: &mut &'t str, part: &str) -> &'t str {
    let Some(at) = raw.find(part) else { return "" };
    let (before, after) = raw.split_at(at);
    *raw = &after[part.len()..];
    before
}

/// Whether the balancer would refuse the config, or parts of it could not be read.
pub fn is_broken(model: &Model) -> bool {
    model.notices.iter().any(|notice| notice.gravity == Gravity::Error)
}

/// `file:line:column`, as editors open it; the file alone where nothing more is known.
pub fn spot(file: &str, line: usize, column: usize) -> String {
    if line == 0 { file.to_owned() } else { format!("{file}:{line}:{}", column.max(1)) }
}

/// The model's errors as lines for people, each with its place, each once.
pub fn errors(model: &Model) -> Vec<String> {
    let errors = model.notices.iter().filter(|notice| notice.gravity == Gravity::Error).map(|notice| {
        let file = model.files.get(notice.place.file()).map_or("", String::as_str);
        format!("error: {}: {}", spot(file, notice.place.line(), notice.place.column()), notice.text)
    });
    let mut seen = HashSet::new();
    errors.filter(|error| seen.insert(error.clone())).collect()
}

/// Writes to standard output. A reader that has gone is no fault of the command.
pub fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Says on standard error why nothing could be done.
pub fn refuse(why: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "afterload: {why}");
    ExitCode::from(REFUSED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_become_numbers_and_lines_stay() {
        let mut reader = Reader::new().expect("random numbers");
        let text = "listen s\n  stats auth mk:hunter2\n  stats auth ops:hunter3\n  stats auth dev:hunter2\n";
        let washed = reader.wash(BalancerKind::Haproxy, text);
        let mark = |number: usize| format!("REDACTED-{number:012}");
        assert_eq!(washed, text.replace("hunter2", &mark(1)).replace("hunter3", &mark(2)));
        let said = reader.wash_output(BalancerKind::Haproxy, "[ALERT] line 2: what is 'hunter3x' of mk:hunter2?");
        assert_eq!(said, format!("[ALERT] line 2: what is '{}x' of mk:{}?", mark(2), mark(1)));
        let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n".repeat(3);
        let key = format!("a: 1\nkey: |\n-----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY-----\nb: 2\n");
        let washed = reader.wash(BalancerKind::Envoy, &key);
        assert!(!washed.contains("MIIE"), "{washed}");
        assert_eq!(washed.lines().position(|line| line == "b: 2"), key.lines().position(|line| line == "b: 2"));
    }
}
