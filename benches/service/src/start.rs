//! Starting, idling, and the size of the program.

use std::time::Duration;

use crate::load::{Ask, Client};
use crate::process::Server;
use crate::{Ground, at_most, median};

pub async fn run(ground: &Ground) {
    crate::say("start and size");
    // The first start after the filling tidies up what the filling left.
    drop(ground.afterload("many"));
    let mut cold = Vec::new();
    for _ in 0..5 {
        let server = ground.afterload("many");
        cold.push(first_answer(&server).await);
    }
    at_most("start to the first answer with 10,000 incidents", median(cold), "ms", 150.0);
    let mut first = Vec::new();
    for _ in 0..5 {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Server::afterload(folder.path(), None);
        first.push(first_answer(&server).await);
    }
    at_most("first start, with all migrations", median(first), "ms", 500.0);
    let server = ground.afterload("many");
    first_answer(&server).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (all, own) = server.memory();
    at_most("memory when idle (RSS)", all, "MiB", 30.0);
    crate::say(&format!("    of it {own:.1} MiB are its own, the rest are pages of the program's file"));
    let size = std::fs::metadata(crate::process::program()).expect("the program").len();
    at_most("size of the program", size as f64 / 1_048_576.0, "MiB", 30.0);
}

/// Milliseconds from the start of the process to an answer from the database.
async fn first_answer(server: &Server) -> f64 {
    let began = std::time::Instant::now();
    let mut client = Client::open(&server.address).await.expect("a connection");
    let (status, ..) = client.send(&Ask::get("/readyz"), 0).await.expect("an answer");
    assert!(status.is_success(), "{status}");
    (server.started_in + began.elapsed()).as_secs_f64() * 1e3
}
