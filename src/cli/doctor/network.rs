//! What is reached over the network: the server as people reach it, through whatever stands in front, and the balancers.

use std::time::{Duration, Instant};

use super::{Finding, failed, ok, warning};
use crate::app::App;
use crate::domain::balancer::Balancer;
use crate::record::{self, Target};
use crate::services::balancers;
use crate::store::settings;

/// As long as the recorder waits.
const PATIENCE: Duration = Duration::from_secs(8);

pub async fn examine(app: &App, findings: &mut Vec<Finding>) {
    front(app, findings).await;
    match balancers::for_recorder(app).await {
        Ok(known) if known.is_empty() => findings.push(ok("balancers", "none is recorded yet")),
        Ok(known) => findings.extend(futures_util::future::join_all(known.iter().map(|known| balancer(app, known))).await),
        Err(fault) => findings.push(failed("balancers", fault.to_string(), "look at the database first")),
    }
}

/// The setting of this command, or what the server remembered of its own.
async fn base_url(app: &App) -> Option<String> {
    if app.config().base_url.is_some() {
        return Some(app.config().public_url());
    }
    let mut conn = app.store().read().await.ok()?;
    settings::get(&mut conn, settings::BASE_URL).await.ok().flatten()
}

async fn front(app: &App, findings: &mut Vec<Finding>) {
    let Some(url) = base_url(app).await else {
        let listen = app.config().listen;
        findings.push(if listen.ip().is_loopback() {
            ok("base address", format!("not set: people reach http://{listen} on this machine"))
        } else {
            let remedy = "put a proxy with TLS in front and set AFTERLOAD_BASE_URL to its https:// address";
            warning("base address", format!("not set, and the server listens on {listen} for other machines"), remedy)
        });
        return;
    };
    findings.push(if url.starts_with("https://") {
        ok("base address", format!("{url}: cookies are marked Secure"))
    } else if is_local(&url) {
        ok("base address", format!("{url}, on this machine"))
    } else {
        warning(
            "base address",
            format!("{url} is not encrypted, and cookies are not marked Secure"),
            "reach the server over https://",
        )
    });
    findings.extend(through(app, &url).await);
}

fn is_local(url: &str) -> bool {
    let place = url.strip_prefix("http://").unwrap_or_default();
    ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .any(|host| place.strip_prefix(host).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/'])))
}

/// What becomes of requests on the way. A POST to the front page does nothing anywhere: it is refused as a method, or
/// before that, when `Host` and `Origin` no longer agree, as forged.
async fn through(app: &App, url: &str) -> Vec<Finding> {
    let check = "proxy headers";
    let alive = match app.http().get(format!("{url}/livez")).send().await {
        Ok(answer) => answer.status().as_u16(),
        Err(fault) => {
            let why = anyhow::Error::from(fault.without_url());
            return vec![warning(
                "reachable",
                format!("no answer from {url} ({why:#})"),
                "start the server, or correct AFTERLOAD_BASE_URL; the way through the proxy was not tried",
            )];
        }
    };
    if alive != 200 {
        let remedy = "check that AFTERLOAD_BASE_URL is the address that ends at this server, without a redirect";
        return vec![failed("reachable", format!("{url}/livez answers {alive}"), remedy)];
    }
    let origin: String = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    let sent = app.http().post(format!("{url}/")).header("origin", origin).header("content-length", "0").send().await;
    let judged = match sent.map(|answer| answer.status().as_u16()) {
        Ok(403) => failed(
            check,
            "a form of the same origin is refused: Host or Origin is changed on the way",
            "have the proxy pass Host as it came, port included (nginx: proxy_set_header Host $http_host)",
        ),
        Ok(405) => ok(check, "Host and Origin arrive as they were sent"),
        Ok(status) => warning(
            check,
            format!("a POST through {url} is answered with {status}"),
            "check what stands in front: it should pass every request on as it came",
        ),
        Err(fault) => {
            warning(check, format!("a POST through {url} gets no answer ({})", fault.without_url()), "check what stands in front")
        }
    };
    vec![ok("reachable", format!("{url} answers")), judged]
}

async fn balancer(app: &App, known: &Balancer) -> Finding {
    let fields = &known.fields;
    let check = format!("balancer {}", fields.name);
    if fields.paused {
        return ok(check, "paused, not asked");
    }
    let target = Target { kind: fields.kind, config_path: &fields.config_path, state_address: &fields.state_address };
    let begin = Instant::now();
    match record::read(&target, app.http(), PATIENCE).await {
        // The error names the remedy itself.
        Err(fault) => failed(check, "not reached", fault.to_string()),
        Ok(reading) if !reading.notices.is_empty() => warning(check, "read in part", reading.notices.join("; ")),
        Ok(reading) => {
            let config =
                reading.config.map_or_else(|| "no config".to_owned(), |text| format!("a config of {} bytes", text.len()));
            let state = if reading.state.is_some() { "state" } else { "no state" };
            let took = begin.elapsed().as_millis();
            ok(check, format!("{config}, {state}, {} samples in {took} ms", reading.samples.len()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_local() {
        for (url, local) in [
            ("http://127.0.0.1:8080", true),
            ("http://localhost", true),
            ("http://[::1]:8080/x", true),
            ("http://127.0.0.1.example", false),
            ("http://afterload.example", false),
            ("https://localhost", false),
        ] {
            assert_eq!(is_local(url), local, "{url}");
        }
    }
}
