//! Servers as processes of their own, and what the kernel says of them.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A clock tick of `/proc/PID/stat`, the same on every Linux that Rust runs on.
const TICKS_A_SECOND: f64 = 100.0;

/// The program that is measured.
pub fn program() -> PathBuf {
    PathBuf::from(std::env::var("AFTERLOAD_BINARY").expect("AFTERLOAD_BINARY names the program; `just bench-service` sets it"))
}

/// A command of it on the data in `folder` or `url`.
pub fn command(folder: &Path, url: Option<&str>) -> Command {
    let mut command = Command::new(program());
    command.env("AFTERLOAD_DATA", folder).env("AFTERLOAD_LOG", "error");
    // The data comes in through the API, faster than one token may ask in service, and all load from one address.
    command.env("AFTERLOAD_API_PER_MINUTE", "0").env("AFTERLOAD_MAX_CONNECTIONS", "4000");
    match url {
        Some(url) => command.env("DATABASE_URL", url),
        None => command.env_remove("DATABASE_URL"),
    };
    command
}

pub struct Server {
    child: Child,
    /// Host and port.
    pub address: String,
    /// From the start of the process to the line that says where it listens.
    pub started_in: Duration,
}

impl Server {
    /// Afterload on the data in `folder`.
    pub fn afterload(folder: &Path, url: Option<&str>) -> Self {
        let mut command = command(folder, url);
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        Self::start(command)
    }

    /// The control on this file.
    pub fn thin(file: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
        command.arg("thin").arg(file);
        Self::start(command)
    }

    fn start(mut command: Command) -> Self {
        let began = Instant::now();
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the server starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let first = lines.next().expect("a line").expect("text");
        let started_in = began.elapsed();
        let address = first.split("http://").nth(1).expect("an address").trim().to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address, started_in }
    }

    /// CPU seconds so far, of all threads, in user and kernel mode.
    pub fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("Linux");
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let ticks: f64 = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
        ticks / TICKS_A_SECOND
    }

    /// Memory in use, in MiB: all of it, and without the pages of files, which the kernel takes back as it likes.
    pub fn memory(&self) -> (f64, f64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("Linux");
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0
        };
        (of("VmRSS:"), of("RssAnon:"))
    }

    /// Asks it to end and waits until it has.
    pub fn stop(mut self, patience: Duration) {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(asked.expect("kill runs").success());
        let began = Instant::now();
        while self.child.try_wait().expect("a child of ours").is_none() {
            assert!(began.elapsed() < patience, "the server does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// As a power switch does to a process.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
