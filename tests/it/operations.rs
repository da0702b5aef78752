//! The commands that keep an installation running, on temporary folders: backup, restore, migrate, doctor, the lists and
//! `config print`.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use afterload::domain::balancer::BalancerFields;
use afterload::domain::id::IncidentRef;
use afterload::domain::task::TaskFields;
use afterload::domain::timeline::{EntryFields, NewEntry};
use afterload::services::snapshots::{self, PushedSnapshot};
use afterload::services::{attachments, balancers, incidents, tasks, timeline};
use afterload::store::{Schema, Store, copies, db::Dialect, portable, samples};
use serde_json::{Value, json};

use crate::kill::Server;
use crate::world::{World, admin, on_both, responder};

/// An installation with something in every kind of column: ids, times, JSON, truth, bytes, samples, files.
async fn fill(world: &World) {
    let app = &world.app;
    let incident = world.incident("Checkout fails — 5 % “of all”").await;
    let which = IncidentRef::Id(incident.id);
    incidents::edit(app, &responder(), which, incident.version, &json!({"severity": "sev1", "labels": {"b": "2", "a": "1"}}))
        .await
        .expect("edited");
    let entry = NewEntry {
        id: None,
        fields: EntryFields { pinned: true, body: "1.5e300, \u{1f9ef}\n\ttab".into(), ..world.note("seen").fields },
    };
    let (entry, _) = timeline::add(app, &responder(), which, entry).await.expect("entry");
    world.clock.advance_seconds(61);
    timeline::edit(app, &responder(), which, entry.id, entry.version, &json!({"title": "seen again"})).await.expect("edited");
    tasks::add(app, &responder(), which, None, TaskFields { title: "Alert on it".into(), ..TaskFields::default() })
        .await
        .expect("task");
    attachments::add(app, &responder(), "graph.txt", "0 1 2".repeat(200).into()).await.expect("file");
    let fields = BalancerFields { name: "edge".into(), config_path: "/etc/haproxy/haproxy.cfg".into(), ..Default::default() };
    let edge = balancers::add(app, &admin(), fields).await.expect("balancer");
    let pushed = PushedSnapshot { config: "backend web\n  server web1 10.0.0.1:80\n".into(), ..Default::default() };
    snapshots::push(app, &admin(), edge.id, pushed).await.expect("snapshot");
    let mut conn = app.store().samples().begin().await.expect("begin");
    samples::insert_frame(&mut conn, edge.id, app.now(), &[0, 255, 7, 10]).await.expect("sample");
    conn.commit().await.expect("commit");
}

/// Every row of every table, in the shared form.
async fn all_rows(store: &Store) -> Vec<(String, Vec<portable::Cell>)> {
    let mut found = Vec::new();
    for part in store.parts() {
        let mut conn = part.snapshot().await.expect("snapshot");
        for table in portable::tables(&mut conn).await.expect("tables") {
            let name = table.name.as_str().to_owned();
            portable::rows(&mut conn, &table, |cells| {
                found.push((name.clone(), cells));
                Ok(())
            })
            .await
            .expect("rows");
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn afterload(url: Option<&str>, data: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_afterload"));
    command.args(args).env_remove("DATABASE_URL").env("AFTERLOAD_DATA", data).stdin(Stdio::null());
    if let Some(url) = url {
        command.env("DATABASE_URL", url);
    }
    command.output().expect("the command runs")
}

fn done(output: Output) -> String {
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// What a command says when it refuses: exit status 2, nothing on standard output.
fn refused(output: Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).expect("text")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).expect("there").permissions()) & 0o777
}

/// Names in a folder, without the lock of the commands.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = entries.filter(|name| name != "serve.lock").collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_taken_while_writes_go_on_and_comes_back_whole() {
    let world = World::sqlite().await;
    fill(&world).await;
    let before = all_rows(world.app.store()).await;
    let (file, folder) = (world.path("copy.afterload"), world.path("restored"));
    // A writer holds its transaction all the while: the backup neither waits for it nor sees it.
    let mut writing = world.app.store().begin().await.expect("begin");
    writing.query("insert into settings (name, value) values ('half', 'written')").execute().await.expect("written");
    let said = done(afterload(Some(&world.url), &folder, &["backup", text(&file)]));
    writing.commit().await.expect("commit");
    assert!(said.contains("written and read back") && said.contains("2 texts and files fit their hashes"), "{said}");
    assert_eq!(mode(&file), 0o600);
    assert!(names(&world.path("")).iter().all(|name| !name.starts_with(".afterload")), "{:?}", names(&world.path("")));
    let again = refused(afterload(Some(&world.url), &folder, &["backup", text(&file)]));
    assert!(again.contains("overwrites nothing"), "{again}");
    let checked = done(afterload(None, &folder, &["restore", "--verify", text(&file)]));
    assert!(checked.contains("whole") && checked.contains("incidents") && !folder.exists(), "{checked}");
    done(afterload(None, &folder, &["restore", text(&file)]));
    assert_eq!(names(&folder), ["afterload.db", "afterload.samples.db"]);
    assert_eq!((mode(&folder), mode(&folder.join("afterload.db"))), (0o700, 0o600));
    let store = Store::open(None, &folder).await.expect("opens");
    assert_eq!(all_rows(&store).await, before);
    store.close().await;
    let again = refused(afterload(None, &folder, &["restore", text(&file)]));
    assert!(again.contains("is not empty (afterload"), "{again}");
    let held = std::fs::File::open(folder.join("serve.lock")).expect("the lock's file");
    held.lock().expect("locked");
    let running = refused(afterload(None, &folder, &["restore", text(&file)]));
    assert!(running.contains("another afterload serves"), "{running}");
}

on_both!(a_portable_backup_moves_between_both_databases_and_back_with_equal_rows, world => {
    fill(world).await;
    let before = all_rows(world.app.store()).await;
    let first = world.path("first.afterload");
    done(afterload(Some(&world.url), &world.path(""), &["backup", "--portable", text(&first)]));
    let (there, back) = (World::empty_postgres().await, world.path("back"));
    let said = done(afterload(Some(&there), &back, &["restore", text(&first)]));
    assert!(said.contains("PostgreSQL"), "{said}");
    let moved = Store::open(Some(&there), &back).await.expect("opens");
    assert_eq!(all_rows(&moved).await, before);
    // Numbers go on where they were.
    let mut conn = moved.begin().await.expect("begin");
    let (top, next) = ("select max(seq) from events", "insert into events (at, kind, actor, data) select at, kind, actor, data from events limit 1 returning seq");
    let top: Option<i64> = conn.query(top).value().await.expect("top");
    assert_eq!(conn.query(next).value::<i64>().await.expect("next"), top.map(|top| top + 1));
    drop(conn);
    let again = refused(afterload(Some(&there), &back, &["restore", text(&first)]));
    assert!(again.contains("is not empty"), "{again}");
    let second = world.path("second.afterload");
    done(afterload(Some(&there), &back, &["backup", text(&second)]));
    moved.close().await;
    done(afterload(None, &back, &["restore", text(&second)]));
    let returned = Store::open(None, &back).await.expect("opens");
    assert_eq!(all_rows(&returned).await, before);
    returned.close().await;
});

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_sqlite_is_not_forced_into_postgres() {
    let world = World::sqlite().await;
    let file = world.path("copy.afterload");
    done(afterload(Some(&world.url), &world.path(""), &["backup", text(&file)]));
    let said = refused(afterload(Some(&World::empty_postgres().await), &world.path(""), &["restore", text(&file)]));
    assert!(said.contains("backup --portable"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_with_one_changed_byte_or_a_missing_end_is_refused() {
    let world = World::sqlite().await;
    fill(&world).await;
    for form in [&["backup"][..], &["backup", "--portable"]] {
        let file = world.path(if form.len() == 1 { "files" } else { "rows" });
        done(afterload(Some(&world.url), &world.path(""), &[form, &[text(&file)]].concat()));
        let whole = std::fs::read(&file).expect("read");
        let (damaged, folder) = (world.path("damaged"), world.path("never"));
        let places = [0, 40, whole.len() / 3, whole.len() / 2, whole.len() - 100, whole.len() - 60, whole.len() - 1];
        for place in places {
            let mut bytes = whole.clone();
            bytes[place] ^= 0x10;
            std::fs::write(&damaged, &bytes).expect("written");
            for args in [&["restore", "--verify"][..], &["restore"]] {
                let said = refused(afterload(None, &folder, &[args, &[text(&damaged)]].concat()));
                assert!(said.contains("damaged") || said.contains("its checksum is"), "byte {place}: {said}");
            }
            assert!(names(&folder).is_empty(), "byte {place}");
        }
        std::fs::write(&damaged, &whole[..whole.len() - 1]).expect("written");
        assert!(refused(afterload(None, &folder, &["restore", text(&damaged)])).contains("not a whole backup"));
    }
    let other = world.path("other.txt");
    std::fs::write(&other, "hello ".repeat(50)).expect("written");
    assert!(
        refused(afterload(None, &world.path("never"), &["restore", "--verify", text(&other)])).contains("not a whole backup")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_data_that_is_damaged_inside_is_not_called_whole() {
    let world = World::sqlite().await;
    fill(&world).await;
    let mut conn = world.app.store().begin().await.expect("begin");
    conn.query("update blobs set bytes = x'00ff' where hash = (select hash from attachments)").execute().await.expect("damaged");
    conn.commit().await.expect("commit");
    let file = world.path("copy.afterload");
    let said = refused(afterload(Some(&world.url), &world.path(""), &["backup", text(&file)]));
    assert!(said.contains("1 of 2 stored texts and files are not what their hash says") && !file.exists(), "{said}");
}

/// A database as the version before the newest migration left it.
async fn older(folder: &Path) -> i64 {
    let newest = Schema::newest(Dialect::Sqlite).expect("known");
    let store = Store::connect(None, folder).await.expect("connects");
    store.migrate_to(Schema { main: newest.main - 1, ..newest }).await.expect("an older schema");
    let before = store.schema().await.expect("schema").expect("tables").main;
    let mut conn = store.begin().await.expect("begin");
    conn.query("insert into settings (name, value) values ('kept', 'yes')").execute().await.expect("written");
    conn.commit().await.expect("commit");
    store.close().await;
    before
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_leaves_one_copy_of_what_was_before_and_none_when_nothing_is_to_do() {
    let folder = tempfile::tempdir().expect("folder");
    let (before, after) = (older(folder.path()).await, Schema::newest(Dialect::Sqlite).expect("known").main);
    std::fs::write(folder.path().join("afterload.before-upgrade-1.db"), "of an earlier upgrade").expect("written");
    std::fs::write(folder.path().join("afterload.before-upgrade-mine.db"), "of a person").expect("written");
    let said = done(afterload(None, folder.path(), &["migrate"]));
    let copy = format!("afterload.before-upgrade-{before}.db");
    assert!(said.contains(&format!("from {before} to {after}")) && said.contains(&copy), "{said}");
    let left = ["afterload.before-upgrade-mine.db", "afterload.db", "afterload.samples.db"];
    let mut expected: Vec<String> = left.map(str::to_owned).into_iter().chain([copy.clone()]).collect();
    expected.sort();
    assert_eq!(names(folder.path()), expected);
    assert_eq!(mode(&folder.path().join(&copy)), 0o600);
    let url = format!("sqlite:{}", folder.path().join(&copy).display());
    let kept = Store::connect(Some(&url), folder.path()).await.expect("opens");
    assert_eq!(kept.schema().await.expect("schema").map(|schema| schema.main), Some(before));
    let value: Option<String> =
        kept.read().await.expect("read").query("select value from settings where name = 'kept'").value().await.expect("value");
    assert_eq!(value.as_deref(), Some("yes"));
    kept.close().await;
    let stamp = |name: &str| std::fs::metadata(folder.path().join(name)).expect("there").modified().expect("a time");
    let at = stamp(&copy);
    assert!(done(afterload(None, folder.path(), &["migrate"])).contains("nothing was done"));
    assert_eq!(stamp(&copy), at);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_not_changed_below_a_server_that_runs() {
    let folder = tempfile::tempdir().expect("folder");
    let (before, path) = (older(folder.path()).await, folder.path());
    let schema = async || {
        let store = Store::connect(None, path).await.expect("opens");
        let found = store.schema().await.expect("schema").map(|schema| schema.main);
        store.close().await;
        found
    };
    // As the server of the older version holds it.
    let lock = std::fs::File::create(path.join("serve.lock")).expect("a file");
    lock.try_lock().expect("locked");
    for args in [&["serve", "--listen", "127.0.0.1:0"][..], &["migrate"], &["token", "list"]] {
        let said = refused(afterload(None, path, args));
        assert!(said.contains("another afterload serves from") && said.contains("stop it first"), "{said}");
        assert_eq!(schema().await, Some(before), "{args:?}");
    }
    assert_eq!(names(path), ["afterload.db", "afterload.samples.db"], "no copy was made either");
    drop(lock);
    done(afterload(None, path, &["token", "list"]));
    assert!(schema().await > Some(before));
    // Where nothing is to be changed, commands work beside the server.
    let lock = std::fs::File::create(path.join("serve.lock")).expect("a file");
    lock.try_lock().expect("locked");
    done(afterload(None, path, &["token", "list"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_copies_a_database_of_any_name() {
    let folder = tempfile::tempdir().expect("folder");
    let before = older(folder.path()).await;
    let path = |name: &str| folder.path().join(name);
    std::fs::rename(path("afterload.db"), path("my.samples.db")).expect("renamed");
    let url = format!("sqlite:{}", path("my.samples.db").display());
    done(afterload(Some(&url), folder.path(), &["migrate"]));
    assert!(path(&format!("my.samples.before-upgrade-{before}.db")).is_file(), "{:?}", names(folder.path()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_portable_backup_is_restored_under_its_own_schema_and_then_upgraded() {
    let world = World::sqlite().await;
    let (old, file) = (world.path("old"), world.path("old.afterload"));
    let (before, after) = (older(&old).await, Schema::newest(Dialect::Sqlite).expect("known").main);
    done(afterload(None, &old, &["backup", "--portable", text(&file)]));
    let url = World::empty_postgres().await;
    let said = done(afterload(Some(&url), &old, &["restore", text(&file)]));
    assert!(said.contains(&format!("schema {before},")), "{said}");
    assert!(done(afterload(Some(&url), &old, &["migrate"])).contains(&format!("from {before} to {after}")));
    let store = Store::open(Some(&url), &old).await.expect("opens");
    let value: Option<String> =
        store.read().await.expect("read").query("select value from settings where name = 'kept'").value().await.expect("value");
    assert_eq!(value.as_deref(), Some("yes"));
    store.close().await;
}

on_both!(a_newer_schema_is_refused_by_every_command_before_anything_is_touched, world => {
    let mut conn = world.app.store().begin().await.expect("begin");
    let text = conn.per_dialect(
        "insert into _sqlx_migrations (version, description, installed_on, success, checksum, execution_time) values (9999, 'future', '2030-01-01', 1, x'', 0)",
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (9999, 'future', true, ''::bytea, 0)",
    );
    conn.query(text).execute().await.expect("pretend");
    conn.commit().await.expect("commit");
    let file = world.path("copy.afterload");
    for args in [&["migrate"][..], &["backup", self::text(&file)], &["token", "list"]] {
        let said = refused(afterload(Some(&world.url), &world.path(""), args));
        assert!(said.contains("newer afterload (schema 9999)"), "{said}");
    }
    assert!(names(&world.path("")).iter().all(|name| !name.contains("before-upgrade")) && !file.exists());
    let output = afterload(Some(&world.url), &world.path(""), &["doctor"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("failed   schema"), "{said}");
});

/// The findings of `doctor --json` by check, and its exit status.
fn doctor(world: &World, more: &[&str]) -> (Vec<(String, String, String)>, Option<i32>) {
    let output = afterload(Some(&world.url), &world.path(""), &[&["doctor", "--json"], more].concat());
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).expect("a list");
    let word = |finding: &Value, field: &str| finding[field].as_str().unwrap_or_default().to_owned();
    let found = found
        .iter()
        .map(|finding| (word(finding, "check"), word(finding, "state"), word(finding, "measured") + &word(finding, "remedy")));
    (found.collect(), output.status.code())
}

fn state<'f>(found: &'f [(String, String, String)], check: &str) -> &'f str {
    found.iter().find(|finding| finding.0 == check).map_or("not checked", |finding| finding.1.as_str())
}

on_both!(the_doctor_measures_everything_and_says_what_is_wrong, world => {
    let config = world.path("haproxy.cfg");
    std::fs::write(&config, "backend web\n  server web1 10.0.0.1:80\n").expect("written");
    for (name, path) in [("edge", config.display().to_string()), ("gone", "/nowhere/haproxy.cfg".to_owned())] {
        let fields = BalancerFields { name: name.into(), config_path: path, ..Default::default() };
        balancers::add(&world.app, &admin(), fields).await.expect("added");
    }
    let (found, code) = doctor(world, &[]);
    assert_eq!((state(&found, "balancer edge"), state(&found, "balancer gone"), code), ("ok", "failed", Some(1)), "{found:#?}");
    assert!(found.iter().any(|finding| finding.0 == "balancer gone" && finding.2.contains("check the path")), "{found:#?}");
    let gone = balancers::list(&world.app, &admin()).await.expect("list").into_iter().find(|known| known.fields.name == "gone").expect("there");
    balancers::edit(&world.app, &admin(), gone.id, gone.version, &json!({"paused": true})).await.expect("paused");
    let (found, code) = doctor(world, &["--listen", "0.0.0.0:8080"]);
    // A cluster that was made for tests alone may run without fsync, which is just what must be noticed.
    let is_durable = state(&found, "durability") != "failed";
    let expected = ("ok", "warning", Some(i32::from(!is_durable)));
    assert_eq!((state(&found, "balancer gone"), state(&found, "base address"), code), expected, "{found:#?}");
    for check in ["database", "schema", "write", "clock"] {
        assert_eq!(state(&found, check), "ok", "{found:#?}");
    }
    if world.app.store().dialect() == Dialect::Sqlite {
        for check in ["integrity", "integrity of samples", "file times"] {
            assert_eq!(state(&found, check), "ok", "{found:#?}");
        }
        assert!(found.iter().any(|finding| finding.0 == "disk sync" && finding.2.contains("p99")), "{found:#?}");
        let database = world.path("afterload.db");
        std::fs::set_permissions(world.path(""), std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("chmod");
        assert_eq!(state(&doctor(world, &[]).0, "file modes"), "ok");
        std::fs::set_permissions(&database, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("chmod");
        let (found, code) = doctor(world, &[]);
        assert_eq!((state(&found, "file modes"), code), ("failed", Some(1)), "{found:#?}");
    } else {
        let measured = &found.iter().find(|finding| finding.0 == "durability").expect("checked").2;
        assert_eq!(is_durable, !measured.contains("fsync off") && !measured.contains("synchronous_commit off"), "{measured}");
        assert_eq!(state(&found, "database clock"), "ok", "{found:#?}");
    }
});

on_both!(balancers_users_tokens_and_integrations_are_kept_from_the_shell, world => {
    let run = |args: &[&str]| afterload(Some(&world.url), &world.path(""), args);
    let list = |args: &[&str]| -> Value { serde_json::from_str(&done(run(args))).expect("JSON") };
    let id = done(run(&["balancer", "add", "edge", "--state", "http://u:canary-pass@127.0.0.1:1/stats"]));
    done(run(&["balancer", "edit", "edge", "--every", "30", "--name", "edge-1"]));
    done(run(&["balancer", "pause", id.trim()]));
    let listed = list(&["balancer", "list", "--json"]);
    assert_eq!((&listed[0]["name"], &listed[0]["poll_seconds"], &listed[0]["paused"]), (&json!("edge-1"), &json!(30), &json!(true)), "{listed}");
    assert!(!listed.to_string().contains("canary-pass"));
    assert!(done(run(&["balancer", "list"])).trim_end().ends_with("\tpaused"));
    assert!(refused(run(&["balancer", "edit", "edge-1"])).contains("say what to change"));
    done(run(&["balancer", "remove", "edge-1"]));
    assert!(refused(run(&["balancer", "resume", "edge-1"])).contains("afterload balancer list"));

    let path = done(run(&["integration", "create", "generic", "--name", "prod"]));
    let rotated = done(run(&["integration", "rotate", "prod"]));
    assert!(rotated.starts_with("/hooks/afl_in_") && rotated != path);
    done(run(&["integration", "disable", "prod"]));
    assert!(list(&["integration", "list", "--json"])[0]["disabled_at"].is_string());
    done(run(&["integration", "enable", "prod"]));
    assert!(done(run(&["integration", "list"])).trim_end().ends_with("\tactive"));

    done(run(&["token", "create", "ci", "--scopes", "incidents:read"]));
    let tokens = list(&["token", "list", "--json"]);
    done(run(&["token", "revoke", tokens[0]["id"].as_str().expect("an id")]));
    assert!(done(run(&["token", "list"])).trim_end().ends_with("\tended"));

    assert!(refused(run(&["user", "disable", "mk"])).contains("nobody has the handle “mk”"));
    assert!(list(&["user", "list", "--json"]).as_array().expect("a list").is_empty());
});

#[test]
fn config_print_tells_where_each_value_comes_from() {
    let folder = tempfile::tempdir().expect("folder");
    let secret: PathBuf = folder.path().join("url");
    std::fs::write(&secret, "postgres://afterload:canary-pass@db.example/afterload?password=canary-too\n").expect("written");
    let run = |name: &str, value: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_afterload"));
        command
            .args(["config", "print", "--json", "--listen", "127.0.0.1:9"])
            .env_clear()
            .env("AFTERLOAD_REOPEN_MINUTES", "7")
            .env(name, value);
        let text = done(command.output().expect("runs"));
        assert!(!text.contains("canary"), "{text}");
        let all: Vec<Value> = serde_json::from_str(&text).expect("JSON");
        move |setting: &str| {
            let found = all.iter().find(|one| one["setting"] == setting).unwrap_or_else(|| panic!("{setting} is printed"));
            ["value", "origin", "from"].map(|field| found[field].as_str().unwrap_or("-").to_owned())
        }
    };
    let printed = run("DATABASE_URL_FILE", text(&secret));
    assert_eq!(printed("--listen"), ["127.0.0.1:9", "flag", "--listen"]);
    assert_eq!(printed("--reopen-minutes"), ["7", "environment", "AFTERLOAD_REOPEN_MINUTES"]);
    assert_eq!(printed("--data"), ["data", "default", "-"]);
    assert_eq!(printed("--base-url"), ["-", "unset", "-"]);
    assert_eq!(printed("--api-per-minute"), ["600", "default", "-"]);
    assert_eq!(printed("--trusted-proxies"), ["-", "unset", "-"]);
    assert_eq!(printed("--reserve-mib"), ["16", "default", "-"]);
    assert_eq!(printed("AFTERLOAD_LOG"), ["info,sqlx=warn", "default", "-"]);
    assert_eq!(printed("--database-url"), ["postgres://afterload:•••@db.example/afterload", "file", text(&secret)]);
    let printed = run("DATABASE_URL", "postgres://afterload:canary-pass@db.example/afterload");
    assert_eq!(printed("--database-url"), ["postgres://afterload:•••@db.example/afterload", "environment", "DATABASE_URL"]);
}

#[tokio::test]
async fn a_copy_lands_on_nothing_that_is_there() {
    let world = World::sqlite().await;
    let taken = world.path("taken.db");
    std::fs::write(&taken, "not a database, and not empty").expect("written");
    copies::copy(world.app.store().samples(), &taken).await.expect_err("refused");
    assert_eq!(std::fs::read_to_string(&taken).expect("read"), "not a database, and not empty");
}

/// A proxy that passes one request a connection on to `inner`, with another `Host`. Returns its address.
fn proxy_with_another_host(inner: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.expect("a client");
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).is_ok_and(|length| length == 1) {
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).expect("text");
            let lines: Vec<&str> = head.trim_end().lines().filter(|line| !line.to_lowercase().starts_with("host:")).collect();
            let head = format!("{}\r\nHost: inner.example\r\nConnection: close\r\n\r\n", lines.join("\r\n"));
            let mut server = TcpStream::connect(&inner).expect("the server");
            server.write_all(head.as_bytes()).expect("sent");
            let mut answer = Vec::new();
            server.read_to_end(&mut answer).expect("an answer");
            let _ = client.write_all(&answer);
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_goes_through_the_proxy_and_notices_a_changed_host() {
    let world = World::sqlite().await;
    let server = Server::start(&world);
    let base = format!("http://{}", server.address);
    let (found, code) = doctor(&world, &["--base-url", &base]);
    assert_eq!((state(&found, "reachable"), state(&found, "proxy headers"), code), ("ok", "ok", Some(0)), "{found:#?}");
    let base = format!("http://{}", proxy_with_another_host(server.address.clone()));
    let (found, code) = doctor(&world, &["--base-url", &base]);
    assert_eq!((state(&found, "reachable"), state(&found, "proxy headers"), code), ("ok", "failed", Some(1)), "{found:#?}");
    drop(server);
    let (found, code) = doctor(&world, &["--base-url", "http://127.0.0.1:1"]);
    assert_eq!(
        (state(&found, "reachable"), state(&found, "proxy headers"), code),
        ("warning", "not checked", Some(0)),
        "{found:#?}"
    );
}
