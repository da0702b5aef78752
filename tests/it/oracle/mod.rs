//! Our reading of configs held against the balancers themselves.
//!
//! The programs come from the folder in `AFTERLOAD_TEST_BALANCERS`, which `tests/balancers FOLDER` fills.

mod commands;
mod haproxy;
mod haproxy_configs;

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Child;

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
