//! Line and word differences of two texts, ready to be drawn. The same texts always give the same lines: no
//! clock decides how hard the algorithm tries.

use serde::Serialize;
use similar::{Algorithm, ChangeTag, DiffOp, InlineChangeMode, InlineChangeOptions, TextDiff};
use utoipa::ToSchema;

/// Changed blocks above this are shown without marks on words: what was rewritten as a whole has none anyway.
const MAX_MARKED_BYTES: usize = 32 * 1024;
/// Context beyond this is the whole file.
const MAX_CONTEXT: usize = 1_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    Same,
    Removed,
    Added,
    /// Stands for lines that are the same on both sides and not shown; its one word says how many.
    Gap,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Line {
    pub kind: LineKind,
    /// 1-based line in the text before; none for an added line and for a gap.
    pub before: Option<usize>,
    /// 1-based line in the text after; none for a removed line and for a gap.
    pub after: Option<usize>,
    /// The line's text without its line end, in pieces.
    pub words: Vec<Word>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Word {
    pub text: String,
    /// Differs from the line that this one replaces. Never set on a line without a counterpart.
    pub changed: bool,
}

/// All changes with `context` lines around each; empty when the texts are the same.
pub fn lines(before: &str, after: &str, context: usize) -> Vec<Line> {
    let (old, new) = (split(before), split(after));
    let diff = compare(&old, &new);
    let mut marks = InlineChangeOptions::new();
    marks.algorithm(Algorithm::Myers).mode(InlineChangeMode::Words);
    let mut out = Vec::new();
    let mut shown = 0;
    for group in diff.grouped_ops(context.min(MAX_CONTEXT)) {
        if let Some(first) = group.first() {
            gap(first.old_range().start - shown, &mut out);
        }
        for op in &group {
            shown = op.old_range().end;
            let bytes: usize = old[op.old_range()].iter().chain(&new[op.new_range()]).map(|line| line.len()).sum();
            if matches!(op, DiffOp::Replace { .. }) && bytes <= MAX_MARKED_BYTES {
                for change in diff.iter_inline_changes_with_options_deadline(op, marks, None) {
                    let pieces = change.values().iter().map(|(changed, text)| (*text, *changed));
                    out.push(line(change.tag(), change.old_index(), change.new_index(), pieces));
                }
            } else {
                for change in diff.iter_changes(op) {
                    out.push(line(change.tag(), change.old_index(), change.new_index(), [(change.value(), false)]));
                }
            }
        }
    }
    if !out.is_empty() {
        gap(old.len() - shown, &mut out);
    }
    out
}

/// The same as a patch, as `diff -u` writes it; empty when the texts are the same.
pub fn unified(before: &str, after: &str, from_name: &str, to_name: &str, context: usize) -> String {
    let (old, new) = (split(before), split(after));
    let diff = compare(&old, &new);
    let mut out = String::new();
    for hunk in diff.unified_diff().context_radius(context.min(MAX_CONTEXT)).iter_hunks() {
        if out.is_empty() {
            out = format!("--- {from_name}\n+++ {to_name}\n");
        }
        out.push_str(&format!("{}\n", hunk.header()));
        for change in hunk.iter_changes() {
            out.push_str(&format!("{}{}", change.tag(), change.value()));
            // Not the library's way, which takes a carriage return for the end of a line.
            if !change.value().ends_with('\n') {
                out.push_str("\n\\ No newline at end of file\n");
            }
        }
    }
    out
}

/// One row of a side-by-side view: what stood, and what stands.
pub type Row<'a> = (Option<&'a Line>, Option<&'a Line>);

/// Rows for a side-by-side view: the removed and added lines of one change stand next to each other in their order,
/// a line that has no counterpart next to nothing. A line that is the same and a gap are on both sides.
pub fn side_by_side(lines: &[Line]) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::with_capacity(lines.len());
    let mut rest = lines;
    while let Some(first) = rest.first() {
        let run = |kind: LineKind, lines: &[Line]| lines.iter().take_while(|line| line.kind == kind).count();
        let removed = run(LineKind::Removed, rest);
        let added = run(LineKind::Added, &rest[removed..]);
        if removed + added == 0 {
            rows.push((Some(first), Some(first)));
            rest = &rest[1..];
            continue;
        }
        let (old, after) = rest.split_at(removed);
        let (new, after) = after.split_at(added);
        rows.extend((0..removed.max(added)).map(|at| (old.get(at), new.get(at))));
        rest = after;
    }
    rows
}

/// Lines with their line feed; only a line feed ends a line, as for the parser.
fn split(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn compare<'a>(old: &[&'a str], new: &[&'a str]) -> TextDiff<'a, 'a, str> {
    TextDiff::configure().algorithm(Algorithm::Myers).newline_terminated(true).diff_slices(old, new)
}

fn line<'a>(
    tag: ChangeTag,
    before: Option<usize>,
    after: Option<usize>,
    pieces: impl IntoIterator<Item = (&'a str, bool)>,
) -> Line {
    let kind = match tag {
        ChangeTag::Equal => LineKind::Same,
        ChangeTag::Delete => LineKind::Removed,
        ChangeTag::Insert => LineKind::Added,
    };
    let mut words: Vec<Word> = Vec::new();
    for (text, changed) in pieces {
        match words.last_mut() {
            Some(last) if last.changed == changed => last.text.push_str(text),
            _ => words.push(Word { text: text.to_owned(), changed }),
        }
    }
    // The line end is one of the pieces, or the end of the last.
    while let Some(last) = words.last_mut() {
        last.text.truncate(last.text.trim_end_matches(['\n', '\r']).len());
        if !last.text.is_empty() {
            break;
        }
        words.pop();
    }
    Line { kind, before: before.map(|at| at + 1), after: after.map(|at| at + 1), words }
}

fn gap(hidden: usize, out: &mut Vec<Line>) {
    if hidden > 0 {
        let text = if hidden == 1 { "1 line the same".to_owned() } else { format!("{hidden} lines the same") };
        out.push(Line { kind: LineKind::Gap, before: None, after: None, words: vec![Word { text, changed: false }] });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(before: &str, after: &str, context: usize) -> Vec<String> {
        let number = |n: Option<usize>| n.map_or("-".to_owned(), |n| n.to_string());
        let words = |words: &[Word]| {
            words.iter().map(|w| if w.changed { format!("[{}]", w.text) } else { w.text.clone() }).collect::<String>()
        };
        lines(before, after, context)
            .iter()
            .map(|l| format!("{:?} {} {} {}", l.kind, number(l.before), number(l.after), words(&l.words)))
            .collect()
    }

    #[test]
    fn changed_words_are_marked_between_gaps() {
        let before = "a\nb\nc\nserver web1 10.0.0.1:80 weight 100 check\nd\r\ne\nf\ng\n";
        let after = "a\nb\nc\nserver web1 10.0.0.1:80 weight 0 check\nd\r\ne\nf\ng\nnew";
        assert_eq!(
            drawn(before, after, 1),
            [
                "Gap - - 2 lines the same",
                "Same 3 3 c",
                "Removed 4 - server web1 10.0.0.1:80 weight [100] check",
                "Added - 4 server web1 10.0.0.1:80 weight [0] check",
                "Same 5 5 d",
                "Gap - - 2 lines the same",
                "Same 8 8 g",
                "Added - 9 new",
            ]
        );
        assert_eq!(drawn(before, before, 3), [] as [&str; 0]);
        assert_eq!(drawn("", "x\n", 3), ["Added - 1 x"]);
        assert_eq!(drawn("a\nb\nc\n", "b\nc\n", 0), ["Removed 1 - a", "Gap - - 2 lines the same"]);
        assert_eq!(drawn("a\n", "b\n", usize::MAX).len(), 2);
    }

    #[test]
    fn rows_put_what_replaces_beside_what_stood() {
        let all = lines("a\nb\nc\nd\ne\nf\ng\n", "a\nB\nd\nnew\ne\nf\n", 1);
        let text = |line: Option<&Line>| {
            line.map_or("·".to_owned(), |line| line.words.iter().map(|word| word.text.as_str()).collect::<String>())
        };
        let drawn: Vec<_> = side_by_side(&all).into_iter().map(|(old, new)| format!("{}|{}", text(old), text(new))).collect();
        assert_eq!(drawn, ["a|a", "b|B", "c|·", "d|d", "·|new", "e|e", "f|f", "g|·"]);
        let all = lines("a\nb\nc\nd\n", "x\nb\nc\nd\n", 1);
        let drawn: Vec<_> = side_by_side(&all).into_iter().map(|(old, new)| format!("{}|{}", text(old), text(new))).collect();
        assert_eq!(drawn, ["a|x", "b|b", "2 lines the same|2 lines the same"]);
        assert!(side_by_side(&[]).is_empty());
    }

    #[test]
    fn patches_are_as_diff_writes_them() {
        let patch = unified("a\nb\n", "a\nc", "before", "after", 3);
        assert_eq!(patch, "--- before\n+++ after\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n\\ No newline at end of file\n");
        assert_eq!(unified("a", "a", "x", "y", 3), "");
    }

    #[test]
    fn large_texts_are_compared_in_bounded_time() {
        let text = |step: u64, lines: u64| {
            (0..lines).map(|n| format!("server s{} weight {}\n", n * step % 7919, n % 5)).collect::<String>()
        };
        let (a, b) = (text(31, 20_000), text(57, 20_000));
        let began = std::time::Instant::now();
        assert!(!lines(&a, &b, 3).is_empty());
        assert!(!unified(&a, &b, "a", "b", 3).is_empty());
        // Far above what it takes; the bound only catches a quadratic step.
        assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    }

    proptest::proptest! {
        #[test]
        fn every_line_of_both_texts_is_there(a in "[ab \\n\\r]{0,60}", b in "[ab \\n\\r]{0,60}") {
            let all = lines(&a, &b, 1000);
            let rows = side_by_side(&all);
            let shown = |old: bool| rows.iter().filter_map(|(a, b)| if old { *a } else { *b }).cloned().collect::<Vec<_>>();
            let kept = |hidden: LineKind| all.iter().filter(|line| line.kind != hidden).cloned().collect::<Vec<_>>();
            proptest::prop_assert_eq!(shown(true), kept(LineKind::Added));
            proptest::prop_assert_eq!(shown(false), kept(LineKind::Removed));
            let side = |kind: LineKind| all.iter().filter(|l| l.kind == LineKind::Same || l.kind == kind)
                .map(|l| l.words.iter().map(|w| w.text.as_str()).collect::<String>()).collect::<Vec<_>>();
            let wanted = |text: &str| text.split_inclusive('\n').map(|l| l.trim_end_matches(['\n', '\r']).to_owned()).collect::<Vec<_>>();
            if a == b {
                proptest::prop_assert!(all.is_empty());
            } else {
                proptest::prop_assert_eq!(side(LineKind::Removed), wanted(&a));
                proptest::prop_assert_eq!(side(LineKind::Added), wanted(&b));
            }
        }
    }
}
