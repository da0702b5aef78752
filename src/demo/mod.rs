//! `afterload demo`: a year of incidents, made up, in a folder that is thrown away.
//!
//! The texts are files beside this one; they go through the same services as everything that people and recorders do,
//! with the clock held at each moment of the year. Then the clock is let go: a simulated HAProxy on a socket in the
//! folder is recorded like any other, and somebody goes on writing in the live incident. It connects to nothing.

mod clock;
mod edge;
mod fill;
mod live;
mod recorded;
mod silence;
mod story;
mod traffic;

use std::net::SocketAddr;
use std::path::Path;

use tokio::net::TcpSocket;

use crate::app::{App, SystemIds};
use crate::config::{Config, DataConfig};
use crate::domain::access::{Actor, Role};
use crate::domain::time::Timestamp;
use crate::services::people;
use crate::store::Store;

use clock::StageClock;
use edge::Edge;

/// Who is in it. The first one gets the link.
pub const PEOPLE: [(&str, Role); 6] = [
    ("mk", Role::Admin),
    ("jl", Role::Editor),
    ("ao", Role::Responder),
    ("rs", Role::Responder),
    ("tv", Role::Responder),
    ("guest", Role::Viewer),
];

/// A filled installation whose clock stands still at the moment for which it was made.
pub struct Demo {
    app: App,
    clock: StageClock,
    edge: Edge,
    live: fill::Live,
    password: String,
    /// Held so that nobody else answers where a balancer does not.
    _silence: Option<TcpSocket>,
}

impl Demo {
    /// Fills `folder`, which must be empty and stay until the end.
    ///
    /// # Errors
    /// When the folder cannot be written, or a text of the demo is wrong, which a test finds.
    pub async fn make(folder: &Path, listen: SocketAddr, now: Timestamp) -> anyhow::Result<Self> {
        let data = DataConfig { data: folder.to_owned(), database_url: None, database_url_file: None };
        let config = Config { listen, max_connections: 200, demo: true, ..Config::for_command(data) };
        let store = Store::open_throw_away(folder).await?;
        let clock = StageClock::default();
        clock.hold(now);
        let app = App::open_with(config, store, Box::new(clock.clone()), Box::new(SystemIds)).await?;
        let edge = Edge::default();
        let filled = fill::fill(&app, &clock, &edge, folder, now).await?;
        Ok(Self { app, clock, edge, live: filled.live, password: filled.password, _silence: filled.silence })
    }

    pub fn app(&self) -> &App {
        &self.app
    }

    /// The password of all accounts.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// A link that signs the first of [`PEOPLE`] in, once.
    pub async fn link(&self) -> anyhow::Result<String> {
        let everybody = people::list(&self.app, &Actor::Console).await?;
        let first = everybody.iter().find(|person| person.handle == PEOPLE[0].0);
        let first = first.ok_or_else(|| anyhow::anyhow!("the demo has no account {}", PEOPLE[0].0))?;
        let code = people::new_login_code(&self.app, first.id).await?;
        Ok(format!("{}/login?code={code}", self.app.config().public_url()))
    }

    /// Lets the clock go, and with it the live incident; it ends with the app's shutdown.
    pub fn go_on(&self) {
        self.clock.release();
        tokio::spawn(live::attend(self.app.clone(), self.live.clone()));
        tokio::spawn(live::run(self.app.clone(), self.edge.clone(), self.live.clone()));
    }
}
