//! State and config of two moments as one list, word for word.

use super::changes;
use crate::balancer::haproxy;
use crate::balancer::model::Model;
use crate::balancer::source::{NoFiles, Source};
use crate::balancer::state::{Admin, Health, PoolState, ServerState, State};

fn config(weights: [u32; 3]) -> String {
    let server = |(at, weight): (usize, &u32)| format!(" server web{at} 10.0.0.{at}:80 weight {weight}\n");
    let servers: String = weights.iter().enumerate().map(server).collect();
    format!("backend web\n balance roundrobin\n{servers}")
}

fn model(text: &str) -> Model {
    haproxy::parse(&[Source::new("haproxy.cfg", text)], &mut NoFiles, Some("2.8.5"))
}

fn state(weights: [u32; 3], configured: [u32; 3]) -> State {
    let server = |at: usize| ServerState {
        name: format!("web{at}"),
        address: Some(format!("10.0.0.{at}:80")),
        weight: weights[at],
        weight_configured: Some(configured[at]),
        health: Some(Health::Up),
        ..ServerState::default()
    };
    let web = PoolState { name: "web".into(), algorithm: Some("roundrobin".into()), servers: (0..3).map(server).collect() };
    State { version: None, pools: vec![web] }
}

type Moment = (String, State);

fn said(before: &Moment, after: &Moment) -> Vec<String> {
    let (old, new) = (model(&before.0), model(&after.0));
    let all = changes((Some(&old), Some(&before.1)), (Some(&new), Some(&after.1)));
    all.into_iter().map(|change| change.sentence).collect()
}

fn moment(written: [u32; 3], running: [u32; 3]) -> Moment {
    (config(written), state(running, written))
}

const NONE: [&str; 0] = [];

#[test]
fn a_reload_says_a_weight_once() {
    let lost = "pool web: web2 weight 100 → 1, 33 % of capacity removed";
    assert_eq!(said(&moment([100; 3], [100; 3]), &moment([100, 100, 1], [100, 100, 1])), [lost]);
    assert_eq!(
        said(&moment([100; 3], [100, 100, 0]), &moment([100, 100, 1], [100, 100, 1])),
        ["pool web: web2 weight 0 → 1"],
        "what held was 0, whatever stood in the file"
    );
}

#[test]
fn what_is_written_is_said_where_something_else_is_in_force() {
    assert_eq!(
        said(&moment([100; 3], [100; 3]), &moment([100, 100, 1], [100; 3])),
        ["pool web: web2 configured weight 100 → 1, 100 still in force"]
    );
    assert_eq!(
        said(&moment([100; 3], [100, 100, 0]), &moment([100, 100, 1], [100; 3])),
        ["pool web: web2 weight 0 → 100", "pool web: web2 configured weight 100 → 1, 100 still in force"]
    );
    assert_eq!(
        said(&moment([100; 3], [100; 3]), &moment([100, 1, 1], [100; 3])),
        ["pool web: configured weight of 2 of 3 servers 100 → 1, 100 still in force"]
    );
    assert_eq!(
        said(&moment([100; 3], [100, 100, 1]), &moment([100, 100, 1], [100, 100, 1])),
        ["pool web: web2 configured weight 100 → 1, as already in force"]
    );
    let mut drained = moment([100; 3], [100; 3]);
    drained.0 = drained.0.replace("web2 10.0.0.2:80", "web2 10.0.0.2:80 disabled");
    assert_eq!(
        said(&moment([100; 3], [100; 3]), &drained),
        ["pool web: web2 configured state ready → maintenance, ready still in force"]
    );
    drained.1.pools[0].servers[2].admin = Admin::Maintenance;
    assert_eq!(said(&moment([100; 3], [100; 3]), &drained), ["pool web: web2 ready → maintenance, 33 % of capacity removed"]);
}

#[test]
fn a_file_that_was_not_loaded_yet_says_so() {
    let old = moment([100; 3], [100; 3]);
    let mut new = moment([100; 3], [100; 3]);
    new.0.push_str(" server web3 10.0.0.3:80\nbackend api\n server a 10.1.0.1:80\n");
    new.0 = new.0.replace("roundrobin", "leastconn").replace("10.0.0.1:80", "10.0.9.1:80");
    assert_eq!(
        said(&old, &new),
        [
            "pool web: server web3 (10.0.0.3:80) added to the config, not running yet",
            "pool web: web1 configured address 10.0.0.1:80 → 10.0.9.1:80, 10.0.0.1:80 still in force",
            "pool web: configured algorithm roundrobin → leastconn, roundrobin still in force",
            "pool api added with 1 server to the config, not running yet",
        ]
    );
    new.0 = new.0.replace(" server web0 10.0.0.0:80 weight 100\n", "");
    assert!(said(&old, &new).contains(&"pool web: server web0 (10.0.0.0:80) removed from the config, still running".to_owned()));
    let back = (old.0.clone(), new.1.clone());
    assert_eq!(said(&back, &(old.0.clone(), old.1.clone())), NONE);
}

#[test]
fn loaded_together_each_change_is_said_once() {
    let old = moment([100; 3], [100; 3]);
    let mut new = moment([100; 3], [100; 3]);
    new.0 = new.0.replace("roundrobin", "leastconn").replace("10.0.0.1:80", "10.0.9.1:80").replace("web2", "app2");
    new.0.push_str(" server web3 10.0.0.3:80\n timeout queue 5s\n");
    let pool = &mut new.1.pools[0];
    pool.algorithm = Some("leastconn".into());
    pool.servers[1].address = Some("10.0.9.1:80".into());
    pool.servers[2].name = "app2".into();
    pool.servers.push(ServerState { name: "web3".into(), address: Some("10.0.0.3:80".into()), weight: 1, ..Default::default() });
    assert_eq!(
        said(&old, &new),
        [
            "pool web: server web1 re-addressed 10.0.0.1:80 → 10.0.9.1:80",
            "pool web: algorithm roundrobin → leastconn",
            "pool web: queue timeout none → 5 s",
            "pool web: server web3 (10.0.0.3:80) added",
            "pool web: server web2 renamed to app2",
        ]
    );
    let (a, b) = (model(&old.0), model(&new.0));
    let all = changes((Some(&a), Some(&old.1)), (Some(&b), Some(&new.1)));
    assert!(all.iter().all(|change| !change.edits.is_empty() && !change.after.is_empty()), "the places come along: {all:?}");
}

#[test]
fn a_new_port_of_a_server_that_is_called_by_its_address_is_said_once() {
    let moment = |port: u16, running: u16| -> Moment {
        let named = |port: u16| format!("10.0.0.1:{port}");
        let server = ServerState { name: named(running), address: Some(named(running)), weight: 1, ..ServerState::default() };
        let web = PoolState { name: "web".into(), algorithm: None, servers: vec![server] };
        let text = format!("backend web\n balance roundrobin\n server {0} {0}\n", named(port));
        (text, State { version: None, pools: vec![web] })
    };
    let moved = "pool web: server 10.0.0.1:80 re-addressed to 10.0.0.1:8080";
    assert_eq!(said(&moment(80, 80), &moment(8080, 8080)), [moved]);
    assert_eq!(said(&moment(80, 80), &moment(8080, 80)), [format!("{moved} in the config, not running yet")]);
}

#[test]
fn what_only_one_moment_knows_is_no_change() {
    let (old, new) = (model(&config([100; 3])), model(&config([1, 100, 100])));
    let state = state([100; 3], [100; 3]);
    let sentences = |all: Vec<super::Change>| all.into_iter().map(|change| change.sentence).collect::<Vec<_>>();
    assert_eq!(sentences(changes((None, None), (Some(&new), Some(&state)))), NONE);
    assert_eq!(sentences(changes((Some(&old), None), (None, Some(&state)))), NONE);
    assert_eq!(
        sentences(changes((Some(&old), None), (Some(&new), None))),
        ["pool web: web0 weight 100 → 1, 33 % of capacity removed"]
    );
    assert_eq!(
        sentences(changes((Some(&old), None), (Some(&new), Some(&state)))),
        ["pool web: web0 configured weight 100 → 1, 100 still in force"]
    );
    let mut down = state.clone();
    down.pools[0].servers[0].health = Some(Health::Down);
    assert_eq!(sentences(changes((None, Some(&state)), (None, Some(&down)))), NONE, "health is no change");
}
