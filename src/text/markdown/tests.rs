//! Hostile Markdown, held against an independent sanitiser with the same allow-list.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

const ID: &str = "01900000-0000-7000-8000-000000000001";

/// What the sanitiser leaves. It writes some characters another way; both sides are brought to one spelling.
fn cleaned(html: &str) -> String {
    let mut ammonia = ammonia::Builder::empty();
    ammonia
        .tags(HashSet::from([
            "p",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "blockquote",
            "ul",
            "ol",
            "li",
            "pre",
            "code",
            "span",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "em",
            "strong",
            "del",
            "a",
            "img",
            "br",
            "hr",
            "input",
        ]))
        .add_tag_attributes("a", ["href", "title", "rel"])
        .add_tag_attributes("img", ["src", "alt", "title"])
        .add_tag_attributes("input", ["type", "disabled", "checked", "aria-label"])
        .add_tag_attributes("ol", ["start"])
        .add_tag_attributes("th", ["align"])
        .add_tag_attributes("td", ["align"])
        .add_tag_attributes("code", ["class"])
        .add_tag_attributes("pre", ["class"])
        .add_tag_attributes("span", ["class"])
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .url_relative(ammonia::UrlRelative::PassThrough)
        .link_rel(None);
    spelled(&ammonia.clean(html).to_string())
}

fn spelled(html: &str) -> String {
    html.replace("&nbsp;", "\u{a0}").replace("&quot;", "\"").replace('\r', "\n")
}

fn assert_nothing_to_remove(source: &str) {
    for html in [render(source), render_inline(source)] {
        assert_eq!(spelled(&html), cleaned(&html), "from {source:?}");
        let lower = html.to_lowercase();
        for word in ["<script", "<svg", "<iframe", "<style", "href=\"javascript", "href=\"data", "href=\"//", "style=\""] {
            assert!(!lower.contains(word), "{word} in {html:?}");
        }
    }
}

const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "a <b onclick=alert(1)>b</b>",
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<iframe src=javascript:alert(1)>",
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
    "<!-- never closed\n\n# heading\n\ntext",
    "<!--><img src=x onerror=alert(1)>-->",
    "<textarea>\n\n</textarea><script>alert(1)</script>",
    "<style>*{background:url(//evil)}</style>",
    "<base href=//evil/>",
    "<meta http-equiv=refresh content=0;url=//evil>",
    "<form action=//evil><input name=password></form>",
    "<a href=\"javascript:alert(1)\">x</a>",
    "<?php echo 1 ?>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<!DOCTYPE html><script>1</script>",
    "<div\n\nonclick=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x](< javascript:alert(1)>)",
    "[x](&#106;avascript:alert(1))",
    "[x](java&#10;script:alert(1))",
    "[x](java&Tab;script:alert(1))",
    "[x](&#1;javascript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](vbscript:msgbox(1))",
    "[x](file:///etc/passwd)",
    "[x](//evil.example)",
    "[x](/\\evil.example)",
    "[x](\\\\evil.example)",
    "[x](/&#9;/evil.example)",
    "[x](/&NewLine;/evil.example)",
    "[x](blob:https://a/b)",
    "[x](view-source:https://a)",
    "[x](https://a/\"onmouseover=alert(1)//)",
    "[x](https://a/ \"t\\\" onmouseover=alert(1) x=\\\"\")",
    "[x](https://a/ '\"><script>alert(1)</script>')",
    "[x]: javascript:alert(1)\n\n[x] and [y][x]",
    "<javascript:alert(1)>",
    "<https://a.example/\"onclick=1>",
    "<mailto:a@b.example?subject=<script>>",
    "<a@b.example>",
    "![x](javascript:alert(1))",
    "![x](https://evil/pixel.png)",
    "![x](data:image/svg+xml;base64,PHN2Zz48L3N2Zz4=)",
    "![\" onerror=\"alert(1)](/attachments/01900000-0000-7000-8000-000000000001)",
    "![<script>alert(1)</script>](/attachments/01900000-0000-7000-8000-000000000001 \"\\\" onload=\\\"1\")",
    "![a ![b](c) [d](e) `<i>`](/attachments/01900000-0000-7000-8000-000000000001)",
    "![x](/attachments/../login)",
    "[![x](javascript:1)](javascript:2)",
    "[a [b](javascript:1) c](https://a)",
    "```\"><script>alert(1)</script>\ncode\n```",
    "```x onmouseover=alert(1)\n<script>\n```",
    "```diff\n+<script>\n-</span><img src=x onerror=1>\n@@ x\n```",
    "`<script>alert(1)</script>`",
    "| a | <script> |\n| :-- | --: |\n| <img src=x onerror=1> | \\| b |",
    "| a |\n|:-:|\n| [x](javascript:1) |",
    "- [x] <script>\n- [ ] [y](javascript:1)",
    "# <script>alert(1)</script> {#id .class onclick=alert(1)}",
    "> > > <script>\n> lazy",
    "99. a\n100. b\n\n2147483648. c",
    "&lt;script&gt;alert(1)&lt;/script&gt; &#60;b&#62;",
    "a\u{0}b \u{202e}evil\u{1b}[31m \u{feff}",
    "*a **b ~~c [d](https://e \"f\") ~~ ** *",
    "INC-42 [INC-42](javascript:1) `INC-42` <INC-42>",
    "</p></div></main><script>1</script>",
    "\\<script>alert(1)\\</script>",
    "a\u{a0}b\u{c}c\rd",
    "    <script>indented</script>",
    "1\n-\n<hr onclick=1>",
];

#[test]
fn the_oracle_finds_nothing_to_remove() {
    assert!(HOSTILE.len() >= 60, "{}", HOSTILE.len());
    for source in HOSTILE {
        assert_nothing_to_remove(source);
    }
    assert_nothing_to_remove(&HOSTILE.join("\n\n"));
    assert_nothing_to_remove(&HOSTILE.join(" "));
    assert_nothing_to_remove(&HOSTILE.join("\n"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn the_oracle_finds_nothing_in_random_markdown(
        pieces in prop::collection::vec(prop_oneof![
            prop::sample::select(HOSTILE).prop_map(str::to_owned),
            "[ \n\t>*_`~|#\\-+=!\\[\\]()<>&;:/\\\\\"'.a1]{0,12}",
            "\\PC{0,8}",
        ], 0..12),
        glue in prop::sample::select(vec!["", " ", "\n", "\n\n", "\n> ", "\n  - ", " | "]),
    ) {
        assert_nothing_to_remove(&pieces.join(glue));
    }
}

#[test]
fn what_is_allowed_comes_out() {
    let rel = "rel=\"nofollow noopener noreferrer\"";
    for (source, html) in [
        ("[a](https://b.example/?x=1&y=2 \"t\")", format!("<p><a href=\"https://b.example/?x=1&amp;y=2\" title=\"t\" {rel}>a</a></p>\n")),
        ("see INC-42.", format!("<p>see <a href=\"/incidents/INC-42\" {rel}>INC-42</a>.</p>\n")),
        ("`INC-42` [INC-7](#x)", format!("<p><code>INC-42</code> <a href=\"#x\" {rel}>INC-7</a></p>\n")),
        ("<a@b.example>", format!("<p><a href=\"mailto:a@b.example\" {rel}>a@b.example</a></p>\n")),
        ("![load](https://x/y.png) [z](javascript:1)", "<p>load z</p>\n".to_owned()),
        ("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>\n".to_owned()),
        ("- [x] a\n- [ ] b", "<ul>\n<li><input type=\"checkbox\" disabled=\"\" aria-label=\"done\" checked=\"\"> a</li>\n<li><input type=\"checkbox\" disabled=\"\" aria-label=\"open\"> b</li>\n</ul>\n".to_owned()),
        ("|a|b|\n|-|-:|\n|1|2|", "<table><thead><tr><th>a</th><th align=\"right\">b</th></tr></thead><tbody><tr><td>1</td><td align=\"right\">2</td></tr></tbody></table>\n".to_owned()),
        ("```diff\n-a\n+b\n```", "<pre class=\"diff\"><span class=\"del\">-a\n</span><span class=\"add\">+b\n</span></pre>\n".to_owned()),
        ("~~a~~ **b**\nc\\\nd", "<p><del>a</del> <strong>b</strong>\nc<br>\nd</p>\n".to_owned()),
        ("[^1]\n\n[^1]: no footnotes", "<p>[^1]</p>\n<p>[^1]: no footnotes</p>\n".to_owned()),
    ] {
        assert_eq!(render(source), html);
    }
    assert_eq!(render(&format!("![a](/attachments/{ID})")), format!("<p><img src=\"/attachments/{ID}\" alt=\"a\"></p>\n"));
    assert_eq!(render_inline("**a** b\n\n- c\n- d"), "<strong>a</strong> b<br>c<br>d");
}

#[test]
fn deep_and_huge_texts_end_soon() {
    // Nothing is asserted here but the end: a hang or a crash is what this looks for.
    let pieces =
        [">", "- ", "1. ", "*", "_a ", "[", "![", "[x](", "`", "<", "~~", "> - ", "|", "&#", "*a **b ", "<!--", "\n>\n-"];
    for piece in pieces {
        render(&piece.repeat(60_000));
    }
    let nested = render(&format!("{}x", ">".repeat(5_000)));
    assert_eq!((nested.matches("<blockquote>").count(), nested.matches('x').count()), (DEPTH_MAX, 1));
    let lists = render(&(0..200).map(|n| format!("{}- a\n", "  ".repeat(n))).collect::<String>());
    assert_eq!(lists.matches("<ul>").count(), DEPTH_MAX);
    assert_eq!(lists.matches('a').count(), 200);
}
