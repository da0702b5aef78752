//! Security, and how the installation does.

use afterload::domain::access::{Actor, Role};
use afterload::services::{backup, health, people, sessions};

use super::words;
use crate::web::Browser;
use crate::world::{admin, on_both};

on_both!(somebody_sees_where_they_are_signed_in_and_ends_it_there, world => {
    let (here, _) = Browser::of(world, "re", Role::Responder).await;
    let mut there = Vec::new();
    for _ in 0..2 {
        let (_, secret) = people::sign_in(&world.app, "re", "a long enough phrase", None, "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0")
            .await
            .expect("signed in");
        there.push(secret);
    }
    let (other, _) = Browser::of(world, "ot", Role::Responder).await;
    let page = here.get("/settings/security").await.text();
    let told = words(&page);
    assert_eq!((told.matches("Firefox on Linux").count(), told.matches("this one").count()), (4, 1), "twice each: {told}");
    assert!(!told.contains("Who may do what") && !told.contains("Refused lately"), "for administrators: {told}");
    for secret in &there {
        assert!(!page.contains(secret.as_str()));
    }
    let links: Vec<&str> = page.split("/settings/security/sessions/").skip(1).filter_map(|rest| rest.split('/').next()).collect();
    assert_eq!(links.len(), 3);
    let foreign = format!("/settings/security/sessions/{}/end", links[0]);
    assert_eq!(other.form(&foreign, &[]).await.status.as_u16(), 404, "not theirs");
    let account = people::by_session(&world.app, &there[0]).await.expect("read").expect("signed in").actor();
    let open = sessions::mine(&world.app, &account, &there[0]).await.expect("list");
    let one = open.iter().find(|session| session.is_this).expect("its own");
    assert_eq!(here.form(&format!("/settings/security/sessions/{}/end", one.id), &[]).await.header("location"), "/settings/security");
    assert!(people::by_session(&world.app, &there[0]).await.expect("read").is_none(), "ended");
    assert!(people::by_session(&world.app, &there[1]).await.expect("read").is_some());
    assert_eq!(here.form("/settings/security/others/end", &[]).await.status.as_u16(), 303);
    assert!(people::by_session(&world.app, &there[1]).await.expect("read").is_none(), "ended with all others");
    let left = here.get("/settings/security").await.text();
    let last = left.split("/settings/security/sessions/").nth(1).and_then(|rest| rest.split('/').next()).expect("this one");
    let out = here.form(&format!("/settings/security/sessions/{last}/end"), &[]).await;
    assert_eq!((out.header("location"), out.header("clear-site-data")), ("/login", "\"cache\""), "as after signing out");
    assert!(out.header("set-cookie").contains("Max-Age=0"), "{}", out.header("set-cookie"));
    assert_eq!(here.get("/").await.status.as_u16(), 303);
    assert_eq!(other.get("/").await.status.as_u16(), 200);
});

on_both!(a_session_that_is_over_by_time_is_not_listed, world => {
    let (_, secret) = {
        let (_, account) = Browser::of(world, "re", Role::Responder).await;
        let signed = people::sign_in(&world.app, "re", "a long enough phrase", None, "").await.expect("signed in");
        assert_eq!(signed.0.id, account.id);
        signed
    };
    let account = people::of_session(&world.app, &secret).await.expect("read").expect("signed in").actor();
    assert_eq!(sessions::mine(&world.app, &account, &secret).await.expect("list").len(), 2);
    world.clock.advance_seconds(12 * 3600 + 1);
    assert!(sessions::mine(&world.app, &account, &secret).await.expect("list").is_empty());
    assert!(sessions::mine(&world.app, &Actor::Console, "").await.is_err(), "the command line has no sessions");
});

on_both!(administrators_see_who_may_do_what_and_who_was_refused, world => {
    let (browser, _) = Browser::of(world, "ad", Role::Admin).await;
    Browser::of(world, "quill", Role::Editor).await;
    let fresh = Browser::new(world);
    fresh.form("/login", &[("handle", "mallory"), ("password", "wrong")]).await;
    let told = words(&browser.get("/settings/security").await.text());
    assert!(told.contains("Who may do what") && told.contains("2 accounts") && told.contains("quill"), "{told}");
    assert!(told.contains("10 a minute for one account from one address, 60 a minute"), "{told}");
    assert!(told.contains("Refused lately") && told.contains("mallory"), "{told}");
    assert!(told.contains("also travel over plain HTTP"), "{told}");
});

on_both!(everybody_sees_how_the_installation_does, world => {
    let (viewer, _) = Browser::of(world, "vi", Role::Viewer).await;
    let told = words(&viewer.get("/settings/about").await.text());
    assert!(told.contains(&format!("Afterload {}", env!("CARGO_PKG_VERSION"))), "{told}");
    assert!(told.contains("SQLite 3.") || told.contains("PostgreSQL "), "{told}");
    assert!(told.contains("none is known") && told.contains("No balancer is recorded yet."), "{told}");
    assert!(!told.contains(world.path("").to_str().expect("a path")), "no path of the machine: {told}");
    backup::remember(world.app.store(), world.app.now()).await;
    world.clock.advance_seconds(3 * 86_400);
    let about = health::about(&world.app, &admin()).await.expect("read");
    assert_eq!(about.last_backup.map(|at| (world.app.now() - at).num_days()), Some(3));
    assert_eq!(about.schema, Some(about.newest_schema));
    assert!(about.size > 10_000 && about.events > 0, "{about:?}");
    assert_eq!(about.disk.is_some(), about.database.starts_with("SQLite"));
    assert_eq!(about.replicas, about.database.starts_with("PostgreSQL"));
});
