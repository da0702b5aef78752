//! Surfaces over which a stranger can look at the balancer, or command it.

use super::view::is_local;
use super::{Case, Finding, Needs, Rule, Settings, Severity};
use crate::domain::balancer::BalancerKind;

pub const LB059: Rule = Rule {
    id: "LB059",
    severity: Severity::High,
    title: "an admin surface is open to the network",
    prevents: "A hostile or mistaken change from outside: weights set to 0, servers drained, the config replaced.",
    why: "Who reaches this address can read what stands behind the balancer, and often change it, without a password.",
    remedy: "Bind it to 127.0.0.1 or a UNIX socket, or ask for a password and let only chosen addresses in.",
    false_positives: "A lab, or a network that only administrators reach. Graded medium where it can only be read.",
    kinds: BalancerKind::ALL,
    needs: Needs::Config,
    parameters: &[],
    check: Some(open_surface),
};

fn open_surface(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    for surface in case.model.process.admin.iter().filter(|surface| !surface.guarded) {
        // A location of nginx, or no address: it is on one of the listeners.
        let page = surface.address.is_empty() || case.model.kind == BalancerKind::Nginx;
        if !page && is_local(&surface.address) {
            continue;
        }
        let at = if surface.address.is_empty() { String::new() } else { format!(" at {}", surface.address) };
        let can = if surface.writes { "change the balancer" } else { "read what stands behind it" };
        let message = format!("The {}{at} lets anybody who reaches it {can}, without a password.", surface.what);
        let remedy = match case.model.kind {
            BalancerKind::Haproxy if surface.what.contains("socket") => {
                "Bind it to 127.0.0.1 or, better, to a UNIX socket with `mode 600`."
            }
            BalancerKind::Haproxy => "Add `stats auth`, or bind it to 127.0.0.1 or a UNIX socket.",
            BalancerKind::Nginx => "Add `allow` for chosen addresses and `deny all`.",
            BalancerKind::Envoy => "Bind the admin address to 127.0.0.1.",
            BalancerKind::Traefik => "Take `api.insecure` out, and put a router with a login before the API.",
            BalancerKind::Caddy => "Let `admin` listen on localhost:2019 or a UNIX socket.",
        };
        let grade = if surface.writes { Severity::High } else { Severity::Medium };
        found.push(Finding::process(&format!("{}{at}", surface.what), &surface.place, message, remedy).graded(grade));
    }
}
