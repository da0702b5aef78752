//! HAProxy's answers about its run-time state: `show servers state`, `show stat`, the statistics page as CSV.
//!
//! Pure: text in, values out. Columns are found by the header's names, never by position: their number grows with
//! every version (management guide, chapter 9.1).

use crate::balancer::clean_name;
use crate::balancer::maps::HashMap;
use crate::balancer::state::{Admin, Health, PoolState, ServerState, State};

/// The state from the text of `show servers state`, of `show stat`, or of the statistics page as CSV. The first tells
/// no algorithm and no backup, the others no configured weight. The error is one sentence for people.
pub fn state(text: &str) -> Result<State, String> {
    if let Some(lines) = parse_servers_state(text) {
        return Ok(servers_alone(lines));
    }
    let rows = parse_stat(text).ok_or_else(|| {
        "this is neither the answer to `show servers state` nor to `show stat` (or the statistics page with `;csv`); send one of them as HAProxy gives it".to_owned()
    })?;
    Ok(combined(&rows, None, None))
}

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
            // HAProxy says `unknown` of `random`.
            algorithm: text("algo").filter(|name| name != "unknown"),
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
    pub health: Option<Health>,
}

/// `srv_check_state`: bit 2 says that checks are enabled (CHK_ST_ENABLED in include/haproxy/check-t.h).
const CHECK_ENABLED: u32 = 4;

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
    let mut servers = ServerLines::default();
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
        // Without checks the state stays `running` for good; nobody looked.
        let unchecked = number("srv_check_state").is_some_and(|bits| bits & CHECK_ENABLED == 0);
        let health = match number("srv_op_state") {
            // Of a server in maintenance nobody asks.
            _ if admin(bits) == Admin::Maintenance => None,
            Some(2 | 3) if unchecked => Some(Health::Unchecked),
            Some(0) => Some(Health::Down),
            // 1 is starting (slow start), 3 stopping.
            Some(1 | 3) => Some(Health::Changing),
            Some(2) => Some(Health::Up),
            _ => None,
        };
        servers.insert(key, ServerLine { admin: admin(bits), weight, weight_configured, address, health });
    }
    Some(servers)
}

/// The state alone, from the text of `show servers state` that somebody sent. Pools and servers come in the
/// order of their names; what only `show stat` tells (algorithm, backup) is not known.
fn servers_alone(lines: ServerLines) -> State {
    let mut lines: Vec<((String, String), ServerLine)> = lines.into_iter().collect();
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
            health: line.health,
        };
        if let Some(pool) = state.pools.last_mut() {
            pool.servers.push(server);
        }
    }
    state
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

/// The state from both answers. Pools in the order of the config. The internal proxy `GLOBAL` (the runtime socket
/// itself) and frontends are left out.
pub fn combined(rows: &[Row], servers: Option<&ServerLines>, version: Option<String>) -> State {
    let mut state = State { version, pools: Vec::new() };
    let mut known: HashMap<&str, usize> = HashMap::default();
    for row in rows.iter().filter(|row| row.of_pool()) {
        let at = *known.entry(&row.pool).or_insert_with(|| {
            state.pools.push(PoolState { name: row.pool.clone(), ..Default::default() });
            state.pools.len() - 1
        });
        let pool = &mut state.pools[at];
        if row.server == "BACKEND" {
            pool.algorithm = row.algorithm.clone();
            continue;
        }
        let line = row.line(servers);
        pool.servers.push(ServerState {
            name: row.server.clone(),
            address: row.address.clone().or_else(|| line.and_then(|line| line.address.clone())),
            weight: row.weight_in_force(servers),
            weight_configured: line.map(|line| line.weight_configured),
            admin: line.map_or_else(|| admin_of_status(&row.status), |line| line.admin),
            backup: row.backup,
            health: health_of_status(&row.status).or_else(|| line.and_then(|line| line.health)),
        });
    }
    state
}

impl Row {
    /// Whether it tells of a pool or of one of its servers. A listener's own line (`option socket-stats`) has neither
    /// a weight nor a place in a pool.
    pub fn of_pool(&self) -> bool {
        self.pool != "GLOBAL" && self.server != "FRONTEND" && (self.server == "BACKEND" || self.weight.is_some())
    }

    fn line<'a>(&self, servers: Option<&'a ServerLines>) -> Option<&'a ServerLine> {
        servers?.get(&(self.pool.clone(), self.server.clone()))
    }

    /// The weight that people set last; 0 where nothing tells it.
    pub fn weight_in_force(&self, servers: Option<&ServerLines>) -> u32 {
        self.line(servers).map(|line| line.weight).or(self.weight).unwrap_or_default()
    }
}

fn admin_of_status(status: &str) -> Admin {
    match status {
        _ if status.starts_with("MAINT") => Admin::Maintenance,
        _ if status.starts_with("DRAIN") => Admin::Drain,
        _ => Admin::Ready,
    }
}

/// `UP 1/3` is going down, `DOWN 1/2` is coming up. Of a server in maintenance nobody asks.
fn health_of_status(status: &str) -> Option<Health> {
    Some(match status {
        "no check" => Health::Unchecked,
        "UP" | "NOLB" | "DRAIN" | "UP (via track)" => Health::Up,
        "DOWN" | "DOWN (agent)" => Health::Down,
        _ if status.starts_with("MAINT") => return None,
        _ if status.contains('/') => Health::Changing,
        _ if status.starts_with("UP") || status.starts_with("NOLB") || status.starts_with("DRAIN") => Health::Up,
        _ if status.starts_with("DOWN") => Health::Down,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> String {
        let path = format!("{}/tests/fixtures/haproxy/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).expect("fixture")
    }

    #[test]
    fn both_answers_tell_the_same_state() {
        for (stat, servers) in
            [("show_stat.csv", "show_servers_state.txt"), ("v2.8_show_stat.csv", "v2.8_show_servers_state.txt")]
        {
            let (stat, servers) = (state(&fixture(stat)).expect("stat"), state(&fixture(servers)).expect("servers"));
            for pool in &servers.pools {
                for server in &pool.servers {
                    let other = stat.pool(&pool.name).and_then(|pool| pool.server(&server.name)).expect("in both");
                    assert_eq!(
                        (other.weight, other.admin, other.health, &other.address),
                        (server.weight, server.admin, server.health, &server.address)
                    );
                }
            }
            assert_eq!(servers.pool("be_app").expect("pool").servers.len(), 3);
        }
        let page = state(&fixture("stats_page.csv")).expect("page");
        assert_eq!(
            page.pool("be_api").and_then(|p| p.server("api3")).map(|s| (s.admin, s.health)),
            Some((Admin::Maintenance, None))
        );
        assert_eq!(page.pool("be_api").and_then(|p| p.server("api1")).map(|s| s.health), Some(Some(Health::Up)));
    }

    #[test]
    fn health_is_told_from_both_sources() {
        let said = ["UP", "UP 1/3", "DOWN", "DOWN 1/2", "no check", "MAINT", "DRAIN", "NOLB", "odd"].map(health_of_status);
        let wanted = [
            Some(Health::Up),
            Some(Health::Changing),
            Some(Health::Down),
            Some(Health::Changing),
            Some(Health::Unchecked),
            None,
            Some(Health::Up),
            Some(Health::Up),
            None,
        ];
        assert_eq!(said, wanted);
        let line = |op: u32, admin: u32, check: u32| {
            let text = format!(
                "1\n# be_name srv_name srv_op_state srv_admin_state srv_uweight srv_iweight srv_check_state\nb s {op} {admin} 1 1 {check}\n"
            );
            state(&text).expect("state").pools[0].servers[0].health
        };
        assert_eq!(
            [line(2, 0, 6), line(0, 0, 6), line(1, 0, 6), line(2, 0, 0), line(0, 5, 14)],
            [Some(Health::Up), Some(Health::Down), Some(Health::Changing), Some(Health::Unchecked), None]
        );
    }

    #[test]
    fn foreign_answers_are_refused_with_a_word() {
        for text in ["", "Unknown command\n", "<html>", "1\n# srv_name\n"] {
            assert!(state(text).is_err_and(|why| why.contains("show servers state")), "{text:?}");
        }
    }
}
