//! The first account, signing in, roles, tokens.

use afterload::domain::Error as Problem;
use afterload::domain::access::{Actor, Permission, Role, Scope};
use afterload::domain::person::NewPerson;
use afterload::services::{Error, people, tokens};

use crate::world::{admin, on_both, person, refused};

fn new(handle: &str) -> NewPerson {
    NewPerson { handle: handle.into(), password: "a long enough phrase".into(), role: Role::Viewer }
}

on_both!(setup_needs_its_code_and_happens_once, world => {
    let app = &world.app;
    assert!(people::setup_open(app).await.expect("open"));
    assert_eq!(refused(people::claim_setup(app, "guess", new("mk"), "").await), ["/code"]);
    let code = people::new_setup_code(app).await.expect("code").expect("nobody yet");
    assert_eq!(refused(people::claim_setup(app, "", new("mk"), "").await), ["/code"]);
    let (one, two) = tokio::join!(people::claim_setup(app, &code, new("mk"), ""), people::claim_setup(app, &code, new("jl"), ""));
    assert!(one.is_ok() != two.is_ok(), "of two at once exactly one wins: {one:?} {two:?}");
    assert!(!people::setup_open(app).await.expect("open"));
    assert!(people::claim_setup(app, &code, new("zz"), "").await.is_err());
    assert_eq!(people::new_setup_code(app).await.expect("closed"), None);
    let (first, secret) = one.or(two).expect("one won");
    assert_eq!(first.role, Role::Admin);
    assert_eq!(people::by_session(app, &secret).await.expect("session").map(|p| p.handle), Some(first.handle));
});

on_both!(an_old_setup_code_is_refused, world => {
    let code = people::new_setup_code(&world.app).await.expect("code").expect("nobody yet");
    world.clock.advance_seconds(3601);
    assert_eq!(refused(people::claim_setup(&world.app, &code, new("mk"), "").await), ["/code"]);
});

on_both!(sessions_end_by_time_by_sign_out_and_by_disabling, world => {
    let app = &world.app;
    let made = people::add(app, &admin(), NewPerson { role: Role::Responder, ..new("mk") }).await.expect("added");
    people::add(app, &admin(), NewPerson { role: Role::Admin, ..new("boss") }).await.expect("added");
    assert_eq!(refused(people::add(app, &admin(), new("MK")).await), ["/handle"]);
    assert_eq!(refused(people::sign_in(app, "mk", "wrong password", None, "").await), ["/password"]);
    assert_eq!(refused(people::sign_in(app, "nobody", "wrong password", None, "").await), ["/password"]);
    let sign_in = async || people::sign_in(app, " MK ", "a long enough phrase", None, "agent\n").await.expect("in").1;
    let known = async |secret: &str| people::by_session(app, secret).await.expect("read").is_some();
    let secret = sign_in().await;
    assert!(known(&secret).await);
    people::sign_out(app, &secret).await.expect("out");
    assert!(!known(&secret).await);
    let idle = sign_in().await;
    world.clock.advance_seconds(11 * 3600);
    assert!(known(&idle).await);
    world.clock.advance_seconds(11 * 3600);
    assert!(known(&idle).await, "being seen keeps a session");
    world.clock.advance_seconds(13 * 3600);
    assert!(!known(&idle).await, "12 h without use end it");
    let busy = sign_in().await;
    for _ in 0..20 {
        world.clock.advance_seconds(9 * 3600);
        known(&busy).await;
    }
    assert!(!known(&busy).await, "7 days end it all the same");
    let last = sign_in().await;
    people::set_disabled(app, &admin(), made.id, true).await.expect("disabled");
    assert!(!known(&last).await);
    assert_eq!(refused(people::sign_in(app, "mk", "a long enough phrase", None, "").await), ["/password"]);
});

on_both!(the_last_administrator_stays, world => {
    let only = people::add(&world.app, &admin(), NewPerson { role: Role::Admin, ..new("mk") }).await.expect("added");
    assert_eq!(refused(people::set_role(&world.app, &admin(), only.id, Role::Viewer).await), ["/role"]);
    assert_eq!(refused(people::set_disabled(&world.app, &admin(), only.id, true).await), ["/role"]);
    let viewer = person("vw", Role::Editor);
    assert!(matches!(people::list(&world.app, &viewer).await, Err(Error::Domain(Problem::Forbidden(_)))));
});

on_both!(guessing_is_slowed_for_one_account, world => {
    let mut throttled = 0;
    for _ in 0..12 {
        if let Err(Error::Domain(Problem::Throttled { .. })) = people::sign_in(&world.app, "mk", "x", None, "").await {
            throttled += 1;
        }
    }
    assert_eq!(throttled, 2, "ten tries pass, then it waits");
    assert_eq!(refused(people::sign_in(&world.app, "other", "x", None, "").await), ["/password"], "others are not slowed");
});

on_both!(tokens_expire_are_revoked_and_keep_to_their_scopes, world => {
    let app = &world.app;
    let (token, secret) = tokens::create(app, &Actor::Console, "ci", vec![Scope::IncidentsRead], Some(1)).await.expect("made");
    assert!(secret.starts_with("afl_pat_") && secret.len() == 51, "{secret}");
    let actor = tokens::authenticate(app, &secret).await.expect("known");
    assert!(actor.may(Permission::ReadIncidents).is_ok() && actor.may(Permission::WriteIncidents).is_err());
    world.clock.advance_seconds(86_401);
    assert!(matches!(tokens::authenticate(app, &secret).await, Err(Error::Domain(Problem::SignInRequired))));
    let (endless, secret) = tokens::create(app, &Actor::Console, "cli", vec![Scope::Admin], None).await.expect("made");
    assert_eq!(endless.expires_at, None);
    tokens::revoke(app, &Actor::Console, endless.id).await.expect("revoked");
    assert!(tokens::authenticate(app, &secret).await.is_err());
    assert!(tokens::authenticate(app, "afl_pat_nonsense").await.is_err());
    assert_eq!(tokens::list(app, &Actor::Console).await.expect("list").len(), 2);
    assert_ne!(token.id, endless.id);
    assert_eq!(refused(tokens::create(app, &Actor::Console, "", vec![], Some(0)).await), ["/name", "/scopes", "/days"]);
});
