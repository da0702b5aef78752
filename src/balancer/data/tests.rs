use std::ops::Range;

use proptest::prelude::*;

use super::*;

/// Values without places, to compare the three syntaxes.
fn plain(node: &Node<'_>) -> String {
    match &node.value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(text) => text.to_string(),
        Value::Text(text) => format!("{text:?}"),
        Value::List(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(",")),
        Value::Map(entries) => {
            let fields: Vec<_> = entries.iter().map(|entry| format!("{}:{}", entry.key, plain(&entry.node))).collect();
            format!("{{{}}}", fields.join(","))
        }
    }
}

fn read(syntax: Syntax, text: &str) -> String {
    let tree = parse(syntax, text);
    assert_eq!(tree.problems, [], "{text}");
    tree.documents.iter().map(plain).collect::<Vec<_>>().join(" | ")
}

/// Every span lies in the text, on the bounds of characters, and inside of what holds it.
fn nests(tree: &Tree<'_>, text: &str) {
    fn inside(node: &Node<'_>, outer: &Range<usize>, text: &str) {
        let span = node.span();
        assert!(text.get(span.clone()).is_some(), "{span:?} of {text:?}");
        // What stands by reference is written elsewhere.
        let bound = if node.shared { 0..text.len() } else { outer.clone() };
        assert!(bound.start <= span.start && span.end <= bound.end, "{span:?} outside of {bound:?} in {text:?}");
        for item in node.items() {
            inside(item, &span, text);
        }
        for entry in node.entries() {
            let key = entry.key_span();
            assert!(text.get(key.clone()).is_some());
            assert!(
                entry.node.shared || (span.start <= key.start && key.end <= span.end),
                "{key:?} outside of {span:?} in {text:?}"
            );
            inside(&entry.node, &span, text);
        }
    }
    for document in &tree.documents {
        inside(document, &(0..text.len()), text);
    }
    for problem in &tree.problems {
        assert!(text.get(problem.span.clone()).is_some(), "{problem:?}");
    }
}

#[test]
fn the_three_syntaxes_give_one_tree() {
    let json = r#"{"a": {"b": [1, "x", true, null, 0.5], "c d": "5s"}, "e": []}"#;
    let yaml = "a:\n  b: [1, x, true, ~, 0.5]\n  \"c d\": 5s\ne: []\n";
    let toml = "e = []\n[a]\nb = [1, 'x', true, 0.5]\n'c d' = \"5s\"\n";
    let want = r#"{a:{b:[1,"x",true,null,0.5],c d:"5s"},e:[]}"#;
    assert_eq!(read(Syntax::Json, json), want);
    assert_eq!(read(Syntax::Yaml, yaml), want);
    assert_eq!(read(Syntax::Toml, toml), r#"{e:[],a:{b:[1,"x",true,0.5],c d:"5s"}}"#);
    assert_eq!(read(Syntax::Yaml, json), want, "JSON is YAML");
}

#[test]
fn every_value_knows_its_bytes() {
    for (syntax, text) in [
        (Syntax::Json, r#"{"pool": {"weight": 5, "name": "ä"}}"#),
        (Syntax::Yaml, "pool:\n  weight: 5 # five\n  name: \"ä\"\n\n# end\n"),
        (Syntax::Toml, "[pool]\nweight = 5 # five\nname = \"ä\"\n# end\n"),
    ] {
        let tree = parse(syntax, text);
        nests(&tree, text);
        let pool = tree.documents[0].get("pool").expect("pool");
        let weight = pool.entry("weight").expect("weight");
        assert_eq!((&text[weight.key_span()].replace('"', "")[..], &text[weight.node.span()]), ("weight", "5"), "{syntax:?}");
        assert_eq!(&text[pool.get("name").expect("name").span()], "\"ä\"");
        assert!(text[pool.span()].ends_with(if syntax == Syntax::Json { '}' } else { '"' }), "{:?}", &text[pool.span()]);
    }
    let block = "key: |\n  -----BEGIN\n  abc\n\nnext: 1\n";
    let tree = parse(Syntax::Yaml, block);
    let key = tree.documents[0].get("key").expect("key");
    assert!(block[key.span()].trim_end().ends_with("abc") && key.text() == Some("-----BEGIN\nabc\n"), "{:?}", &block[key.span()]);
}

#[test]
fn plain_words_of_yaml_have_types_and_quoted_ones_have_not() {
    let text = "[1, 0x1f, -1.5e3, .5, true, no, ~, null, '', 'true', \"1\", !!str 1, 1.2.3.4, 12:30, 2001-01-01]";
    let want = r#"[1,0x1f,-1.5e3,.5,true,"no",null,null,"","true","1","1","1.2.3.4","12:30","2001-01-01"]"#;
    assert_eq!(read(Syntax::Yaml, text), want);
}

#[test]
fn names_are_found_in_snake_case_and_in_camel_case() {
    let tree = parse(Syntax::Json, r#"{"lbPolicy": "MAGLEV", "maxRequests": "7", "weight": 5.0, "neg": -1}"#);
    let node = &tree.documents[0];
    assert_eq!(node.get("lb_policy").and_then(Node::text), Some("MAGLEV"));
    assert_eq!(node.get("max_requests").and_then(Node::u64), Some(7));
    assert_eq!((node.get("weight").and_then(Node::u64), node.get("neg").and_then(Node::u64)), (Some(5), None));
    assert!(node.get("lb").is_none());
}

#[test]
fn several_documents_aliases_and_merge_keys_are_read() {
    assert_eq!(read(Syntax::Yaml, "a: 1\n---\nb: 2\n...\n---\n[c]\n"), r#"{a:1} | {b:2} | ["c"]"#);
    assert_eq!(read(Syntax::Yaml, "x: &x {a: [1, &y 2]}\nz: *x\nq: *y\n"), "{x:{a:[1,2]},z:{a:[1,2]},q:2}");
    let text = "base: &b {a: 1, c: 2}\nuse: {<<: *b, a: 3}\n";
    let tree = parse(Syntax::Yaml, text);
    nests(&tree, text);
    assert_eq!(plain(&tree.documents[0]), "{base:{a:1,c:2},use:{a:3,c:2}}");
    assert_eq!(tree.problems.iter().map(|p| p.kind).collect::<Vec<_>>(), [ProblemKind::Merge]);
}

/// Kind of the first problem, the line and column at which it is told, and what could be read.
fn broken(syntax: Syntax, text: &str) -> (ProblemKind, (usize, usize), String) {
    let tree = parse(syntax, text);
    nests(&tree, text);
    let problem = tree.problems.first().unwrap_or_else(|| panic!("no problem in {text:?}"));
    let at = super::super::source::Lines::new(text).locate(text, problem.span.start);
    (problem.kind, at, tree.documents.iter().map(plain).collect::<Vec<_>>().join(" | "))
}

#[test]
fn a_broken_text_gives_the_place_and_what_stands_before_it() {
    use ProblemKind::{Duplicate, Syntax as Break};
    for (syntax, text, want) in [
        (Syntax::Json, "{\"a\": 1,\n \"b\": [2, }", (Break, (2, 11), "{a:1,b:[2]}")),
        (Syntax::Json, "{\"a\": {\"b\": 1", (Break, (1, 14), "{a:{b:1}}")),
        (Syntax::Json, "{\"a\" 1}", (Break, (1, 6), "{a:null}")),
        (Syntax::Json, "{\"a\": \"x}\n", (Break, (1, 7), "{a:null}")),
        (Syntax::Json, "{'a': 1}", (Break, (1, 2), "{}")),
        (Syntax::Json, "{} {}", (Break, (1, 4), "{}")),
        (Syntax::Json, "", (Break, (1, 1), "")),
        (Syntax::Json, "{\"a\": 1, \"a\": 2}", (Duplicate, (1, 10), "{a:1,a:2}")),
        (Syntax::Yaml, "a: 1\nb: [2, }\n", (Break, (2, 4), "{a:1,b:[2]}")),
        (Syntax::Yaml, "a: 1\n b: 2\n", (Break, (2, 3), "{a:\"1 b\"}")),
        (Syntax::Yaml, "a: 1\na: 2\n", (Duplicate, (2, 1), "{a:1,a:2}")),
        (Syntax::Yaml, "a: 1\nb: *nobody\n", (Break, (2, 4), "{a:1,b:null}")),
        (Syntax::Yaml, "a: &a [1, *a]\n", (Break, (1, 11), "{a:[1]}")),
        (Syntax::Yaml, "a: 1\n? [x]\n: 2\n", (Break, (2, 3), "{a:1}")),
        (Syntax::Toml, "a = 1\nb = = 2\nc = 3\n", (Break, (2, 5), "{a:1,b:null,c:3}")),
        (Syntax::Toml, "a = 1\na = 2\n", (Duplicate, (2, 1), "{a:1}")),
    ] {
        let (kind, at, said) = broken(syntax, text);
        assert_eq!((kind, at, said.as_str()), want, "{syntax:?} {text:?}");
    }
}

#[test]
fn depth_and_number_of_values_are_bounded() {
    for (syntax, text) in [
        (Syntax::Json, "[".repeat(1_000) + &"]".repeat(1_000)),
        (Syntax::Json, "{\"a\":".repeat(100_000)),
        (Syntax::Yaml, "[".repeat(1_000) + &"]".repeat(1_000)),
        (Syntax::Yaml, "- ".repeat(1_000)),
        (Syntax::Yaml, "{a: ".repeat(100_000)),
        (Syntax::Toml, format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000))),
        (Syntax::Toml, format!("{} = 1", vec!["a"; 50_000].join("."))),
        (Syntax::Toml, format!("[{}]\n", vec!["a"; 50_000].join("."))),
        (Syntax::Toml, format!("a = {}", "{a=".repeat(100_000))),
    ] {
        let tree = parse(syntax, &text);
        assert!(!tree.problems.is_empty(), "{syntax:?} {}", &text[..20]);
        nests(&tree, &text);
    }
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert_eq!(broken(Syntax::Yaml, &bomb).0, ProblemKind::Limit);
    let mut ladder = "a0: &a0 [x]\n".to_owned();
    for level in 1..200 {
        ladder.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert_eq!(broken(Syntax::Yaml, &ladder).0, ProblemKind::Limit, "depth grows through aliases too");
    let many = format!("[{}1]", "1,".repeat(NODES_MAX));
    assert_eq!(parse(Syntax::Json, &many).problems[0].kind, ProblemKind::Limit);
    let large = " ".repeat(TEXT_MAX + 1);
    assert_eq!(parse(Syntax::Yaml, &large).problems[0].kind, ProblemKind::Limit);
}

#[test]
fn the_syntax_is_told_by_name_and_else_by_the_first_words() {
    for (name, text, want) in [
        ("a.toml", "{}", Syntax::Toml),
        ("a.YML", "{}", Syntax::Yaml),
        ("stdin", "{\n \"a\": 1}", Syntax::Json),
        ("stdin", "[1]", Syntax::Json),
        ("stdin", "# x\n[http.routers]\n", Syntax::Toml),
        ("stdin", "[[tls.certificates]]\n", Syntax::Toml),
        ("stdin", "a = 1\n", Syntax::Toml),
        ("stdin", "a: b = 1\n", Syntax::Yaml),
        ("stdin", "{a: 1}\n", Syntax::Yaml),
        ("stdin", "", Syntax::Yaml),
    ] {
        assert_eq!(syntax_of(name, text), want, "{name} {text:?}");
    }
}

#[test]
fn a_value_that_nobody_wrote_stands_behind_its_key() {
    for text in ["=A\n$.==", "[a]\n[a]\n[a]\n=[a]\n[a]\n"] {
        nests(&parse(Syntax::Toml, text), text);
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic_and_its_spans_nest(text in "(?s).{0,200}") {
        for syntax in [Syntax::Json, Syntax::Yaml, Syntax::Toml] {
            nests(&parse(syntax, &text), &text);
        }
        syntax_of("x", &text);
    }

    #[test]
    fn any_text_of_signs_is_read_without_panic_and_its_spans_nest(text in r#"([\[\]{}:,'"&*a1.\-=#|>!?~\\ \n\tä]|<<: |&a |\*a |- |\[a\]\n|a = ){0,60}"#) {
        for syntax in [Syntax::Json, Syntax::Yaml, Syntax::Toml] {
            nests(&parse(syntax, &text), &text);
        }
        syntax_of("x", &text);
    }
}
