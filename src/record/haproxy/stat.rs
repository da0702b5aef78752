//! `show stat`, `show servers state` and `show info` into state and samples. Pure: text in, values out.
//!
//! Columns are found by the header's names, never by position: their number grows with every version
//! (management guide, chapter 9.1).

use std::collections::HashMap;

use crate::balancer::clean_name;
use crate::balancer::state::{Admin, PoolState, ServerState, State};
use crate::signal::series::{Metric, Sample, SeriesKey};

/// One line of `show stat`: the columns that are used. `None` for an empty or missing cell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    pub pool: String,
    /// A server's name, `FRONTEND` or `BACKEND`.
    pub server: String,
    pub status: String,
    pub address: Option<String>,
    pub algorithm: Option<String>,
    pub backup: bool,
    /// The weight as a user would set it; before slow start and agent checks.
    pub weight: Option<u32>,
    /// Sessions so far, for HTTP requests so far.
    pub sessions_total: Option<u64>,
    /// Times that the algorithm chose this server.
    pub chosen: Option<u64>,
    pub responses_4xx: Option<u64>,
    pub responses_5xx: Option<u64>,
    pub connect_errors: Option<u64>,
    /// Sessions now.
    pub sessions: Option<u64>,
    /// Requests that wait now.
    pub queue: Option<u64>,
    /// Milliseconds, mean of the last 1,024 requests.
    pub response_time: Option<u64>,
}

/// `None` when the text does not begin with HAProxy's header.
pub fn parse_stat(text: &str) -> Option<Vec<Row>> {
    let text = text.trim_start().strip_prefix("# ").filter(|rest| rest.starts_with("pxname,svname,"))?;
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let headers = reader.headers().ok()?.clone();
    let columns: HashMap<&str, usize> = headers.iter().enumerate().map(|(at, name)| (name, at)).collect();
    let mut rows = Vec::new();
    // A line that is not CSV ends the reading: what follows would be out of step.
    for record in reader.records().map_while(Result::ok) {
        let cell = |name: &str| columns.get(name).and_then(|at| record.get(*at)).filter(|cell| !cell.is_empty());
        let number = |name: &str| cell(name).and_then(|cell| cell.parse::<u64>().ok());
        let text = |column: &str| cell(column).map(clean_name);
        let (Some(pool), Some(server)) = (text("pxname"), text("svname")) else { continue };
        rows.push(Row {
            pool,
            server,
            status: text("status").unwrap_or_default(),
            address: text("addr"),
            algorithm: text("algo"),
            backup: number("bck") == Some(1),
            weight: number("uweight").or_else(|| number("weight")).and_then(|weight| u32::try_from(weight).ok()),
            sessions_total: number("stot"),
            chosen: number("lbtot"),
            responses_4xx: number("hrsp_4xx"),
            responses_5xx: number("hrsp_5xx"),
            connect_errors: number("econ"),
            sessions: number("scur"),
            queue: number("qcur"),
            response_time: number("rtime"),
        });
    }
    Some(rows)
}

/// One line of `show servers state`.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerLine {
    pub admin: Admin,
    pub weight: u32,
    /// The weight in the running process's config.
    pub weight_configured: u32,
    /// `host:port`; none for a name that is not resolved yet, or a UNIX socket.
    pub address: Option<String>,
}

/// By pool and server.
pub type ServerLines = HashMap<(String, String), ServerLine>;

/// `None` when the text is not a version 1 state file (management guide, `show servers state`).
pub fn parse_servers_state(text: &str) -> Option<ServerLines> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.next().filter(|version| *version == "1")?;
    let header = lines.next()?.strip_prefix("# ")?;
    let columns: HashMap<&str, usize> = header.split(' ').enumerate().map(|(at, name)| (name, at)).collect();
    for needed in ["be_name", "srv_name", "srv_admin_state", "srv_uweight", "srv_iweight"] {
        columns.get(needed)?;
    }
    let mut servers = ServerLines::new();
    for line in lines {
        let cells: Vec<&str> = line.split(' ').collect();
        let cell = |name: &str| columns.get(name).and_then(|at| cells.get(*at)).copied().unwrap_or_default();
        let number = |name: &str| cell(name).parse::<u32>().ok();
        let (Some(bits), Some(weight), Some(weight_configured)) =
            (number("srv_admin_state"), number("srv_uweight"), number("srv_iweight"))
        else {
            continue;
        };
        let address = match (cell("srv_addr"), cell("srv_port")) {
            ("" | "-", _) | (_, "") => None,
            (v6, port) if v6.contains(':') => Some(format!("[{v6}]:{port}")),
            (host, port) => Some(format!("{host}:{port}")),
        };
        let address = address.map(|address| clean_name(&address));
        let key = (clean_name(cell("be_name")), clean_name(cell("srv_name")));
        servers.insert(key, ServerLine { admin: admin(bits), weight, weight_configured, address });
    }
    Some(servers)
}

/// The state alone, from the text of `show servers state` that somebody sent. Pools and servers come in the
/// order of their names; what only `show stat` tells (algorithm, backup) is not known.
pub fn parse_state(text: &str) -> Option<State> {
    let mut lines: Vec<((String, String), ServerLine)> = parse_servers_state(text)?.into_iter().collect();
    lines.sort_by(|a, b| a.0.cmp(&b.0));
    let mut state = State::default();
    for ((pool, name), line) in lines {
        if state.pools.last().is_none_or(|last| last.name != pool) {
            state.pools.push(PoolState { name: pool, ..Default::default() });
        }
        let server = ServerState {
            name,
            address: line.address,
            weight: line.weight,
            weight_configured: Some(line.weight_configured),
            admin: line.admin,
            backup: false,
        };
        state.pools.iter_mut().last().into_iter().for_each(|pool| pool.servers.push(server.clone()));
    }
    Some(state)
}

/// `srv_admin_state` (management guide): 1 maintenance by command, 2 inherited, 8 drain by command, 16 inherited,
/// 32 name not resolved. Bit 4, `disabled` in the config, only remembers how the server started: it comes with bit
/// 1 and stays after `enable server`, when traffic flows again. Bit 64, name set by command, says nothing here.
fn admin(bits: u32) -> Admin {
    match bits {
        _ if bits & (1 | 2 | 32) != 0 => Admin::Maintenance,
        _ if bits & (8 | 16) != 0 => Admin::Drain,
        _ => Admin::Ready,
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Info {
    pub version: Option<String>,
}

/// `show info`: `Key: value` lines. Answers other than that give an empty [`Info`].
pub fn parse_info(text: &str) -> Info {
    let version = text.lines().find_map(|line| line.strip_prefix("Version: ")).map(|version| clean_name(version.trim()));
    Info { version: version.filter(|version| !version.is_empty() && version.len() <= 100) }
}

/// State and samples from what was read. Pools in the order of the config. The internal proxy `GLOBAL` (the
/// runtime socket itself) and frontends are left out.
pub fn reading(rows: &[Row], servers: Option<&ServerLines>, version: Option<String>) -> (State, Vec<Sample>) {
    let mut state = State { version, pools: Vec::new() };
    let mut samples = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for row in rows.iter().filter(|row| row.pool != "GLOBAL" && row.server != "FRONTEND") {
        // A listener's own line (`option socket-stats`) has neither a weight nor a place in a pool.
        if row.server != "BACKEND" && row.weight.is_none() {
            continue;
        }
        let at = *known.entry(&row.pool).or_insert_with(|| {
            state.pools.push(PoolState { name: row.pool.clone(), ..Default::default() });
            state.pools.len() - 1
        });
        let pool = &mut state.pools[at];
        if row.server == "BACKEND" {
            pool.algorithm = row.algorithm.clone();
            pool_samples(row, &mut samples);
            continue;
        }
        let line = servers.and_then(|servers| servers.get(&(row.pool.clone(), row.server.clone())));
        let weight = line.map(|line| line.weight).or(row.weight).unwrap_or_default();
        pool.servers.push(ServerState {
            name: row.server.clone(),
            address: row.address.clone().or_else(|| line.and_then(|line| line.address.clone())),
            weight,
            weight_configured: line.map(|line| line.weight_configured),
            admin: line.map_or_else(|| admin_of_status(&row.status), |line| line.admin),
            backup: row.backup,
        });
        server_samples(row, weight, &mut samples);
    }
    (state, samples)
}

fn admin_of_status(status: &str) -> Admin {
    match status {
        _ if status.starts_with("MAINT") => Admin::Maintenance,
        _ if status.starts_with("DRAIN") => Admin::Drain,
        _ => Admin::Ready,
    }
}

/// 1 also while a server is going up or down (`UP 1/3`): HAProxy still sends it traffic.
fn up(status: &str) -> Option<u64> {
    let starts = |words: &[&str]| words.iter().any(|word| status.starts_with(word));
    match status {
        _ if starts(&["UP", "DRAIN", "NOLB", "no check"]) => Some(1),
        _ if starts(&["DOWN", "MAINT"]) => Some(0),
        _ => None,
    }
}

/// The BACKEND line counts `stot` like the servers' lines do, requests in HTTP mode and sessions in TCP mode, so
/// that both can stand in one chart; `req_tot` is empty in TCP mode. The servers' lines count every attempt, so that
/// retries make their sum exceed this line. What HAProxy answered by itself, without a server, is in this line alone.
fn pool_samples(row: &Row, samples: &mut Vec<Sample>) {
    push(row, None, &common(row), samples);
}

fn server_samples(row: &Row, weight: u32, samples: &mut Vec<Sample>) {
    push(row, Some(&row.server), &common(row), samples);
    let own = [
        (Metric::Chosen, row.chosen),
        (Metric::ConnectErrors, row.connect_errors),
        (Metric::Up, up(&row.status)),
        (Metric::Weight, Some(u64::from(weight))),
    ];
    push(row, Some(&row.server), &own, samples);
}

fn common(row: &Row) -> [(Metric, Option<u64>); 6] {
    // Before the first request HAProxy says 0 ms, which would be a claim.
    let answered = row.sessions_total.is_some_and(|total| total > 0);
    [
        (Metric::Requests, row.sessions_total),
        (Metric::Responses4xx, row.responses_4xx),
        (Metric::Responses5xx, row.responses_5xx),
        (Metric::Sessions, row.sessions),
        (Metric::Queue, row.queue),
        (Metric::ResponseTime, row.response_time.filter(|_| answered)),
    ]
}

fn push(row: &Row, server: Option<&str>, values: &[(Metric, Option<u64>)], samples: &mut Vec<Sample>) {
    for (metric, value) in values {
        if let Some(value) = value {
            let key = SeriesKey { pool: row.pool.clone(), server: server.map(str::to_owned), metric: *metric };
            // Counters stay far below 2^53, where a float would begin to skip numbers.
            samples.push(Sample { key, value: *value as f64 });
        }
    }
}
