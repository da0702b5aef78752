//! The sentences, word for word.

use super::{apply, diff, state_changes};
use crate::balancer::model::{Group, Listener, Model, Pool, Route, Server, Setting, Target};
use crate::balancer::source::Place;
use crate::balancer::state::{Admin, PoolState, ServerState, State};

fn state(servers: &[(&str, u32, Admin)]) -> State {
    let server = |(at, (name, weight, admin)): (usize, &(&str, u32, Admin))| ServerState {
        name: (*name).into(),
        address: Some(format!("10.0.0.{}:8080", 11 + at)),
        weight: *weight,
        weight_configured: Some(100),
        admin: *admin,
        ..Default::default()
    };
    let servers = servers.iter().enumerate().map(server).collect();
    State { version: None, pools: vec![PoolState { name: "web".into(), algorithm: Some("roundrobin".into()), servers }] }
}

fn five(weights: [u32; 5]) -> State {
    let names = ["web1", "web2", "web3", "web4", "web5"];
    state(&std::array::from_fn::<_, 5, _>(|n| (names[n], weights[n], Admin::Ready)))
}

fn said(before: &State, after: &State) -> Vec<String> {
    state_changes(Some(before), after)
}

#[test]
fn the_rogue_is_one_sentence() {
    let said = said(&five([100; 5]), &five([100, 0, 0, 0, 0]));
    assert_eq!(said, ["pool web: weight of 4 of 5 servers 100 → 0, 80 % of capacity removed"]);
}

#[test]
fn single_changes_name_the_server() {
    assert_eq!(said(&five([1; 5]), &five([1, 1, 10, 1, 1])), ["pool web: web3 weight 1 → 10"]);
    let mut after = five([1; 5]);
    after.pools[0].servers[1].admin = Admin::Drain;
    assert_eq!(said(&five([1; 5]), &after), ["pool web: web2 ready → drain, 20 % of capacity removed"]);
    for at in [2, 3] {
        after.pools[0].servers[at].admin = Admin::Drain;
    }
    assert_eq!(said(&five([1; 5]), &after), ["pool web: 3 of 5 servers ready → drain, 60 % of capacity removed"]);
    after.pools[0].servers[0].admin = Admin::Maintenance;
    assert_eq!(said(&five([1; 5]), &after)[1], "pool web: web1 ready → maintenance, 20 % of capacity removed");
    assert_eq!(said(&after, &five([1; 5]))[0], "pool web: 3 of 5 servers drain → ready");
}

#[test]
fn what_costs_most_comes_first() {
    let mut before = five([100, 100, 100, 50, 50]);
    let mut after = five([100, 100, 200, 0, 0]);
    after.pools[0].servers[0].admin = Admin::Maintenance;
    after.pools[0].algorithm = Some("leastconn".into());
    after.pools[0].servers[1].address = Some("10.0.9.9:1".into());
    after.pools[0].servers.push(ServerState {
        name: "web6".into(),
        address: Some("10.0.0.16:8080".into()),
        ..Default::default()
    });
    before.pools[0].servers.push(ServerState { name: "old".into(), address: None, ..Default::default() });
    before.pools.push(PoolState { name: "api".into(), servers: vec![ServerState::default()], ..Default::default() });
    after.pools.push(PoolState { name: "img".into(), ..Default::default() });
    (before.version, after.version) = (Some("2.6".into()), Some("2.8".into()));
    assert_eq!(
        said(&before, &after),
        [
            "pool api removed, it had 1 server",
            "pool web: weight of 2 of 6 servers 50 → 0, 25 % of capacity removed",
            "pool web: web1 ready → maintenance, 25 % of capacity removed",
            "pool web: server old removed",
            "pool web: server web2 re-addressed 10.0.0.12:8080 → 10.0.9.9:1",
            "pool web: algorithm roundrobin → leastconn",
            "pool web: server web6 (10.0.0.16:8080) added",
            "pool web: web3 weight 100 → 200",
            "pool img added with 0 servers",
            "version 2.6 → 2.8",
        ]
    );
}

#[test]
fn many_alike_are_one_sentence() {
    let many = |from: u32, step: u32, prefix: &str| {
        let names: Vec<String> = (0..40).map(|n| format!("{prefix}{n}")).collect();
        let servers: Vec<_> = names.iter().zip(0..).map(|(name, n)| (name.as_str(), from + n * step, Admin::Ready)).collect();
        state(&servers)
    };
    assert_eq!(
        said(&many(100, 2, "s"), &many(50, 1, "s")),
        ["pool web: weight of 40 of 40 servers changed"],
        "all halved is no loss"
    );
    assert_eq!(
        said(&many(100, 0, "s"), &many(60, 1, "s")),
        ["pool web: weight of 40 of 40 servers changed, 19 % of capacity removed"]
    );
    assert_eq!(said(&many(1, 0, "s"), &five([1; 5])).len(), 6, "five renamed by address, the rest removed together");
    assert_eq!(
        said(&five([100, 50, 50, 1, 1]), &five([0, 0, 0, 1, 1])),
        ["pool web: weight of 3 of 5 servers 50 to 100 → 0, 99 % of capacity removed"]
    );
}

#[test]
fn what_is_not_told_is_no_change() {
    let mut page = five([1; 5]);
    page.pools[0].algorithm = None;
    for server in &mut page.pools[0].servers {
        (server.address, server.weight_configured) = (None, None);
    }
    assert_eq!(said(&five([1; 5]), &page), [] as [&str; 0]);
    assert_eq!(said(&page, &five([1; 5])), [] as [&str; 0]);
    assert_eq!(state_changes(None, &page), [] as [&str; 0]);
}

#[test]
fn renames_reloads_and_backups_are_said() {
    let (before, mut after) = (five([100; 5]), five([100; 5]));
    after.pools[0].servers[0].name = "app1".into();
    after.pools[0].servers[1].backup = true;
    after.pools[0].servers[2].weight_configured = Some(7);
    assert_eq!(
        said(&before, &after),
        [
            "pool web: web2 now backup, 20 % of capacity removed",
            "pool web: server web1 renamed to app1",
            "pool web: web3 configured weight 100 → 7",
        ]
    );
    // A weight that comes with the reload is said once.
    after = five([100, 100, 7, 100, 100]);
    after.pools[0].servers[2].weight_configured = Some(7);
    assert_eq!(said(&before, &after), ["pool web: web3 weight 100 → 7, 18 % of capacity removed"]);
}

#[test]
fn a_route_that_becomes_the_rest_stands_where_it_does_then() {
    let model = |routes: &[(Option<&str>, &str)]| {
        let route = |(condition, pool): &(Option<&str>, &str)| Route {
            listener: "web".to_owned(),
            condition: condition.map(str::to_owned),
            target: Target::Pool { name: (*pool).to_owned() },
            ..Route::default()
        };
        let listeners = vec![Listener { name: "web".to_owned(), ..Listener::default() }];
        Model { listeners, routes: routes.iter().map(route).collect(), ..Model::default() }
    };
    let before = model(&[(Some("if x"), "b"), (None, "a"), (None, "a")]);
    let after = model(&[(None, "a"), (None, "a"), (None, "b")]);
    assert_eq!(apply(&before, &diff(&before, &after)), after);
}

#[test]
fn the_weight_of_a_group_counts_for_its_servers() {
    let pool = |servers: &[(&str, u32, &str, u32)]| {
        let server = |(name, weight, group, share): &(&str, u32, &str, u32)| Server {
            name: (*name).to_owned(),
            weight: Some(Setting::new(*weight, Place::default())),
            group: Some(Box::new(Group { name: (*group).to_owned(), weight: *share })),
            ..Server::default()
        };
        let servers = servers.iter().map(server).collect();
        Model { pools: vec![Pool { name: "app".to_owned(), servers, ..Pool::default() }], ..Model::default() }
    };
    let before = pool(&[("a1", 1, "a", 80), ("a2", 3, "a", 80), ("b", 1, "b", 20)]);
    let lost = |after: &Model| diff(&before, after).iter().map(|change| change.lost_percent.round()).collect::<Vec<_>>();
    assert_eq!(lost(&pool(&[("a1", 1, "a", 80), ("b", 1, "b", 20)])), [60.0]);
    assert_eq!(lost(&pool(&[("a1", 1, "a", 80), ("a2", 3, "a", 80), ("b", 1, "b", 0)])), [20.0]);
    // Within a group, and of all groups, only proportions count.
    let weights = pool(&[("a1", 2, "a", 80), ("a2", 6, "a", 80), ("b", 1, "b", 20)]);
    assert!(lost(&weights).iter().all(|lost| *lost == 0.0));
    let groups = pool(&[("a1", 1, "a", 8), ("a2", 3, "a", 8), ("b", 1, "b", 2)]);
    assert!(lost(&groups).iter().all(|lost| *lost == 0.0));
}
