//! The same made-up data for both sides: a year of incidents, one of them with a long timeline.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration as Length;

use chrono::{DateTime, Duration, TimeZone, Utc};
use serde_json::{Value, json};

use crate::load::{Ask, Client};
use crate::process::{self, Server};

/// Of the first incident.
pub const ENTRIES: usize = 1_000;
/// Groups that alerts come in: as many open incidents.
pub const GROUPS: u64 = 20;
/// Stands in 20 of 10,000 incidents.
pub const RARE: &str = "zebrafish";
/// Stands in all of them.
pub const COMMON: &str = "latency";

pub struct SeedIncident {
    pub title: String,
    pub severity: &'static str,
    pub status: &'static str,
    pub service: String,
    pub began: DateTime<Utc>,
    pub summary: String,
}

pub fn incident(number: usize) -> SeedIncident {
    let service = format!("service-{}", number % 16);
    let rare = if number % 500 == 7 { "The zebrafish index was rebuilt. " } else { "" };
    SeedIncident {
        title: format!("{service} answers slowly in region {}", number % 7),
        severity: ["sev1", "sev2", "sev3", "sev4"][number % 4],
        status: if number % 10 == 3 { "investigating" } else { "resolved" },
        began: Utc.with_ymd_and_hms(2025, 11, 21, 0, 0, 0).single().expect("a time") + Duration::minutes(number as i64 * 50),
        summary: format!(
            "{rare}The latency of **{service}** rose after the weights of pool `web-{}` were changed. {} requests were lost before the \
             change was taken back. The retry budget of the callers was spent within two minutes, and what followed was load, not the fault.",
            number % 13,
            number * 37 % 9_000
        ),
        service,
    }
}

pub struct SeedEntry {
    pub at: DateTime<Utc>,
    pub title: String,
    pub body: String,
}

/// Some 150 bytes of Markdown, as people write them.
pub fn entry(number: usize) -> SeedEntry {
    let body = match number % 4 {
        0 => format!(
            "p99 of `checkout` is at **{} ms**, see [the panel](https://graphs.example/d/{number}). Errors stay at _0.{} %_, and the queue of the pool is empty again.",
            180 + number,
            number % 9
        ),
        1 => format!(
            "- drained `web-{}`\n- waited for 30 s\n- put it back with weight {}\n- no change of p99, so it was not this server",
            number % 9,
            number % 100
        ),
        2 => format!(
            "Asked the callers: retries are at {} a second, three times the usual. *Nothing* was deployed since noon, says the log of `deploy-{}`.",
            number % 700,
            number % 5
        ),
        _ => format!(
            "> upstream timed out after {} s\n\nis in the log of **{} of 12** servers, first on `web-{}`; the other ones have no such line",
            number % 40,
            number % 12,
            number % 9
        ),
    };
    let at = incident(0).began + Duration::seconds(number as i64 * 5);
    SeedEntry { at, title: format!("Observation {number} of the checkout pool"), body }
}

/// The dialect that Afterload reads.
pub fn markdown() -> pulldown_cmark::Options {
    pulldown_cmark::Options::ENABLE_TABLES
        | pulldown_cmark::Options::ENABLE_STRIKETHROUGH
        | pulldown_cmark::Options::ENABLE_TASKLISTS
}

/// One alert of 300 to 400 bytes in the generic format; `number` makes its key.
pub fn alert(number: u64) -> String {
    let group = number % GROUPS;
    format!(
        r#"{{"dedup_key":"alert-{number}","title":"p99 of service-{group} is above 400 ms","service":"service-{group}","severity":"warning","description":"The 99th percentile of service-{group} has been at {} ms for five minutes; the limit is 400 ms.","labels":{{"cluster":"eu-{}","instance":"10.0.{}.{}:9100","job":"checkout","team":"payments"}}}}"#,
        400 + number % 900,
        number % 3,
        number / 250 % 250,
        number % 250
    )
}

/// What a client needs.
pub struct Doors {
    /// Path of the hook.
    pub hook: String,
    /// The cookie of somebody who is signed in.
    pub cookie: String,
    /// Path of the incident with [`ENTRIES`] entries.
    pub long: String,
}

/// Makes an installation in `url` or `folder` and fills it through its own API.
pub async fn fill(folder: &Path, url: Option<&str>, count: usize) -> Doors {
    let run = |arguments: &[&str], input: &str| {
        let mut command = process::command(folder, url);
        let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program runs");
        child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("written");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    };
    run(&["user", "create", "mk", "--role", "admin"], "correct horse battery\n");
    let hook = run(&["integration", "create", "generic", "--name", "bench"], "");
    let token = run(&["token", "create", "bench", "--scopes", "incidents:write"], "");
    let server = Server::afterload(folder, url);
    let bearer = format!("Bearer {token}");
    let mut client = Client::open(&server.address).await.expect("a connection");
    let mut long = String::new();
    for number in 0..count.min(1) {
        let made = made(&mut client, "/api/v1/incidents", &bearer, incident_json(number)).await;
        long = format!("/incidents/{}", made["reference"].as_str().expect("a reference"));
    }
    let entries = format!("/api/v1{long}/timeline");
    for number in 0..ENTRIES {
        let seed = entry(number);
        let body = json!({"title": seed.title, "body": seed.body, "occurred_at": seed.at.to_rfc3339()});
        made(&mut client, &entries, &bearer, body).await;
    }
    for number in 1..count {
        made(&mut client, "/api/v1/incidents", &bearer, incident_json(number)).await;
    }
    let cookie = client.sign_in("mk", "correct horse battery").await;
    server.stop(Length::from_secs(30));
    Doors { hook, cookie, long }
}

fn incident_json(number: usize) -> Value {
    let seed = incident(number);
    let began = seed.began.to_rfc3339();
    let over = (seed.status == "resolved").then(|| (seed.began + Duration::minutes(40)).to_rfc3339());
    json!({
        "title": seed.title, "severity": seed.severity, "status": seed.status, "summary": seed.summary, "services": [seed.service],
        "milestones": {"started": began, "detected": began, "mitigated": over, "resolved": over}
    })
}

async fn made(client: &mut Client, path: &str, bearer: &str, body: Value) -> Value {
    let ask = Ask { header: Some(("authorization", bearer.to_owned())), ..Ask::get(path) };
    let (status, _, answer) = client.post(&ask, body.to_string()).await.expect("an answer");
    assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&answer));
    serde_json::from_slice(&answer).expect("JSON")
}
