//! Files of a config on this machine, opened with care: nothing that is not a plain file (a pipe would hang, a device
//! would never end), nothing above the bounds, and nothing outside the folders of the files that people named. A config
//! is written by others; whoever checks it must not become the one who reads `/etc/shadow` for them.

use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use super::{MAX_BYTES, ReadError};
use crate::balancer::model::{Gravity, Model, Notice};
use crate::balancer::printable;
use crate::balancer::source::{Files, Place, Source};

/// The most files that one config may be made of, and the most names that all its patterns may look at.
const MAX_FILES: usize = 5_000;
const MAX_NAMES: usize = 50_000;

/// Stands for standard input among paths.
pub const STDIN: &str = "-";
/// What standard input is called in messages.
pub const STDIN_NAME: &str = "standard input";

/// Folders of the distributions' own, to which their `nginx.conf` links (`modules-enabled`) or leads (`modules/*.conf`).
const SHIPPED: [&str; 1] = ["/usr/share/nginx"];

#[derive(Debug)]
pub struct Disk {
    /// Folders, without symbolic links, below which an include may lead.
    trees: Vec<PathBuf>,
    bytes_left: usize,
    files_left: usize,
    names_left: usize,
    /// What is told of files: name, line, sentence.
    odd: Vec<(String, usize, Gravity, String)>,
}

impl Default for Disk {
    fn default() -> Self {
        Self { trees: Vec::new(), bytes_left: MAX_BYTES, files_left: MAX_FILES, names_left: MAX_NAMES, odd: Vec::new() }
    }
}

impl Disk {
    /// A file that people named, or standard input. From now on its folder may be included from.
    pub fn open(&mut self, path: &Path) -> Result<Source, ReadError> {
        if path == Path::new(STDIN) {
            return self.take(std::io::stdin().lock(), STDIN_NAME);
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        self.allow(folder);
        self.file(path)
    }

    /// The files in the folder `path` that `wanted` asks for: not hidden, in the order of their bytes as `haproxy -f DIR`
    /// takes them (management guide, chapter 3). A link that leads out of the folder is an error.
    pub fn list(&mut self, path: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, ReadError> {
        self.allow(path);
        let names = self.names(path)?.into_iter().filter(|name| !name.starts_with('.') && wanted(name));
        names.map(|name| path.join(name)).map(|file| self.confine(&file).map(|()| file)).collect()
    }

    /// Nothing that is included may be opened from here on: the text tells of another machine.
    pub fn close(&mut self) {
        self.trees.clear();
    }

    fn allow(&mut self, folder: &Path) {
        for folder in [folder, Path::new(SHIPPED[0])] {
            self.trees.extend(fs::canonicalize(folder).ok().filter(|tree| !self.trees.contains(tree)));
        }
    }

    /// Puts what was odd about files into the model that was read from them.
    pub fn tell(&self, model: &mut Model) {
        for (name, line, gravity, text) in &self.odd {
            let file = model.files.iter().position(|file| file == name).unwrap_or_default();
            let place = Place::of_line(file, *line);
            model.notices.push(Notice { gravity: *gravity, text: text.clone(), place });
        }
    }

    /// The same as sentences.
    pub fn told(&self) -> Vec<String> {
        self.odd.iter().map(|(_, _, _, text)| text.clone()).collect()
    }

    fn file(&mut self, path: &Path) -> Result<Source, ReadError> {
        let shown = shown(path);
        let meta = fs::metadata(path).map_err(|e| refused(&shown, &e))?;
        if !meta.is_file() {
            return Err(ReadError::NotAFile { place: shown });
        }
        if meta.len() > self.bytes_left as u64 {
            return Err(ReadError::TooLarge { place: shown });
        }
        self.take(fs::File::open(path).map_err(|e| refused(&shown, &e))?, &shown)
    }

    fn take(&mut self, from: impl Read, shown: &str) -> Result<Source, ReadError> {
        let place = || shown.to_owned();
        self.files_left = self.files_left.checked_sub(1).ok_or(ReadError::TooMany { place: place(), most: MAX_FILES })?;
        let mut bytes = Vec::new();
        from.take(self.bytes_left as u64 + 1).read_to_end(&mut bytes).map_err(|e| refused(shown, &e))?;
        self.bytes_left = self.bytes_left.checked_sub(bytes.len()).ok_or(ReadError::TooLarge { place: place() })?;
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return Err(ReadError::NotAConfig { place: place(), why: "it is UTF-16; save it as UTF-8".to_owned() });
        }
        if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
            let why =
                format!("a NUL byte stands in line {}, so that it is a program, a picture or an archive", line(&bytes[..at]));
            return Err(ReadError::NotAConfig { place: place(), why });
        }
        let text = String::from_utf8(bytes).unwrap_or_else(|error| {
            let line = line(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
            let text = format!("{shown} is not UTF-8 from line {line} on; the bytes that are not are read as �");
            self.odd.push((shown.to_owned(), line, Gravity::Note, text));
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        });
        Ok(Source::new(shown, text))
    }

    /// Whether `path`, which is there, lies in one of the trees once every symbolic link is followed.
    fn confine(&self, path: &Path) -> Result<(), ReadError> {
        let real = fs::canonicalize(path).map_err(|e| refused(&shown(path), &e))?;
        match self.trees.iter().any(|tree| real.starts_with(tree)) {
            true => Ok(()),
            false => Err(ReadError::OutOfTree { place: shown(path) }),
        }
    }

    fn names(&mut self, folder: &Path) -> Result<Vec<String>, ReadError> {
        let place = shown(folder);
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).map_err(|e| refused(&place, &e))? {
            self.names_left =
                self.names_left.checked_sub(1).ok_or(ReadError::TooMany { place: place.clone(), most: MAX_NAMES })?;
            let name = entry.map_err(|e| refused(&place, &e))?.file_name();
            // A name that is not UTF-8 cannot be told, nor asked for by a config that is.
            names.extend(name.into_string().ok());
        }
        names.sort();
        Ok(names)
    }

    /// Paths that `pattern` names, as glob(3) finds them: `*`, `?` and `[…]` in any part, no hidden files unless asked.
    fn find(&mut self, pattern: &Path) -> Result<Vec<PathBuf>, ReadError> {
        let mut found = vec![PathBuf::new()];
        for part in pattern.components() {
            let text = part.as_os_str().to_str().unwrap_or_default();
            if !matches!(part, Component::Normal(_)) || !text.contains(['*', '?', '[']) {
                found.iter_mut().for_each(|path| path.push(part));
                continue;
            }
            let mut next = Vec::new();
            for folder in found {
                let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
                if !folder.is_dir() {
                    continue;
                }
                self.confine(&folder)?;
                let names = self.names(&folder)?;
                let wanted =
                    names.into_iter().filter(|name| name.starts_with('.') <= text.starts_with('.') && matches(text, name));
                next.extend(wanted.map(|name| folder.join(name)));
            }
            found = next;
        }
        found.sort();
        Ok(found)
    }

    fn include(&mut self, pattern: &str, from: &str) -> Result<Vec<Source>, ReadError> {
        if self.trees.is_empty() {
            let why = format!("nothing is opened for {}", printable(from));
            return Err(ReadError::NotHere { place: printable(pattern), why });
        }
        let folder = Path::new(from).parent().unwrap_or(Path::new(""));
        let wanted = folder.join(pattern);
        let many = pattern.contains(['*', '?', '[']);
        let (mut sources, mut refusals) = (Vec::new(), Vec::new());
        for path in self.find(&wanted)? {
            // The rest of a pattern behind its stars may not be there for all of them.
            if many && !path.exists() && !path.is_symlink() {
                continue;
            }
            match self.confine(&path).and_then(|()| self.file(&path)) {
                Ok(source) => sources.push(source),
                Err(error) => refusals.push(error),
            }
        }
        if sources.is_empty() && !refusals.is_empty() {
            return Err(refusals.swap_remove(0));
        }
        let line = 1;
        self.odd.extend(refusals.iter().map(|error| (from.to_owned(), line, Gravity::Error, error.to_string())));
        Ok(sources)
    }
}

impl Files for Disk {
    fn read(&mut self, pattern: &str, from: &str) -> Result<Vec<Source>, String> {
        self.include(pattern, from).map_err(|error| error.to_string())
    }
}

fn refused(place: &str, error: &std::io::Error) -> ReadError {
    match error.kind() {
        std::io::ErrorKind::NotFound => ReadError::NoFile { place: place.to_owned() },
        _ => ReadError::io(place, error),
    }
}

fn shown(path: &Path) -> String {
    printable(path.to_string_lossy())
}

/// The line, from 1, in which the byte after `before` stands.
fn line(before: &[u8]) -> usize {
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Whether `name` is what the one-part `pattern` asks for: `*`, `?`, `[a-z]`, `[!a-z]`, `\` before a letter that means
/// itself. Time goes with the product of both lengths: only the last `*` is ever tried again.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&'*') {
            retry = Some((p + 1, n));
            p += 1;
            continue;
        }
        if let Some(length) = one(&pattern[p.min(pattern.len())..], name[n]) {
            p += length;
            n += 1;
            continue;
        }
        let Some((after, at)) = retry else { return false };
        retry = Some((after, at + 1));
        (p, n) = (after, at + 1);
    }
    pattern[p.min(pattern.len())..].iter().all(|c| *c == '*')
}

/// How many characters of `pattern` stand for `c`; none where they do not.
fn one(pattern: &[char], c: char) -> Option<usize> {
    match pattern {
        ['?', ..] => Some(1),
        ['\\', literal, ..] => (*literal == c).then_some(2),
        ['[', set @ ..] => {
            let negated = matches!(set.first(), Some('!' | '^'));
            let set = &set[usize::from(negated)..];
            // A `]` at the beginning belongs to the set.
            let Some(end) = set.iter().skip(1).position(|x| *x == ']').map(|at| at + 1) else {
                return (c == '[').then_some(1);
            };
            let (mut at, mut inside) = (0, false);
            while at < end {
                if at + 2 < end && set[at + 1] == '-' {
                    inside |= (set[at]..=set[at + 2]).contains(&c);
                    at += 3;
                } else {
                    inside |= set[at] == c;
                    at += 1;
                }
            }
            (inside != negated).then_some(end + 2 + usize::from(negated))
        }
        [literal, ..] => (*literal == c).then_some(1),
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_a_shell_does() {
        for (pattern, name, is) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf~", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]", "]", true),
            ("[x", "[x", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "xxaxxbxx", false),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, name), is, "{pattern} {name}");
        }
        let many = "*a".repeat(100) + "b";
        assert!(!matches(&many, &"a".repeat(255)));
    }

    #[test]
    fn includes_stay_below_the_folders_that_were_named() {
        let dir = tempfile::tempdir().expect("dir");
        let path = |name: &str| dir.path().join(name);
        fs::create_dir_all(path("etc/conf.d")).expect("folder");
        fs::write(path("etc/nginx.conf"), "x").expect("write");
        fs::write(path("etc/conf.d/b.conf"), "b").expect("write");
        fs::write(path("etc/conf.d/a.conf"), "a").expect("write");
        fs::write(path("etc/conf.d/.hidden.conf"), "h").expect("write");
        fs::write(path("secret"), "hunter2").expect("write");
        std::os::unix::fs::symlink(path("secret"), path("etc/link")).expect("link");
        std::os::unix::fs::symlink(path("secret"), path("etc/conf.d/c.conf")).expect("link");
        let mut disk = Disk::default();
        let main = disk.open(&path("etc/nginx.conf")).expect("opened");
        let texts = |sources: Vec<Source>| sources.into_iter().map(|source| source.text.to_string()).collect::<String>();
        assert_eq!(texts(disk.read("conf.d/*.conf", &main.name).expect("read")), "ab");
        assert!(disk.told()[0].contains("c.conf leads out of"), "{:?}", disk.told());
        assert_eq!(texts(disk.read("*/[b].conf", &main.name).expect("read")), "b");
        assert_eq!(disk.read("none/*.conf", &main.name), Ok(Vec::new()));
        for out in ["link", "../secret", path("secret").to_str().expect("UTF-8"), "/etc/passwd", "/*/*"] {
            let refusal = disk.read(out, &main.name).expect_err(out);
            assert!(refusal.contains("leads out of the folders") && !refusal.contains("hunter2"), "{refusal}");
        }
        assert!(disk.read("gone.conf", &main.name).expect_err("gone").contains("does not exist"));
        disk.close();
        assert!(disk.read("conf.d/*.conf", &main.name).is_err());
    }

    #[test]
    fn bounds_hold() {
        let mut disk = Disk { bytes_left: 10, files_left: 3, ..Disk::default() };
        assert!(matches!(disk.take(&b"12345678901"[..], "a"), Err(ReadError::TooLarge { .. })));
        assert_eq!(&*disk.take(&b"12345"[..], "a").expect("fits").text, "12345");
        assert!(matches!(disk.take(&b"123456"[..], "a"), Err(ReadError::TooLarge { .. })));
        assert!(matches!(disk.take(&b""[..], "a"), Err(ReadError::TooMany { .. })));
        let told = Disk::default().take(&b"a\nb\0"[..], "a").expect_err("binary").to_string();
        assert!(told.contains("line 2"), "{told}");
    }
}
