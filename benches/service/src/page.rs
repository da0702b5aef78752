//! Pages that people read: lists, searches, rooms, and what they weigh.

use crate::load::{Ask, Client, Load};
use crate::{Ground, at_least, at_most, compare, say, seed};

/// Filters: ours, and the control's where it knows the field.
const FILTERS: [(&str, &str); 7] = [
    ("", ""),
    ("?status=open", "?status=investigating"),
    ("?status=resolved", "?status=resolved"),
    ("?severity=sev1", "?severity=sev1"),
    ("?service=service-7", "?service=service-7"),
    ("?from=2025-12-10", "?from=2025-12-10T00:00:00"),
    ("?q=zebrafish", "?q=zebrafish"),
];

pub async fn lists(ground: &Ground) {
    let (thin, ours, small) = (ground.thin("thin-many.db"), ground.afterload("many"), ground.afterload("few"));
    for (filter, control) in FILTERS {
        let ask = Ask::get(&format!("/incidents{filter}"));
        let what = format!(
            "list of 50 out of 10,000{}{}, 8 connections",
            if filter.is_empty() { "" } else { ", " },
            filter.trim_start_matches('?')
        );
        let mine = ask.clone().signed_in(&ground.many.cookie);
        let found = compare(&what, (&thin, Ask::get(&format!("/incidents{control}"))), (&ours, mine.clone()), 8).await;
        at_least("rate, of thin", found.ratio(Load::rate), "times", 0.25);
        say(&format!("  {:<58} {:>9.2} times", "CPU, of thin", found.ratio(Load::cpu_each)));
        // A rare word fills no page of the small one: there is nothing to compare.
        if filter.starts_with("?q=") {
            continue;
        }
        let grown = compare(
            "  the same out of 1,000 and out of 10,000, 1 connection",
            (&small, ask.signed_in(&ground.few.cookie)),
            (&ours, mine),
            1,
        )
        .await;
        at_most("p50 at 10,000, of that at 1,000", grown.ratio(|load| load.percentile(0.5)), "times", 1.2);
    }
}

pub async fn search(ground: &Ground) {
    let (thin, ours) = (ground.thin("thin-many.db"), ground.afterload("many"));
    for (word, bound) in [(seed::RARE, 10.0), (seed::COMMON, 60.0)] {
        let path = format!("/search?q={word}");
        let mine = Ask::get(&path).signed_in(&ground.many.cookie);
        let found = compare(
            &format!("search for “{word}” in 10,000 incidents, 8 connections"),
            (&thin, Ask::get(&path)),
            (&ours, mine),
            8,
        )
        .await;
        at_least("rate, of thin", found.ratio(Load::rate), "times", 0.5);
        at_most("p99", found.ours(|load| load.percentile(0.99)), "ms", bound);
    }
}

pub async fn room(ground: &Ground) {
    let (thin, ours) = (ground.thin("thin-many.db"), ground.afterload("many"));
    let all = format!("{}?all=1", ground.many.long);
    for connections in [1, 8] {
        let mine = Ask::get(&all).signed_in(&ground.many.cookie);
        let what = format!("room with 1,000 Markdown entries, all of them drawn, {connections} connections");
        let found = compare(&what, (&thin, Ask::get("/incidents/1")), (&ours, mine), connections).await;
        at_most("CPU, of thin", found.ratio(Load::cpu_each), "times", 2.0);
    }
    let mine = Ask::get(&ground.many.long).signed_in(&ground.many.cookie);
    compare(
        "the same room as it opens, its last 300 entries, 1 connection",
        (&thin, Ask::get("/incidents/1")),
        (&ours, mine.clone()),
        1,
    )
    .await;
    let mut client = Client::open(&ours.address).await.expect("a connection");
    let (_, headers, _) = client.send(&mine, 0).await.expect("an answer");
    let Some(tag) = headers.get("etag").and_then(|tag| tag.to_str().ok()) else {
        return say("  the room sends no ETag                                                        MISSED");
    };
    let again = Ask { header: Some(("if-none-match", tag.to_owned())), ..mine };
    let (status, ..) = client.send(&again, 0).await.expect("an answer");
    let found = compare("the same room unchanged, 8 connections", (&thin, Ask::get("/")), (&ours, again), 8).await;
    at_most(&format!("CPU of an unchanged page, answered with {}", status.as_u16()), found.ours(Load::cpu_each), "µs", 300.0);
}

/// What travels for each page: compressed, as browsers ask for it.
pub async fn weights(ground: &Ground) {
    let ours = ground.afterload("many");
    let mut client = Client::open(&ours.address).await.expect("a connection");
    say("weights on the wire, gzip");
    let long = &ground.many.long;
    let post = format!("{long}/postmortem");
    for path in [
        "/",
        "/incidents",
        "/incidents/new",
        "/incidents/INC-2",
        long,
        &post,
        "/tasks",
        "/balancers",
        "/postmortems",
        "/settings",
        "/search?q=latency",
    ] {
        let ask = Ask { header: Some(("accept-encoding", "gzip".to_owned())), ..Ask::get(path).signed_in(&ground.many.cookie) };
        let (status, _, body) = client.send(&ask, 0).await.expect("an answer");
        let name = if status.is_success() { path.to_owned() } else { format!("{path} ({status})") };
        at_most(&name, body.len() as f64 / 1e3, "kB", 100.0);
    }
}
