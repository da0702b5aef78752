//! The settings of the server: one struct; every flag has an environment name.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

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

impl DataConfig {
    /// The folder that holds the SQLite files.
    pub fn folder(&self) -> std::io::Result<PathBuf> {
        let url = self.url()?;
        let file = url
            .as_deref()
            .and_then(|url| url.strip_prefix("sqlite:"))
            .map(|path| PathBuf::from(path.strip_prefix("//").unwrap_or(path)));
        Ok(match file.as_deref().and_then(std::path::Path::parent) {
            Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
            Some(folder) => folder.to_owned(),
            None => self.data.clone(),
        })
    }
}

impl fmt::Debug for DataConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.database_url.as_deref().and_then(|url| url.split(':').next());
        f.debug_struct("DataConfig").field("data", &self.data).field("database", &scheme.unwrap_or("sqlite")).finish()
    }
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
    #[arg(long, env = "AFTERLOAD_KEEP_SAMPLES_DAYS", default_value_t = 14, value_name = "DAYS")]
    pub keep_samples_days: i64,
    /// Days for which the raw bodies of alert deliveries are kept
    #[arg(long, env = "AFTERLOAD_KEEP_DELIVERIES_DAYS", default_value_t = 30, value_name = "DAYS")]
    pub keep_deliveries_days: i64,
    /// Minutes within which a returning alert re-opens the incident that it came from
    #[arg(long, env = "AFTERLOAD_REOPEN_MINUTES", default_value_t = 30, value_name = "MINUTES")]
    pub reopen_minutes: i64,
    /// Most connections at once
    #[arg(long, env = "AFTERLOAD_MAX_CONNECTIONS", default_value_t = 2000, value_name = "N")]
    pub max_connections: usize,
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
            reopen_minutes: 30,
            max_connections: 1,
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
