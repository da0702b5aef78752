//! A text that is embedded must say the same and must stay inside its place.

use proptest::prelude::*;

use super::*;
use crate::text::escape::plain;
use crate::text::markdown::render;

fn with<T>(base_url: Option<&str>, hugo: bool, work: impl FnOnce(&mut Place<'_>) -> T) -> T {
    work(&mut Place { base_url, image: &mut |id| Some(format!("({id}.png)")), hugo })
}

fn embedded(source: &str) -> String {
    with(None, false, |place| blocks(source, place))
}

/// What a reader sees, without spaces, marks of emphasis and boxes of tasks.
fn seen(html: &str) -> String {
    let mut text = String::new();
    let mut tag = false;
    for c in html.chars() {
        match c {
            '<' => tag = true,
            '>' if tag => tag = false,
            _ if tag || c.is_whitespace() || "*_~".contains(c) => {}
            _ => text.push(c),
        }
    }
    text.replace("[x]", "").replace("[]", "")
}

#[test]
fn common_texts_come_out_as_they_were() {
    for same in [
        "a paragraph\nof two lines\\\nand a forced one",
        "**bold**, *soft*, ~~gone~~, `code`, ``a`b``",
        "- a\n- b\n  - c\n- d",
        "1. a\n\n2. b\n\n   more\n\n3. c",
        "> quoted\n>\n> - list",
        "- [x] done\n- [ ] open",
        "```rust\nfn main() {}\n\n\n```",
        "````\n```\n````",
        "| a | b |\n| --- | --: |\n| 1 \\| 2 | `x` |",
        "[a](https://b.example/c_d?e=1)",
        "- a\n\n* b",
        "> a\n\n> b",
        "web_1 costs 5 % & 3 < 4",
    ] {
        let expected = same.replace(" < ", " \\< ");
        assert_eq!(embedded(same), expected);
    }
    assert_eq!(embedded("Big\n===\n\n# a\n## b {#id}\n###### c"), "#### Big\n\n#### a\n\n##### b \\{\\#id}\n\n###### c");
    assert_eq!(embedded("[x](javascript:1) ![y](https://e/p.png) <b>z</b>"), "x y \\<b>z\\</b>");
    assert_eq!(embedded("see [run][r]\n\n[r]: https://r.example"), "see [run](https://r.example)");
}

#[test]
fn addresses_become_absolute_and_images_find_their_file() {
    let id = "01900000-0000-7000-8000-000000000001";
    let text = format!("INC-7, [INC-8](/incidents/INC-8) ![a|b](/attachments/{id}/x.png)");
    let out = with(Some("https://al.example/"), false, |place| blocks(&text, place));
    assert_eq!(
        out,
        format!("[INC-7](https://al.example/incidents/INC-7), [INC-8](https://al.example/incidents/INC-8) ![a\\|b]({id}.png)")
    );
    assert_eq!(embedded("INC-7 [x](/incidents/INC-7)"), "INC-7 x");
}

#[test]
fn shortcodes_come_out_literally() {
    let hugo = |text: &str| with(None, true, |place| blocks(text, place));
    assert_eq!(hugo("a {{< b >}} {{% c %}}"), "a {{\\< b >}} {{\\% c %}}");
    assert_eq!(hugo("`{{< b >}}` `{{% c %}}`"), "`{{</* b */>}}` `{{%/* c */%}}`");
    assert_eq!(hugo("```\n{{< b\n{{{< c >}}\n```"), "```\n{{</* b\n{{{< c */>}}\n```");
    assert_eq!(hugo("`{{< half` `{ {{x`"), "`{{\u{200B}< half` `{ {{x`");
    assert_eq!(hugo("`<!--more-->`"), "`<!--\u{200B}more-->`");
}

#[test]
fn titles_mean_nothing_to_markdown() {
    for title in
        ["# forged", "- x", "1. x", "a | b", "`", "**b**", "<b>", "a\n# b", "===", "> q", "&lt;", "![a](b)", "x #", "|---|"]
    {
        let html = render(&plain(title));
        let expected = title.replace('\n', " ").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        assert_eq!(html, format!("<p>{expected}</p>\n"), "{title}");
        let table = render(&format!("| a | b |\n| --- | --- |\n| {} | z |", plain(title)));
        assert_eq!(table.matches("<td>").count(), 2, "{table}");
        assert!(table.contains(&format!("<td>{expected}</td><td>z</td>")), "{table}");
    }
    assert_eq!(plain("שלום \u{202e}evil\u{202c}"), "שלום evil");
}

#[test]
fn only_simple_paragraphs_fit_on_a_line() {
    for fits in ["a *b* `c` [d](https://e)", "two\nlines", ""] {
        assert!(fits_on_a_line(fits), "{fits}");
    }
    for not in ["a\n\nb", "- a", "# a", "```\na\n```", "a\\\nb", "![a](/b)", "***", "<div>\n"] {
        assert!(!fits_on_a_line(not), "{not}");
    }
    assert_eq!(words("**a** `b`\n\n- c <i>"), "a b c <i>");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn nothing_escapes_and_nothing_is_lost(
        pieces in prop::collection::vec(prop_oneof![
            prop::sample::select(vec![
                "<!--", "<script>", "```", "~~~\n", "# h", "Title\n===", "- ", "> ", "1) ", "[a]: https://b.example\n",
                "[a]", "`", "| a | b |\n|---|---|\n| c | d |", "<div>\n", "***", "[x](https://y.example)", "word", "{{< x >}}",
                "    code", "\\", "&amp;", "&lt;", "- [x] t", "\t", "---", "<b>", "==", "2. ",
            ]).prop_map(str::to_owned),
            "[a-c |#>+=.1)(!:{}-]{0,6}",
        ], 0..14),
        glue in prop::sample::select(vec!["", " ", "\n", "\n\n", "\n> ", "\n  - "]),
    ) {
        let source = pieces.join(glue);
        let written = embedded(&source);
        let html = render(&written);
        prop_assert_eq!(seen(&html), seen(&render(&source)), "{:?} became {:?}", source, written);
        prop_assert!(!html.contains("<h1>") && !html.contains("<h2>") && !html.contains("<h3>"), "{}", html);

        let document = render(&format!("{written}\n\n## Ours\n"));
        prop_assert!(document.ends_with("<h2>Ours</h2>\n"), "{:?} became {:?}", source, written);

        let cell = with(None, true, |place| line(&source, place));
        let table = render(&format!("| a | b |\n| --- | --- |\n| {cell} | z |\n\n## Ours\n"));
        prop_assert_eq!(table.matches("<td>").count(), 2, "{:?} became {:?}", source, cell);
        prop_assert!(table.ends_with("<td>z</td></tr></tbody></table>\n<h2>Ours</h2>\n"), "{}", table);
    }
}

#[test]
fn the_short_cut_for_plain_prose_changes_nothing() {
    for text in ["a", "Was slow (again); 5% of 10/12? \"Yes\" - no!", "a  b", "grün · 🔥", "x) + 1. = -- :-) }} ^^ a/b @c $d$"]
    {
        assert!(is_plain_prose(text), "{text}");
        assert_eq!(render(text), format!("<p>{}</p>\n", text.replace('"', "&quot;")));
        assert!(fits_on_a_line(text));
    }
    for text in ["", " a", "1. a", "a ", "- a", "a\nb", "a*b", "see INC-1", "a & b", "a_b", "<", "é", "a\u{b}"] {
        assert!(!is_plain_prose(text), "{text}");
    }
}
