//! Runs a balancer's own program for a question that only it can answer: bounded in time and in what it may say.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::MAX_BYTES;

#[derive(Debug)]
pub(super) struct Ran {
    pub ok: bool,
    pub out: String,
    pub err: String,
}

/// Where `name` stands on the PATH; none where it is not installed.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let runs = |path: &PathBuf| path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(name)).find(runs)
}

/// Runs `command` with `input` on its standard input and kills it after `within`. The error is one sentence.
pub(super) fn run(command: &mut Command, input: &str, within: Duration) -> Result<Ran, String> {
    let name = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let until = Instant::now() + within;
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().map_err(|error| format!("{name} does not start: {error}"))?;
    let (out, err) = (collect(child.stdout.take()), collect(child.stderr.take()));
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_owned();
        // A program that does not read all of it closes the pipe, or is killed with it.
        thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    }
    let status: ExitStatus = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < until => thread::sleep(Duration::from_millis(5)),
            ended => {
                let _ = child.kill();
                let _ = child.wait();
                let slow = format!("{name} did not end within {} s", within.as_secs());
                return Err(ended.err().map_or(slow, |error| format!("{name} cannot be watched: {error}")));
            }
        }
    };
    let said = |from: Receiver<Vec<u8>>| {
        let bytes = from.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ok(Ran { ok: status.success(), out: said(out), err: said(err) })
}

/// Reads on a thread of its own: a program that fills one pipe while the other is read would wait for ever.
fn collect(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (send, receive) = channel();
    thread::spawn(move || {
        let Some(mut pipe) = pipe else { return };
        let mut bytes = Vec::new();
        let _ = (&mut pipe).take(MAX_BYTES as u64).read_to_end(&mut bytes);
        let _ = send.send(bytes);
        let _ = std::io::copy(&mut pipe, &mut std::io::sink());
    });
    receive
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_bounded_and_heard() {
        let shell = |script: &str, within| run(Command::new("sh").args(["-c", script]), "given", Duration::from_millis(within));
        let ran = shell("cat; echo told >&2; exit 3", 5_000).expect("runs");
        assert_eq!((ran.ok, ran.out.as_str(), ran.err.as_str()), (false, "given", "told\n"));
        let large = shell("head -c 20000000 /dev/zero", 5_000).expect("runs");
        assert_eq!((large.ok, large.out.len()), (true, MAX_BYTES));
        assert!(shell("sleep 5", 50).expect_err("slow").contains("did not end within"));
        assert!(
            run(&mut Command::new("/none/such"), "", Duration::from_secs(1)).expect_err("none").contains("such does not start")
        );
        assert!(find("sh").is_some() && find("no-such-program-here").is_none());
    }
}
