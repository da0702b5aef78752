//! Limits and queues: too small for the load, none at all, or not what they seem.

use super::view::{View, count, number, part, server_names, size, span};
use super::{Case, Finding, Needs, Parameter, Rule, Settings, Severity};
use crate::balancer::model::{Family, Mode, Pool, Scope, Server, Setting};
use crate::balancer::nginx;
use crate::domain::balancer::BalancerKind;

/// Requests at once that the usable servers take together; none where one of them has no limit.
fn slots<'a>(mut servers: impl Iterator<Item = &'a Server>) -> Option<u64> {
    servers.try_fold(0u64, |sum, server| {
        let slots = server.slots.as_ref().map(|slots| slots.value).filter(|slots| *slots > 0)?;
        Some(sum.saturating_add(slots))
    })
}

pub const LB020: Rule = Rule {
    id: "LB020",
    severity: Severity::Critical,
    title: "the slots cannot hold the load while servers are slow",
    prevents: "A standstill at little load: 3 requests a second that each wait 60 s for a third party fill 180 slots, and \
               everything else waits behind them. GitHub, 9 January 2024: fewer hosts and a connection limit that was too low.",
    why: "By Little's law the requests at once are rate times time. When the time grows to the timeout, the slots of all \
          servers are full at a rate that looks like nothing.",
    remedy: "Lower the server timeout to what clients wait for, raise the slots to rate times time, or bound the slow part \
             by itself.",
    false_positives: "Not all requests hit the timeout: without the parameter `seconds` the worst case is looked at, and \
                      graded medium. In nginx 60 s (in stream 10 min) hold where nothing is written.",
    kinds: BalancerKind::ALL,
    needs: Needs::Config,
    parameters: &[
        Parameter {
            name: "rate",
            default: 3.0,
            unit: "requests/s",
            meaning: "rate that the pool has to hold while its servers are slow",
        },
        Parameter {
            name: "seconds",
            default: 0.0,
            unit: "s",
            meaning: "how long a slow request takes (p99); 0 for the server timeout",
        },
    ],
    check: Some(slots_too_few),
};

/// How long nginx waits for a server that says nothing, in milliseconds, where nothing is written (`proxy_read_timeout`,
/// `proxy_timeout`). HAProxy, Traefik and Caddy wait for ever; Envoy's 15 s stand in its routes.
fn silence(kind: BalancerKind, pool: &Pool) -> Option<u64> {
    (kind == BalancerKind::Nginx).then(|| nginx::silence_ms(pool.mode != Mode::Http))
}

/// How many processes hold the limit of each server for themselves; none where that is not known.
fn holders(case: &Case<'_>, pool: &Pool) -> Option<u64> {
    let workers = case.model.process.workers.as_ref();
    if pool.scope == Scope::Worker {
        workers.map_or(Some(1), |workers| Some(workers.value).filter(|count| *count > 0))
    } else {
        Some(1)
    }
}

fn slots_too_few(case: &Case<'_>, settings: &Settings, found: &mut Vec<Finding>) {
    let (rate, measured) = (settings.number("rate"), settings.number("seconds"));
    for way in case.ways() {
        let view = View::new(case.model, way.pool);
        let Some(holders) = holders(case, way.pool) else { continue };
        let usable = || view.active().filter(|server| view.usable(server));
        let servers = usable().count();
        let Some(slots) = slots(usable()).map(|slots| slots.saturating_mul(holders)).filter(|slots| *slots > 0) else { continue };
        let timeout = way.timeouts.server.as_ref().or(way.timeouts.request.as_ref());
        // A route without a timeout of its own has been told of with its pool.
        if way.route.is_some() && (timeout.is_none() || measured > 0.0) {
            continue;
        }
        let default = silence(case.model.kind, way.pool).filter(|_| timeout.is_none());
        let timeout = timeout.filter(|timeout| timeout.value > 0);
        let seconds = match timeout.map(|timeout| timeout.value).or(default) {
            _ if measured > 0.0 => measured,
            Some(timeout) => number(timeout) / 1000.0,
            None => continue,
        };
        let by_default = if measured <= 0.0 && default.is_some() { " (nginx's default)" } else { "" };
        let needed = rate * seconds;
        if needed <= number(slots) {
            continue;
        }
        let message = format!(
            "Pool {}{} takes {slots} requests at once on {}. At {rate} requests/s that take {seconds} s each{by_default} it needs \
             {needed:.0}; it holds {:.1} requests/s.",
            view.pool.name,
            way.said(),
            count(servers, "server"),
            number(slots) / seconds
        );
        let remedy = format!(
            "Lower the server timeout below {:.0} s, or raise the slots to {needed:.0} where servers can work on that many.",
            number(slots) / rate
        );
        let grade = if measured > 0.0 { Severity::Critical } else { Severity::Medium };
        let finding = way.finding(message, remedy).graded(grade);
        let finding = if let Some(timeout) = timeout.filter(|timeout| timeout.place.is_written()) {
            finding.at(&timeout.place)
        } else {
            finding
        };
        found.push(
            finding
                .also(view.active().filter_map(|server| server.slots.as_ref()).map(|slots| &slots.place))
                .with("slots", number(slots))
                .with("rate", rate)
                .with("seconds", seconds)
                .with("needed", needed),
        );
    }
}

pub const LB022: Rule = Rule {
    id: "LB022",
    severity: Severity::High,
    title: "all servers together may open more connections than the database takes",
    prevents: "The second act of an overload: more servers or slots are added in haste, and now the database refuses \
               connections. Amazon Kinesis, November 2020: added front ends crossed a limit of threads on all of them.",
    why: "Each server keeps a pool of connections of its own; their sum is a limit that no config states.",
    remedy: "Keep servers times connections below the database's limit, with room for one more server, or put a pooler between.",
    false_positives: "A pooler between them. Silent until the parameter `database` is set.",
    kinds: BalancerKind::ALL,
    needs: Needs::Config,
    parameters: &[
        Parameter {
            name: "database",
            default: 0.0,
            unit: "connections",
            meaning: "connections that the database takes; 0 for unknown",
        },
        Parameter {
            name: "per_server",
            default: 0.0,
            unit: "connections",
            meaning: "connections that one server opens at most; 0 for one a slot",
        },
    ],
    check: Some(database_overrun),
};

fn database_overrun(case: &Case<'_>, settings: &Settings, found: &mut Vec<Finding>) {
    let (limit, per_server) = (settings.number("database"), settings.number("per_server"));
    if limit <= 0.0 {
        return;
    }
    for view in case.views() {
        let servers = view.pool.servers.len();
        let sum = match slots(view.pool.servers.iter()) {
            _ if per_server > 0.0 => per_server * size(servers),
            Some(slots) => number(slots),
            None => continue,
        };
        if sum <= limit {
            continue;
        }
        let message = format!(
            "{} of pool {} may open {sum} connections to a database that takes {limit}.",
            count(servers, "server"),
            view.pool.name
        );
        let remedy = format!("Let each server open {:.0} at most, or put a pooler between.", (limit / size(servers)).floor());
        found.push(
            Finding::pool(view.pool, message, remedy)
                .with("connections", sum)
                .with("database", limit)
                .with("servers", size(servers)),
        );
    }
}

pub const LB024: Rule = Rule {
    id: "LB024",
    severity: Severity::Medium,
    title: "no limit protects a server from too many requests at once",
    prevents: "A slow service that fills everything up. Zalando: the shared ingress ran out of memory, filled with the waiting \
               requests of one slow service. Discord, March 2017: all clients came back at once.",
    why: "A server that gets slower gets more requests at once, and so slower still. With a limit the rest waits or is \
          refused in the balancer, where it costs little.",
    remedy: "Limit each server to what it can really work on at once, from a load test.",
    false_positives: "Small services; servers that refuse by themselves. Graded low for nginx and Caddy, where hardly \
                      anybody sets it; Envoy's default of 1024 for each cluster is told as no limit.",
    kinds: &[BalancerKind::Haproxy, BalancerKind::Nginx, BalancerKind::Envoy, BalancerKind::Caddy],
    needs: Needs::Config,
    parameters: &[],
    check: Some(no_limit),
};

fn no_limit(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    for pool in case.model.pools.iter().filter(|pool| !pool.servers.is_empty()) {
        let bare: Vec<&Server> =
            pool.servers.iter().filter(|server| server.slots.as_ref().is_none_or(Setting::is_zero)).collect();
        let kind = case.model.kind;
        let envoy = kind == BalancerKind::Envoy;
        // nginx makes a pool of each address that a location names; there is no place for a limit there.
        let unnamed = kind == BalancerKind::Nginx && pool.servers.len() == 1;
        if bare.is_empty() || unnamed || (envoy && (pool.limits.requests.is_some() || pool.limits.connections.is_some())) {
            continue;
        }
        let (message, remedy) = match kind {
            BalancerKind::Envoy => (
                format!(
                    "Cluster {} says nothing of its limits: 1024 connections and requests at once for all of its servers.",
                    pool.name
                ),
                "Set circuit_breakers with max_requests and max_pending_requests from what the servers can work on.",
            ),
            _ => (
                format!(
                    "No limit of requests at once holds for {} of pool {} ({}).",
                    part(bare.len(), pool.servers.len()),
                    pool.name,
                    server_names(&bare)
                ),
                match kind {
                    BalancerKind::Haproxy => "Add `maxconn` to the servers or to default-server, and a `timeout queue`.",
                    BalancerKind::Nginx => "Add `max_conns` to the servers, with a `zone` in the upstream.",
                    _ => "Set max_requests on the upstreams.",
                },
            ),
        };
        let grade = if matches!(kind, BalancerKind::Nginx | BalancerKind::Caddy) { Severity::Low } else { Severity::Medium };
        found.push(
            Finding::pool(pool, message, remedy)
                .graded(grade)
                .also(bare.iter().filter(|_| !envoy).map(|server| &server.place))
                .with("servers", size(pool.servers.len()))
                .with("unlimited", size(bare.len())),
        );
    }
}

pub const LB025: Rule = Rule {
    id: "LB025",
    severity: Severity::Medium,
    title: "requests may wait for a server without end",
    prevents: "Work for nobody: servers answer requests whose clients have gone long ago, and never catch up. Known from the \
               books on overload as latency that piles up.",
    why: "With `maxconn` on servers the rest waits in the balancer. HAProxy ends that wait after `timeout queue`, or after \
          `timeout connect` where it is not written; where neither is short and no `maxqueue` bounds it, the queue grows.",
    remedy: "Set `timeout queue` to what a client waits for (a few seconds), or `maxqueue` on the servers.",
    false_positives: "Batch work that may wait.",
    kinds: &[BalancerKind::Haproxy],
    needs: Needs::Config,
    parameters: &[Parameter { name: "seconds", default: 30.0, unit: "s", meaning: "longest wait for a server that is not told" }],
    check: Some(endless_queue),
};

fn endless_queue(case: &Case<'_>, settings: &Settings, found: &mut Vec<Finding>) {
    for pool in &case.model.pools {
        let limited: Vec<&Server> =
            pool.servers.iter().filter(|server| server.slots.as_ref().is_some_and(|s| s.value > 0)).collect();
        let bounded = limited.iter().all(|server| server.queue.as_ref().is_some_and(|queue| queue.value > 0));
        if limited.is_empty() || bounded {
            continue;
        }
        let wait = pool.timeouts.queue.as_ref().or(pool.timeouts.connect.as_ref()).filter(|wait| wait.value > 0);
        if wait.is_some_and(|wait| number(wait.value) <= 1000.0 * settings.number("seconds")) {
            continue;
        }
        let said = wait.map_or_else(|| "without end".to_owned(), |wait| format!("for {}", span(wait.value)));
        let message = format!("Requests of pool {} may wait {said} for a server, and no maxqueue bounds how many do.", pool.name);
        let finding = Finding::pool(pool, message, "Add `timeout queue 5s` or so to the backend or its defaults.");
        let finding = if let Some(wait) = wait { finding.at(&wait.place) } else { finding };
        found.push(finding.with("seconds", wait.map_or(0.0, |wait| number(wait.value) / 1000.0)));
    }
}

pub const LB038: Rule = Rule {
    id: "LB038",
    severity: Severity::Medium,
    title: "servers that work on one request at a time are chosen blindly",
    prevents: "Queues inside the servers that no graph shows. Heroku, 2013: routing became random over single-threaded \
               workers, and requests waited behind slow ones inside them.",
    why: "A limit of one request says that a second has to wait. Who chooses by turn or by lot does not look who is free; \
          each further balancer or worker process knows only its own requests.",
    remedy: "Choose the server with the fewest requests, and let one queue stand before all of them.",
    false_positives: "A single HAProxy process with `maxconn 1`: its round robin passes full servers over, so that only \
                      random and hashed choices are told there.",
    kinds: &[BalancerKind::Haproxy, BalancerKind::Nginx, BalancerKind::Caddy],
    needs: Needs::Config,
    parameters: &[Parameter {
        name: "slots",
        default: 1.0,
        unit: "requests",
        meaning: "largest limit of a server that counts as one at a time",
    }],
    check: Some(blind_choice),
};

fn blind_choice(case: &Case<'_>, settings: &Settings, found: &mut Vec<Finding>) {
    for pool in case.model.pools.iter().filter(|pool| pool.servers.len() > 1) {
        let blind = match pool.algorithm.family {
            Family::Random | Family::Hash => true,
            Family::RoundRobin | Family::StaticRoundRobin => case.model.kind != BalancerKind::Haproxy,
            _ => false,
        };
        if !blind {
            continue;
        }
        let small =
            |server: &&Server| server.slots.as_ref().is_some_and(|s| s.value > 0 && number(s.value) <= settings.number("slots"));
        let small: Vec<&Server> = pool.servers.iter().filter(small).collect();
        let Some(first) = small.first() else { continue };
        let limit = first.slots.as_ref().map_or(0, |slots| slots.value);
        let message = format!(
            "{} of pool {} take {limit} at a time and are chosen without a look at who is free ({}).",
            count(small.len(), "server"),
            pool.name,
            pool.algorithm.name.as_deref().unwrap_or("default algorithm")
        );
        let remedy = match case.model.kind {
            BalancerKind::Haproxy => "Use `balance leastconn`.",
            BalancerKind::Nginx => "Add `least_conn` and a `zone` to the upstream.",
            _ => "Use the policy least_conn.",
        };
        found.push(
            Finding::pool(pool, message, remedy)
                .at(&pool.algorithm.place)
                .also(small.iter().filter_map(|server| server.slots.as_ref()).map(|slots| &slots.place))
                .with("slots", number(limit))
                .with("servers", size(small.len())),
        );
    }
}

pub const LB039: Rule = Rule {
    id: "LB039",
    severity: Severity::Medium,
    title: "each worker counts for itself",
    prevents: "Limits that are a multiple of what is written, and a dead server that each worker has to find out about.",
    why: "Without `zone` every nginx worker has its own turn order, its own counts of connections and its own failures. \
          `max_conns=100` with 8 workers lets 800 through, and least_conn knows an eighth of what goes on.",
    remedy: "Add `zone NAME 64k;` to the upstream.",
    false_positives: "Graded low for plain round robin without limits, where only turns and failures are counted apart.",
    kinds: &[BalancerKind::Nginx],
    needs: Needs::Config,
    parameters: &[],
    check: Some(per_worker),
};

fn per_worker(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    // Nothing written is one worker; 0 is one for each processor.
    let Some(workers) = case.model.process.workers.as_ref().filter(|workers| workers.value != 1) else { return };
    let said = if workers.value == 0 { "one worker for each processor".to_owned() } else { format!("{} workers", workers.value) };
    for pool in case.model.pools.iter().filter(|pool| pool.scope == Scope::Worker && pool.servers.len() > 1) {
        let limited = pool.servers.iter().any(|server| server.slots.as_ref().is_some_and(|slots| !slots.is_zero()));
        let counted = matches!(pool.algorithm.family, Family::LeastConnections | Family::LeastTime | Family::Random);
        let what = match (limited, counted) {
            (true, _) => "max_conns holds for each of them alone",
            (_, true) => "each knows its own connections only",
            _ if pool.algorithm.family == Family::Hash => continue,
            _ => "turns and failures are counted by each alone",
        };
        let message = format!("Upstream {} has no zone, with {said}: {what}.", pool.name);
        let grade = if limited || counted { Severity::Medium } else { Severity::Low };
        found.push(
            Finding::pool(pool, message, "Add `zone NAME 64k;` to the upstream.")
                .graded(grade)
                .also([&workers.place])
                .with("workers", number(workers.value)),
        );
    }
}

pub const LB050: Rule = Rule {
    id: "LB050",
    severity: Severity::High,
    title: "the process cannot hold the connections that it promises",
    prevents: "Connections refused below the limits that people know. GitHub, 9 January 2024: the configured limit was too \
               low once hosts were away. cloud.gov, October 2023, and Adapty: a surge filled the shared balancers.",
    why: "Each proxied connection needs two open files, and a listener can never have more connections than the process. \
          The smallest of these numbers holds, and it is seldom the one on the dashboard.",
    remedy: "Raise the files to at least twice the connections, and the limit of the process to the sum of its listeners.",
    false_positives: "Listeners that are never full at the same time. How near the limit is in use is decided from traffic.",
    kinds: &[BalancerKind::Haproxy, BalancerKind::Nginx],
    needs: Needs::Config,
    parameters: &[],
    check: Some(process_limits),
};

fn process_limits(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    let process = &case.model.process;
    let Some(maxconn) = process.maxconn.as_ref().filter(|maxconn| maxconn.value > 0) else { return };
    // nginx counts connections to servers in worker_connections too; HAProxy's maxconn counts those of clients.
    let nginx = case.model.kind == BalancerKind::Nginx;
    let needed = if nginx { maxconn.value } else { maxconn.value.saturating_mul(2) };
    if let Some(files) = process.files.as_ref().filter(|files| files.value > 0 && files.value < needed) {
        let (files_word, connections_word) =
            if nginx { ("worker_rlimit_nofile", "worker_connections") } else { ("ulimit-n", "maxconn") };
        let message =
            format!("{files_word} is {} and {connections_word} {}: that needs {needed} open files.", files.value, maxconn.value);
        found.push(
            Finding::process("open files", &files.place, message, format!("Set {files_word} above {needed}, or take it out."))
                .also([&maxconn.place])
                .with("files", number(files.value))
                .with("needed", number(needed)),
        );
    }
    for listener in &case.model.listeners {
        let Some(own) = listener.maxconn.as_ref().filter(|own| !nginx && own.value > maxconn.value) else { continue };
        let message = format!(
            "Listener {} promises {} connections, and the whole process takes {}.",
            listener.name, own.value, maxconn.value
        );
        let remedy = format!("Set the global maxconn above {}, or lower the listener's.", own.value);
        found.push(
            Finding::listener(listener, message, remedy)
                .graded(Severity::Medium)
                .at(&own.place)
                .also([&maxconn.place])
                .with("listener", number(own.value))
                .with("process", number(maxconn.value)),
        );
    }
}
