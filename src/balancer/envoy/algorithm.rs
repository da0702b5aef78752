//! How a cluster chooses a server: `lb_policy` with its config, or `load_balancing_policy`.

use super::super::clean_name;
use super::super::data::{Fields, Node};
use super::super::model::{Algorithm, Family, Hash, HashKey, HashMethod, Setting};
use super::endpoint::Kind;
use super::route::HashPolicy;
use super::{duration, listed, short_kind, word};

/// Words of `lb_policy` by number.
const POLICIES: &[&str] =
    &["ROUND_ROBIN", "LEAST_REQUEST", "RING_HASH", "RANDOM", "", "MAGLEV", "CLUSTER_PROVIDED", "LOAD_BALANCING_POLICY_CONFIG"];

/// The algorithm, what its own config hashes, and its slow start. A `load_balancing_policy` wins over `lb_policy`.
pub fn algorithm(fields: &Fields<'_, '_>, kind: &Kind) -> (Algorithm, Vec<HashPolicy>, Option<Setting<u64>>) {
    let reader = fields.reader();
    let said = word(fields, "lb_policy", POLICIES);
    let extension = fields.get("load_balancing_policy");
    let (name, config, place) = match extension {
        Some(extension) => {
            let config = first_policy(extension, 0);
            if config.is_none() {
                reader.error(extension, "`load_balancing_policy` names no policy");
            }
            let name = match config.map(short_kind).unwrap_or_default() {
                "RoundRobin" => "ROUND_ROBIN".to_owned(),
                "LeastRequest" => "LEAST_REQUEST".to_owned(),
                "RingHash" => "RING_HASH".to_owned(),
                "Random" => "RANDOM".to_owned(),
                "Maglev" => "MAGLEV".to_owned(),
                "ClusterProvided" => "CLUSTER_PROVIDED".to_owned(),
                other => clean_name(other),
            };
            (name, config, reader.place(extension))
        }
        None => {
            let place = fields.get("lb_policy").map_or_else(|| reader.place(fields.node), |node| reader.place(node));
            let name = said.as_ref().map_or("ROUND_ROBIN", |word| &word.value).to_owned();
            let config = match name.as_str() {
                "RING_HASH" => fields.get("ring_hash_lb_config"),
                "MAGLEV" => fields.get("maglev_lb_config"),
                "LEAST_REQUEST" => fields.get("least_request_lb_config"),
                "ROUND_ROBIN" => fields.get("round_robin_lb_config"),
                _ => None,
            };
            (name, config, place)
        }
    };
    if *kind == Kind::OriginalDst && name != "CLUSTER_PROVIDED" {
        reader.error(fields.node, "a cluster of type ORIGINAL_DST takes only `lb_policy: CLUSTER_PROVIDED`");
    }
    if name == "CLUSTER_PROVIDED" && !matches!(kind, Kind::OriginalDst | Kind::Other(_)) {
        reader.error(fields.node, "`CLUSTER_PROVIDED` needs a cluster type that brings its own balancing, such as ORIGINAL_DST");
    }
    let written = extension.is_some() || said.is_some();
    let mut algorithm = Algorithm { name: Some(name.clone()), written, place, ..Algorithm::default() };
    algorithm.family = match name.as_str() {
        "ROUND_ROBIN" => Family::RoundRobin,
        "LEAST_REQUEST" => Family::LeastConnections,
        "RANDOM" => Family::Random,
        "RING_HASH" | "MAGLEV" => Family::Hash,
        "PeakEwma" => Family::LeastTime,
        _ => Family::Unknown,
    };
    let bounded = |config: &Node<'_>| {
        let common = config
            .get("consistent_hashing_lb_config")
            .or_else(|| fields.get("common_lb_config")?.get("consistent_hashing_lb_config"));
        common
            .and_then(|common| common.get("hash_balance_factor"))
            .and_then(Node::u64)
            .and_then(|factor| u32::try_from(factor).ok())
    };
    // Without any config its defaults hold; an empty map stands for it.
    let empty = Node::empty();
    let config = config.unwrap_or(&empty);
    let own = Fields::new(reader, config, name.clone());
    own.skip(&["@type"]);
    let mut hashes = Vec::new();
    if name == "LEAST_REQUEST" {
        let full = own.text("selection_method").is_some_and(|method| method.eq_ignore_ascii_case("FULL_SCAN") || method == "1");
        let choices = own.u64("choice_count").unwrap_or(2);
        if let Some(node) = own.get("choice_count").filter(|_| choices < 2) {
            reader.error(node, "`choice_count` has to be at least 2");
        }
        own.skip(&["active_request_bias", "enable_full_scan"]);
        algorithm.choices = (!full).then(|| u32::try_from(choices).unwrap_or(u32::MAX));
    }
    if algorithm.family == Family::Hash {
        let ring = name == "RING_HASH";
        let table_size = if ring { ring_size(&own) } else { maglev_size(&own) };
        let function = ring
            .then(|| word(&own, "hash_function", &["XX_HASH", "MURMUR_HASH_2"]).map_or("XX_HASH".to_owned(), |word| word.value));
        if let Some(common) = own.get("consistent_hashing_lb_config") {
            hashes = super::route::hash_policies(reader, common);
        }
        own.skip(&["use_hostname_for_hashing"]);
        algorithm.hash = Some(Hash {
            key: HashKey::Missing,
            method: if ring { HashMethod::Ring } else { HashMethod::Maglev },
            function,
            balance_factor: bounded(config),
            table_size: Some(table_size),
            ..Hash::default()
        });
    }
    let slow_start = own.get("slow_start_config").and_then(|slow| {
        let slow = Fields::new(reader, slow, "slow_start_config");
        duration(&slow, "slow_start_window")
    });
    own.skip(&["locality_lb_config"]);
    own.done();
    (algorithm, hashes, slow_start)
}

/// How localities are balanced: a config of `common_lb_config`, or of the policy that takes its place.
pub fn localities<'n, 'a>(fields: &Fields<'n, 'a>, name: &str) -> Option<&'n Node<'a>> {
    match fields.get("load_balancing_policy") {
        None => fields.get("common_lb_config")?.get(name),
        Some(extension) => {
            let outer = listed(extension, "policies").next()?.get("typed_extension_config")?.get("typed_config")?;
            let weighs = name == "locality_weighted_lb_config" && short_kind(outer) == "WrrLocality";
            if weighs { Some(outer) } else { first_policy(extension, 0)?.get("locality_lb_config")?.get(name) }
        }
    }
}

/// The first policy of the list; those that wrap another are looked into.
fn first_policy<'n, 'a>(node: &'n Node<'a>, depth: usize) -> Option<&'n Node<'a>> {
    let config = listed(node, "policies").next()?.get("typed_extension_config")?.get("typed_config")?;
    let inner = config.get("endpoint_picking_policy").or_else(|| config.get("fallback_policy"));
    match inner {
        Some(inner) if depth < 4 => first_policy(inner, depth + 1).or(Some(config)),
        _ => Some(config),
    }
}

/// Points of the ring: 1024 unless more are asked for, at most 8 million.
fn ring_size(own: &Fields<'_, '_>) -> u64 {
    const MOST: u64 = 8_388_608;
    let least = own.number("minimum_ring_size");
    let most = own.u64("maximum_ring_size").unwrap_or(MOST);
    let value = least.as_ref().map_or(1024, |least| least.value);
    if value > most || most > MOST {
        let told = "`minimum_ring_size` has to be at most `maximum_ring_size`, and both at most 8388608";
        own.reader().error(own.node, told);
    }
    value
}

fn maglev_size(own: &Fields<'_, '_>) -> u64 {
    let value = own.u64("table_size").unwrap_or(65_537);
    if let Some(node) = own.get("table_size")
        && (value > 5_000_011 || !prime(value))
    {
        own.reader().error(node, "`table_size` has to be a prime number of at most 5000011, such as 65537");
    }
    value
}

fn prime(number: u64) -> bool {
    number >= 2 && (2..).take_while(|divisor| divisor * divisor <= number).all(|divisor| !number.is_multiple_of(divisor))
}
