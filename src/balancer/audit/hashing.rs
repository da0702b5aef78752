//! Hashes and turn orders that spread worse than people think, or not at all.

use super::view::{count, number, size};
use super::{Case, Finding, Needs, Parameter, Rule, Settings, Severity};
use crate::balancer::model::{Family, Hash, HashKey, HashMethod, Mode, Pool, Server};
use crate::domain::balancer::BalancerKind;

fn hash_of(pool: &Pool) -> Option<&Hash> {
    pool.algorithm.hash.as_ref().filter(|_| pool.algorithm.family == Family::Hash)
}

/// Whether the hash looks into requests where the balancer sees none.
fn is_blind(kind: BalancerKind, pool: &Pool, hash: &Hash) -> bool {
    let of_requests = matches!(hash.key, HashKey::Uri | HashKey::Header | HashKey::Cookie | HashKey::Query);
    of_requests && pool.mode == Mode::Tcp && kind == BalancerKind::Haproxy
}

fn said(pool: &Pool) -> &str {
    pool.algorithm.name.as_deref().unwrap_or("hash")
}

pub const LB012: Rule = Rule {
    id: "LB012",
    severity: Severity::Medium,
    title: "most keys move when a server comes or goes",
    prevents: "Cold caches and lost sessions on all servers because one of them went. Slack, 22 February 2022: cache nodes \
               taken out during a roll-out left the database to carry what the caches no longer held.",
    why: "The hash is taken modulo the servers that are there. With n servers, n-1 of n keys belong to another one after a \
          single change.",
    remedy: "Use a consistent hash, which moves only the keys of the server that went.",
    false_positives: "Pools whose servers never change and are never taken out by checks.",
    kinds: &[BalancerKind::Haproxy, BalancerKind::Nginx],
    needs: Needs::Config,
    parameters: &[Parameter { name: "servers", default: 3.0, unit: "servers", meaning: "smallest pool that is looked at" }],
    check: Some(modulo_hash),
};

fn modulo_hash(case: &Case<'_>, settings: &Settings, found: &mut Vec<Finding>) {
    for view in case.views() {
        let servers = view.active().count();
        let modulo = hash_of(view.pool).filter(|hash| hash.method == HashMethod::Modulo && hash.key != HashKey::Missing);
        let large = servers > 1 && size(servers) >= settings.number("servers");
        let Some(hash) = modulo.filter(|hash| large && !is_blind(case.model.kind, view.pool, hash)) else { continue };
        let moved = 100.0 * size(servers - 1) / size(servers);
        let message = format!(
            "Pool {} hashes {} modulo its {}: when one goes, about {moved:.0} % of the keys move instead of {:.0} %.",
            view.pool.name,
            hash.expression,
            count(servers, "server"),
            100.0 / size(servers)
        );
        let remedy = match case.model.kind {
            BalancerKind::Haproxy => "Add `hash-type consistent`, with weights of 10 or more.",
            _ => "Use `hash KEY consistent` (for clients: `hash $remote_addr consistent`).",
        };
        found.push(
            Finding::pool(view.pool, message, remedy)
                .at(&view.pool.algorithm.place)
                .with("servers", size(servers))
                .with("moved_percent", moved),
        );
    }
}

pub const LB013: Rule = Rule {
    id: "LB013",
    severity: Severity::High,
    title: "the algorithm hashes, and there is nothing to hash",
    prevents: "Affinity that is lost without a word: caches that never warm up, sessions that wander.",
    why: "Envoy's RING_HASH and MAGLEV without a hash policy on the route draw at random. HAProxy cannot look into requests \
          in TCP mode, and takes turns instead.",
    remedy: "Say what is hashed, or choose an algorithm that needs no key.",
    false_positives: "Few. Whether requests really carry the key is decided from traffic.",
    kinds: &[BalancerKind::Haproxy, BalancerKind::Envoy],
    needs: Needs::Config,
    parameters: &[],
    check: Some(no_key),
};

fn no_key(case: &Case<'_>, _: &Settings, found: &mut Vec<Finding>) {
    for pool in &case.model.pools {
        let Some(hash) = hash_of(pool) else { continue };
        let (message, remedy) = if hash.key == HashKey::Missing {
            (
                format!(
                    "Pool {} hashes ({}), but no route that leads there says what: each request is drawn at random.",
                    pool.name,
                    said(pool)
                ),
                "Add a hash_policy to every route that leads to this cluster.",
            )
        } else if is_blind(case.model.kind, pool, hash) {
            (
                format!(
                    "Pool {} hashes `{}` of requests in TCP mode, where there are none: servers take turns.",
                    pool.name,
                    said(pool)
                ),
                "Add `mode http`, or hash the source address.",
            )
        } else {
            continue;
        };
        found.push(Finding::pool(pool, message, remedy).at(&pool.algorithm.place).with("servers", size(pool.servers.len())));
    }
}

pub const LB052: Rule = Rule {
    id: "LB052",
    severity: Severity::Medium,
    title: "a consistent hash has too few points",
    prevents: "A skew that is built in: one server gets a third more than its share for as long as the config stands.",
    why: "Each server owns the arcs before its points, and with few points the arcs differ much. HAProxy sets 16 points for \
          each unit of weight: computed for weight 1, the busiest of 10 servers gets 1.34 times its share, at weight 100 \
          1.02 times.",
    remedy: "Raise all weights by the same factor (HAProxy), or the ring's size (Envoy).",
    false_positives: "Few.",
    kinds: &[BalancerKind::Haproxy, BalancerKind::Envoy],
    needs: Needs::Config,
    parameters: &[Parameter {
        name: "points",
        default: 160.0,
        unit: "points",
        meaning: "fewest points of the lightest server; its share is off by about 1 / √points",
    }],
    check: Some(few_points),
};

/// HAProxy's points for one unit of weight (src/lb_chash.c).
const POINTS_PER_WEIGHT: f64 = 16.0;
/// Envoy's smallest ring where nothing is written (`minimum_ring_size`).
const ENVOY_RING: u64 = 1024;

fn few_points(case: &Case<'_>, settings: &Settings, found: &mut Vec<Finding>) {
    for view in case.views() {
        let Some(hash) = hash_of(view.pool).filter(|hash| hash.method == HashMethod::Ring) else { continue };
        let servers: Vec<&Server> = view.active().filter(|server| view.usable(server)).collect();
        if servers.len() < 2 {
            continue;
        }
        let total: f64 = servers.iter().map(|server| f64::from(view.weight(server))).sum();
        let Some(lightest) = servers.iter().min_by_key(|server| view.weight(server)) else { continue };
        let weight = f64::from(view.weight(lightest));
        let points = match case.model.kind {
            BalancerKind::Haproxy => POINTS_PER_WEIGHT * weight,
            _ => number(hash.table_size.unwrap_or(ENVOY_RING)) * weight / total,
        };
        if points >= settings.number("points") || points <= 0.0 {
            continue;
        }
        let off = 100.0 / points.sqrt();
        let message = format!(
            "{} of pool {} has {points:.0} points on the ring, so that its share is off by about {off:.0} %.",
            lightest.name, view.pool.name
        );
        let remedy = match case.model.kind {
            BalancerKind::Haproxy => {
                format!("Multiply all weights of the pool by {:.0} or more.", (settings.number("points") / points).ceil())
            }
            _ => format!("Set minimum_ring_size to {:.0} or more.", (settings.number("points") * total / weight).ceil()),
        };
        found.push(
            Finding::pool(view.pool, message, remedy)
                .at(&view.pool.algorithm.place)
                .also([&lightest.place])
                .with("points", points)
                .with("off_percent", off),
        );
    }
}

pub const LB053: Rule = Rule {
    id: "LB053",
    severity: Severity::High,
    title: "the hash does not spread over these names",
    prevents: "One server that gets nearly everything although weights and health are right. Found with Traefik 3.7.15: over \
               http://127.0.0.1:9001 to 9003, `hrw` sent all of 300 clients to the first.",
    why: "Traefik's `hrw` ends its FNV-1a hash with the server's URL. The last characters hardly reach the upper bits that \
          decide, so servers whose URLs differ only at the end get nearly the same score, and weights or luck decide for all \
          clients alike.",
    remedy: "Use URLs that differ earlier (addresses instead of ports), or another strategy.",
    false_positives: "Few: the hash is computed for 200 sample clients.",
    kinds: &[BalancerKind::Traefik],
    needs: Needs::Config,
    parameters: &[Parameter {
        name: "times",
        default: 1.5,
        unit: "times",
        meaning: "how many times its fair share a server may get of the sample",
    }],
    check: Some(degenerate_hash),
};

/// Sample clients: enough to see what matters, few enough for thousands of services.
const SAMPLE: u32 = 200;

fn degenerate_hash(case: &Case<'_>, settings: &Settings, found: &mut Vec<Finding>) {
    let clients = sample();
    for view in case.views() {
        if hash_of(view.pool).is_none_or(|hash| hash.method != HashMethod::Rendezvous) {
            continue;
        }
        let servers: Vec<&Server> = view.active().filter(|server| view.usable(server)).collect();
        if servers.len() < 2 {
            continue;
        }
        let shares = hrw_counts(&clients, &servers);
        let total: f64 = servers.iter().map(|server| f64::from(view.weight(server))).sum();
        let of = |at: usize| f64::from(SAMPLE) * f64::from(servers[at].effective_weight()) / total;
        // Above what chance does to a fair hash: four standard deviations.
        let off = |at: &usize| shares[*at] > settings.number("times") * of(*at) && shares[*at] > of(*at) + 4.0 * of(*at).sqrt();
        let worst = (0..servers.len()).filter(off).max_by(|a, b| (shares[*a] / of(*a)).total_cmp(&(shares[*b] / of(*b))));
        let Some(worst) = worst else { continue };
        let (share, fair) = (100.0 * shares[worst] / f64::from(SAMPLE), 100.0 * of(worst) / f64::from(SAMPLE));
        let message = format!(
            "{} of service {} gets {share:.0} % of {SAMPLE} sample clients, where its weight says {fair:.0} %: the URLs differ too late for hrw.",
            servers[worst].name, view.pool.name
        );
        found.push(
            Finding::pool(
                view.pool,
                message,
                "Use URLs that differ before their last characters, or the strategy `wrr` with a sticky cookie.",
            )
            .at(&view.pool.algorithm.place)
            .also([&servers[worst].place])
            .with("share_percent", share)
            .with("fair_percent", fair),
        );
    }
}

/// How many of the sample clients each server gets, as Traefik 3.7 chooses (pkg/server/service/loadbalancer/hrw):
/// FNV-1a of client address and URL as a fraction x, score = weight / −ln x, the highest wins.
fn hrw_counts(clients: &[u64], servers: &[&Server]) -> Vec<f64> {
    let mut counts = vec![0.0; servers.len()];
    for state in clients {
        let score = |server: &Server| {
            // 2^64; the quotient's last bits do not decide.
            let x = number(fnv1a(*state, server.address.as_bytes())) / 18_446_744_073_709_551_616.0;
            f64::from(server.effective_weight()) / -x.ln()
        };
        let best = servers.iter().enumerate().max_by(|a, b| score(a.1).total_cmp(&score(b.1)));
        if let Some((best, _)) = best {
            counts[best] += 1.0;
        }
    }
    counts
}

/// Addresses of clients, each as the state of the hash after it.
fn sample() -> Vec<u64> {
    let address = |client: u32| format!("203.0.{}.{}", client / 8, client * 37 % 251);
    (0..SAMPLE).map(|client| fnv1a(FNV_START, address(client).as_bytes())).collect()
}

const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

fn fnv1a(state: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(state, |state, byte| (state ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

pub const LB054: Rule = Rule {
    id: "LB054",
    severity: Severity::Medium,
    title: "weights go to the wrong servers when one is down",
    prevents: "An overload of the next server in the middle of a failure, where the plan said that the rest shares.",
    why: "Caddy's weighted_round_robin gives weights by position and takes the position modulo the servers that are left. \
          When one is down the big weight may fall on a small server.",
    remedy: "Use least_conn, or plan for the worst share of each server.",
    false_positives: "Few where servers are checked at all; without checks no server goes down, and nothing is told.",
    kinds: &[BalancerKind::Caddy],
    needs: Needs::Config,
    parameters: &[Parameter {
        name: "percent",
        default: 10.0,
        unit: "%",
        meaning: "how much more of the traffic than its weight says a server may get while another is down",
    }],
    check: Some(positional_weights),
};

fn positional_weights(case: &Case<'_>, settings: &Settings, found: &mut Vec<Finding>) {
    for view in case.views() {
        let servers: Vec<&Server> = view.active().collect();
        let weighted = servers.iter().any(|server| server.weight.is_some());
        let checked = view.pool.check.is_some() || view.pool.passive.as_ref().is_some_and(|passive| passive.max_fails != Some(0));
        if servers.len() < 3 || servers.len() > 64 || !weighted || !checked || view.pool.algorithm.family != Family::RoundRobin {
            continue;
        }
        let weights: Vec<f64> = servers.iter().map(|server| f64::from(server.configured_weight())).collect();
        let Some((down, hit, share, fair)) = worst_without_one(&weights) else { continue };
        if 100.0 * (share - fair) <= settings.number("percent") {
            continue;
        }
        let message = format!(
            "While {} of pool {} is down, {} gets {:.0} % of the traffic, where the weights say {:.0} %.",
            servers[down].name,
            view.pool.name,
            servers[hit].name,
            100.0 * share,
            100.0 * fair
        );
        found.push(
            Finding::pool(view.pool, message, "Use least_conn, or make every server able to carry its worst share.")
                .at(&view.pool.algorithm.place)
                .with("share_percent", 100.0 * share)
                .with("fair_percent", 100.0 * fair),
        );
    }
}

/// Which server down gives which other one the greatest surplus, with its share and the one that weights promise.
fn worst_without_one(weights: &[f64]) -> Option<(usize, usize, f64, f64)> {
    let total: f64 = weights.iter().sum();
    let mut worst: Option<(usize, usize, f64, f64)> = None;
    for down in 0..weights.len() {
        let left: Vec<usize> = (0..weights.len()).filter(|at| *at != down).collect();
        let mut shares = vec![0.0; left.len()];
        // Positions without weight are not drawn.
        for (position, weight) in weights.iter().enumerate() {
            shares[position % left.len()] += weight / total;
        }
        for (at, server) in left.iter().enumerate() {
            let fair = weights[*server] / (total - weights[down]);
            if worst.is_none_or(|(.., share, promised)| shares[at] - fair > share - promised) {
                worst = Some((down, *server, shares[at], fair));
            }
        }
    }
    worst.filter(|(.., share, fair)| share.is_finite() && fair.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balancer::model::Setting;

    fn counts(servers: &[(&str, u32)]) -> Vec<f64> {
        let made = servers.iter().map(|(address, weight)| Server {
            address: (*address).to_owned(),
            weight: Some(Setting::new(*weight, Default::default())),
            ..Server::default()
        });
        let made: Vec<Server> = made.collect();
        hrw_counts(&sample(), &made.iter().collect::<Vec<_>>())
    }

    /// What Traefik 3.7.15 did with 300 clients: all to the first with weights 5, 3 and 1, about a half, a quarter and a
    /// quarter without; and nearly even shares where the addresses differ earlier.
    #[test]
    fn rendezvous_over_late_differences_goes_as_traefik_went() {
        let urls = ["http://127.0.0.1:9001", "http://127.0.0.1:9002", "http://127.0.0.1:9003"];
        assert_eq!(counts(&[(urls[0], 5), (urls[1], 3), (urls[2], 1)]), [200.0, 0.0, 0.0]);
        let shares: Vec<f64> = counts(&urls.map(|url| (url, 1))).iter().map(|count| count / 200.0).collect();
        assert!(shares.iter().any(|share| (0.4..0.6).contains(share)), "{shares:?}");
        let apart = counts(&["http://10.0.0.1:8080", "http://10.0.0.2:8080", "http://10.0.0.3:8080"].map(|url| (url, 1)));
        assert!(apart.iter().all(|count| (50.0..85.0).contains(count)), "{apart:?}");
    }

    /// Offset basis and one round of FNV-1a with 64 bits, from its reference.
    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(fnv1a(FNV_START, b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(FNV_START, b"a"), 0xaf63_dc4c_8601_ec8c);
    }

    #[test]
    fn caddy_takes_positions_modulo_the_servers_left() {
        // Weights 6, 1, 1 and the first down: positions 0 and 2 fall on the second, 1 on the third.
        assert_eq!(worst_without_one(&[6.0, 1.0, 1.0]), Some((0, 1, 7.0 / 8.0, 0.5)));
        assert_eq!(worst_without_one(&[0.0, 0.0, 0.0]), None);
    }
}
