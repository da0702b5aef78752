//! `afterload demo`: fills a temporary folder, serves it on loopback, and leaves nothing behind.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::Context;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::serve::{start_log, wait_for_signal};
use crate::app::SystemClock;
use crate::demo::{Demo, PEOPLE};
use crate::domain::time::Clock;
use crate::{jobs, server};

const FOLDERS: &str = "afterload-demo-";
/// In each folder; held locked by the demo that lives there.
const LOCK: &str = "demo.lock";
/// The ports that are tried.
const PORTS: std::ops::Range<u16> = 8080..8180;

pub async fn run() -> anyhow::Result<()> {
    start_log("warn");
    sweep(&std::env::temp_dir());
    let folder = tempfile::Builder::new().prefix(FOLDERS).tempdir().context("no temporary folder can be made")?;
    let outcome = serve(&folder).await;
    let place = folder.path().display().to_string();
    folder.close().with_context(|| format!("{place} cannot be removed; the next demo tries again"))?;
    outcome
}

async fn serve(folder: &TempDir) -> anyhow::Result<()> {
    let _lock = lock(folder.path())?;
    let listener = listen().await?;
    let address = listener.local_addr()?;
    say(&format!("Afterload {} makes up a year of incidents ...\n", env!("CARGO_PKG_VERSION")));
    let demo = tokio::select! {
        made = Demo::make(folder.path(), address, SystemClock.now()) => made?,
        () = wait_for_signal() => return Ok(()),
    };
    let app = demo.app();
    let router = server::router(app);
    demo.go_on();
    jobs::start(app);
    say(&announcement(&demo.link().await?, &app.config().public_url(), demo.password()));
    let stopping = app.clone();
    tokio::spawn(async move {
        wait_for_signal().await;
        stopping.shutdown().cancel();
    });
    server::serve(app.clone(), listener, router).await?;
    app.store().close().await;
    Ok(())
}

fn announcement(link: &str, url: &str, password: &str) -> String {
    let [first, others @ ..] = PEOPLE.map(|(handle, role)| format!("{handle} ({})", role.as_str()));
    format!(
        "\nThe demo is at {url}\nOpen it, signed in as {first} (this link works once, for an hour):\n  {link}\n\n\
         Others to sign in as: {}; the password of all is {password}\n\
         Nothing leaves this machine. Ctrl-C ends the demo and removes all of it.\n\n",
        others.join(", ")
    )
}

/// Nobody listening is no reason not to serve.
fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// The first free port. Loopback alone: what is made up here is for nobody else.
async fn listen() -> anyhow::Result<TcpListener> {
    for port in PORTS {
        if let Ok(listener) = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await {
            return Ok(listener);
        }
    }
    anyhow::bail!("all ports from {} to {} of 127.0.0.1 are taken; end one of the programs there", PORTS.start, PORTS.end - 1)
}

fn lock(folder: &Path) -> anyhow::Result<File> {
    let file = File::create(folder.join(LOCK)).context("the temporary folder cannot be written")?;
    file.try_lock().context("the temporary folder is in use")?;
    Ok(file)
}

/// Removes the folders of demos that were killed. Folders of others, and those that cannot be removed, are left alone.
fn sweep(place: &Path) {
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_folder || !entry.file_name().to_string_lossy().starts_with(FOLDERS) {
            continue;
        }
        // One without a lock is being made just now.
        let Ok(lock) = File::open(entry.path().join(LOCK)) else { continue };
        match lock.try_lock() {
            Ok(()) => drop(fs::remove_dir_all(entry.path())),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_dead_demos_left_is_removed() {
        let place = tempfile::tempdir().expect("a folder");
        let make = |name: &str| {
            let path = place.path().join(name);
            fs::create_dir(&path).expect("made");
            path
        };
        let (dead, alive, young, other) =
            (make("afterload-demo-dead"), make("afterload-demo-alive"), make("afterload-demo-young"), make("other"));
        drop(lock(&dead).expect("locked"));
        fs::write(dead.join("afterload.db"), "x").expect("written");
        let held = lock(&alive).expect("locked");
        drop(lock(&other).expect("locked"));
        sweep(place.path());
        assert_eq!([&dead, &alive, &young, &other].map(|path| path.exists()), [false, true, true, true]);
        drop(held);
        sweep(place.path());
        assert!(!alive.exists());
    }
}
