//! The settings of the server: one struct; every flag has an environment name.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use ipnet::IpNet;

/// Where the data is; shared by the server and the administration commands.
#[derive(Clone, Args)]
pub struct DataConfig {
    /// Folder of the embedded database; made when it is not there
    #[arg(long, env = "AFTERLOAD_DATA", default_value = "data", value_name = "DIR")]
    pub data: PathBuf,
    /// Database address: `sqlite:PATH` or `postgres://…`; SQLite in the data folder when not given
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// File that holds the database address, for secrets mounted as files
    #[arg(long, env = "DATABASE_URL_FILE", value_name = "FILE", conflicts_with = "database_url")]
    pub database_url_file: Option<PathBuf>,
}

impl DataConfig {
    /// The database address, read from its file where one is given.
    pub fn url(&self) -> std::io::Result<Option<String>> {
        match &self.database_url_file {
            Some(path) => std::fs::read_to_string(path).map(|text| Some(text.trim().to_owned())),
            None => Ok(self.database_url.clone()),
        }
    }
}

impl fmt::Debug for DataConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.database_url.as_deref().and_then(|url| url.split(':').next());
        f.debug_struct("DataConfig").field("data", &self.data).field("database", &scheme.unwrap_or("sqlite")).finish()
    }
}

/// As many as a clock can count back.
fn days() -> clap::builder::RangedI64ValueParser {
    clap::value_parser!(i64).range(0..=36_500)
}

/// Up to a year.
fn minutes() -> clap::builder::RangedI64ValueParser {
    clap::value_parser!(i64).range(0..=525_600)
}

/// One address, or all that begin alike.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let one = || text.parse::<IpAddr>().map(IpNet::from).ok();
    text.parse().ok().or_else(one).ok_or_else(|| "write an address (192.0.2.7) or a network (192.0.2.0/24)".to_owned())
}

#[derive(Clone, Debug, Args)]
pub struct Config {
    #[command(flatten)]
    pub data: DataConfig,
    /// Address and port to listen on
    #[arg(long, env = "AFTERLOAD_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Address under which people reach this server, such as https://afterload.example
    #[arg(long, env = "AFTERLOAD_BASE_URL", value_name = "URL")]
    pub base_url: Option<String>,
    /// Address and port that answer /metrics alone, without a token; a token with balancers:read reads it at the main one
    #[arg(long, env = "AFTERLOAD_METRICS_LISTEN", value_name = "ADDRESS")]
    pub metrics_listen: Option<SocketAddr>,
    /// Days for which recorded samples outside incidents are kept
    #[arg(long, env = "AFTERLOAD_KEEP_SAMPLES_DAYS", default_value_t = 14, value_name = "DAYS", value_parser = days())]
    pub keep_samples_days: i64,
    /// Days for which the raw bodies of alert deliveries are kept
    #[arg(long, env = "AFTERLOAD_KEEP_DELIVERIES_DAYS", default_value_t = 30, value_name = "DAYS", value_parser = days())]
    pub keep_deliveries_days: i64,
    /// Days for which deleted incidents and entries can be brought back; then they are erased. 0 for ever
    #[arg(long, env = "AFTERLOAD_KEEP_DELETED_DAYS", default_value_t = 30, value_name = "DAYS", value_parser = days())]
    pub keep_deleted_days: i64,
    /// Days for which the log of changes is kept; 0 for ever
    #[arg(long, env = "AFTERLOAD_KEEP_EVENTS_DAYS", default_value_t = 400, value_name = "DAYS", value_parser = days())]
    pub keep_events_days: i64,
    /// Minutes within which a returning alert re-opens the incident that it came from
    #[arg(long, env = "AFTERLOAD_REOPEN_MINUTES", default_value_t = 30, value_name = "MINUTES", value_parser = minutes())]
    pub reopen_minutes: i64,
    /// Most connections at once
    #[arg(long, env = "AFTERLOAD_MAX_CONNECTIONS", default_value_t = 2000, value_name = "N")]
    pub max_connections: usize,
    /// MiB of disk that are held back beside the SQLite files, so that people can go on when the disk is full; 0 for none
    #[arg(long, env = "AFTERLOAD_RESERVE_MIB", default_value_t = 16, value_name = "MIB", value_parser = clap::value_parser!(u64).range(0..=65_536))]
    pub reserve_mib: u64,
    /// Requests a minute for each API token, and for each address that brings none; 0 for any number. Hooks do not count
    #[arg(long, env = "AFTERLOAD_API_PER_MINUTE", default_value_t = 600, value_name = "N")]
    pub api_per_minute: u32,
    /// Proxies whose X-Forwarded-For is believed: addresses or networks such as 10.0.0.0/8, with commas between
    #[arg(long, env = "AFTERLOAD_TRUSTED_PROXIES", value_name = "NETWORKS", value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,
    /// Whether this is `afterload demo`: pages say so, and its cookie is its own.
    #[arg(skip)]
    pub demo: bool,
}

impl Config {
    /// The settings of a command that works on the data and serves nothing.
    pub fn for_command(data: DataConfig) -> Self {
        Self {
            data,
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            base_url: None,
            metrics_listen: None,
            keep_samples_days: 14,
            keep_deliveries_days: 30,
            keep_deleted_days: 30,
            keep_events_days: 400,
            reopen_minutes: 30,
            max_connections: 1,
            reserve_mib: 0,
            api_per_minute: 0,
            trusted_proxies: Vec::new(),
            demo: false,
        }
    }

    /// Whether cookies are marked Secure: whenever people come over https.
    pub fn secure_cookies(&self) -> bool {
        self.base_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }

    /// The public address without a slash at its end, or the listening one.
    pub fn public_url(&self) -> String {
        self.base_url.as_deref().map_or_else(|| format!("http://{}", self.listen), |url| url.trim_end_matches('/').to_owned())
    }
}
