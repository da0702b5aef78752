//! HAProxy's own words, numbers and verdicts against ours (HAProxy 2.8).

use std::path::Path;
use std::process::Command;

use afterload::balancer::haproxy;
use afterload::balancer::model::{Gravity, Model};
use afterload::balancer::source::{NoFiles, Source};

use super::haproxy_configs::{config, odd_lines, with_line};
use super::program;

fn read(text: &str) -> Model {
    haproxy::parse(&[Source::new("haproxy.cfg", text)], &mut NoFiles, Some("2.8.25"))
}

/// What HAProxy says: whether it refuses the file, and its words.
fn verdict(folder: &Path, number: u64, text: &str) -> (bool, String) {
    let path = folder.join(format!("{number}.cfg"));
    std::fs::write(&path, text).expect("write");
    let out = Command::new(program("haproxy")).args(["-c", "-f"]).arg(&path).env_clear().output().expect("haproxy");
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    (!out.status.success(), said)
}

/// The configs whose verdict is another than ours, each in one line.
fn compare(configs: impl Iterator<Item = (String, String)>) {
    let folder = tempfile::tempdir().expect("folder");
    let mut differ = Vec::new();
    let (mut count, mut refused) = (0, 0);
    for (text, broken) in configs {
        count += 1;
        let (no, said) = verdict(folder.path(), count, &text);
        refused += u64::from(no);
        let model = read(&text);
        let errors: Vec<_> = model.notices.iter().filter(|n| n.gravity == Gravity::Error).collect();
        if no == errors.is_empty() {
            let said: Vec<&str> = said.lines().filter(|l| l.contains("ALERT")).take(1).collect();
            let ours = errors.first().map_or(String::new(), |n| format!("{}:{} {} «{}»", n.place.line, n.place.column, n.text, n.place.raw));
            let verb = if no { "refuses" } else { "takes" };
            differ.push(format!("#{count} [{}] HAProxy {verb}: {said:?} | we: {ours}", broken.replace('\n', "⏎")));
        }
    }
    assert!(differ.is_empty(), "{} of {count} differ ({refused} refused):\n{}", differ.len(), differ.join("\n"));
}

#[test]
fn what_haproxy_refuses_is_an_error_and_nothing_else() {
    let count: u64 = std::env::var("AFTERLOAD_VERDICTS").ok().and_then(|n| n.parse().ok()).unwrap_or(2_000);
    compare((1..=count).map(config));
}

#[test]
fn each_line_alone_has_haproxys_verdict() {
    compare((0..odd_lines()).map(with_line));
}
