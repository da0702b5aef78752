//! Our reading of configs held against the balancers themselves.
//!
//! The programs come from the folder in `AFTERLOAD_TEST_BALANCERS`, which `tests/balancers FOLDER` fills.

mod caddy;
mod commands;
mod envoy;
mod envoy_ways;
mod haproxy;
mod haproxy_configs;
pub mod nginx;
mod nginx_parts;
mod rules;
mod traefik;

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

/// The path of a balancer (`haproxy`, `nginx`, `envoy`, `traefik`, `caddy`) or of `crossplane`.
pub fn program(name: &str) -> PathBuf {
    let folder = std::env::var("AFTERLOAD_TEST_BALANCERS").unwrap_or_else(|_| {
        panic!("AFTERLOAD_TEST_BALANCERS names no folder: run tests/balancers FOLDER once and set it, or use tests/run")
    });
    let path = PathBuf::from(folder).join("bin").join(name);
    assert!(path.exists(), "{} is not there: run tests/balancers again", path.display());
    path
}

/// A TCP port of 127.0.0.1 that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// A program that ends with the test.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The body of `GET path` from a port of 127.0.0.1.
pub fn get(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(ErrorKind::InvalidData)?;
    match head {
        _ if !head.starts_with("HTTP/1.1 200 ") => Err(std::io::Error::other(answer)),
        _ if head.to_ascii_lowercase().contains("transfer-encoding: chunked") => {
            joined(body).ok_or(ErrorKind::InvalidData.into())
        }
        _ => Ok(body.to_owned()),
    }
}

/// What comes in chunks, without their sizes.
fn joined(mut body: &str) -> Option<String> {
    let mut whole = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n")?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some(whole);
        }
        whole.push_str(rest.get(..size)?);
        body = rest.get(size + 2..)?;
    }
}

/// As [`get`], again and again until it answers, for half a minute.
pub fn get_soon(port: u16, path: &str) -> String {
    let mut last = None;
    for _ in 0..300 {
        match get(port, path) {
            Ok(body) => return body,
            Err(error) => last = Some(error),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("no answer from port {port}, {path}: {last:?}");
}
