//! The store itself: migrations in pairs, a newer schema, two openings at once.

use std::collections::BTreeSet;

use afterload::store::{Conn, Store};

use crate::world::{World, on_both};

on_both!(opening_again_changes_nothing, world => {
    world.incident("kept").await;
    let again = Store::open(Some(&world.url), &world.path("")).await.expect("opens again");
    let count: Option<i64> = again.read().await.expect("read").query("select count(*) from incidents").value().await.expect("count");
    assert_eq!(count, Some(1));
});

on_both!(a_newer_schema_is_refused_in_plain_words, world => {
    let mut conn = world.app.store().begin().await.expect("begin");
    let empty = conn.per_dialect("x''", "''::bytea");
    let text = if empty == "x''" {
        "insert into _sqlx_migrations (version, description, installed_on, success, checksum, execution_time) values (9999, 'future', '2030-01-01', 1, x'', 0)"
    } else {
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (9999, 'future', true, ''::bytea, 0)"
    };
    conn.query(text).execute().await.expect("pretend");
    conn.commit().await.expect("commit");
    let fault = Store::open(Some(&world.url), &world.path("")).await.expect_err("refused");
    assert!(fault.to_string().contains("newer afterload"), "{fault}");
});

/// Columns of all tables, but for the index of the search: each database has a kind of its own.
async fn schema(conn: &mut Conn) -> BTreeSet<String> {
    let text = conn.per_dialect(
        "select m.name || '.' || c.name from sqlite_master m join pragma_table_info(m.name) c where m.type = 'table' and m.name not like 'search_words%' and m.name not like 'sqlite_%' and m.name not like '_sqlx%'",
        "select table_name || '.' || column_name from information_schema.columns where table_schema = 'public' and not (table_name = 'search_documents' and column_name in ('folded', 'words')) and table_name not like '\\_sqlx%'",
    );
    conn.query(text).all(|row| row.at::<String>(0)).await.expect("schema").into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_databases_have_the_same_columns() {
    let (sqlite, postgres) = (World::sqlite().await, World::postgres().await);
    let mut left = schema(&mut sqlite.app.store().read().await.expect("read")).await;
    left.extend(schema(&mut sqlite.app.store().samples().read().await.expect("read")).await);
    let right = schema(&mut postgres.app.store().read().await.expect("read")).await;
    assert_eq!(left, right);
    assert!(left.len() > 100);
}
