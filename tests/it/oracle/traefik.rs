//! Traefik: what we read in the file provider's files is what `/api/rawdata` says.

use std::process::{Command, Stdio};
use std::time::Duration;

use afterload::balancer::model::{Gravity, Model};
use afterload::balancer::source::{NoFiles, Source};
use afterload::balancer::state::Health;
use afterload::balancer::traefik;

use super::{Running, free_port, get, get_soon, program};

const STATIC: &str = r#"
entryPoints:
  web: { address: "127.0.0.1:WEB" }
  traefik: { address: "127.0.0.1:API" }
api: { insecure: true, dashboard: false }
providers: { file: { directory: FOLDER } }
"#;

const YAML: &str = r#"
x-shared: &unused
http:
  routers:
    all: { rule: "PathPrefix(`/`)", service: wrr, entryPoints: [ web ], middlewares: [ both ] }
    hashed: { rule: "Host(`a.example`) && PathPrefix(`/b`)", service: hrw, entryPoints: [ web ] }
    ranked: { rule: "Path(`/c`)", service: split, entryPoints: [ web ], priority: 500 }
    two: { rule: "Path(`/d`)", service: p2c, entryPoints: [ web ] }
    fails: { rule: "Path(`/eeeee`)", service: over, entryPoints: [ web ] }
    mirrors: { rule: "Path(`/ffffff`)", service: mirror, entryPoints: [ web ] }
  middlewares:
    again: { retry: { attempts: 4, initialInterval: 100ms } }
    few: { inFlightReq: { amount: 7 } }
    both: { chain: { middlewares: [ again, few ] } }
  services:
    wrr:
      loadBalancer:
        servers: [ { url: "http://127.0.0.1:9001", weight: 5 }, { url: "http://127.0.0.1:9002", weight: 0 }, { url: "http://app.example", weight: 1 }, { url: "https://127.0.0.1/x" } ]
        healthCheck: { path: /health, interval: 1, timeout: 500ms, status: 204 }
        passiveHealthCheck: { failureWindow: 3s, maxFailedAttempts: 2 }
    hrw: { loadBalancer: { strategy: hrw, servers: [ { url: "http://127.0.0.1:9001", weight: 5 }, { url: "http://[::1]:9003" } ] } }
    p2c: { loadBalancer: { strategy: p2c, sticky: { cookie: { name: s, secure: true, httpOnly: true, sameSite: lax, maxAge: 60 } }, servers: [ { url: "http://127.0.0.1:9001" } ] } }
    least: { loadBalancer: { strategy: leasttime, servers: [ { url: "http://127.0.0.1:9004" } ] } }
    split: { weighted: { services: [ { name: wrr, weight: 3 }, { name: inner, weight: 1 } ] } }
    inner: { weighted: { services: [ { name: p2c, weight: 1 }, { name: least, weight: 2 } ] } }
    over: { failover: { service: wrr, fallback: p2c } }
    mirror: { mirroring: { service: wrr, mirrors: [ { name: p2c, percent: 10 } ] } }
tcp:
  routers:
    all: { rule: "HostSNI(`*`)", service: wrr, entryPoints: [ web ] }
  services:
    wrr: { loadBalancer: { servers: [ { address: "127.0.0.1:9001" }, { address: "db.example:5432" } ] } }
    alone: { loadBalancer: { servers: [ { address: "127.0.0.1:9001" } ] } }
"#;

const TOML: &str = r#"
[http.routers.more]
rule = "Path(`/more`)"
service = "toml"
entryPoints = ["web"]

[[http.services.toml.loadBalancer.servers]]
url = "http://127.0.0.1:9007"
weight = 2

[http.services.toml.loadBalancer.healthCheck]
path = "/"
"#;

fn essence(mut model: Model) -> Model {
    model.files.clear();
    model.notices.clear();
    model.listeners.clear();
    model.process.admin.clear();
    model.pools.sort_by(|a, b| a.name.cmp(&b.name));
    for pool in &mut model.pools {
        pool.algorithm.written = false;
    }
    model
}

#[test]
fn files_say_what_the_running_traefik_says() {
    let folder = tempfile::tempdir().expect("folder");
    let dynamic = folder.path().join("dynamic");
    std::fs::create_dir(&dynamic).expect("folder");
    let (web, api) = (free_port(), free_port());
    let config = STATIC
        .replace("WEB", &web.to_string())
        .replace("API", &api.to_string())
        .replace("FOLDER", &dynamic.display().to_string());
    let yaml = YAML.replace("x-shared: &unused\n", "");
    let path = folder.path().join("traefik.yml");
    std::fs::write(&path, &config).expect("config");
    std::fs::write(dynamic.join("a.yml"), &yaml).expect("config");
    std::fs::write(dynamic.join("b.toml"), TOML).expect("config");
    let sources = [Source::new("traefik.yml", config), Source::new("a.yml", yaml), Source::new("b.toml", TOML)];
    let files = traefik::parse(&sources, &mut NoFiles, None);
    let errors: Vec<_> = files.notices.iter().filter(|notice| notice.gravity == Gravity::Error).collect();
    assert!(errors.is_empty(), "{errors:?}");

    let mut command = Command::new(program("traefik"));
    command.arg(format!("--configFile={}", path.display())).stdout(Stdio::null()).stderr(Stdio::null());
    let _running = Running(command.spawn().expect("traefik"));
    let mut raw = get_soon(api, "/api/rawdata");
    for _ in 0..100 {
        // Each check of a server has been tried once when this one is down.
        let down = traefik::state(&raw).is_ok_and(|state| {
            state.pool("wrr").and_then(|pool| pool.servers.first()).is_some_and(|server| server.health == Some(Health::Down))
        });
        if raw.contains("more@file") && raw.contains("wrr@file") && down {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
        raw = get(api, "/api/rawdata").expect("rawdata");
    }
    let running = traefik::parse(&[Source::new("rawdata.json", raw.as_str())], &mut NoFiles, None);
    let (files, running) = (essence(files), essence(running));
    for (ours, theirs) in files.pools.iter().zip(&running.pools) {
        assert_eq!(ours, theirs);
    }
    for (ours, theirs) in files.routes.iter().zip(&running.routes) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(files, running);

    let state = traefik::state(&raw).expect("state");
    assert_eq!(state.pools.len(), files.pools.len());
    for pool in &files.pools {
        let now = state.pool(&pool.name).unwrap_or_else(|| panic!("{}", pool.name));
        let ours: Vec<_> = pool.servers.iter().map(|s| (s.name.as_str(), s.address.as_str(), s.configured_weight())).collect();
        let theirs: Vec<_> =
            now.servers.iter().map(|s| (s.name.as_str(), s.address.as_deref().unwrap_or_default(), s.weight)).collect();
        assert_eq!(ours, theirs);
    }
    assert_eq!(state.pool("wrr").expect("pool").servers[0].health, Some(Health::Down));
    assert_eq!(state.pool("hrw").expect("pool").servers[0].health, Some(Health::Unchecked));
}
