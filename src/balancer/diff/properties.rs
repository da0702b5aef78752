//! What holds for any two models: no difference from itself, and a diff that is all there is to do.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::defaults::{Defaults, plain};
use super::lists::tried_in_turn;
use super::walk::ordered;
use super::{apply, diff};
use crate::balancer::model::*;
use crate::balancer::source::Place;
use crate::balancer::state::Admin;
use crate::domain::balancer::BalancerKind;

fn setting<T: Clone + std::fmt::Debug + 'static>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Option<Setting<T>>> {
    of(value.prop_map(|value| Setting::new(value, Place::default())))
}

fn number() -> impl Strategy<Value = u64> {
    select(vec![0_u64, 1, 2, 10, 512, 1024, 2_000, 10_000, 60_000])
}

fn name() -> impl Strategy<Value = String> {
    select(vec!["a", "b", "c", "d"]).prop_map(str::to_owned)
}

fn checks() -> impl Strategy<Value = Option<Box<Check>>> {
    let kind = select(vec![CheckKind::Tcp, CheckKind::Http]);
    of((kind, of(name()), of(name()), of(number()), of(number()), of(number()), of(number())).prop_map(
        |(kind, request, expects, interval_ms, timeout_ms, fall, rise)| {
            Box::new(Check {
                kind,
                request: request.map(Into::into),
                expects: expects.map(Into::into),
                interval_ms,
                timeout_ms,
                fall,
                rise,
                place: Place::default(),
            })
        },
    ))
}

fn passives() -> impl Strategy<Value = Option<Box<Passive>>> {
    of((of(number()), of(number()), of(number()), of(number()), of(number())).prop_map(
        |(max_fails, window_ms, out_ms, max_out_percent, panic_percent)| {
            let (panic_fails, place) = (max_fails == Some(2), Place::default());
            Box::new(Passive { max_fails, window_ms, out_ms, max_out_percent, panic_percent, panic_fails, place })
        },
    ))
}

fn timeouts() -> impl Strategy<Value = Timeouts> {
    vec(setting(number()), 10).prop_map(|mut all| Timeouts {
        client: all.pop().flatten(),
        send: all.pop().flatten(),
        connect: all.pop().flatten(),
        server: all.pop().flatten(),
        request: all.pop().flatten(),
        headers: all.pop().flatten(),
        queue: all.pop().flatten(),
        keepalive: all.pop().flatten(),
        tunnel: all.pop().flatten(),
        check: all.pop().flatten(),
    })
}

fn server() -> impl Strategy<Value = Server> {
    let first = (
        name(),
        select(vec!["10.0.0.1:80", "10.0.0.2:80", "app:80", ""]),
        setting(0_u32..3),
        any::<bool>(),
        select(vec![Admin::Ready, Admin::Drain, Admin::Maintenance]),
        checks(),
        passives(),
        setting(number()),
        setting(number()),
        setting(number()),
    );
    let second = (setting(number()), of(name()), any::<bool>(), of(any::<bool>()), any::<bool>(), of(name()));
    (first, second).prop_map(
        |(
            (name, address, weight, backup, admin, check, passive, slots, queue, slow_start_ms),
            (slots_low, cookie, tls, tls_verified, followed, tracks),
        )| Server {
            name,
            address: address.to_owned(),
            weight,
            role: if backup { Role::Backup } else { Role::Active },
            priority: if backup { 1 + u32::from(tls) } else { 0 },
            admin,
            check,
            passive,
            slots,
            slots_low: slots_low.map(Box::new),
            queue: queue.map(Box::new),
            slow_start_ms: slow_start_ms.map(Box::new),
            cookie,
            tls,
            tls_verified,
            resolution: if followed { Resolution::Followed } else { Resolution::Literal },
            group: tracks.clone().map(|name| Box::new(Group { name, weight: 2 })),
            tracks,
            now: None,
            place: Place::default(),
        },
    )
}

fn algorithm() -> impl Strategy<Value = Algorithm> {
    let hash = (
        select(vec![HashKey::Uri, HashKey::SourceAddress]),
        name(),
        select(vec![HashMethod::Modulo, HashMethod::Ring, HashMethod::Maglev]),
        of(name()),
        of(0_u32..200),
        of(number()),
    )
        .prop_map(|(key, expression, method, function, balance_factor, table_size)| Hash {
            key,
            expression,
            method,
            function,
            balance_factor,
            table_size,
        });
    let family = select(vec![Family::RoundRobin, Family::First, Family::Hash, Family::Random, Family::StaticRoundRobin]);
    (name(), family, of(hash), of(1_u32..4), any::<bool>()).prop_map(|(name, family, hash, choices, written)| Algorithm {
        name: Some(name),
        family,
        hash,
        choices,
        written,
        place: Place::default(),
    })
}

fn persistence() -> impl Strategy<Value = Persistence> {
    let kind = select(vec![PersistenceKind::Cookie, PersistenceKind::Table]);
    (kind, name(), select(vec!["x 1m", "x  60s", "y"]), of(number()), any::<bool>()).prop_map(
        |(kind, key, said, expires_ms, shared)| Persistence {
            kind,
            key,
            said: said.to_owned(),
            expires_ms,
            shared,
            ..Persistence::default()
        },
    )
}

fn retry() -> impl Strategy<Value = Retry> {
    (setting(number()), setting(number()), vec(name(), 0..3), setting(any::<bool>()), any::<bool>(), any::<bool>()).prop_map(
        |(count, within, on, redispatch, non_idempotent, budget)| Retry {
            count,
            within,
            on,
            redispatch,
            non_idempotent,
            budget,
            place: Place::default(),
        },
    )
}

fn pool() -> impl Strategy<Value = Pool> {
    let limits = (vec(setting(number()), 5), any::<bool>()).prop_map(|(mut all, keepalive_inert)| Limits {
        retries: all.pop().flatten(),
        keepalive_inert,
        connections: all.pop().flatten(),
        requests: all.pop().flatten(),
        queue: all.pop().flatten(),
        keepalive: all.pop().flatten(),
    });
    let rule = name().prop_map(|rule| Setting::new(rule, Place::default()));
    let modes = select(vec![Mode::Http, Mode::Tcp]);
    let scopes = (select(vec![Scope::Process, Scope::Worker]), any::<bool>());
    let first = (name(), modes, algorithm(), vec(persistence(), 0..3), checks(), passives(), limits);
    (first, timeouts(), retry(), scopes, any::<bool>(), vec(rule, 0..3), vec(server(), 0..6)).prop_map(
        |(
            (name, mode, algorithm, persistence, check, passive, limits),
            timeouts,
            retry,
            (scope, discovered),
            all_backups,
            server_rules,
            servers,
        )| Pool {
            name,
            mode,
            algorithm,
            persistence,
            check,
            passive,
            limits,
            timeouts,
            retry,
            scope,
            discovered,
            all_backups,
            server_rules,
            servers,
            place: Place::default(),
        },
    )
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        name().prop_map(|name| Target::Pool { name }),
        vec((name(), 0_u32..3), 0..3)
            .prop_map(|all| Target::Weighted { pools: all.into_iter().map(|(pool, weight)| Share { pool, weight }).collect() }),
        (name(), vec(name(), 0..3)).prop_map(|(expression, candidates)| Target::Dynamic { expression, candidates }),
        name().prop_map(|said| Target::Other { said }),
    ]
}

/// Condition, definitions, target and what is its own of a route.
type Way = (Option<String>, Vec<String>, Target, Option<Own>, Vec<Mirror>);

fn own() -> impl Strategy<Value = Option<Own>> {
    of((timeouts(), of(retry())).prop_map(|(timeouts, retry)| Own { timeouts, retry }))
        .prop_map(|own| own.filter(|own| *own != Own::default()))
}

fn listener() -> impl Strategy<Value = (Listener, Vec<Way>)> {
    let bind = (select(vec!["*:80", "*:443", "unix:/a"]), any::<[bool; 3]>(), setting(number())).prop_map(
        |(address, [tls, default_server, proxy_protocol], maxconn)| Bind {
            address: address.to_owned(),
            tls,
            default_server,
            maxconn,
            proxy_protocol,
            place: Place::default(),
        },
    );
    let mirror = (name(), select(vec![10.0, 100.0])).prop_map(|(pool, percent)| Mirror { pool, percent });
    let conditions = of(select(vec!["if x", "if y", "location ~ z", "if  y"]).prop_map(str::to_owned));
    let listener = (name(), vec(name(), 0..3), vec(bind, 0..3), setting(number()), timeouts()).prop_map(
        |(name, hosts, binds, maxconn, timeouts)| Listener { name, hosts, binds, maxconn, timeouts, ..Listener::default() },
    );
    (listener, vec((conditions, vec(name(), 0..2), target(), own(), vec(mirror, 0..2)), 0..5))
}

pub fn model() -> impl Strategy<Value = Model> {
    let kinds = select(vec![
        BalancerKind::Haproxy,
        BalancerKind::Haproxy,
        BalancerKind::Nginx,
        BalancerKind::Envoy,
        BalancerKind::Traefik,
        BalancerKind::Caddy,
    ]);
    let surface = (name(), name(), any::<bool>(), any::<bool>()).prop_map(|(what, address, guarded, writes)| AdminSurface {
        what,
        address,
        guarded,
        writes,
        place: Place::default(),
    });
    let process = (setting(number()), setting(number()), setting(number()), setting(number()), vec(surface, 0..2))
        .prop_map(|(maxconn, workers, threads, files, admin)| Process { maxconn, workers, threads, files, admin });
    let versions = select(vec!["2.8.1", "3.3.0", "1.29.6", "1.29.7"]);
    (kinds, versions, process, vec(listener(), 0..4), vec(pool(), 0..5)).prop_map(|(kind, version, process, listeners, pools)| {
        let mut model = Model { kind, version: Some(version.to_owned()), process, pools, ..Model::default() };
        for (listener, routes) in listeners {
            model.routes.extend(routes.into_iter().map(|(condition, definitions, target, own, mirrors)| Route {
                listener: listener.name.clone(),
                condition,
                definitions,
                target,
                mirrors,
                own: own.map(Box::new),
                place: Place::default(),
            }));
            model.listeners.push(listener);
        }
        model
    })
}

/// What two models that mean the same have in common: defaults written out, and what has no order sorted. Of things
/// with one name the order is kept.
fn meaning(model: &Model) -> Model {
    let mut out = Defaults::of(model).model(model);
    for pool in &mut out.pools {
        let plain = pool.clone();
        pool.servers.sort_by_key(
            |server| {
                if ordered(model.kind, &plain, server) { String::new() } else { format!("-{}", server.name) }
            },
        );
    }
    out.pools.sort_by_key(|pool| pool.name.clone());
    out.listeners.sort_by_key(|listener| listener.name.clone());
    for route in &mut out.routes {
        route.condition = route.condition.as_deref().map(plain);
    }
    out.routes.sort_by_key(|route| {
        (route.listener.clone(), if tried_in_turn(model.kind, route) { String::new() } else { format!("-{:?}", route.condition) })
    });
    out
}

/// A model, and another one that was made from it by small changes.
fn pair() -> impl Strategy<Value = (Model, Model)> {
    (model(), model(), any::<[bool; 8]>()).prop_map(|(a, other, take)| {
        let mut b = a.clone();
        if take[0] {
            b.pools.reverse();
        }
        if take[1]
            && let (Some(to), Some(from)) = (b.pools.first_mut(), other.pools.first())
        {
            to.servers.extend(from.servers.iter().cloned());
            let by = 1.min(to.servers.len());
            to.servers.rotate_left(by);
        }
        if take[2]
            && let (Some(to), Some(from)) = (b.pools.last_mut(), other.pools.last())
        {
            to.name.clone_from(&from.name);
        }
        if take[3] {
            b.routes.reverse();
        }
        if take[4]
            && let (Some(to), Some(from)) = (b.pools.first_mut(), other.pools.first())
        {
            *to = Pool { name: to.name.clone(), servers: to.servers.clone(), ..from.clone() };
        }
        if take[5] {
            (b.process, b.version) = (other.process.clone(), other.version.clone());
        }
        if take[6] {
            b.listeners.clone_from(&other.listeners);
            b.routes.clone_from(&other.routes);
        }
        if take[7]
            && let (Some(to), Some(from)) = (b.pools.last_mut(), other.pools.first())
        {
            to.servers.truncate(from.servers.len());
            to.servers.iter_mut().zip(&from.servers).for_each(|(to, from)| to.name.clone_from(&from.name));
        }
        (a, b)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_model_is_no_change_of_itself(a in model()) {
        prop_assert!(diff(&a, &a).is_empty());
    }

    #[test]
    fn a_diff_is_all_that_changed(a in model(), b in model()) {
        let changes = diff(&a, &b);
        prop_assert_eq!(meaning(&apply(&a, &changes)), meaning(&b));
        prop_assert_eq!(diff(&a, &b), changes, "always the same");
    }

    #[test]
    fn a_diff_of_small_changes_is_all_that_changed((a, b) in pair()) {
        let changes = diff(&a, &b);
        prop_assert_eq!(meaning(&apply(&a, &changes)), meaning(&b));
        prop_assert_eq!(changes.is_empty(), meaning(&a) == meaning(&b));
        for change in &changes {
            prop_assert!(!change.edits.is_empty(), "{}", change.sentence);
            prop_assert!((0.0..=100.0).contains(&change.lost_percent));
        }
    }

    #[test]
    fn edits_of_another_model_do_no_harm(a in model(), b in model(), c in model()) {
        apply(&c, &diff(&a, &b));
    }
}

fn large(prefix: &str, shift: usize) -> Model {
    let server = |pool: usize, at: usize| Server {
        name: format!("s{at}"),
        address: format!("10.{}.{}.{}:80", pool / 250, pool % 250, at + 1),
        weight: Some(Setting::new(u32::try_from((pool + at + shift) % 7).unwrap_or(0), Place::default())),
        check: Some(Box::new(Check { interval_ms: Some(2_000 + shift as u64), ..Check::default() })),
        ..Server::default()
    };
    let pool = |pool: usize| Pool {
        name: format!("{prefix}{pool}"),
        servers: (0..4).map(|at| server(pool, at)).collect(),
        ..Pool::default()
    };
    let route = |at: usize| Route {
        listener: "fe".to_owned(),
        condition: Some(format!("if {{ path /{} }}", (at + shift * 17) % 5_000)),
        target: Target::Pool { name: format!("{prefix}{at}") },
        ..Route::default()
    };
    Model {
        pools: (0..5_000).map(pool).collect(),
        listeners: vec![Listener { name: "fe".to_owned(), ..Listener::default() }],
        routes: (0..5_000).map(route).collect(),
        ..Model::default()
    }
}

/// 5,000 pools of 4 servers: everything renamed, everything changed, nothing changed, nothing in common. The bound
/// only catches a quadratic step.
#[test]
fn large_configs_are_compared_in_bounded_time() {
    let none = Model::default();
    let (a, renamed, changed) = (large("a", 0), large("b", 0), large("a", 1));
    for (what, old, new) in [("same", &a, &a), ("renamed", &a, &renamed), ("changed", &a, &changed), ("gone", &a, &none)] {
        let began = std::time::Instant::now();
        let changes = diff(old, new);
        let took = began.elapsed();
        assert!(took.as_secs() < 60, "{what}: {took:?}");
        assert!(diff(&apply(old, &changes), new).is_empty(), "{what}");
    }
}
