//! Alerts over HTTP, each acknowledged when it is on disk.

use std::process::Command;
use std::time::Duration;

use crate::load::{Ask, Load, Pace, drive};
use crate::process::Server;
use crate::{Ground, at_least, at_most, compare, fresh, median, say, seed};

pub async fn sqlite(ground: &Ground) {
    for connections in [8, 32] {
        // Fresh ones each time: neither side carries what the other comparison left.
        let (thin, ours) = (ground.thin("thin-few.db"), ground.afterload("few"));
        let what = format!("ingest of single alerts, SQLite, {connections} connections");
        let ask = Ask::post(&ground.few.hook, seed::alert);
        let found = compare(&what, (&thin, Ask::post("/alerts", seed::alert)), (&ours, ask.clone()), connections).await;
        at_least("rate, of thin", found.ratio(Load::rate), "times", 0.3);
        at_most("CPU an alert", found.ours(Load::cpu_each), "µs", 300.0);
        if connections == 8 {
            let browse = |path: &str| Ask::get(path).signed_in(&ground.few.cookie);
            let reading = Pace { connections: 10, length: Duration::from_secs(6), rate: Some(1.0) };
            let writing = Pace { connections, length: Duration::from_secs(6), rate: None };
            let (list, room, alerts) = (browse("/incidents"), browse(&ground.few.long), fresh());
            let (lists, rooms, written) = tokio::join!(
                drive(&ours, &list, reading, 0),
                drive(&ours, &room, reading, 0),
                drive(&ours, &ask, writing, alerts)
            );
            say(&format!(
                "  with 20 readers: {:.0} alerts/s; list p95 {:.0} ms, room p95 {:.0} ms, {} refused",
                written.rate(),
                lists.percentile(0.95),
                rooms.percentile(0.95),
                written.bad + written.shed + lists.bad + rooms.bad
            ));
            at_most("p99 of an acknowledgement with 20 readers", written.percentile(0.99), "ms", 250.0);
        }
    }
}

/// On a server that `AFTERLOAD_BENCH_POSTGRES` names, which must wait for the disk, against its own `pgbench`.
pub async fn postgres() {
    let Ok(url) = std::env::var("AFTERLOAD_BENCH_POSTGRES") else {
        return say("ingest, PostgreSQL: left out, AFTERLOAD_BENCH_POSTGRES names no server");
    };
    let pgbench = std::env::var("AFTERLOAD_BENCH_PGBENCH").unwrap_or_else(|_| "pgbench".into());
    let folder = tempfile::tempdir().expect("a folder");
    let doors = seed::fill(folder.path(), Some(&url), 100).await;
    let script = folder.path().join("insert.sql");
    let text =
        "\\set n random(1, 1000000000)\ninsert into bench_alerts (dedup_key, body) values ('alert-' || :n, repeat('x', 330));\n";
    std::fs::write(&script, text).expect("a script");
    let ours = Server::afterload(folder.path(), Some(&url));
    let run = |arguments: &[&str]| {
        let output = Command::new(&pgbench).arg(&url).args(arguments).output().expect("pgbench runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse::<f64>().ok())
    };
    let make = folder.path().join("make.sql");
    let table = "create table if not exists bench_alerts (id bigserial primary key, dedup_key text, body text);\ncreate index if not exists bench_alerts_key on bench_alerts (dedup_key);\n";
    std::fs::write(&make, table).expect("a script");
    run(&["-n", "-t", "1", "-f", &make.display().to_string()]);
    for connections in [8_usize, 32] {
        let (mut ratios, mut own, mut theirs, mut cpu) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let clients = connections.to_string();
        let ask = Ask::post(&doors.hook, seed::alert);
        for turn in 0..crate::turns() + 1 {
            let tps = run(&["-n", "-T", "3", "-c", &clients, "-j", "2", "-f", &script.display().to_string()]).expect("a figure");
            let pace = Pace { connections, length: Duration::from_secs(3), rate: None };
            let load = drive(&ours, &ask, pace, fresh()).await;
            // The first turn warms both.
            if turn > 0 {
                ratios.push(load.rate() / tps);
                own.push(load.rate());
                theirs.push(tps);
                cpu.push(load.cpu_each());
            }
        }
        say(&format!("ingest of single alerts, PostgreSQL, {connections} connections"));
        say(&format!(
            "    pgbench {:.0}/s, afterload {:.0}/s, CPU of afterload alone {:.0} µs each",
            median(theirs),
            median(own),
            median(cpu)
        ));
        at_least("rate, of pgbench single-row inserts", median(ratios), "times", 0.5);
    }
}
