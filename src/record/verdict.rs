//! What a balancer's own program says of a config file: `haproxy -c`, `nginx -t`, `envoy --mode validate`, `caddy
//! validate`. Traefik has no such question. The program is asked as its user would ask it, with this process's rights
//! and environment; nginx then also tries to open its logs.

use std::path::{Path, PathBuf, absolute};
use std::process::Command;
use std::time::Duration;

use super::program::{find, run};
use crate::domain::balancer::BalancerKind;

/// Longest time that a verdict may take. A large HAProxy config takes seconds.
pub const WITHIN: Duration = Duration::from_secs(30);

/// The words of the program as they came; [`crate::domain::snapshot::Verdict`] is what is kept of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Such as `haproxy -c`.
    pub program: String,
    /// Version of the program that was asked, which need not be the one that runs.
    pub version: Option<String>,
    /// Whether it takes the config.
    pub accepted: bool,
    /// What it said, **not redacted**: the caller redacts before it stores or shows anything.
    pub output: String,
}

/// Asks the program that stands on the PATH about the files or folders `paths`, which are one config. The error is one
/// sentence: there is no such program, or it did not end in time.
pub fn ask(kind: BalancerKind, paths: &[&Path], within: Duration) -> Result<Said, String> {
    let (name, question, version): (&str, &[&str], &str) = match kind {
        BalancerKind::Haproxy => ("haproxy", &["-c"], "-v"),
        BalancerKind::Nginx => ("nginx", &["-t"], "-v"),
        BalancerKind::Envoy => ("envoy", &["--mode", "validate"], "--version"),
        BalancerKind::Caddy => ("caddy", &["validate"], "version"),
        BalancerKind::Traefik => return Err("Traefik has no command that checks a config: leave --validate out".to_owned()),
    };
    let program = find(name)
        .ok_or_else(|| format!("{name} is not on the PATH, so that it cannot be asked: install it, or leave --validate out"))?;
    let mut command = Command::new(&program);
    command.args(question);
    let paths = whole(paths)?;
    if kind != BalancerKind::Haproxy && paths.len() > 1 {
        return Err(format!("{name} takes one file: name the main one alone to have its verdict"));
    }
    for path in &paths {
        match kind {
            BalancerKind::Haproxy => command.arg("-f").arg(path),
            _ => command.arg("-c").arg(main_file(path)),
        };
        if kind == BalancerKind::Caddy && is_named_caddyfile(path) {
            command.args(["--adapter", "caddyfile"]);
        }
    }
    let ran = run(&mut command, "", within)?;
    let told = run(Command::new(&program).arg(version), "", within).ok();
    let version = told.and_then(|told| number(&format!("{}\n{}", told.out, told.err)));
    let output = format!("{}{}", ran.out, ran.err);
    Ok(Said { program: format!("{name} {}", question.join(" ")), version, accepted: ran.ok, output })
}

/// Where a line of the output says that the trouble is: which of `files`, and the line there. HAProxy writes
/// `[file:line]`, nginx `in file:line`, Caddy `file:line` of a Caddyfile, Envoy a line of the only file for YAML that it
/// cannot read.
pub fn place(kind: BalancerKind, said: &str, files: &[String]) -> Option<(usize, usize)> {
    let words = said.split(|c: char| c.is_whitespace() || matches!(c, '[' | ']' | '(' | ')' | '\'' | '"' | ','));
    for word in words {
        let mut parts = word.trim_end_matches(['.', ':', ';']).split(':');
        let (Some(path), Some(line)) = (parts.next(), parts.next().and_then(|line| line.parse::<usize>().ok())) else { continue };
        // Programs are given whole paths; what is included is named as the config names it.
        let is = |file: &String| {
            file == path || absolute(file).is_ok_and(|whole| whole == Path::new(path)) || Path::new(file).ends_with(path)
        };
        if let Some(file) = files.iter().position(is).filter(|_| line > 0 && !path.is_empty()) {
            return Some((file, line));
        }
    }
    if kind != BalancerKind::Envoy || files.len() != 1 {
        return None;
    }
    let digits: String = said.split("at line ").nth(1)?.chars().take_while(char::is_ascii_digit).collect();
    Some((0, digits.parse().ok().filter(|line| *line > 0)?))
}

/// How grave a line of the output is by its own word.
pub fn is_warning(said: &str) -> bool {
    said.starts_with("[WARNING]") || said.contains("[warn]")
}

/// Whole paths: nginx would look for others below its own folder, and none of them is taken for a flag.
fn whole(paths: &[&Path]) -> Result<Vec<PathBuf>, String> {
    paths.iter().map(|path| absolute(path).map_err(|error| format!("{} is no path: {error}", path.display()))).collect()
}

fn main_file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("nginx.conf") } else { path.to_owned() }
}

/// Whether a file of this name is written in Caddy's own language.
pub(super) fn is_named_caddyfile(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_ascii_lowercase();
    name.starts_with("caddyfile") || name.ends_with(".caddyfile")
}

/// The first word that begins like a version: `2.8.25-d9f76c1`, `1.31.3` of `nginx/1.31.3`.
fn number(text: &str) -> Option<String> {
    let words = text.split(|c: char| c.is_whitespace() || c == '/').map(|word| word.trim_start_matches('v'));
    let is_version = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.');
    words.into_iter().find(is_version).map(|word| word.chars().take(60).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_print() {
        for (text, version) in [
            ("HAProxy version 2.8.25-d9f76c1 2026/01/01 - https://haproxy.org/\nStatus: x", "2.8.25-d9f76c1"),
            ("\nnginx version: nginx/1.31.3\n", "1.31.3"),
            ("v2.11.7 h1:abc=", "2.11.7"),
            ("\nenvoy  version: 0123abc/1.40.0/Clean/RELEASE/BoringSSL\n", "1.40.0"),
        ] {
            assert_eq!(number(text).as_deref(), Some(version));
        }
        assert_eq!(number("none here"), None);
    }

    #[test]
    fn places_are_found_in_what_programs_print() {
        let here = absolute("a.cfg").expect("a path");
        let files = ["a.cfg".to_owned(), "/etc/nginx/conf.d/b.conf".to_owned()];
        let haproxy =
            format!("[ALERT]    (12) : config : parsing [{}:13] : unknown keyword 'x' in 'backend' section", here.display());
        for (kind, said, expected) in [
            (BalancerKind::Haproxy, haproxy.as_str(), Some((0, 13))),
            (BalancerKind::Haproxy, "[ALERT] (12) : config : Fatal errors found in configuration.", None),
            (BalancerKind::Haproxy, "[ALERT] (12) : config : parsing [/tmp/other.cfg:13] : x", None),
            (BalancerKind::Nginx, "nginx: [emerg] unknown directive \"x\" in /etc/nginx/conf.d/b.conf:4", Some((1, 4))),
            (BalancerKind::Nginx, "nginx: [emerg] bind() to 127.0.0.1:80 failed", None),
            (BalancerKind::Caddy, "Error: adapting config using caddyfile: a.cfg:3: unrecognized directive: x", Some((0, 3))),
            (BalancerKind::Envoy, "Unable to convert YAML as JSON: yaml-cpp: error at line 7, column 3: end of map", None),
        ] {
            assert_eq!(place(kind, said, &files), expected, "{said}");
        }
        let said = "yaml-cpp: error at line 7, column 3: end of map not found";
        assert_eq!(place(BalancerKind::Envoy, said, &files[..1]), Some((0, 7)));
        assert!(is_warning("[WARNING]  (1) : config : x") && !is_warning(&haproxy));
    }

    #[test]
    fn caddys_own_language_is_known_by_its_name() {
        for (name, is) in [("/etc/caddy/Caddyfile", true), ("Caddyfile.test", true), ("a.caddyfile", true), ("caddy.json", false)]
        {
            assert_eq!(is_named_caddyfile(Path::new(name)), is, "{name}");
        }
    }
}
