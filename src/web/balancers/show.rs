//! One balancer as it stands: who gets what share, what differs from the file, what changed.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::balancer::audit::Severity;
use crate::balancer::state::Admin;
use crate::domain::access::Permission;
use crate::domain::balancer::Balancer;
use crate::domain::id::BalancerId;
use crate::domain::snapshot::Snapshot;
use crate::domain::time::Timestamp;
use crate::services::balancers::{Live, LivePool, LiveServer};
use crate::services::findings::Findings;
use crate::services::{self, Page as Rows};
use crate::web::balancers::answers::Answer;
use crate::web::configs::FindingList;
use crate::web::error::Result;
use crate::web::extract::{Path, Session};
use crate::web::format;
use crate::web::page::{Page, Shell};

#[derive(Template)]
#[template(path = "balancers/show.html")]
struct Show {
    shell: Shell,
    now_part: Now,
}

/// What is drawn again every few seconds.
#[derive(Template)]
#[template(path = "balancers/_now.html")]
struct Now {
    shell: Shell,
    now: Timestamp,
    balancer: Balancer,
    answer: Answer,
    live: Live,
    /// Newest first; the last one is only there to be compared with.
    snapshots: Vec<Snapshot>,
    shown: usize,
    findings: Option<FindingList>,
    /// Findings that nobody let stand, by severity.
    open: Vec<(&'static str, usize)>,
}

/// Snapshots on this page; all are in their history.
const SNAPSHOTS: usize = 12;

pub async fn show(State(app): State<App>, session: Session, shell: Shell, Path(id): Path<BalancerId>) -> Result<Response> {
    let actor = &session.actor;
    let balancer = services::balancers::find(&app, actor, id).await?;
    let live = services::balancers::live(&app, actor, id).await?;
    // One more than shown, for the difference of the last one.
    let snapshots = services::snapshots::list(&app, actor, id, &Rows::first(SNAPSHOTS as i64 + 1)).await?.items;
    let shown = snapshots.len().min(SNAPSHOTS);
    let now = app.now();
    let answer = Answer::new(balancer.last_answer_at.max(live.at), balancer.clone(), shell.zone(), now);
    let found = services::findings::of_balancer(&app, actor, id).await?;
    let open = found.as_ref().map(by_severity).unwrap_or_default();
    let findings = found.map(|found| FindingList {
        shell: shell.clone(),
        page: format!("/snapshots/{}", found.snapshot.id),
        files: Vec::new(),
        found: found.items,
        balancer: Some(id),
    });
    let now_part = Now { shell: shell.clone(), now, balancer, answer, live, snapshots, shown, findings, open };
    if shell.wants_fragment() {
        return Ok(Page(now_part).into_response());
    }
    Ok(Page(Show { shell, now_part }).into_response())
}

impl Now {
    fn may_change(&self) -> bool {
        self.shell.may(Permission::WriteBalancers)
    }

    /// Pools with servers; a page of statistics is no pool.
    fn pools(&self) -> Vec<&LivePool> {
        self.live.pools.iter().filter(|pool| !pool.servers.is_empty()).collect()
    }

    fn servers(&self) -> impl Iterator<Item = &LiveServer> {
        self.live.pools.iter().flat_map(|pool| &pool.servers)
    }

    /// None where nobody tells: nginx in open source does not say which servers it reaches.
    fn up(&self) -> Option<usize> {
        let known = || self.servers().filter_map(|server| server.up);
        known().next().is_some().then(|| known().filter(|up| *up).count())
    }

    fn drifted(&self) -> usize {
        self.servers().filter(|server| drifted(server)).count()
    }

    /// Requests a second over all pools; none while nothing was counted.
    fn requests(&self) -> Option<String> {
        self.live.pools.iter().filter_map(|pool| pool.rate).reduce(|a, b| a + b).map(rate)
    }

    /// The part of all requests that was answered 5xx.
    fn errors(&self) -> Option<f64> {
        let parts = self.live.pools.iter().filter_map(|pool| Some((pool.rate?, pool.error_ratio?)));
        let (all, failed) = parts.fold((0.0, 0.0), |(all, failed), (rate, ratio)| (all + rate, failed + rate * ratio));
        (all > 0.0).then(|| failed / all)
    }

    /// Whether so many failures are worth a colour.
    fn is_bad(&self, ratio: impl std::borrow::Borrow<Option<f64>>) -> bool {
        ratio.borrow().is_some_and(|ratio| ratio >= 0.05)
    }

    /// `roundrobin · cookie SRV insert`, or what is known of it.
    fn manner(&self, pool: &LivePool) -> String {
        let algorithm = pool.algorithm.as_deref().unwrap_or("the balancer's own algorithm");
        match pool.persistence.is_empty() {
            true => format!("{algorithm} · no persistence"),
            false => format!("{algorithm} · {}", pool.persistence.join(" · ")),
        }
    }

    fn drifted_server(&self, server: &LiveServer) -> bool {
        drifted(server)
    }

    fn is_ready(&self, server: &LiveServer) -> bool {
        server.admin == Admin::Ready
    }

    fn rate(&self, value: &f64) -> String {
        rate(*value)
    }

    fn percent(&self, value: &f64) -> String {
        format::percent((value * 1000.0).round() / 1000.0)
    }

    /// A place on the bar, 0 to 100, short enough for markup.
    fn place(&self, share: &f64) -> String {
        format!("{:.1}", (share * 100.0).clamp(0.0, 100.0))
    }

    /// The weight as the file and as the running process has it, when they differ.
    fn weights<'a>(&self, server: &'a LiveServer) -> Option<(&'a u32, &'a u32)> {
        server.weight_file.as_ref().zip(server.weight.as_ref()).filter(|(file, now)| file != now)
    }

    fn weight(&self, server: &LiveServer) -> Option<u32> {
        server.weight.or(server.weight_file)
    }

    /// The snapshot before the one at `index`.
    fn before(&self, index: &usize) -> Option<&Snapshot> {
        self.snapshots.get(index + 1)
    }
}

/// Such as one critical, two high.
fn by_severity(found: &Findings) -> Vec<(&'static str, usize)> {
    use Severity::{Critical, High, Info, Low, Medium};
    let count = |severity| (severity, found.open().filter(|finding| finding.severity == severity).count());
    let told = [Critical, High, Medium, Low, Info].map(count).into_iter().filter(|(_, count)| *count > 0);
    told.map(|(severity, count)| (severity.as_str(), count)).collect()
}

fn drifted(server: &LiveServer) -> bool {
    server.weight_file.zip(server.weight).is_some_and(|(file, now)| file != now)
}

/// `4,316/s`, `2.4/s`, `0/s`.
fn rate(value: f64) -> String {
    if value > 0.0 && value < 0.05 {
        return "under 0.1/s".to_owned();
    }
    if value > 0.0 && value < 10.0 {
        let text = format!("{value:.1}");
        return format!("{}/s", text.trim_end_matches(".0"));
    }
    // Rates of a balancer are far below what a whole number holds.
    format!("{}/s", format::count(value.round() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_as_fine_as_they_are_small() {
        assert_eq!([0.0, 0.04, 2.0, 2.44, 4316.2].map(rate), ["0/s", "under 0.1/s", "2/s", "2.4/s", "4,316/s"]);
    }
}
