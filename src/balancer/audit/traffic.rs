//! Rules that need measurements, logs or several answers: their ids and words. They are decided where traffic is seen.

use super::{Needs, Rule, Severity};
use crate::domain::balancer::BalancerKind;

pub const LB004: Rule = Rule {
    id: "LB004",
    severity: Severity::Critical,
    title: "what is left cannot carry the load of now",
    prevents: "A cascade after a change that looked small. Pivotal Tracker: each next server crashed under what the one \
               before had carried.",
    why: "Weights say who gets the traffic, not whether they can carry it. Rate and time of service of now, against \
          the slots that are left, tell it before the change does.",
    remedy: "Put the change off until the load is lower, or add servers first.",
    false_positives: "Times of service that were measured in a bad hour.",
    kinds: BalancerKind::ALL,
    needs: Needs::Traffic,
    parameters: &[],
    check: None,
};

pub const LB006: Rule = Rule {
    id: "LB006",
    severity: Severity::High,
    title: "servers get another share than their weights say",
    prevents: "A skew that nobody looks for, because every server is up. Azure Front Door, 29 October 2025: the nodes \
               that were left got an unbalanced load.",
    why: "Totals look healthy while one server queues. The share that was observed, against the one that algorithm \
          and weights promise, shows it at once.",
    remedy: "Look for persistence, a hash with heavy keys, long connections, or state that each worker keeps for \
             itself.",
    false_positives: "Hashes and persistence spread unevenly by nature: compare with what the algorithm promises, not with \
                      equal shares.",
    kinds: BalancerKind::ALL,
    needs: Needs::Traffic,
    parameters: &[],
    check: None,
};

pub const LB029: Rule = Rule {
    id: "LB029",
    severity: Severity::Medium,
    title: "retries hide a bad server",
    prevents: "Maestra, April 2026: one of six HAProxy nodes was bad after an upgrade, and retries hid 1.5 % of failures \
               for hours.",
    why: "Clients see successes, graphs of the pool see successes, and one server fails each of its first tries.",
    remedy: "Watch retries and redispatches for each server, and take the one out that causes them.",
    false_positives: "A server that is just being restarted.",
    kinds: BalancerKind::ALL,
    needs: Needs::Traffic,
    parameters: &[],
    check: None,
};

pub const LB034: Rule = Rule {
    id: "LB034",
    severity: Severity::High,
    title: "the pool cannot lose one server",
    prevents: "A cascade: one server goes, and the rest falls over one by one. Pivotal Tracker: each next one crashed in \
               turn.",
    why: "Spare capacity counts only at the peak and with one server less.",
    remedy: "Add a server, or lower what each request costs.",
    false_positives: "Pools that are grown automatically before they are full.",
    kinds: BalancerKind::ALL,
    needs: Needs::Traffic,
    parameters: &[],
    check: None,
};

pub const LB037: Rule = Rule {
    id: "LB037",
    severity: Severity::High,
    title: "a server that fails fast draws the traffic",
    prevents: "A sinkhole: the broken server answers errors at once, has the fewest connections, and gets most of the \
               requests. Described in the books on site reliability.",
    why: "Least connections and least time take a quick error for quick work.",
    remedy: "Count errors of real traffic against a server (`observe layer7`, outlier detection), and check what users \
             ask for.",
    false_positives: "A server whose users really send more bad requests.",
    kinds: BalancerKind::ALL,
    needs: Needs::Traffic,
    parameters: &[],
    check: None,
};

pub const LB042: Rule = Rule {
    id: "LB042",
    severity: Severity::High,
    title: "servers of one pool answer differently",
    prevents: "Stale answers after a roll-out or with caches of different age: the same page says another thing at each \
               reload. Slack, 22 February 2022: caches and a roll-out in steps.",
    why: "Behind one name clients expect one answer. Which version they get is a matter of chance, and averages \
          show nothing.",
    remedy: "Finish the roll-out or take it back, and empty the caches of all servers.",
    false_positives: "A canary; tag it.",
    kinds: BalancerKind::ALL,
    needs: Needs::Traffic,
    parameters: &[],
    check: None,
};

pub const LB043: Rule = Rule {
    id: "LB043",
    severity: Severity::Medium,
    title: "a server was deployed without being drained",
    prevents: "Errors at every deployment. Ravelin: endpoints were taken out of the list later than their programs \
               stopped, and each roll-out gave 502.",
    why: "Requests under way are cut off, and new ones arrive until a check fails.",
    remedy: "Drain first, wait until nothing is under way, then stop; bring it back after it is warm.",
    false_positives: "Programs that finish what they have after the signal to stop.",
    kinds: BalancerKind::ALL,
    needs: Needs::Traffic,
    parameters: &[],
    check: None,
};

pub const LB044: Rule = Rule {
    id: "LB044",
    severity: Severity::High,
    title: "a deployment overlaps maintenance of the balancer",
    prevents: "Wikimedia, 17 April and 25 May 2023: a balancer's host was taken down during a deployment that talks to \
               it, and many servers stayed out.",
    why: "The deployment takes servers out and asks the balancer to bring them back; that answer is lost.",
    remedy: "Let one lock hold for both, and look for servers that stayed out.",
    false_positives: "Maintenance of a balancer that the deployment does not talk to.",
    kinds: BalancerKind::ALL,
    needs: Needs::Traffic,
    parameters: &[],
    check: None,
};

pub const LB051: Rule = Rule {
    id: "LB051",
    severity: Severity::Medium,
    title: "peaks of seconds reach a limit that the average never does",
    prevents: "GitLab, 2019: a limit was hit only in the first seconds of each minute, by jobs that all start on the \
               full minute; averages hid it.",
    why: "A mean over a minute hides what happens within one second of it.",
    remedy: "Spread the jobs, or set the limit by the peak of a second.",
    false_positives: "Peaks that the queue takes up without harm.",
    kinds: BalancerKind::ALL,
    needs: Needs::Traffic,
    parameters: &[],
    check: None,
};

pub const LB057: Rule = Rule {
    id: "LB057",
    severity: Severity::Medium,
    title: "long connections stay where they are",
    prevents: "New servers that idle after scaling out while the old ones are full.",
    why: "Balancing by connection decides once; HTTP/2, gRPC and WebSockets then send everything over that one \
          connection.",
    remedy: "Balance requests instead of connections, or end connections after some minutes.",
    false_positives: "Few clients with little traffic.",
    kinds: BalancerKind::ALL,
    needs: Needs::Traffic,
    parameters: &[],
    check: None,
};

pub const LB058: Rule = Rule {
    id: "LB058",
    severity: Severity::Medium,
    title: "nodes or zones get unequal shares",
    prevents: "One zone that is full while the others idle.",
    why: "Where traffic is kept on the node or in the zone it arrived at, each server's share depends on how many \
          stand beside it.",
    remedy: "Spread servers evenly over nodes and zones, or let traffic cross.",
    false_positives: "Latency or cost that is worth the imbalance.",
    kinds: BalancerKind::ALL,
    needs: Needs::Traffic,
    parameters: &[],
    check: None,
};

pub const LB061: Rule = Rule {
    id: "LB061",
    severity: Severity::Info,
    title: "a large change came just before",
    prevents: "A search in the wrong place. Google Compute incident 17007 and Azure Front Door, 29 October 2025, began \
               with a change of config.",
    why: "Most outages follow a change. How much it moved (capacity, algorithm, persistence, timeouts, routes) and \
          how near it is say where to look first.",
    remedy: "Look at it first, and simulate the traffic against the config before.",
    false_positives: "It is near, not the cause: correlation only.",
    kinds: BalancerKind::ALL,
    needs: Needs::Traffic,
    parameters: &[],
    check: None,
};

pub const LB062: Rule = Rule {
    id: "LB062",
    severity: Severity::Info,
    title: "a dependency is suspected, and the skew explains it",
    prevents: "Days spent on the database. GitLab, 6 November 2018: abuse and back ends were suspected for three days; \
               the balancers' own throttling was it.",
    why: "A server that is overloaded waits longer for everything, its database too. When the database itself is \
          quiet while one server is over its share, the share is the suspect.",
    remedy: "Even the shares out first, then look again.",
    false_positives: "Both at once.",
    kinds: BalancerKind::ALL,
    needs: Needs::Traffic,
    parameters: &[],
    check: None,
};
