//! Storms of alerts, and what they leave in memory.

use std::time::{Duration, Instant};

use crate::load::{Ask, Pace, drive};
use crate::process::Server;
use crate::{Ground, at_most, fresh, number, say, seed};

/// Memory after many alerts, and whether it goes on growing under an even load.
pub async fn memory(ground: &Ground) {
    let alerts = number("AFTERLOAD_BENCH_ALERTS", 300_000) as u64;
    let minutes = number("AFTERLOAD_BENCH_SLOPE_MINUTES", 10);
    let server = ground.afterload("few");
    let ask = Ask::post(&ground.few.hook, seed::alert);
    let (began, mut stored, mut worst) = (Instant::now(), 0, 0.0_f64);
    while stored < alerts {
        let pace = Pace { connections: 32, length: Duration::from_secs(5), rate: None };
        stored += drive(&server, &ask, pace, fresh()).await.good;
        worst = worst.max(server.memory().0);
    }
    say(&format!("memory: {stored} alerts in {:.0} s, at most {worst:.1} MiB on the way", began.elapsed().as_secs_f64()));
    at_most("memory after 300,000 alerts (RSS)", server.memory().0, "MiB", 64.0);
    let mut points = Vec::new();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(minutes as u64 * 60) {
        let pace = Pace { connections: 8, length: Duration::from_secs(5), rate: Some(20.0) };
        drive(&server, &ask, pace, fresh()).await;
        points.push((began.elapsed().as_secs_f64() / 60.0, server.memory().1));
    }
    say(&format!("    over {minutes} minutes of 160 alerts a second: {:+.3} MiB a minute of its own memory", slope(&points)));
}

/// Of the line through the points, by least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0 / count, y + point.1 / count));
    let top: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    top / points.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>()
}

/// 10,000 alerts a minute while 20 people browse; then five times as many, and on until the server sheds some.
pub async fn storm(ground: &Ground) {
    let minutes = number("AFTERLOAD_BENCH_STORM_MINUTES", 10);
    let server = ground.afterload("few");
    let before = count(ground);
    let calm = phase(&server, ground, Duration::from_secs(minutes as u64 * 60), 32, Some(10_000.0 / 60.0 / 32.0)).await;
    say(&format!(
        "storm of 10,000 alerts a minute for {minutes} minutes with 20 people browsing: {:.0} a minute taken",
        calm.rate * 60.0
    ));
    at_most("acknowledgement, p99", calm.acknowledged, "ms", 250.0);
    at_most("pages, p95", calm.pages, "ms", 500.0);
    let five = phase(&server, ground, Duration::from_secs(60), 64, Some(50_000.0 / 60.0 / 64.0)).await;
    say(&format!(
        "  five times as many for a minute: {:.0} a minute taken, {} shed, p99 {:.0} ms, pages p95 {:.0} ms",
        five.rate * 60.0,
        five.shed,
        five.acknowledged,
        five.pages
    ));
    let flood = phase(&server, ground, Duration::from_secs(15), 1_500, None).await;
    say(&format!(
        "  1,500 connections that never wait, 15 s: {:.0} a second taken, {} shed with 503, {} answered otherwise",
        flood.rate, flood.shed, flood.bad
    ));
    say(&format!("  memory after it all: {:.1} MiB", server.memory().0));
    let acknowledged = calm.good + five.good + flood.good;
    // Nothing that was acknowledged may hang on the process.
    server.kill();
    drop(ground.afterload("few"));
    let stored = count(ground) - before;
    let verdict = if stored >= acknowledged { "nothing is lost" } else { "LOST" };
    say(&format!("  {acknowledged} acknowledged, {stored} stored after a SIGKILL: {verdict}"));
}

struct Phase {
    rate: f64,
    good: u64,
    shed: u64,
    bad: u64,
    acknowledged: f64,
    pages: f64,
}

async fn phase(server: &Server, ground: &Ground, length: Duration, connections: usize, rate: Option<f64>) -> Phase {
    let ask = Ask::post(&ground.few.hook, seed::alert);
    let browse = |path: &str| Ask::get(path).signed_in(&ground.few.cookie);
    let reading = Pace { connections: 5, length, rate: Some(0.5) };
    let (board, list, long, busy) =
        (browse("/"), browse("/incidents"), browse(&ground.few.long), browse(&format!("/incidents/INC-{}", crate::few() + 1)));
    let number = fresh();
    let (alerts, a, b, c, d) = tokio::join!(
        drive(server, &ask, Pace { connections, length, rate }, number),
        drive(server, &board, reading, 0),
        drive(server, &list, reading, 0),
        drive(server, &long, reading, 0),
        drive(server, &busy, reading, 0)
    );
    let pages = [&a, &b, &c, &d].iter().map(|load| load.percentile(0.95)).fold(0.0, f64::max);
    let bad = alerts.bad + a.bad + b.bad + c.bad + d.bad;
    Phase { rate: alerts.rate(), good: alerts.good, shed: alerts.shed, bad, acknowledged: alerts.percentile(0.99), pages }
}

/// Alerts that are stored, read from the file beside the server.
fn count(ground: &Ground) -> u64 {
    let file = ground.folder.path().join("few/afterload.db");
    let db = rusqlite::Connection::open_with_flags(file, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the file opens");
    db.query_row("select count(*) from alerts", (), |row| row.get::<_, i64>(0)).expect("counted").unsigned_abs()
}
