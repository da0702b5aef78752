//! `afterload check`, `model` and `diff` as people and pipelines run them: the built program, its output and its exit
//! status, on configs, on files that are none, and on files that were made to harm.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A config with one server that carries everything, one secret, and warnings.
const RISKY: &str = "\
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout queue 5s
listen stats
  bind 127.0.0.1:8404
  stats enable
  stats auth mk:hunter2-not-shown
frontend in
  bind 127.0.0.1:8080
  default_backend web
backend web
\tbalance roundrobin
  option httpchk GET /health
  default-server check maxconn 100
  server web1 10.0.0.1:80 weight 100
  server web2 10.0.0.2:80 weight 0
  server web3 10.0.0.3:80 weight 0
";
const SECRET: &str = "hunter2-not-shown";

/// The same without what is found in it.
fn healthy() -> String {
    RISKY.replace("weight 0", "weight 100").replace("  stats auth mk:hunter2-not-shown\n", "")
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

/// Runs the program in `dir`, within a minute (a hang is to be told, not speed) and 1 GiB of address space.
fn run_with(dir: &Path, args: &[&str], input: &str) -> Ran {
    let begun = Instant::now();
    let script = "ulimit -v 1048576; exec \"$0\" \"$@\"";
    let mut child = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_afterload")])
        .args(args)
        .current_dir(dir)
        .env_remove("NO_COLOR")
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sh starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_owned();
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().expect("an end");
    writer.join().expect("written");
    assert!(begun.elapsed() < Duration::from_secs(60), "{args:?} took {:?}", begun.elapsed());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let ran = Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) };
    assert!((0..=2).contains(&ran.code), "{args:?} ended with {}: {}", ran.code, ran.err);
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    assert!(!ran.out.contains(SECRET) && !ran.err.contains(SECRET), "a secret came out of {args:?}:\n{}{}", ran.out, ran.err);
    assert!(!ran.out.contains('\x1b') && !ran.err.contains('\x1b'), "a terminal would obey the output of {args:?}");
    ran
}

fn run(dir: &TempDir, args: &[&str]) -> Ran {
    run_with(dir.path(), args, "")
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    dir
}

fn refusal(dir: &TempDir, args: &[&str]) -> String {
    let ran = run(dir, args);
    assert_eq!(ran.code, 2, "{args:?}: {}{}", ran.out, ran.err);
    assert_eq!(ran.err.lines().count(), 1, "one sentence: {}", ran.err);
    ran.err
}

#[test]
fn the_exit_status_tells_clean_from_findings_from_refusals() {
    let broken = format!("{RISKY}  server web3 10.0.0.4:80\n  no such words\n");
    let dir = folder(&[("risky.cfg", RISKY), ("healthy.cfg", &healthy()), ("broken.cfg", &broken)]);
    assert_eq!(run(&dir, &["check", "healthy.cfg"]).code, 0);
    assert_eq!(run(&dir, &["check", "risky.cfg"]).code, 1);
    assert_eq!(run(&dir, &["check", "broken.cfg"]).code, 2);
    assert_eq!(run(&dir, &["check", "none.cfg"]).code, 2);
    assert_eq!(run(&dir, &["check"]).code, 2);
    let whole = run(&dir, &["check", "broken.cfg", "--format", "json"]).json();
    let rules: Vec<_> = whole["findings"].as_array().expect("a list").iter().map(|finding| &finding["rule"]).collect();
    assert!(rules.contains(&&Value::from("LB001")), "findings are told beside errors: {rules:?}");
}

#[test]
fn the_bar_decides_what_counts() {
    let two = healthy().replace(" check maxconn 100", " check");
    let dir = folder(&[("a.cfg", &two)]);
    let severities = |args: &[&str]| {
        let all = run(&dir, args).json();
        let findings = all["findings"].as_array().expect("a list").clone();
        findings.into_iter().map(|finding| (finding["severity"].clone(), finding["counts"] == true)).collect::<Vec<_>>()
    };
    assert!(severities(&["check", "a.cfg", "--format", "json"]).contains(&("medium".into(), false)));
    assert!(severities(&["check", "a.cfg", "--format", "json", "--fail-on", "medium"]).contains(&("medium".into(), true)));
    for (bar, code) in [("critical", 0), ("high", 0), ("medium", 1), ("low", 1)] {
        assert_eq!(run(&dir, &["check", "a.cfg", "--fail-on", bar]).code, code, "{bar}");
    }
}

#[test]
fn every_format_as_it_is() {
    let dir = folder(&[("conf/risky.cfg", RISKY)]);
    for format in ["text", "json", "sarif", "github"] {
        let ran = run(&dir, &["check", "conf/risky.cfg", "--format", format]);
        assert_eq!((ran.code, ran.err.as_str()), (1, ""));
        insta::assert_snapshot!(format!("check_{format}"), ran.out.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    }
}

#[test]
fn sarif_is_valid_and_places_are_those_of_the_file() {
    let schema = include_str!("../fixtures/sarif/sarif-schema-2.1.0.json");
    // A stray bracket in the pattern for languages, which strict readers of patterns refuse.
    let schema: Value = serde_json::from_str(&schema.replace("{2}]?$", "{2}$")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let valid = |ran: &Ran| {
        let log = ran.json();
        let faults: Vec<_> = validator.iter_errors(&log).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
        assert!(faults.is_empty(), "{faults:?}");
        log
    };
    let odd = "backend \u{1b}[31mä\n  server a 10.0.0.1:80 wait 1\n\tserver b 10.0.0.2:80\n";
    let dir = folder(&[("a b/risky.cfg", RISKY), ("odd.cfg", odd)]);
    valid(&run(&dir, &["check", "odd.cfg", "--format", "sarif"]));
    valid(&run(&dir, &["check", "gone.cfg", "--format", "sarif"]));
    valid(&run_with(dir.path(), &["check", "-", "--format", "sarif", "--against", "odd.cfg"], RISKY));
    let log = valid(&run(&dir, &["check", "a b/risky.cfg", "--format", "sarif"]));
    let results = log["runs"][0]["results"].as_array().expect("results");
    let one = results.iter().find(|result| result["ruleId"] == "LB001").expect("LB001");
    let place = &one["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "a%20b/risky.cfg");
    let line = RISKY.lines().position(|line| line == "backend web").expect("there") + 1;
    assert_eq!(place["region"], serde_json::json!({"startLine": line, "startColumn": 1, "endLine": line, "endColumn": 12}));
    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().expect("rules");
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
        assert_eq!(rules[index]["id"], result["ruleId"]);
    }
    // Lines above move the place, not the finding.
    fs::write(dir.path().join("a b/risky.cfg"), format!("# moved\n\n{RISKY}")).expect("written");
    let moved = valid(&run(&dir, &["check", "a b/risky.cfg", "--format", "sarif"]));
    let keys = |log: &Value| {
        let results = log["runs"][0]["results"].as_array().expect("results").clone();
        results.into_iter().map(|result| result["partialFingerprints"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(keys(&moved), keys(&log));
    assert_eq!(keys(&log).len(), results.len());
}

#[test]
fn annotations_are_escaped() {
    let dir = folder(&[("a,b:c%.cfg", RISKY)]);
    let ran = run(&dir, &["check", "a,b:c%.cfg", "--format", "github"]);
    assert!(ran.out.contains("::error file=a%2Cb%3Ac%25.cfg,line="), "{}", ran.out);
    assert!(run(&dir, &["check", "x", "--format", "github"]).out.starts_with("::error title=afterload check::x does not exist"));
}

#[test]
fn a_change_is_judged_against_the_config_before() {
    let dir = folder(&[("old.cfg", &healthy()), ("new.cfg", RISKY)]);
    let rules = |args: &[&str]| -> Vec<String> {
        let all = run(&dir, args).json();
        all["findings"].as_array().expect("a list").iter().map(|f| f["rule"].as_str().expect("text").to_owned()).collect()
    };
    assert!(!rules(&["check", "new.cfg", "--format", "json"]).contains(&"LB003".to_owned()));
    let changed = rules(&["check", "new.cfg", "--against", "old.cfg", "--format", "json"]);
    assert!(changed.contains(&"LB003".to_owned()), "{changed:?}");
    assert!(run(&dir, &["check", "new.cfg", "--against", "old.cfg"]).out.contains("since the config before:"));
    assert_eq!(run(&dir, &["check", "new.cfg", "--against", "gone.cfg"]).code, 2);
}

#[test]
fn state_is_laid_over_the_config() {
    let state = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight \
        srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state \
        bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr \
        srv_agent_port\n\
        4 web 1 web1 10.0.0.1 2 0 100 100 60 6 3 4 6 0 0 0 - 80 - 0 0 - - 0\n\
        4 web 2 web2 10.0.0.2 2 0 0 100 60 6 3 4 6 0 0 0 - 80 - 0 0 - - 0\n\
        4 web 3 web3 10.0.0.3 2 0 0 100 60 6 3 4 6 0 0 0 - 80 - 0 0 - - 0\n";
    let dir = folder(&[("a.cfg", &healthy()), ("state.txt", state), ("nonsense.txt", "hello\n")]);
    assert_eq!(run(&dir, &["check", "a.cfg"]).code, 0);
    let ran = run(&dir, &["check", "a.cfg", "--state", "state.txt"]);
    assert!(ran.code == 1 && ran.out.contains("LB001") && ran.out.contains("LB008"), "{}", ran.out);
    let model = run(&dir, &["model", "a.cfg", "--state", "state.txt"]).json();
    let servers = &model["pools"].as_array().expect("pools").iter().find(|pool| pool["name"] == "web").expect("web")["servers"];
    assert_eq!((&servers[1]["weight"]["value"], &servers[1]["now"]["weight"]), (&Value::from(100), &Value::from(0)));
    assert!(refusal(&dir, &["check", "a.cfg", "--state", "nonsense.txt"]).contains("nonsense.txt is not the state of HAProxy"));
    let other = state.replace("web3", "web9").replace("10.0.0.3", "10.0.0.9");
    fs::write(dir.path().join("state.txt"), other).expect("written");
    assert!(
        run(&dir, &["check", "a.cfg", "--state", "state.txt"]).out.contains("servers that the config does not have: web/web9")
    );
}

#[test]
fn differences_are_told_in_three_forms() {
    let spelled = healthy().replace("30s", "30000ms").replace("  timeout queue 5s\n", "  # a comment\n  timeout queue   5000\n");
    let dir = folder(&[("old.cfg", &healthy()), ("same.cfg", &spelled), ("new.cfg", RISKY)]);
    let same = run(&dir, &["diff", "old.cfg", "same.cfg"]);
    assert_eq!((same.code, same.out.as_str()), (0, "no change: both configs mean the same\n"));
    let text = run(&dir, &["diff", "old.cfg", "new.cfg"]);
    assert!(text.code == 1 && text.out.contains("new.cfg:19:"), "{}", text.out);
    let json = run(&dir, &["diff", "old.cfg", "new.cfg", "--format", "json"]).json();
    assert!(json["same"] == false && json["changes"].as_array().is_some_and(|changes| !changes.is_empty()));
    assert!(run(&dir, &["diff", "old.cfg", "new.cfg", "--format", "markdown"]).out.starts_with("- "));
    assert_eq!(run(&dir, &["diff", "old.cfg", "gone.cfg"]).code, 2);
    let yaml = "static_resources:\n  clusters: []\n";
    fs::write(dir.path().join("envoy.yaml"), yaml).expect("written");
    assert!(refusal(&dir, &["diff", "envoy.yaml", "new.cfg"]).contains("is Envoy's config, not HAProxy's"));
}

#[test]
fn rules_are_explained() {
    let dir = folder(&[]);
    let ran = run(&dir, &["check", "--explain", "lb001"]);
    assert!(ran.code == 0 && ran.out.starts_with("LB001: "), "{}", ran.out);
    assert!(refusal(&dir, &["check", "--explain", "LB999"]).contains("LB999"));
}

#[test]
fn standard_input_folders_and_several_files_are_one_config() {
    let (defaults, rest) = RISKY.split_at(RISKY.find("frontend").expect("there"));
    let dir =
        folder(&[("conf/10-defaults.cfg", defaults), ("conf/20-web.cfg", rest), ("conf/notes.txt", "x"), ("conf/.x.cfg", "x")]);
    let shown = |ran: Ran| {
        assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
        let all = ran.json();
        (all["files"].clone(), all["findings"].as_array().expect("a list").len())
    };
    let (files, count) = shown(run(&dir, &["check", "conf", "--format", "json"]));
    assert_eq!(files, serde_json::json!(["conf/10-defaults.cfg", "conf/20-web.cfg"]));
    let named = run(&dir, &["check", "conf/10-defaults.cfg", "conf/20-web.cfg", "--format", "json"]);
    assert_eq!(shown(named), (files, count));
    let given = shown(run_with(dir.path(), &["check", "-", "--format", "json"], RISKY));
    assert_eq!(given, (serde_json::json!(["standard input"]), count));
    assert!(refusal(&dir, &["check", "-"]).contains("standard input is not a config: it is empty"));
}

#[test]
fn what_is_no_config_is_told_so() {
    let dir = folder(&[
        ("mail.txt", "Dear all,\nplease find enclosed.\n"),
        ("empty.cfg", ""),
        ("blank.cfg", " \n\n"),
        ("nothing/readme.txt", "x"),
        ("haproxy.cfg", RISKY),
        ("table.csv", "a,b\n1,2\n"),
    ]);
    fs::write(dir.path().join("picture.cfg"), b"backend a\n\x89PNG\r\n\x1a\n\0\0\0").expect("written");
    fs::write(dir.path().join("utf16.cfg"), b"\xff\xfeb\0a\0c\0k\0").expect("written");
    fs::create_dir(dir.path().join("bare")).expect("made");
    for (file, told) in [
        ("mail.txt", "nothing in it tells which balancer"),
        ("table.csv", "nothing in it tells which balancer"),
        ("empty.cfg", "empty.cfg is not a config: it is empty"),
        ("blank.cfg", "it is empty"),
        ("picture.cfg", "a NUL byte stands in line 4"),
        ("utf16.cfg", "it is UTF-16; save it as UTF-8"),
        ("nothing", "nothing holds no config"),
        ("bare", "bare holds no config"),
        ("gone.cfg", "gone.cfg does not exist"),
        ("/dev/zero", "neither a file nor a directory"),
    ] {
        let why = refusal(&dir, &["check", file]);
        assert!(why.contains(told), "{file}: {why}");
        for format in ["json", "sarif", "github"] {
            let ran = run(&dir, &["check", file, "--format", format]);
            assert!(ran.code == 2 && ran.out.contains(told.trim()), "{file} as {format}: {}", ran.out);
        }
        assert_eq!(run(&dir, &["model", file]).code, 2);
    }
    assert!(refusal(&dir, &["check", "haproxy.cfg", "--kind", "envoy"]).contains("is HAProxy's config, not Envoy's"));
    assert_eq!(run(&dir, &["check", "haproxy.cfg", "--kind", "apache"]).code, 2);
}

#[test]
fn pipes_and_large_files_are_not_opened() {
    let dir = folder(&[]);
    let large = fs::File::create(dir.path().join("large.cfg")).expect("made");
    large.set_len(500 * 1024 * 1024).expect("sparse");
    assert!(refusal(&dir, &["check", "large.cfg"]).contains("holds more than 16 MiB"));
    let pipe = dir.path().join("pipe.cfg");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    assert!(refusal(&dir, &["check", "pipe.cfg"]).contains("neither a file nor a directory"));
    let flood = "# comment\n".repeat(2 * 1024 * 1024);
    let ran = run_with(dir.path(), &["check", "-"], &flood);
    assert!(ran.code == 2 && ran.err.contains("holds more than 16 MiB"), "{}", ran.err);
}

#[test]
fn bytes_that_are_not_utf8_are_told_with_their_line() {
    let dir = folder(&[]);
    let mut bytes = healthy().into_bytes();
    bytes.splice(0..0, b"# first\n# K\xf6ln\n".iter().copied());
    fs::write(dir.path().join("latin1.cfg"), bytes).expect("written");
    let ran = run(&dir, &["check", "latin1.cfg"]);
    assert!(ran.code == 0 && ran.out.contains("latin1.cfg:2:1: latin1.cfg is not UTF-8 from line 2 on"), "{}", ran.out);
}

#[test]
fn includes_are_followed_within_their_folder_alone() {
    let main = "events {}\nhttp {\n  include conf.d/*.conf;\n}\n";
    let pool = "upstream web {\n  server 10.0.0.1:80;\n  server 10.0.0.2:80;\n}\n";
    let dir = folder(&[("etc/nginx.conf", main), ("etc/conf.d/web.conf", pool), ("secret", SECRET)]);
    let all = run(&dir, &["check", "etc", "--format", "json"]);
    assert_eq!(all.json()["files"], serde_json::json!(["etc/nginx.conf", "etc/conf.d/web.conf"]), "{}", all.out);
    let told = |include: &str| {
        fs::write(dir.path().join("etc/nginx.conf"), main.replace("conf.d/*.conf", include)).expect("written");
        let ran = run(&dir, &["check", "etc/nginx.conf"]);
        assert_eq!(ran.code, 2, "{include}: {}", ran.out);
        ran.out
    };
    symlink(dir.path().join("secret"), dir.path().join("etc/link.conf")).expect("linked");
    fs::create_dir(dir.path().join("conf")).expect("made");
    symlink(dir.path().join("secret"), dir.path().join("conf/a.cfg")).expect("linked");
    assert!(refusal(&dir, &["check", "conf"]).contains("conf/a.cfg leads out of the folders"));
    for out in ["link.conf", "../secret", "/etc/passwd"] {
        let text = told(out);
        assert!(text.contains("leads out of the folders") && text.contains("nginx.conf:3:"), "{out}: {text}");
    }
    assert!(told("gone.conf").contains("does not exist"));
    assert!(told("nginx.conf").contains("nginx.conf:3:"), "a cycle of one");
    fs::write(dir.path().join("etc/a.conf"), "include b.conf;\n").expect("written");
    fs::write(dir.path().join("etc/b.conf"), "include a.conf;\ninclude a.conf;\n").expect("written");
    told("a.conf");
    // A dump tells of another machine: what it does not hold is not looked for here.
    let dump =
        format!("# configuration file {}/etc/nginx.conf:\n{}", dir.path().display(), main.replace("conf.d/*", "conf.d/web"));
    let ran = run_with(dir.path(), &["check", "-", "--format", "json"], &dump);
    assert_eq!(ran.json()["files"].as_array().map(Vec::len), Some(1), "{}", ran.out);
}

#[test]
fn depth_and_bombs_end() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(1_000), close.repeat(1_000));
    let mut bomb = "static_resources: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (from, to) in ('a'..='i').zip('b'..='j') {
        bomb += &format!("{to}: &{to} [{}]\n", vec![format!("*{from}"); 10].join(", "));
    }
    let many = format!("{}backend b\n{}", healthy(), "  server s 10.0.0.1:80\n".repeat(20_000));
    let files = [
        ("deep.json", format!("{{\"static_resources\": {}}}", deep("{\"a\":", "}").replace("{\"a\":}", "{\"a\":1}"))),
        ("deep.yaml", format!("static_resources: {}\n", deep("[", "]"))),
        ("deep.conf", format!("events {{}}\nhttp {{\n{}}}\n", deep("location / {\n", "}\n"))),
        ("deep.cfg", format!("global\n{}backend a\n{}", ".if defined(A)\n".repeat(1_000), ".endif\n".repeat(1_000))),
        ("bomb.yaml", bomb),
        ("many.cfg", many),
        ("line.cfg", format!("global\n  description {}\n", "x".repeat(1_000_000))),
        ("open.conf", format!("http {{ {}", "upstream a { ".repeat(100_000))),
    ];
    let named: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let dir = folder(&named);
    for (name, _) in &files {
        let ran = run(&dir, &["check", name]);
        // HAProxy takes lines of any length.
        let code = if *name == "line.cfg" { 0 } else { 2 };
        assert!(ran.code == code && (ran.out.len() + ran.err.len()) < 200_000, "{name}: {} {}", ran.code, ran.out.len());
    }
}

#[test]
fn the_balancer_itself_is_asked_where_that_is_wanted() {
    let dir = folder(&[("a.cfg", &RISKY.replace("weight 0", "weight 100")), ("bin/haproxy", "")]);
    let program = dir.path().join("bin/haproxy");
    let answer = |script: &str| {
        fs::write(&program, format!("#!/bin/sh\n[ \"$1\" = -v ] && echo 'HAProxy version 2.8.25' && exit 0\n{script}\n"))
            .expect("written");
        fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("made to run");
        let path = format!("{}:{}", dir.path().join("bin").display(), std::env::var("PATH").unwrap_or_default());
        let output = Command::new(env!("CARGO_BIN_EXE_afterload"))
            .args(["check", "a.cfg", "--validate"])
            .current_dir(dir.path())
            .env("PATH", path)
            .output()
            .expect("it runs");
        (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
    };
    let (code, out) = answer("exit 0");
    assert!(code == Some(0) && out.contains("haproxy -c (2.8.25) takes the config"), "{out}");
    let (code, out) = answer(&format!("echo '[ALERT] a.cfg:10: what is mk:{SECRET}?'; exit 1"));
    assert!(code == Some(2) && out.contains("haproxy -c (2.8.25) refuses the config") && !out.contains(SECRET), "{out}");
    assert!(refusal(&dir, &["check", "-", "--validate"]).contains("empty"));
}

#[test]
fn a_caddyfile_needs_caddy() {
    let dir = folder(&[("Caddyfile", ":80 {\n  reverse_proxy 10.0.0.1:80 10.0.0.2:80\n}\n")]);
    let output = Command::new(env!("CARGO_BIN_EXE_afterload"))
        .args(["check", "Caddyfile"])
        .current_dir(dir.path())
        .env("PATH", "/none")
        .output()
        .expect("it runs");
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(output.status.code() == Some(2) && told.contains("caddy is not on the PATH; install it"), "{told}");
}
