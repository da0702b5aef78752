//! nginx's tokens and tree, and what its configs mean.

use proptest::prelude::*;

use super::lex::{self, Kind};
use super::parse;
use super::tree::{self, Body};
use crate::balancer::source::{NoFiles, Source};

mod models;

fn tiles(text: &str) {
    let (tokens, _) = lex::tokens(text);
    let mut at = 0;
    for token in &tokens {
        assert_eq!(token.span.start, at, "{token:?}");
        assert!(token.span.end > at, "{token:?}");
        at = token.span.end;
    }
    assert_eq!(at, text.len());
}

fn round(text: &str) {
    let tree = tree::read(text);
    if tree.faults.iter().any(|fault| fault.text.contains("Lua")) {
        // Lua that is not closed has no text that closes it in one way only.
        return;
    }
    let printed = tree::print(&tree.directives);
    let again = tree::read(&printed);
    assert_eq!(again.directives, tree.directives, "{printed}");
}

fn words(text: &str) -> Vec<String> {
    tree::read(text)
        .directives
        .iter()
        .flat_map(|d| std::iter::once(&d.name).chain(&d.arguments))
        .map(|w| w.text.clone())
        .collect()
}

#[test]
fn words_are_read_as_nginx_reads_them() {
    assert_eq!(words(r#"a "b c" 'd"e' f"g h\;i \"j\n\\k;"#), ["a", "b c", "d\"e", "f\"g", "h\\;i", "\"j\u{fffd}\\k"]);
    assert_eq!(words("a ${b}c${{d;"), ["a", "${b}c${{d"]);
    assert_eq!(words("a b#c # d\n e;"), ["a", "b#c", "e"]);
    assert_eq!(words("if ($a = \"b\") x;"), ["if", "($a", "=", "b", ")", "x"]);
    assert_eq!(words("a \"multi\r\nline\\\" x\";\r\nb;"), ["a", "multi\u{fffd}\u{fffd}line\" x", "b"]);
    assert_eq!(words("a \"x\\\\\";"), ["a", "x\\"]);
}

#[test]
fn lua_is_jumped_over() {
    let text = "a { content_by_lua_block { local s = '}' -- }\n --[[ } ]] x = [==[ } ]] ]==] t = {1} \"\\\"}\" } b; }";
    let tree = tree::read(text);
    assert_eq!(tree.faults, []);
    let inner = tree.directives[0].block();
    assert_eq!(inner.len(), 2);
    assert!(matches!(&inner[0].body, Body::Code(code) if code.text.ends_with("\"\\\"}\" ")));
    round(text);
    tiles(text);
}

#[test]
fn faults_stand_where_nginx_sees_them() {
    let told = |text: &str| tree::read(text).faults.into_iter().map(|f| (f.span.start, f.text)).collect::<Vec<_>>();
    for (text, at, part) in [
        ("a b }", 0, "no \";\""),
        ("a b", 0, "end of file"),
        ("a { b; ", 0, "has no }"),
        ("}", 0, "no block is open"),
        (";", 0, "unexpected \";\""),
        ("a; { b; }", 3, "unexpected \"{\""),
        ("a \"b\"c;", 5, "straight after"),
        ("a \"b;", 2, "never closed"),
        ("a_by_lua_block { ( ", 15, "never closed"),
    ] {
        let told = told(text);
        assert!(told.iter().any(|(start, text)| *start == at && text.contains(part)), "{text}: {told:?}");
    }
    for (length, faults) in [(4094, 0), (4095, 1)] {
        assert_eq!(told(&format!("#{}\na;", "x".repeat(length))).len(), faults);
        assert_eq!(told(&format!("a {};", "x".repeat(length + 1))).len(), faults);
        assert_eq!(told(&format!("a {} b;", "x".repeat(length))).len(), faults);
        assert_eq!(told(&format!("a \"{}\";", "x".repeat(length))).len(), faults);
    }
    assert_eq!(told("\u{feff}a;").len(), 1);
    assert_eq!(tree::read("\u{feff}a;").directives[0].name.text, "a");
}

#[test]
fn depth_is_bounded() {
    let text = "a{".repeat(100_000) + &"}".repeat(100_000) + "b;";
    let tree = tree::read(&text);
    assert_eq!(tree.faults.len(), 1);
    assert_eq!(tree.directives.len(), 2);
    let open = tree::read(&"a{".repeat(100_000));
    assert_eq!(open.directives.len(), 1);
}

#[test]
fn kinds_of_tokens() {
    let (tokens, _) = lex::tokens("a # b\n{c 'd';}");
    let kinds: Vec<_> = tokens.iter().map(|t| t.kind).collect();
    let word = Kind::Word { quoted: false };
    let quoted = Kind::Word { quoted: true };
    let expected = [word, Kind::Space, Kind::Comment, Kind::Space, Kind::Open, word, Kind::Space, quoted, Kind::End, Kind::Close];
    assert_eq!(kinds, expected);
}

#[test]
fn two_files_of_one_name_have_their_own_places() {
    let dump = "# configuration file /a:\ninclude /b;\n# configuration file /b:\n\n# configuration file /b:\nnonsense on;\n";
    let model = parse(&Source::split("x", dump), &mut NoFiles, None);
    assert_eq!(model.files, ["/a", "/b", "/b"]);
    let place = &model.notices.iter().find(|notice| notice.place.raw().contains("nonsense")).expect("it is told").place;
    assert_eq!((place.file(), place.line(), place.column()), (2, 1, 1));
}

#[test]
fn control_characters_do_not_get_into_names() {
    let text =
        "http { upstream a\0b { server \"c\nd:80\"; } server { server_name \u{1b}e; location / { proxy_pass http://a\0b; } } }";
    let model = parse(&[Source::new("x", text)], &mut NoFiles, None);
    let pool = &model.pools[0];
    assert_eq!((pool.name.as_str(), pool.servers[0].name.as_str()), ("a\u{fffd}b", "c\u{fffd}d:80"));
    assert_eq!(model.listeners[0].name, "\u{fffd}e on *:80");
    assert_eq!(model.routes[0].target.pools().collect::<Vec<_>>(), ["a\u{fffd}b"]);
}

proptest! {
    #[test]
    fn any_text_is_tiled_and_printed_back(text in r#"([a-z]{1,3}|_by_lua_block|[ \t\r\n;{}"'\\#$é)\[\]=-]|\PC){0,60}"#) {
        tiles(&text);
        round(&text);
        parse(&Source::split("x", &text), &mut NoFiles, None);
    }

    #[test]
    fn any_arguments_of_any_directive_are_read(words in proptest::collection::vec(word(), 0..60)) {
        let text = words.join(" ");
        for text in [text.clone(), format!("events {{}} http {{ upstream u {{ {text} }}"), format!("http {{ server {{ location / {{ {text} }} }} }}")] {
            parse(&[Source::new("x", text)], &mut NoFiles, Some("1.22.1"));
        }
    }
}

/// Words that mean something to nginx, and some that do not.
fn word() -> impl Strategy<Value = String> {
    let names: Vec<&str> = include_str!("../directives.txt").lines().filter_map(|line| line.split(' ').next()).collect();
    let words = [
        ";",
        ";",
        ";",
        "{",
        "}",
        "$",
        "${",
        "$a",
        "=",
        "~",
        "(",
        "'",
        "\"",
        "\\",
        "",
        "1",
        "0",
        "-1",
        "99999999999999999999",
        "1m",
        "1h 3",
        "http://",
        "http://$a",
        "unix:",
        "[::1",
        "a:b",
        "weight=",
        "=404",
        "é",
        "~(",
        "10.0.0.0/8",
        "50%",
        "*",
        "shared:a:1m",
        "a=b",
    ];
    prop_oneof![
        proptest::sample::select(names).prop_map(str::to_owned),
        proptest::sample::select(words.to_vec()).prop_map(str::to_owned)
    ]
}
