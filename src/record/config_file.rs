//! A config from the disk: files, folders, standard input, with all that they include, read as one.
//!
//! The recorder and the commands read alike, so that what is checked is what would be recorded. A Caddyfile is not read
//! here: `caddy adapt` turns it into the JSON that Caddy runs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::disk::{Disk, STDIN, STDIN_NAME};
use super::verdict::is_named_caddyfile;
use super::{ReadError, program};
use crate::balancer::caddy::is_caddyfile;
use crate::balancer::model::Model;
use crate::balancer::source::{Files, Source};
use crate::balancer::{detect, is_config, parse, printable};
use crate::domain::balancer::BalancerKind;
use crate::domain::time::shorten;

/// Stands behind the name of a Caddyfile whose text is the JSON that `caddy adapt` made of it: places are places there.
pub const ADAPTED: &str = " (caddy adapt)";
const ADAPT_WITHIN: Duration = Duration::from_secs(10);

/// What was read.
#[derive(Debug)]
pub struct Config {
    pub kind: BalancerKind,
    pub model: Model,
    /// The files of the model, in its order, as `wash` gave them back.
    pub sources: Vec<Source>,
    /// What was odd about the files, apart from what they say: one sentence each. The model's notices have it too.
    pub notices: Vec<String>,
}

/// What is known before anything is read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// Otherwise detected.
    pub kind: Option<BalancerKind>,
    /// The balancer's version, for its defaults.
    pub version: Option<&'a str>,
}

/// Reads `paths` (files, folders, or `-`) as one config. Each text goes through `wash` before anything is made of it:
/// where it redacts, no secret is in the model nor in its notices.
pub fn load(
    paths: &[PathBuf],
    known: Known<'_>,
    wash: &mut (dyn FnMut(BalancerKind, &str) -> String + Send),
) -> Result<Config, ReadError> {
    let mut disk = Disk::default();
    let mut sources = Vec::new();
    for path in paths {
        sources.extend(open(&mut disk, path, known.kind)?);
    }
    let place = match sources.as_slice() {
        [only] => only.name.clone(),
        _ => paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "),
    };
    if sources.iter().all(|source| source.text.trim().is_empty()) {
        return Err(ReadError::NotAConfig { place, why: "it is empty".to_owned() });
    }
    // By its name too: Caddy is to say what is wrong with one that cannot be known by its text.
    let named = sources.iter().all(|source| is_named_caddyfile(Path::new(&source.name))).then_some(BalancerKind::Caddy);
    let kind = kind(&sources, known.kind.or(named), place)?;
    for source in &mut sources {
        if kind == BalancerKind::Caddy && (is_caddyfile(&source.text) || is_named_caddyfile(Path::new(&source.name))) {
            adapt(source).map_err(|why| {
                // Caddy quotes what it does not understand.
                let why = printable(wash(kind, &why));
                ReadError::Program { place: source.name.clone(), program: "caddy adapt", why }
            })?;
        }
        source.text = wash(kind, &source.text).into();
    }
    let mut files = Washed { disk: &mut disk, kind, wash, given: Vec::new() };
    let mut model = parse(kind, &sources, &mut files, known.version);
    let given = files.given;
    disk.tell(&mut model);
    let text = |name: &String| sources.iter().chain(&given).find(|source| source.name == *name).cloned();
    let sources = model.files.iter().map(|name| text(name).unwrap_or_else(|| Source::new(name.clone(), ""))).collect();
    Ok(Config { kind, model, sources, notices: disk.told() })
}

/// The text of one file, or of standard input.
pub fn text(path: &Path) -> Result<String, ReadError> {
    Ok(Disk::default().open(path)?.text.to_string())
}

/// The text of the config at `path` as the recorder keeps it, **not yet redacted**, and what was odd about it.
pub(super) async fn read(path: &str, kind: BalancerKind) -> Result<(String, Vec<String>), ReadError> {
    let paths = [PathBuf::from(path)];
    let known = Known { kind: Some(kind), version: None };
    let loading = tokio::task::spawn_blocking(move || load(&paths, known, &mut |_, text| text.to_owned()));
    let config = loading.await.map_err(|error| ReadError::Failed { place: path.to_owned(), why: error.to_string() })??;
    Ok((Source::joined(&config.sources), config.notices))
}

fn open(disk: &mut Disk, path: &Path, kind: Option<BalancerKind>) -> Result<Vec<Source>, ReadError> {
    if path != Path::new(STDIN) && path.is_dir() {
        return folder(disk, path, kind);
    }
    let source = disk.open(path)?;
    let files = Source::split(&source.name, &source.text);
    if files.iter().any(|file| file.name != source.name) {
        disk.close();
    }
    Ok(files)
}

/// The config in a folder: the main file where the balancer has a name for it, else all the files that may be parts of
/// one, those of another kind left out.
fn folder(disk: &mut Disk, path: &Path, kind: Option<BalancerKind>) -> Result<Vec<Source>, ReadError> {
    const MAIN: [(&str, BalancerKind); 2] = [("nginx.conf", BalancerKind::Nginx), ("Caddyfile", BalancerKind::Caddy)];
    let asked = |of: BalancerKind| kind.is_none_or(|kind| kind == of);
    for (main, _) in MAIN.into_iter().filter(|(_, of)| asked(*of)) {
        if let Some(file) = disk.list(path, |name| name == main)?.first() {
            return open(disk, file, kind);
        }
    }
    let mut sources = Vec::new();
    for file in disk.list(path, |name| KINDS_ENDINGS.iter().any(|(of, endings)| asked(*of) && ends(name, endings)))? {
        sources.push(disk.open(&file)?);
    }
    if let Some(kind) = kind.or_else(|| detect(&sources)) {
        let endings = KINDS_ENDINGS.iter().find(|(of, _)| *of == kind).map_or(&[][..], |(_, endings)| endings);
        let words = matches!(kind, BalancerKind::Haproxy | BalancerKind::Nginx);
        sources.retain(|source| ends(&source.name, endings) && (words || is_config(kind, &source.text)));
    }
    if sources.is_empty() {
        let mut wanted: Vec<_> = KINDS_ENDINGS.iter().filter(|(of, _)| asked(*of)).flat_map(|(_, endings)| *endings).collect();
        wanted.sort();
        wanted.dedup();
        let wanted = wanted.into_iter().map(|ending| format!("*{ending}")).collect::<Vec<_>>().join(", ");
        return Err(ReadError::EmptyDirectory { place: path.display().to_string(), wanted });
    }
    Ok(sources)
}

const KINDS_ENDINGS: [(BalancerKind, &[&str]); 5] = [
    (BalancerKind::Haproxy, &[".cfg"]),
    (BalancerKind::Nginx, &[".conf"]),
    (BalancerKind::Envoy, &[".yaml", ".yml", ".json"]),
    (BalancerKind::Traefik, &[".yaml", ".yml", ".toml", ".json"]),
    (BalancerKind::Caddy, &[".json"]),
];

fn ends(name: &str, endings: &[&str]) -> bool {
    endings.iter().any(|ending| name.ends_with(ending))
}

fn kind(sources: &[Source], asked: Option<BalancerKind>, place: String) -> Result<BalancerKind, ReadError> {
    let found = detect(sources);
    match (asked, found) {
        (Some(asked), Some(found)) if asked != found && !sources.iter().any(|source| is_config(asked, &source.text)) => {
            Err(ReadError::WrongKind { place, asked: asked.said(), found: found.said() })
        }
        (Some(kind), _) | (None, Some(kind)) => Ok(kind),
        (None, None) => {
            let why = "nothing in it tells which balancer would read it; if one does, say which (--kind)".to_owned();
            Err(ReadError::NotAConfig { place, why })
        }
    }
}

/// Turns a Caddyfile into the JSON that Caddy makes of it. The environment stays out: `{$NAME}` would bring its secrets
/// in. The error is one sentence, **not washed**.
fn adapt(source: &mut Source) -> Result<(), String> {
    let caddy = program::find("caddy").ok_or_else(|| {
        "caddy is not on the PATH; install it, or give the JSON that `caddy adapt --config Caddyfile` prints".to_owned()
    })?;
    let mut command = Command::new(caddy);
    command.args(["adapt", "--pretty", "--adapter", "caddyfile", "--config"]).env_clear();
    // What it imports is looked for beside it.
    let path = if source.name == STDIN_NAME { STDIN } else { &source.name };
    let ran = program::run(command.arg(path), &source.text, ADAPT_WITHIN)?;
    if !ran.ok {
        let said = ran.err.lines().rfind(|line| line.starts_with("Error")).unwrap_or("it refuses the file");
        return Err(shorten(said, 300));
    }
    source.name.push_str(ADAPTED);
    source.text = ran.out.into();
    Ok(())
}

/// Included files, washed as they come.
struct Washed<'a> {
    disk: &'a mut Disk,
    kind: BalancerKind,
    wash: &'a mut (dyn FnMut(BalancerKind, &str) -> String + Send),
    given: Vec<Source>,
}

impl Files for Washed<'_> {
    fn read(&mut self, pattern: &str, from: &str) -> Result<Vec<Source>, String> {
        let mut sources = self.disk.read(pattern, from)?;
        for source in &mut sources {
            source.text = (self.wash)(self.kind, &source.text).into();
        }
        self.given.extend(sources.iter().cloned());
        Ok(sources)
    }
}
