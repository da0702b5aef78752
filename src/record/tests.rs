//! Readings of real files and sockets on this machine, with every way to fail that needs no HAProxy.

use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};

use super::*;

const STAT: &str = "# pxname,svname,stot,status,weight,\nb,s,1,UP,1,\nb,BACKEND,1,UP,1,\n\n";

fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().expect("client")
}

async fn reading(config_path: &str, state_address: &str) -> Result<Reading, ReadError> {
    let target = Target { kind: BalancerKind::Haproxy, config_path, state_address };
    read(&target, &http(), Duration::from_millis(700)).await
}

async fn refusal(config_path: &str, state_address: &str) -> String {
    reading(config_path, state_address).await.expect_err("refused").to_string()
}

fn path(dir: &TempDir, name: &str) -> String {
    dir.path().join(name).to_str().expect("UTF-8").to_owned()
}

/// A socket that answers every connection with the same bytes, after having read something.
fn unix(dir: &TempDir, name: &str, answer: impl Into<Vec<u8>>) -> String {
    let (path, answer) = (path(dir, name), answer.into());
    let listener = UnixListener::bind(&path).expect("bind");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 100]).await;
                let _ = stream.write_all(&answer).await;
            });
        }
    });
    path
}

/// A web server that answers every connection with the same bytes.
async fn web(answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    format!("http://mk:hunter2@{address}/stats")
}

#[tokio::test]
async fn a_file_is_read_raw_and_a_directory_in_byte_order() {
    let dir = TempDir::new().expect("dir");
    std::fs::write(path(&dir, "b.cfg"), "backend b\n").expect("write");
    std::fs::write(path(&dir, "Z.cfg"), "global").expect("write");
    std::fs::write(path(&dir, "a.cfg"), b"# \xff\n").expect("write");
    std::fs::write(path(&dir, ".hidden.cfg"), "x").expect("write");
    std::fs::write(path(&dir, "a.txt"), "x").expect("write");
    let all = reading(dir.path().to_str().expect("UTF-8"), "").await.expect("read");
    let mark = |name: &str| format!("# configuration file {}:\n", path(&dir, name));
    let joined = [&mark("Z.cfg"), "global\n", &mark("a.cfg"), "# \u{fffd}\n", &mark("b.cfg"), "backend b\n"].concat();
    assert_eq!(all.config, Some(joined));
    assert!(all.notices.len() == 1 && all.notices[0].contains("a.cfg is not UTF-8"), "{:?}", all.notices);
    assert_eq!(reading(&path(&dir, "b.cfg"), "").await.expect("read").config.as_deref(), Some("backend b\n"));
}

#[tokio::test]
async fn half_a_reading_is_a_notice_and_none_is_an_error() {
    let dir = TempDir::new().expect("dir");
    std::fs::write(path(&dir, "x.cfg"), "global\n").expect("write");
    let socket = unix(&dir, "ok.sock", STAT);
    let got = reading("/nowhere/x.cfg", &socket).await.expect("state");
    assert_eq!((got.config, got.state.map(|s| s.pools.len())), (None, Some(1)));
    assert!(got.notices.iter().any(|n| n.starts_with("config not read: /nowhere/x.cfg does not exist")), "{:?}", got.notices);
    let got = reading(&path(&dir, "x.cfg"), "/nowhere.sock").await.expect("config");
    assert_eq!((got.config.is_some(), got.state), (true, None));
    assert!(got.notices[0].starts_with("state not read: /nowhere.sock does not exist"), "{:?}", got.notices);
    let both = refusal("/nowhere/x.cfg", "/nowhere.sock").await;
    assert!(both.contains("/nowhere/x.cfg") && both.contains("/nowhere.sock"), "{both}");
    assert!(refusal("", "").await.contains("name at least one"));
    assert!(refusal("", "tcp://x").await.contains("write a socket path"));
}

#[tokio::test]
async fn odd_config_paths_are_refused_at_once() {
    let dir = TempDir::new().expect("dir");
    assert!(refusal(dir.path().to_str().expect("UTF-8"), "").await.contains("holds no config (*.cfg)"));
    assert!(refusal("/dev/zero", "").await.contains("neither a file nor a directory"));
    let large = std::fs::File::create(path(&dir, "large.cfg")).expect("create");
    large.set_len(MAX_BYTES as u64 + 1).expect("grow");
    assert!(refusal(&path(&dir, "large.cfg"), "").await.contains("more than 16 MiB"));
    std::fs::write(path(&dir, "secret.cfg"), "x").expect("write");
    std::fs::set_permissions(path(&dir, "secret.cfg"), std::fs::Permissions::from_mode(0o000)).expect("chmod");
    // The superuser may read everything; then there is nothing to refuse.
    if std::fs::read(path(&dir, "secret.cfg")).is_err() {
        assert!(refusal(&path(&dir, "secret.cfg"), "").await.contains("may not be opened"));
    }
}

#[tokio::test]
async fn sockets_that_are_dead_mute_or_babble_are_told_apart() {
    let dir = TempDir::new().expect("dir");
    let garbage = unix(&dir, "garbage.sock", b"\x00\xff<html>\r\nno".to_vec());
    let said = refusal("", &garbage).await;
    assert!(said.contains("answered, but not with statistics: “\u{fffd}<html> no”"), "{said}");
    assert!(refusal("", &unix(&dir, "empty.sock", "")).await.contains("“nothing at all”"));
    let cut = refusal("", &unix(&dir, "cut.sock", &STAT[..STAT.len() - 20])).await;
    assert!(cut.contains("breaks off"), "{cut}");
    let flood = unix(&dir, "flood.sock", vec![b'x'; 2 * MAX_BYTES]);
    assert!(refusal("", &flood).await.contains("more than 16 MiB"));
    drop(UnixListener::bind(path(&dir, "dead.sock")).expect("bind"));
    assert!(refusal("", &path(&dir, "dead.sock")).await.contains("nobody answers at"));
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("bind").local_addr().expect("address");
    assert!(refusal("", &format!("tcp://{closed}")).await.contains("nobody answers at"));

    let _mute = UnixListener::bind(path(&dir, "mute.sock")).expect("bind");
    let began = Instant::now();
    assert!(refusal("", &path(&dir, "mute.sock")).await.contains("did not answer in full within 0.7 s"));
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn pages_are_read_and_refusals_keep_the_password() {
    let page = |status: &str, body: &str| web(format!("HTTP/1.1 {status}\r\nconnection: close\r\nlocation: /x\r\n\r\n{body}"));
    let got = reading("", &page("200 OK", STAT).await).await.expect("page");
    assert_eq!(got.state.expect("state").pools[0].servers[0].name, "s");
    for (status, body, said) in [
        ("200 OK", "<html>login", "not with statistics: “<html>login”"),
        ("302 Found", "", "redirects are not followed"),
        ("401 Unauthorized", "", "wants a login"),
        ("503 Service Unavailable", "", "`stats uri`"),
        ("200 OK", &"x".repeat(MAX_BYTES + 1), "more than 16 MiB"),
    ] {
        let refused = refusal("", &page(status, body).await).await;
        assert!(refused.contains(said) && !refused.contains("hunter2"), "{refused}");
    }
    let refused = refusal("", "http://mk:hunter2@127.0.0.1:1/stats").await;
    assert!(refused.contains("nobody answers at http://mk:•••@127.0.0.1:1/stats") && !refused.contains("hunter2"), "{refused}");
    for password in ["hunter2?x", "hun/ter2", "hunter2#", "12/hunter2"] {
        let refused = refusal("", &format!("http://mk:{password}@127.0.0.1:1/stats")).await;
        assert!(refused.contains("percent encoding") && !refused.contains("ter2"), "{refused}");
    }
}
