//! Both databases against the plain meaning of a query, over generated texts and queries.

use afterload::domain::search::words::folded;
use afterload::domain::search::{Document, Found, Search, Term};
use afterload::domain::time::Timestamp;
use afterload::services::incidents::IncidentFilter;
use afterload::services::{Page, incidents, search as finding};
use afterload::store::search;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use uuid::Uuid;

use crate::world::{admin, on_both};

/// Values of a strategy, the same in every run.
fn drawn<S: Strategy>(strategy: S, count: usize) -> Vec<S::Value> {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    (0..count).map(|_| strategy.new_tree(&mut runner).expect("a value").current()).collect()
}

const WORD: &str =
    "(queue|Queue|quéue|queues|web-3|web3|web|10\\.0\\.0\\.1|0|lock_out|ﬁle|file|負荷|ΩMEGA|a|b|inc-4|NEAR|OR|AND|NOT|e\u{301}t)";

fn text() -> impl Strategy<Value = String> {
    proptest::string::string_regex(&format!("({WORD}[ ,.\n:-]{{1,2}}){{0,12}}")).expect("a pattern")
}

fn query() -> impl Strategy<Value = String> {
    proptest::string::string_regex(&format!("(-?({WORD}\\*?|\"{WORD} {WORD}\\*?\"\\*?) ){{1,3}}")).expect("a pattern")
}

fn has(document: &Document, term: &Term) -> bool {
    let end = if term.prefix { "" } else { " " };
    let wanted = format!(" {}{end}", term.words.join(" "));
    [&document.title, &document.body].iter().any(|text| format!(" {} ", folded(text)).contains(&wanted))
}

on_both!(a_query_means_the_same_on_every_database, world => {
    let texts = drawn(text(), 160);
    let mut documents = Vec::new();
    let mut conn = world.app.store().begin().await.expect("begin");
    for (index, pair) in texts.chunks(2).enumerate() {
        let document = Document {
            found: Found::Balancer,
            id: Uuid::from_u128(index as u128 + 1),
            incident: None,
            entry_kind: None,
            at: Timestamp::UNIX_EPOCH,
            title: pair[0].clone(),
            body: pair[1].clone(),
        };
        search::keep(&mut conn, &document).await.expect("kept");
        documents.push(document);
    }
    conn.commit().await.expect("commit");
    let page = Page { limit: Some(200), cursor: None };
    let mut hits = 0;
    for q in drawn(query(), 400) {
        let mut asked = Search::parse(&q, world.app.now(), 0);
        if asked.wanted.is_empty() {
            asked = Search::parse(&format!("kind:balancer {q}"), world.app.now(), 0);
        }
        let wanted = |document: &&Document| {
            asked.wanted.iter().all(|term| has(document, term)) && !asked.unwanted.iter().any(|term| has(document, term))
        };
        let mut expected: Vec<Uuid> = documents.iter().filter(wanted).map(|document| document.id).collect();
        let found = finding::find(&world.app, &admin(), &asked, &page).await.expect(&q);
        let mut found: Vec<Uuid> = found.items.into_iter().map(|hit| hit.id).collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{q}");
        hits += found.len();
    }
    assert!(hits > 400, "the queries find something: {hits}");
});

on_both!(no_text_is_an_error_in_the_database, world => {
    world.incident("NEAR the AND queue OR not").await;
    let odd = "(\\PC|[\"*():^+{}\\\\'%_&|!<> \u{0}\n-]|NEAR|AND |OR |NOT |title:|status:|service:|label:|after:|before:|kind:|[a-c0-9]){0,30}";
    let mut queries = drawn(odd, 300);
    queries.extend(["NEAR(a b, 5)", "a OR", "NOT a", "{title body}: a", "a ^ b", "service:a\u{0}b", "label:\u{0}=\u{0}", "'a':*B <-> b", "\u{0}"].map(str::to_owned));
    queries.push("word ".repeat(5_000));
    queries.push("\"".repeat(5_000));
    queries.push("9".repeat(5_000));
    for q in queries {
        let asked = Search::parse(&q, world.app.now(), 0);
        finding::find(&world.app, &admin(), &asked, &Page::default()).await.unwrap_or_else(|fault| panic!("{q:?}: {fault:?}"));
        let filter = IncidentFilter { q: Some(asked), ..Default::default() };
        incidents::list(&world.app, &admin(), &filter, &Page::default()).await.unwrap_or_else(|fault| panic!("{q:?}: {fault:?}"));
    }
});

on_both!(texts_without_end_are_kept_and_their_phrases_found, world => {
    let mut conn = world.app.store().begin().await.expect("begin");
    // Beyond PostgreSQL's last position, and more of one word than it keeps places of.
    let body = format!("{} needle in the hay {}", "queue full ".repeat(12_000), "ä".repeat(60_000));
    let mut distinct: String = (0..40_000).map(|number| format!("{number:x} ")).collect();
    distinct.push_str(&"\u{20000}".repeat(10_000));
    for (index, body) in [body, distinct].into_iter().enumerate() {
        let id = Uuid::from_u128(index as u128 + 1);
        let document = Document { found: Found::Balancer, id, incident: None, entry_kind: None, at: Timestamp::UNIX_EPOCH, title: "long".into(), body };
        search::keep(&mut conn, &document).await.expect("kept");
    }
    conn.commit().await.expect("commit");
    for (q, count) in [("\"needle in the hay\"", 1), ("\"full queue\"", 1), ("\"hay needle\"", 0), ("\"9c3e 9c3f\"", 1), ("long", 2)] {
        let asked = Search::parse(q, world.app.now(), 0);
        let found = finding::find(&world.app, &admin(), &asked, &Page::default()).await.expect(q);
        assert_eq!(found.items.len(), count, "{q}");
    }
});
