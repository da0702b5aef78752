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
            let said: Vec<&str> = said.lines().filter(|l| l.contains("ALERT")).take(3).collect();
            let ours = errors
                .first()
                .map_or(String::new(), |n| format!("{}:{} {} «{}»", n.place.line(), n.place.column(), n.text, n.place.raw()));
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

/// The words of a text, one after the other.
fn flat(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// The words that HAProxy itself reads, from its dump of the tokens (`-dC`); none where it refuses the file. The dump
/// loses where a word ends that has a space in it, and says what variables come to: only the flow of words is compared.
fn dumped(path: &Path) -> Option<Vec<String>> {
    let out = Command::new(program("haproxy")).args(["-dC", "-c", "-f"]).arg(path).env_clear().output().expect("haproxy");
    let refused = !out.status.success() && out.status.code() != Some(2);
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    let end = said.find("Configuration file ").unwrap_or(said.len());
    (!refused).then(|| flat(&said[..end]))
}

fn ours(text: &str) -> Vec<String> {
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            let words: Vec<String> =
                haproxy::tokens::split(line).tokens.into_iter().map(|token| token.text.into_owned()).collect();
            words.join(" ").replace("${LOGHOST-127.0.0.1}", "127.0.0.1").replace("${A-b}", "b")
        })
        .collect();
    flat(&lines.join("\n"))
}

#[test]
fn words_are_haproxys_words() {
    let folder = tempfile::tempdir().expect("folder");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/haproxy");
    for name in ["haproxy.cfg", "nasty_parser_input.cfg"] {
        let text = std::fs::read_to_string(fixtures.join(name)).expect("fixture");
        let path = folder.path().join(name);
        // What needs files of the machine is told by HAProxy after the dump.
        std::fs::write(&path, &text).expect("write");
        let out = Command::new(program("haproxy")).args(["-dC", "-c", "-f"]).arg(&path).env_clear().output().expect("haproxy");
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        let dump = flat(said.split("Configuration file ").next().unwrap_or_default());
        assert_eq!(ours(&text)[..dump.len()], dump, "{name}");
        assert!(dump.len() > 50, "{name}: {said}");
    }
    let mut compared = 0;
    for seed in 1..=900 {
        let (text, _) = config(seed);
        let path = folder.path().join("generated.cfg");
        std::fs::write(&path, &text).expect("write");
        if let Some(dump) = dumped(&path) {
            let file = path.display().to_string();
            let words: Vec<String> = ours(&text).into_iter().map(|word| word.replace("${.FILE}", &file)).collect();
            assert_eq!(words, dump, "seed {seed}");
            compared += 1;
        }
    }
    assert!(compared >= 500, "only {compared} files were compared");
}

/// One answer of the runtime socket.
fn ask(socket: &Path, command: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::os::unix::net::UnixStream::connect(socket).expect("socket");
    stream.set_read_timeout(Some(std::time::Duration::from_secs(5))).expect("timeout");
    stream.write_all(format!("{command}\n").as_bytes()).expect("ask");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answer");
    answer
}

#[test]
fn a_running_haproxy_says_what_the_model_says() {
    let folder = tempfile::tempdir().expect("folder");
    let socket = folder.path().join("s");
    let port = super::free_port();
    let mut text = format!(
        "global\n stats socket {} level admin\ndefaults\n mode http\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n \
         default-server maxconn 9\nlisten l\n bind 127.0.0.1:{port}\n server own 127.0.0.1:1\n",
        socket.display()
    );
    let algorithms = [
        "roundrobin",
        "static-rr",
        "leastconn",
        "first",
        "source",
        "uri",
        "url_param id",
        "hdr(x)",
        "random(3)",
        "hash path",
        "rdp-cookie",
    ];
    for (number, algorithm) in algorithms.iter().enumerate() {
        text.push_str(&format!(
            "backend b{number}\n balance {algorithm}\n fullconn {}\n server a 127.0.0.1:{} weight {}\n default-server weight 7 maxconn {}\n \
             server b [::1]:80 backup\n server c 127.0.0.{}:81 disabled weight 0\n server-template t 2 127.0.0.1:9{number} maxconn 3\n",
            100 + number,
            9000 + number,
            10 * number + 1,
            20 + number,
            number + 1,
        ));
    }
    let path = folder.path().join("haproxy.cfg");
    std::fs::write(&path, &text).expect("write");
    let child = Command::new(program("haproxy")).args(["-db", "-f"]).arg(&path).spawn().expect("haproxy");
    let _running = super::Running(child);
    for _ in 0..200 {
        if socket.exists() && std::os::unix::net::UnixStream::connect(&socket).is_ok() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    let (stat, states) = (ask(&socket, "show stat"), ask(&socket, "show servers state"));
    let mut model = read(&text);
    assert!(model.notices.iter().all(|n| n.gravity != Gravity::Error), "{:?}", model.notices);

    let rows = haproxy::state::parse_stat(&stat).expect("stat");
    let lines = haproxy::state::parse_servers_state(&states).expect("state");
    let state = haproxy::state::combined(&rows, Some(&lines), None);
    let mut reader = csv::Reader::from_reader(stat.trim_start_matches("# ").as_bytes());
    let headers = reader.headers().expect("header").clone();
    let column = |name: &str| headers.iter().position(|h| h == name).expect("column");
    let limits: std::collections::HashMap<(String, String), String> = reader
        .records()
        .map_while(Result::ok)
        .map(|r| ((r[0].to_owned(), r[1].to_owned()), r[column("slim")].to_owned()))
        .collect();

    let mut seen = 0;
    for pool in &model.pools {
        let running = state.pool(&pool.name).unwrap_or_else(|| panic!("{}", pool.name));
        let name = pool.algorithm.name.clone().unwrap_or_default();
        let word = name.split(['(', ' ']).next().unwrap_or_default();
        // HAProxy 2.8 has no name for this one in its answer.
        let nameless = word == "random";
        assert_eq!(running.algorithm.as_deref(), Some(word).filter(|_| !nameless), "{}", pool.name);
        if let Some(limit) = &pool.limits.connections {
            assert_eq!(limits[&(pool.name.clone(), "BACKEND".to_owned())], limit.value.to_string(), "{}", pool.name);
        }
        assert_eq!(pool.servers.len(), running.servers.len(), "{}", pool.name);
        for (server, now) in pool.servers.iter().zip(&running.servers) {
            assert_eq!(server.name, now.name);
            assert_eq!(Some(server.address.as_str()), now.address.as_deref(), "{}/{}", pool.name, server.name);
            assert_eq!(Some(server.configured_weight()), now.weight_configured, "{}/{}", pool.name, server.name);
            assert_eq!(server.admin, now.admin, "{}/{}", pool.name, server.name);
            assert_eq!(server.role == afterload::balancer::model::Role::Backup, now.backup, "{}/{}", pool.name, server.name);
            let slots = server.slots.as_ref().map(|slots| slots.value.to_string()).unwrap_or_default();
            assert_eq!(limits[&(pool.name.clone(), server.name.clone())], slots, "{}/{}", pool.name, server.name);
            seen += 1;
        }
    }
    assert_eq!(seen, 1 + algorithms.len() * 5);
    ask(&socket, "set weight b0/a 50");
    let after = haproxy::state::state(&ask(&socket, "show servers state")).expect("state");
    after.lay_over(&mut model);
    let a = model.pool("b0").and_then(|pool| pool.server("a")).expect("server");
    assert_eq!((a.configured_weight(), a.effective_weight()), (1, 50));
}
