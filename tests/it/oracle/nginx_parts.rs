//! Parts of nginx configs mean alone what they mean where nginx includes them, and the samples' trees are crossplane's.

use std::path::Path;
use std::process::{Command, Stdio};

use afterload::balancer::model::{Gravity, Model, Target};
use afterload::balancer::nginx::{self, tree};
use afterload::balancer::source::{NoFiles, Source};

use super::nginx::{as_crossplane, crossplane_reads};
use super::{Running, free_port, get_soon, program};

/// What `include` brings in, each at another depth.
const PARTS: [(&str, &str); 4] = [
    ("site.conf", "upstream web { least_conn; include servers.conf; }\nserver { listen 127.0.0.1:28450; include routes.conf; }"),
    ("servers.conf", "server 10.0.0.1:80 weight=3;\nserver 10.0.0.2:80 backup;"),
    (
        "routes.conf",
        "if ($host = old.example) { return 410; }\nrewrite ^/old/(.*) /new/$1 permanent;\nlocation /api { include pass.conf; }\n\
         location / { proxy_pass http://web; proxy_read_timeout 5m; }",
    ),
    ("pass.conf", "proxy_pass http://10.0.0.9:81;\nproxy_connect_timeout 2s;\nproxy_next_upstream error timeout http_503;"),
];

fn read(sources: &[Source]) -> Model {
    let model = nginx::parse(sources, &mut NoFiles, Some("1.31.3"));
    let errors: Vec<_> = model.notices.iter().filter(|notice| notice.gravity == Gravity::Error).collect();
    assert!(errors.is_empty(), "{errors:?}");
    model
}

fn routes(model: &Model) -> Vec<(Option<&str>, &Target)> {
    model.routes.iter().map(|route| (route.condition.as_deref(), &route.target)).collect()
}

#[test]
fn parts_mean_alone_what_they_mean_where_nginx_includes_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let main = "worker_processes 2;\nevents {}\nhttp {\naccess_log off;\ninclude site.conf;\n}\n";
    for (name, text) in PARTS.into_iter().chain([("nginx.conf", main)]) {
        std::fs::write(folder.path().join(name), text).expect("a part");
    }
    let output = Command::new(program("nginx"))
        .args(["-T", "-g", "pid nginx.pid; error_log stderr;", "-c"])
        .arg(folder.path().join("nginx.conf"))
        .arg("-p")
        .arg(folder.path())
        .output()
        .expect("nginx runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let whole = read(&Source::split("dump", &String::from_utf8_lossy(&output.stdout)));
    let source = |name: &str| {
        let text = PARTS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text).expect("a part");
        Source::new(name, text)
    };
    let all = read(&PARTS.map(|(name, text)| Source::new(name, text)));
    assert_eq!((routes(&all), &all.pools), (routes(&whole), &whole.pools));
    let servers = read(&[source("servers.conf")]);
    assert_eq!(servers.pools[0].servers, whole.pool("web").expect("web").servers);
    let located = read(&[source("routes.conf"), source("pass.conf")]);
    assert_eq!(routes(&located), routes(&whole));
    let (alone, there) = (read(&[source("pass.conf")]), whole.pool("10.0.0.9:81").expect("its pool"));
    assert_eq!((&alone.pools[0].timeouts, &alone.pools[0].retry), (&there.timeouts, &there.retry));
}

/// What a server says itself comes before all its locations.
#[test]
fn a_servers_own_answers_come_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let text = format!(
        "daemon off; pid nginx.pid; error_log stderr; events {{}}\nhttp {{ access_log off; server {{ listen 127.0.0.1:{port}; \
         location / {{ return 200 located; }} rewrite ^/old /new permanent; if ($uri = /if) {{ return 200 if; }} return 200 server; }} }}"
    );
    let file = folder.path().join("nginx.conf");
    std::fs::write(&file, &text).expect("a config");
    let child = Command::new(program("nginx"))
        .arg("-p")
        .arg(folder.path())
        .arg("-c")
        .arg(&file)
        .stderr(Stdio::null())
        .spawn()
        .expect("nginx starts");
    let mut running = Running(child);
    assert_eq!((get_soon(port, "/").as_str(), get_soon(port, "/if").as_str()), ("server", "if"));
    let moved = super::get(port, "/old").expect_err("a redirect").to_string();
    assert!(moved.starts_with("HTTP/1.1 301 "), "{moved}");
    // Its workers end with it only when it is asked to.
    Command::new(program("nginx")).args(["-s", "stop", "-p"]).arg(folder.path()).arg("-c").arg(&file).output().expect("nginx");
    running.0.wait().expect("it ends");
    let model = read(&[Source::new("nginx.conf", text)]);
    let said: Vec<_> = model.routes.iter().map(|route| route.condition.as_deref()).collect();
    assert_eq!(said, [Some("rewrite ^/old"), Some("if ($uri = /if)"), None, None]);
    assert_eq!(model.routes[2].target, Target::Other { said: "return 200 server".into() });
}

#[test]
fn the_trees_of_the_samples_are_crossplanes() {
    let folder = tempfile::tempdir().expect("a folder");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/nginx");
    for name in ["dump.txt", "sticky.conf", "methods.conf", "torture.conf"] {
        let text = std::fs::read_to_string(fixtures.join(name)).expect("a fixture");
        // Mended where nginx refuses it; where crossplane reads otherwise than nginx (escapes in quotes, Lua), the
        // difference is taken out.
        // Line feeds in a word are shown as what they are not.
        let mended = text
            .replace("multi\nline", "multi line")
            .replace("~^(?<x>\\d{2,3})$", "\"~^(?<x>\\d{2,3})$\"")
            .replace("\\\"d\\\"", "d");
        let mended = match (mended.find("content_by_lua_block"), mended.find("        if ($http_cookie")) {
            (Some(from), Some(to)) => format!("{}return 204; }}\n{}", &mended[..from], &mended[to..]),
            _ => mended,
        };
        for file in Source::split(name, &mended) {
            let kept: Vec<&str> = file.text.lines().filter(|line| !line.contains("$http_cookie")).collect();
            let text = kept.join("\n") + "\n";
            // crossplane drops what stands where it may not.
            let text = if text.contains("http {") { text } else { format!("http {{\n{text}}}\n") };
            let ours = as_crossplane(&tree::read(&text).directives);
            assert_eq!(ours, crossplane_reads(folder.path(), &text), "{name} {}", file.name);
            assert!(ours.as_array().is_some_and(|all| !all.is_empty()), "{name}");
        }
    }
}
