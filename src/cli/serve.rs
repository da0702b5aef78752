//! `afterload serve`: the server, and `healthcheck` that asks it.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use crate::app::App;
use crate::config::Config;
use crate::store::space::Space;
use crate::store::{Location, Schema, Store};
use crate::{jobs, server, services, store};

pub async fn run(config: Config) -> anyhow::Result<()> {
    start_log("info,sqlx=warn");
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!("cannot listen on {}; is another program using it? choose another address with --listen", config.listen)
    })?;
    let address = listener.local_addr()?;
    let config = Config { listen: address, ..config };
    let url = config.data.url()?;
    let _lock = match store::location(url.as_deref(), &config.data.data)? {
        Location::Files(path) => {
            // Before anything is touched: opening brings the schema up to date, below whoever serves from it.
            let lock = lock(store::folder_of(&path))?;
            if let Err(fault) = Space::of(&path).make_way() {
                tracing::debug!(%fault, "the disk tells nothing yet");
            }
            Some(lock)
        }
        Location::Postgres(_) => None,
    };
    let store = Store::open(url.as_deref(), &config.data.data).await?;
    let app = App::open(config, store).await?;
    services::postmortems::remember_base_url(&app).await?;
    // The reserve is there before the first write of others.
    if let Err(fault) = services::space::look(&app) {
        tracing::warn!(%fault, "the reserve for a full disk could not be made; it is tried again");
    }
    jobs::start(&app);
    announce(&app).await?;
    let stopping = app.clone();
    tokio::spawn(async move {
        wait_for_signal().await;
        stopping.shutdown().cancel();
        tracing::info!("stopping: what is in flight finishes first");
    });
    if let Some(address) = app.config().metrics_listen {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address} for /metrics; choose another address with --metrics-listen"))?;
        let (app, router) = (app.clone(), server::watched(&app));
        tokio::spawn(server::serve(app, listener, router));
    }
    let router = server::router(&app);
    server::serve(app.clone(), listener, router).await?;
    app.store().close().await;
    Ok(())
}

/// Says where the server is and, while nobody has an account, how to make the first one.
async fn announce(app: &App) -> anyhow::Result<()> {
    let url = app.config().public_url();
    let mut text = format!("Afterload {} is at {url}\n", env!("CARGO_PKG_VERSION"));
    text += &match app.store().space() {
        Some(space) => format!("Data is in {}\n", std::path::absolute(space.folder())?.display()),
        None => "Data is in PostgreSQL\n".to_owned(),
    };
    if let Some(code) = services::people::new_setup_code(app).await? {
        text += &format!("\nMake the first account (this link works once, for an hour):\n  {url}/setup?code={code}\n\n");
    }
    // Nobody listening is no reason not to serve.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}

pub(super) fn start_log(usual: &str) {
    let filter = EnvFilter::try_from_env("AFTERLOAD_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    // A second start in one process (tests) keeps the first log.
    let _ = if std::env::var("AFTERLOAD_LOG_FORMAT").is_ok_and(|format| format == "json") {
        log.json().try_init()
    } else {
        log.with_ansi(std::io::stderr().is_terminal()).try_init()
    };
}

/// Two servers on one SQLite file would each believe to be the only one.
pub(super) fn lock(data: &Path) -> anyhow::Result<std::fs::File> {
    std::os::unix::fs::DirBuilderExt::mode(std::fs::DirBuilder::new().recursive(true), 0o700).create(data)?;
    let path = data.join("serve.lock");
    let file = std::fs::File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    file.try_lock().with_context(|| format!("another afterload serves from {}; stop it first", data.display()))?;
    Ok(file)
}

/// The same lock for a command that finds an older schema, until it changed it. A server that runs knows only the old one.
pub(super) async fn lock_for_upgrade(store: &Store) -> anyhow::Result<Option<std::fs::File>> {
    let newest = Schema::newest(store.dialect())?;
    let is_older = store.schema().await?.is_some_and(|schema| newest.is_newer_than(schema));
    match store.space() {
        Some(space) if is_older => {
            let lock = lock(space.folder());
            lock.context("the data has the schema of an older afterload, which is not changed while a server runs").map(Some)
        }
        _ => Ok(None),
    }
}

pub(super) async fn wait_for_signal() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(_) => return std::future::pending().await,
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

#[derive(Args)]
pub struct Healthcheck {
    /// Address of the server
    #[arg(long, env = "AFTERLOAD_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

pub async fn healthcheck(command: Healthcheck) -> anyhow::Result<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut address = command.listen;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let ask = async {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        let mut answer = [0; 64];
        let length = stream.read(&mut answer).await?;
        std::io::Result::Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
    };
    let answer = tokio::time::timeout(std::time::Duration::from_secs(5), ask).await;
    let answer = answer
        .with_context(|| format!("the server at {address} gave no answer within 5 s"))?
        .with_context(|| format!("nobody answers at {address}; is the server running, and is AFTERLOAD_LISTEN its address?"))?;
    anyhow::ensure!(
        answer.starts_with("HTTP/1.1 200"),
        "the server at {address} is not well: {}",
        answer.lines().next().unwrap_or_default()
    );
    Ok(())
}
