//! A HAProxy that is none: it answers `show` commands on a runtime socket from its config and the traffic model, so that
//! the recorder reads it as it reads a real one. It listens in the demo's own folder and forwards nothing.

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::traffic::{PoolRun, Run};
use crate::app::App;
use crate::balancer;
use crate::balancer::model::{Model, Pool, Role, Server};
use crate::balancer::source::{NoFiles, Source};
use crate::balancer::state::Admin;
use crate::domain::balancer::BalancerKind;
use crate::domain::time::Timestamp;

/// Cheap to clone; all clones are one balancer.
#[derive(Clone, Default)]
pub struct Edge(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    model: Model,
    pools: Vec<PoolRun>,
    /// Until when it counted; while it plays the past it counts nothing.
    counted: Option<Timestamp>,
}

/// What a HAProxy config means.
pub fn model(config: &str) -> Model {
    balancer::parse(BalancerKind::Haproxy, &[Source::new("haproxy.cfg", config)], &mut NoFiles, None)
}

impl Edge {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs with this config from now on.
    pub fn configure(&self, config: &str) {
        self.inner().model = model(config);
    }

    /// Counts on from what was counted until `at`.
    pub fn count_on(&self, pools: Vec<PoolRun>, at: Timestamp) {
        let mut inner = self.inner();
        inner.pools = pools;
        inner.counted = Some(at);
    }

    /// The server of `pool` that has most requests waiting, and how many all of them have.
    pub fn worst(&self, pool: &str) -> Option<(Run, f64)> {
        let inner = self.inner();
        let servers = &inner.pools.iter().find(|run| run.load.pool == pool)?.servers;
        let worst = servers.iter().max_by(|a, b| {
            (a.queue, a.response_ms).partial_cmp(&(b.queue, b.response_ms)).unwrap_or(std::cmp::Ordering::Equal)
        })?;
        Some((worst.clone(), servers.iter().map(|server| server.queue).sum()))
    }

    /// Answers until the app ends.
    pub async fn serve(self, listener: UnixListener, app: App) {
        loop {
            tokio::select! {
                accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                    // One command a connection, and the answers are short: no need to do two at once. Who breaks off
                    // asks again.
                    let _ = self.answer(stream, app.now()).await;
                },
                () = app.shutdown().cancelled() => return,
            }
        }
    }

    async fn answer(&self, stream: UnixStream, now: Timestamp) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut command = String::new();
        stream.read_line(&mut command).await?;
        let text = self.inner().say(command.trim(), now);
        stream.write_all(text.as_bytes()).await
    }
}

impl Inner {
    fn say(&mut self, command: &str, now: Timestamp) -> String {
        match command {
            "show stat" => {
                self.count(now);
                self.stat()
            }
            "show servers state" => self.servers_state(),
            "show info" => "Name: HAProxy\nVersion: 2.8.16\nUptime_sec: 86400\n\n".to_owned(),
            _ => "Unknown command\n\n".to_owned(),
        }
    }

    fn count(&mut self, now: Timestamp) {
        let Some(counted) = self.counted else { return };
        let seconds = (now - counted).num_milliseconds() as f64 / 1000.0;
        // Asked twice at once, nothing has happened between.
        if seconds < 0.5 {
            return;
        }
        for run in &mut self.pools {
            if let Some(pool) = self.model.pool(&run.load.pool) {
                run.step(pool, now, seconds);
            }
        }
        self.counted = Some(now);
    }

    fn pools(&self) -> impl Iterator<Item = (&Pool, Option<&PoolRun>)> {
        let with_servers = self.model.pools.iter().filter(|pool| !pool.servers.is_empty());
        with_servers.map(|pool| (pool, self.pools.iter().find(|run| run.load.pool == pool.name)))
    }

    /// `show stat`: the columns that are read. What is not counted is left empty.
    fn stat(&self) -> String {
        let mut text =
            "# pxname,svname,qcur,scur,stot,status,weight,act,bck,lbtot,uweight,algo,addr,rtime,hrsp_4xx,hrsp_5xx,econ,\n"
                .to_owned();
        for (pool, run) in self.pools() {
            for server in &pool.servers {
                let counted = run.and_then(|run| run.servers.iter().find(|known| known.name == server.name));
                let status = match server.effective_admin() {
                    Admin::Maintenance => "MAINT",
                    Admin::Drain => "DRAIN",
                    Admin::Ready if counted.is_some_and(|run| run.down) => "DOWN",
                    Admin::Ready => "UP",
                };
                let (weight, backup) = (server.effective_weight(), u8::from(server.role == Role::Backup));
                let [queue, sessions, total, time, missing, errors] = counted.map_or_else(Default::default, |run| {
                    [run.queue, run.sessions, run.requests, run.response_ms, run.errors_4xx, run.errors_5xx]
                        .map(|value| value.floor().to_string())
                });
                let _ = writeln!(
                    text,
                    "{},{},{queue},{sessions},{total},{status},{weight},{},{backup},{total},{weight},,{},{time},{missing},{errors},,",
                    pool.name,
                    server.name,
                    1 - backup,
                    server.address
                );
            }
            let algorithm = pool.algorithm.name.as_deref().and_then(|name| name.split(' ').next()).unwrap_or("roundrobin");
            let [total, missing, errors] = run.map_or_else(Default::default, |run| {
                let sum = |of: fn(&Run) -> f64| run.servers.iter().map(of).sum::<f64>();
                [sum(|s| s.requests) + run.unserved, sum(|s| s.errors_4xx), sum(|s| s.errors_5xx) + run.unserved]
                    .map(|value| value.floor().to_string())
            });
            let _ = writeln!(text, "{},BACKEND,,,{total},UP,,,,,,{algorithm},,,{missing},{errors},,", pool.name);
        }
        text.push('\n');
        text
    }

    fn servers_state(&self) -> String {
        let mut text =
            "1\n# be_name srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_check_state srv_port\n"
                .to_owned();
        for (pool, run) in self.pools() {
            for server in &pool.servers {
                let (host, port) = server.address.rsplit_once(':').unwrap_or((&server.address, "80"));
                let down = run.is_some_and(|run| run.servers.iter().any(|known| known.name == server.name && known.down));
                let line = state_line(server, down);
                let _ = writeln!(text, "{} {} {host} {line} {port}", pool.name, server.name);
            }
        }
        text.push('\n');
        text
    }
}

/// Operational state, admin state, weight in force, weight configured, state of the check.
fn state_line(server: &Server, down: bool) -> String {
    let admin = match server.effective_admin() {
        Admin::Ready => 0,
        Admin::Drain => 8,
        Admin::Maintenance => 5,
    };
    let running = if down || admin == 5 { 0 } else { 2 };
    let check = if server.check.is_some() { 6 } else { 0 };
    format!("{running} {admin} {} {} {check}", server.effective_weight(), server.configured_weight())
}
