//! What is meant to happen when servers are gone: backups and caps.

use super::view::{count, number, server_names, size};
use super::{Case, Finding, Needs, Rule, Settings, Severity};
use crate::balancer::model::{Passive, Server};
use crate::domain::balancer::BalancerKind;

pub const LB035: Rule = Rule {
    id: "LB035",
    severity: Severity::Medium,
    title: "a backup can never serve, or only the first one does",
    prevents: "A fail-over that does not happen. Wikimedia, 18 November 2015: the standby balancers did not serve some ports. \
               GitHub, 2010: the standby could not start what it needed.",
    why: "HAProxy uses the first backup alone unless `option allbackups` is set; a backup without weight gets nothing; and \
          where active servers are not checked, none is ever known to be down, so that no backup is ever asked.",
    remedy: "Write what is meant, and rehearse it once: take the active servers out and look.",
    false_positives: "A second backup that is only meant to follow the first.",
    kinds: &[BalancerKind::Haproxy],
    needs: Needs::Config,
    parameters: &[],
    check: Some(useless_backup),
};

fn useless_backup(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    for view in case.views() {
        let pool = view.pool;
        let backups: Vec<&Server> = view.backups().collect();
        let active = view.active().count();
        let Some(last) = backups.last().filter(|_| active > 0) else { continue };
        let checked = |server: &Server| server.check.is_some() || server.tracks.is_some();
        let weightless: Vec<&Server> = backups.iter().copied().filter(|server| server.effective_weight() == 0).collect();
        let (message, remedy) = if !weightless.is_empty() {
            (
                format!("{} of pool {} backs up with weight 0 and gets nothing.", server_names(&weightless), pool.name),
                "Give backups a weight; they get nothing anyway while an active server is up.",
            )
        } else if !view.active().any(checked) && view.active().any(|server| view.usable(server)) {
            (
                format!(
                    "{} of pool {} can never step in: no active server is checked, so none is ever known to be down.",
                    server_names(&backups),
                    pool.name
                ),
                "Add `check` to the active servers.",
            )
        } else if backups.len() > 1 && !pool.all_backups {
            (
                format!(
                    "Of {} of pool {} only the first, {}, serves when the active servers are gone.",
                    count(backups.len(), "backup"),
                    pool.name,
                    backups[0].name
                ),
                "Add `option allbackups`, or take the other backups out.",
            )
        } else {
            continue;
        };
        let finding = Finding::pool(pool, message, remedy).at(&last.place);
        found.push(
            finding
                .also(backups.iter().map(|server| &server.place))
                .with("backups", size(backups.len()))
                .with("active", size(active)),
        );
    }
}

pub const LB036: Rule = Rule {
    id: "LB036",
    severity: Severity::High,
    title: "nothing stops checks from taking the whole pool out",
    prevents: "Health checks that remove everything. Slack, 4 January 2021: instances looked unhealthy because of the \
               network, and a panic mode kept part of the traffic alive. AWS us-east-1, 20 October 2025: checks took healthy \
               capacity away.",
    why: "When most servers fail their checks at the same time, the checks or the network are usually wrong. A panic \
          threshold of 0 or an ejection cap of 100 % lets them empty the pool.",
    remedy: "Leave the panic threshold at its 50 %, and cap ejection at what the rest can carry.",
    false_positives: "A deliberate choice: where a wrong answer is worse than none.",
    kinds: &[BalancerKind::Envoy],
    needs: Needs::Config,
    parameters: &[],
    check: Some(no_cap),
};

fn no_cap(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    for pool in case.model.pools.iter().filter(|pool| pool.servers.len() != 1) {
        let Some(passive) = &pool.passive else { continue };
        let mut parts = Vec::new();
        if passive.panic_percent == Some(0) {
            parts.push("panic threshold 0 %: no healthy server means no server".to_owned());
        }
        if let Passive { max_out_percent: Some(percent @ 100..), .. } = &**passive {
            parts.push(format!("max_ejection_percent {percent}: all servers may be ejected"));
        }
        if parts.is_empty() {
            continue;
        }
        let message = format!("Checks may take all servers of cluster {} out ({}).", pool.name, parts.join("; "));
        let remedy = "Leave healthy_panic_threshold at 50 and max_ejection_percent at what the rest can carry.";
        let mut finding = Finding::pool(pool, message, remedy).at(&passive.place);
        for (name, value) in [("panic_percent", passive.panic_percent), ("max_out_percent", passive.max_out_percent)] {
            if let Some(value) = value {
                finding = finding.with(name, number(value));
            }
        }
        found.push(finding);
    }
}
