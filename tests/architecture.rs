//! The house rules that a compiler does not know: who may import whom, how long a file may be, that
//! migrations come in pairs, and that the map in `src/lib.rs` is true.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                waiting.push(entry);
            } else if entry.extension().is_some_and(|found| found == ending) {
                found.push(entry);
            }
        }
    }
    found.sort();
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Room to the rooms it may import, as the map in `src/lib.rs` says.
fn map() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join("src/lib.rs")).expect("lib.rs");
    let mut map = BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("//! | `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let room = cells[0].trim_end_matches('`').to_owned();
        let allowed = cells[2].split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        map.insert(room, allowed);
    }
    map
}

/// The room of a source file: its first folder, or the file itself for a room of one file.
fn room(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(root().join("src")).ok()?;
    let first = inside.components().next()?.as_os_str().to_str()?.trim_end_matches(".rs").to_owned();
    (first != "lib" && first != "main").then_some(first)
}

/// The text before the tests that stand in the same file.
fn code(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or(text)
}

/// Names after `crate::` in code, comments left out.
fn imports(text: &str) -> BTreeSet<String> {
    let lines = code(text).lines().map(|line| line.split("//").next().unwrap_or_default());
    let joined = lines.collect::<Vec<_>>().join("\n");
    let mut found = BTreeSet::new();
    for part in joined.split("crate::").skip(1) {
        if let Some(group) = part.strip_prefix('{') {
            let mut depth = 1;
            let mut start = true;
            let mut name = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                if depth == 1 && (c == ',' || c == '}') || depth == 0 {
                    found.insert(std::mem::take(&mut name));
                    start = true;
                } else if depth == 1 && start && (c.is_alphanumeric() || c == '_') {
                    name.push(c);
                } else if !c.is_whitespace() {
                    start = false;
                }
                if depth == 0 {
                    break;
                }
            }
        } else {
            found.insert(part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    found.remove("");
    found
}

#[test]
fn rooms_import_only_what_the_map_allows() {
    let map = map();
    let mut wrong = Vec::new();
    for path in files(&root().join("src"), "rs") {
        let Some(room) = room(&path) else { continue };
        let text = fs::read_to_string(&path).expect("a source file");
        let allowed = map.get(&room).unwrap_or_else(|| panic!("the map in src/lib.rs does not know the room {room}"));
        for import in imports(&text) {
            if import != room && map.contains_key(&import) && !allowed.contains(&import) {
                wrong.push(format!("{} imports {import}; {room} may import {allowed:?}", shown(&path)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_map_names_every_room_and_no_other() {
    let text = fs::read_to_string(root().join("src/lib.rs")).expect("lib.rs");
    let declared: BTreeSet<String> =
        text.lines().filter_map(|line| line.strip_prefix("pub mod ")).map(|name| name.trim_end_matches(';').to_owned()).collect();
    let mapped: BTreeSet<String> = map().into_keys().collect();
    assert_eq!(declared, mapped);
    let allowed: BTreeSet<String> = map().into_values().flatten().collect();
    assert!(allowed.is_subset(&mapped), "the map allows rooms that are not there");
}

#[test]
fn outside_words_stay_in_their_room() {
    let rules: [(&str, &[&str]); 5] = [
        ("sqlx::", &["store"]),
        ("axum::", &["web", "api", "server"]),
        ("tokio::", &["app", "services", "record", "jobs", "live", "server", "web", "api", "demo", "cli"]),
        ("reqwest::", &["app", "record"]),
        ("askama::", &["web"]),
    ];
    let mut wrong = Vec::new();
    for path in files(&root().join("src"), "rs") {
        let Some(room) = room(&path) else { continue };
        let text = fs::read_to_string(&path).expect("a source file");
        for (word, rooms) in rules {
            let used = code(&text).lines().any(|line| line.split("//").next().unwrap_or_default().contains(word));
            if used && !rooms.contains(&room.as_str()) {
                wrong.push(format!("{} uses {word} which belongs to {rooms:?}", shown(&path)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_can_be_read_in_one_sitting() {
    const MOST: usize = 480;
    let long: Vec<String> = files(&root().join("src"), "rs")
        .into_iter()
        .filter(|path| path.file_name().is_some_and(|name| name != "tests.rs"))
        .filter_map(|path| {
            let text = fs::read_to_string(&path).expect("a source file");
            let lines = code(&text).lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count();
            (lines > MOST).then(|| format!("{}: {lines} lines of code, at most {MOST}", shown(&path)))
        })
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> = files(&root().join("src"), "rs")
        .into_iter()
        .filter(|path| path.file_name().is_some_and(|name| name != "tests.rs"))
        .filter(|path| !fs::read_to_string(path).expect("a source file").starts_with("//!"))
        .map(|path| shown(&path))
        .collect();
    assert!(silent.is_empty(), "without a first word: {silent:?}");
}

#[test]
fn migrations_come_in_pairs() {
    let names = |dialect: &str| -> BTreeSet<PathBuf> {
        let folder = root().join("migrations").join(dialect);
        files(&folder, "sql").into_iter().map(|path| path.strip_prefix(&folder).expect("inside").to_owned()).collect()
    };
    let (sqlite, postgres) = (names("sqlite"), names("postgres"));
    assert!(!sqlite.is_empty());
    assert_eq!(sqlite, postgres);
    // 0010 was never released. A database's schema is its highest number, so that a file put in there now would never run
    // where a later one did.
    for (folder, left_out) in [("", &[10][..]), ("samples", &[])] {
        let of_folder = sqlite.iter().filter(|path| path.parent() == Some(Path::new(folder)));
        let name = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let numbers: Vec<u32> = of_folder.map(|path| name(path)[..4].parse().expect("four digits")).collect();
        let last = *numbers.last().expect("migrations");
        let wanted: Vec<u32> = (1..=last).filter(|number| !left_out.contains(number)).collect();
        assert_eq!(numbers, wanted, "migrations/*/{folder}");
    }
}

#[test]
fn the_docs_show_the_same_map() {
    let rows = |path: &str, start: &str| -> Vec<String> {
        let text = fs::read_to_string(root().join(path)).expect("a file");
        text.lines().filter_map(|line| line.strip_prefix(start)).map(str::to_owned).filter(|row| row.starts_with('`')).collect()
    };
    let shown = rows("docs/architecture.md", "| ");
    let map = rows("src/lib.rs", "//! | ");
    assert!(!map.is_empty());
    assert_eq!(shown[..map.len().min(shown.len())], map[..], "docs/architecture.md copies the map of src/lib.rs");
}
