//! Caddy: what we read in JSON is what `/config/` says, and what it refuses we flag.

use std::process::{Command, Stdio};

use afterload::balancer::caddy;
use afterload::balancer::model::Gravity;
use afterload::balancer::source::{NoFiles, Source};
use serde_json::{Value, json};

use super::{Running, free_port, get, get_soon, program};

const CADDYFILE: &str = r#"
{
	admin 127.0.0.1:ADMIN
	auto_https off
	persist_config off
}
http://127.0.0.1:PORT {
	bind 127.0.0.1
	handle /cookie* {
		reverse_proxy 127.0.0.1:9001 127.0.0.1:9002 {
			lb_policy cookie srv secret
			health_uri /health
			health_interval 100s
			fail_duration 10s
			max_fails 3
			unhealthy_request_count 64
		}
	}
	handle /hash* {
		reverse_proxy https://127.0.0.1:9003 https://localhost:9004 {
			lb_policy header X-User
			transport http {
				tls_insecure_skip_verify
				dial_timeout 2s
				response_header_timeout 5s
				keepalive_idle_conns_per_host 8
			}
		}
	}
	handle /default {
		reverse_proxy 127.0.0.1:9005
	}
	handle /gone {
		respond 410
	}
	handle {
		reverse_proxy 127.0.0.1:9001 127.0.0.1:9002 127.0.0.1:9003 {
			lb_policy weighted_round_robin 5 1 1
			lb_try_duration 2s
			lb_retries 2
		}
	}
}
"#;

#[test]
fn an_adapted_caddyfile_says_what_the_running_caddy_says() {
    let folder = tempfile::tempdir().expect("folder");
    let (admin, port) = (free_port(), free_port());
    let path = folder.path().join("Caddyfile");
    std::fs::write(&path, CADDYFILE.replace("ADMIN", &admin.to_string()).replace("PORT", &port.to_string())).expect("config");
    let caddy_command = |args: &[&str]| {
        let mut command = Command::new(program("caddy"));
        command.args(args).env("HOME", folder.path()).env("XDG_CONFIG_HOME", folder.path()).env("XDG_DATA_HOME", folder.path());
        command
    };
    let adapted = caddy_command(&["adapt", "--adapter", "caddyfile", "--config"]).arg(&path).output().expect("caddy");
    let adapted = String::from_utf8(adapted.stdout).expect("JSON");
    let child = caddy_command(&["run", "--adapter", "caddyfile", "--config"])
        .arg(&path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("caddy");
    let _running = Running(child);
    let running = get_soon(admin, "/config/");
    let read = |text: &str| {
        let model = caddy::parse(&[Source::new("caddy.json", text)], &mut NoFiles, None);
        assert!(model.notices.is_empty(), "{:?}", model.notices);
        model
    };
    let (file, now) = (read(&adapted), read(&running));
    assert_eq!(file, now);
    let algorithms: Vec<_> = file.pools.iter().map(|pool| pool.algorithm.name.as_deref().unwrap_or_default()).collect();
    assert_eq!(algorithms.len(), 4, "{algorithms:?}");
    assert_eq!(file.pools.iter().flat_map(|pool| &pool.servers).filter_map(|server| server.weight.as_ref()).count(), 3);

    let state = caddy::state(&get(admin, "/reverse_proxy/upstreams").expect("upstreams")).expect("state");
    let mut theirs: Vec<_> = state.pools[0].servers.iter().filter_map(|server| server.address.clone()).collect();
    let mut ours: Vec<_> = file.pools.iter().flat_map(|pool| &pool.servers).map(|server| server.address.clone()).collect();
    ours.sort();
    ours.dedup();
    theirs.sort();
    assert_eq!(ours, theirs);
}

#[test]
fn what_caddy_refuses_we_flag_and_what_it_takes_we_do_not() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("caddy.json");
    let proxy = |balancing: Value| {
        let upstreams = json!([{"dial": "127.0.0.1:9001"}, {"dial": "127.0.0.1:9002"}]);
        let proxy = json!({"handler": "reverse_proxy", "upstreams": upstreams, "load_balancing": balancing});
        json!({"admin": {"disabled": true}, "apps": {"http": {"servers": {"a": {"listen": ["127.0.0.1:1"],
            "automatic_https": {"disable": true}, "routes": [{"handle": [proxy]}]}}}}})
    };
    let policy = |policy: Value| proxy(json!({"selection_policy": policy}));
    let mut twice = proxy(json!({}));
    let server = twice["apps"]["http"]["servers"]["a"].clone();
    twice["apps"]["http"]["servers"]["b"] = server;
    let mut differ = Vec::new();
    for config in [
        proxy(json!({})),
        policy(json!({"policy": "random"})),
        policy(json!({"policy": "nobody_knows"})),
        policy(json!({"policy": "random_choose", "choose": 1})),
        policy(json!({"policy": "random_choose", "choose": 2})),
        policy(json!({"policy": "weighted_round_robin", "weights": [0, 0]})),
        policy(json!({"policy": "weighted_round_robin", "weights": [1, -1]})),
        policy(json!({"policy": "weighted_round_robin", "weights": [1, 2]})),
        policy(json!({"policy": "weighted_round_robin", "weights": [1]})),
        policy(json!({"policy": "weighted_round_robin", "weights": [0, 2]})),
        policy(json!({"policy": "cookie", "name": "x", "fallback": {"policy": "first"}})),
        policy(json!({"policy": "cookie", "fallback": {"policy": "nobody_knows"}})),
        proxy(json!({"try_duration": "5s"})),
        proxy(json!({"try_duration": "5"})),
        proxy(json!({"retries": "two"})),
        twice,
    ] {
        let text = config.to_string();
        std::fs::write(&path, &text).expect("config");
        let verdict =
            Command::new(program("caddy")).args(["validate", "--config"]).arg(&path).env("HOME", folder.path()).output();
        let verdict = verdict.expect("caddy");
        let model = caddy::parse(&[Source::new("caddy.json", text.as_str())], &mut NoFiles, None);
        let errors: Vec<_> = model.notices.iter().filter(|notice| notice.gravity == Gravity::Error).map(|n| &n.text).collect();
        if verdict.status.success() != errors.is_empty() {
            differ.push(format!("{text}: {}\nwe say {errors:?}", String::from_utf8_lossy(&verdict.stderr)));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n\n"));
}
