//! The disk gets full while the server runs, for real: people go on, machines are told, and with room everything resumes.

use std::fs::{File, metadata, remove_file};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

use crate::kill::Server;
use crate::world::World;

/// A disk of its own, in memory; gone with the test.
struct Disk(tempfile::TempDir);

impl Disk {
    /// None where this user may not mount one. Who may and cannot has a machine that needs a look.
    fn mount(mib: u32) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let size = format!("size={mib}m,mode=700");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path());
        let said = match mount.output() {
            Ok(output) if output.status.success() => return Some(Self(folder)),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(fault) => fault.to_string(),
        };
        let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!in_ci || !may_mount(), "no tmpfs could be mounted, although this process may: {said}");
        // Past the test's own output, which is shown for failures alone.
        let words = format!("\nSKIPPED: a full disk was not tried; run this as root, outside a container ({said})\n\n");
        std::io::stderr().write_all(words.as_bytes()).expect("said");
        None
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Takes all the room that is left, at once.
    fn fill(&self) {
        let file = File::create(self.path("filler")).expect("a file");
        let room = statvfs(self.0.path()).expect("room");
        fallocate(&file, FallocateFlags::empty(), 0, room.f_bavail * room.f_frsize).expect("filled");
    }

    fn reserve(&self) -> u64 {
        metadata(self.path("afterload.reserve")).map_or(0, |found| found.len())
    }
}

/// Whether this process has CAP_SYS_ADMIN: root alone has it not in a container.
fn may_mount() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap_or_default();
    u64::from_str_radix(effective.trim(), 16).is_ok_and(|capabilities| capabilities >> 21 & 1 == 1)
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn afterload(url: &str, args: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_afterload"));
    command.args(args).env("DATABASE_URL", url).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command runs");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("read");
    child.wait_with_output().expect("it ends")
}

fn done(url: &str, args: &[&str], input: &str) -> String {
    let output = afterload(url, args, input);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// One request with these lines of its head; the whole answer.
fn ask(address: &str, method: &str, path: &str, lines: &[&str], body: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    let mut head =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for line in lines {
        head += &format!("{line}\r\n");
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).expect("asked");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

#[track_caller]
fn until(what: &str, mut ask: impl FnMut() -> String, wanted: &str) -> String {
    let began = Instant::now();
    loop {
        let answer = ask();
        if answer.contains(wanted) {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{what} never says {wanted}: {answer}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

const FORM: [&str; 2] = ["Content-Type: application/x-www-form-urlencoded", "Sec-Fetch-Site: same-origin"];

fn database(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("afterload.db").display())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_neither_reading_nor_people() {
    let Some(disk) = Disk::mount(144) else { return };
    let world = World::sqlite().await;
    let url = database(disk.0.path());
    done(&url, &["user", "create", "mk", "--role", "admin"], "a long enough password\n");
    let token = format!("Authorization: Bearer {}", done(&url, &["token", "create", "ci", "--scopes", "incidents:write"], ""));
    let hook = done(&url, &["integration", "create", "generic", "--name", "load"], "");
    let server = Server::start_on(&world, &url);
    let at = server.address.as_str();
    let json = "Content-Type: application/json";
    let program = |method: &str, path: &str, body: &str| ask(at, method, path, &[&token, json], body);
    let opened = program("POST", "/api/v1/incidents", r#"{"title": "Checkout"}"#);
    assert!(opened.starts_with("HTTP/1.1 201"), "{opened}");
    assert_eq!(disk.reserve(), 16 << 20);
    let alert = |key: &str| ask(at, "POST", &hook, &[json], &format!(r#"{{"title": "x", "dedup_key": "{key}"}}"#));
    assert!(alert("before").starts_with("HTTP/1.1 202"));

    for cycle in 0..2 {
        disk.fill();
        let refused = until("the hook", || alert("meanwhile"), "HTTP/1.1 503").to_ascii_lowercase();
        assert!(refused.contains("retry-after:"), "{refused}");
        until("readiness", || ask(at, "GET", "/readyz", &[], ""), "the disk is full");
        until("the reserve", || format!("{} bytes", disk.reserve()), "0 bytes");
        assert!(ask(at, "GET", "/livez", &[], "").starts_with("HTTP/1.1 200"));
        assert!(program("GET", "/api/v1/incidents/INC-1", "").starts_with("HTTP/1.1 200"));
        let told = program("POST", "/api/v1/incidents/INC-1/timeline", r#"{"title": "by a program"}"#);
        assert!(told.starts_with("HTTP/1.1 507") && told.contains("urn:afterload:problem:disk-full"), "{told}");
        assert!(told.to_ascii_lowercase().contains("retry-after:"), "{told}");

        let wrong = ask(at, "POST", "/login", &FORM, "handle=mk&password=wrong");
        assert!(wrong.contains("handle or password is wrong"), "{wrong}");
        let signed_in = ask(at, "POST", "/login", &FORM, "handle=mk&password=a+long+enough+password");
        assert!(signed_in.starts_with("HTTP/1.1 303"), "{signed_in}");
        let cookie = signed_in.lines().find_map(|line| line.strip_prefix("set-cookie: ")?.split(';').next()).expect("a cookie");
        let cookie = format!("Cookie: {cookie}");
        let page = ask(at, "GET", "/incidents/INC-1", &[&cookie], "");
        assert!(page.starts_with("HTTP/1.1 200") && page.contains("The disk of the server is full"), "{page}");
        let text = format!("text=seen+by+mk+{cycle}&zone=0");
        let noted = ask(at, "POST", "/incidents/INC-1/entries", &[FORM[0], FORM[1], &cookie], &text);
        assert!(noted.starts_with("HTTP/1.1 303"), "{noted}");
        let page = ask(at, "POST", "/settings/tokens", &[FORM[0], FORM[1], &cookie], "name=x&scopes=incidents%3Aread&days=9");
        assert!(page.starts_with("HTTP/1.1 507") && page.contains("The disk is full") && page.contains("Request 0"), "{page}");
        let doctor = String::from_utf8(afterload(&url, &["doctor"], "").stdout).expect("text");
        // With the reserve given back a tenth of so small a disk is free.
        let failed = |line: &str| line.starts_with("failed") && line.contains("reserve");
        assert!(doctor.lines().any(failed), "{doctor}");

        remove_file(disk.path("filler")).expect("room is made");
        until("the hook", || alert(&format!("after {cycle}")), "HTTP/1.1 202");
        until("readiness", || ask(at, "GET", "/readyz", &[], ""), "HTTP/1.1 200");
        until("the reserve", || format!("{} bytes", disk.reserve()), "16777216 bytes");
        let page = ask(at, "GET", "/incidents/INC-1", &[&cookie], "");
        assert!(page.contains(&format!("seen by mk {cycle}")) && !page.contains("The disk of the server is full"), "{page}");
        let told = program("POST", "/api/v1/incidents/INC-1/timeline", r#"{"title": "by a program"}"#);
        assert!(told.starts_with("HTTP/1.1 201"), "{told}");
    }

    // A server that starts on a full disk: the reserve lets it, and it knows how things stand.
    disk.fill();
    server.kill();
    let server = Server::start_on(&world, &url);
    let at = server.address.as_str();
    until("readiness", || ask(at, "GET", "/readyz", &[], ""), "the disk is full");
    assert!(ask(at, "POST", "/login", &FORM, "handle=mk&password=a+long+enough+password").starts_with("HTTP/1.1 303"));
    remove_file(disk.path("filler")).expect("room is made");
    until("readiness", || ask(at, "GET", "/readyz", &[], ""), "HTTP/1.1 200");
}
