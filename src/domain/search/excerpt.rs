//! What of a text is shown for a hit, and which of its words were meant. Pieces are plain text; whoever shows them
//! escapes each and adds nothing but `<mark>`.

use super::Term;
use super::words::{Word, words};

/// Bytes of an excerpt, about two lines; and how much of them stands before the first match.
const LENGTH: usize = 240;
const BEFORE: usize = 50;
/// Matches that are looked at when the best place is chosen.
const LOOKED_AT: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub text: String,
    pub marked: bool,
}

/// A match: its bytes in the text and which of the terms it is.
struct Match {
    start: usize,
    end: usize,
    term: usize,
}

fn matches(text: &str, terms: &[Term], most: usize) -> Vec<Match> {
    let words = words(text);
    let starts = (0..words.len()).flat_map(|at| terms.iter().enumerate().map(move |(index, term)| (at, index, term)));
    let found = starts.filter_map(|(at, index, term)| {
        let run = words.get(at..at + term.words.len())?;
        fits(run, term).then(|| Match { start: run[0].start, end: run[run.len() - 1].end, term: index })
    });
    found.take(most).collect()
}

fn fits(run: &[Word], term: &Term) -> bool {
    let last = run.len().saturating_sub(1);
    !run.is_empty()
        && run.iter().zip(&term.words).enumerate().all(|(index, (word, wanted))| {
            if term.prefix && index == last { word.text.starts_with(wanted) } else { word.text == *wanted }
        })
}

/// The whole text with what matched marked.
pub fn marked(text: &str, terms: &[Term]) -> Vec<Piece> {
    cut(text, 0, text.len(), &matches(text, terms, LOOKED_AT))
}

/// About two lines around the place where most of the terms stand together; the beginning where none does.
pub fn excerpt(text: &str, terms: &[Term]) -> Vec<Piece> {
    let found = matches(text, terms, LOOKED_AT);
    let together = |from: &Match| {
        let near = found.iter().filter(|other| other.start >= from.start && other.end <= from.start + LENGTH - BEFORE);
        let mut seen: Vec<usize> = near.map(|near| near.term).collect();
        seen.sort_unstable();
        seen.dedup();
        seen.len()
    };
    // Of equals `max_by_key` takes the last; the first is wanted.
    let best = found.iter().rev().max_by_key(|from| together(from)).map_or(0, |best| best.start);
    let start = edge(text, best.saturating_sub(BEFORE), best);
    let end = text.floor_char_boundary((start + LENGTH).max(found.iter().find(|m| m.start == best).map_or(0, |m| m.end)));
    let mut pieces = cut(text, start, end, &found);
    let plain = |text: &str| Piece { text: text.to_owned(), marked: false };
    if start > 0 {
        pieces.insert(0, plain("… "));
    }
    if end < text.trim_end().len() {
        pieces.push(plain(" …"));
    }
    pieces
}

/// The first beginning of a word in `from..to`, or `to`.
fn edge(text: &str, from: usize, to: usize) -> usize {
    let from = text.floor_char_boundary(from);
    if from == 0 {
        return 0;
    }
    let space = text[from..to].char_indices().find(|(_, c)| c.is_whitespace());
    space.map_or(to, |(at, c)| from + at + c.len_utf8())
}

fn cut(text: &str, start: usize, end: usize, found: &[Match]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut push = |part: &str, marked: bool| {
        if !part.is_empty() {
            pieces.push(Piece { text: one_line(part), marked });
        }
    };
    let mut at = start;
    for hit in found {
        if hit.end <= at || hit.end > end {
            continue;
        }
        let from = hit.start.max(at);
        push(&text[at..from], false);
        push(&text[from..hit.end], true);
        at = hit.end;
    }
    push(&text[at..end], false);
    pieces
}

/// Line ends and indents as single spaces.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if !c.is_whitespace() {
            line.push(c);
        } else if !line.ends_with(' ') {
            line.push(' ');
        }
    }
    line
}

/// The pieces as HTML in which the only markup is `<mark>`.
pub fn html(pieces: &[Piece]) -> String {
    let mut html = String::new();
    for piece in pieces {
        html.push_str(if piece.marked { "<mark>" } else { "" });
        for c in piece.text.chars() {
            match c {
                '&' => html.push_str("&amp;"),
                '<' => html.push_str("&lt;"),
                '>' => html.push_str("&gt;"),
                '"' => html.push_str("&quot;"),
                '\'' => html.push_str("&#39;"),
                other => html.push(other),
            }
        }
        html.push_str(if piece.marked { "</mark>" } else { "" });
    }
    html
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::search::Search;

    fn terms(query: &str) -> Vec<Term> {
        Search::parse(query, crate::domain::time::Timestamp::UNIX_EPOCH, 0).wanted
    }

    #[test]
    fn words_phrases_and_beginnings_are_marked_and_nothing_else_is_markup() {
        let text = "<b>Web3</b> & the pool: web-3 was *restarted*, web3x not";
        let html = html(&marked(text, &terms("web3 \"web 3\" rest*")));
        assert_eq!(
            html,
            "&lt;b&gt;<mark>Web3</mark>&lt;/b&gt; &amp; the pool: <mark>web-3</mark> was *<mark>restarted</mark>*, web3x not"
        );
    }

    #[test]
    fn an_excerpt_is_where_the_terms_stand_together() {
        let text = format!("queue {} the queue\n\n was full {}", "lorem ".repeat(80), "ipsum ".repeat(80));
        let html = html(&excerpt(&text, &terms("queue full")));
        assert!(html.contains("the <mark>queue</mark> was <mark>full</mark>") && html.len() < 330, "{html}");
        assert!(html.starts_with("… lorem") && html.ends_with(" …"), "{html}");
        assert_eq!(excerpt("short", &terms("else")), [Piece { text: "short".into(), marked: false }]);
        assert_eq!(excerpt("", &terms("else")), []);
    }

    #[test]
    fn an_excerpt_begins_behind_a_space_of_any_width() {
        for space in [' ', '\u{85}', '\u{a0}', '\u{3000}'] {
            let text = format!("{}{space}the queue", "lorem".repeat(30));
            let html = html(&excerpt(&text, &terms("queue")));
            assert_eq!(html, "… the <mark>queue</mark>");
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_cut(text in "[\\PC\u{a0}\u{2003}\u{3000}]{0,400}", at in 0..400usize, other in "\\PC{0,40}") {
            // Two words of the text itself: what matches is what is cut around.
            let all = crate::domain::search::words::words(&text);
            let query = all.iter().skip(at % all.len().max(1)).take(2).map(|word| word.text.as_str());
            let terms = terms(&query.chain([other.as_str()]).collect::<Vec<_>>().join(" "));
            let shown = html(&excerpt(&text, &terms));
            let bare = shown.replace("<mark>", "").replace("</mark>", "");
            prop_assert!(!bare.contains('<') && !bare.contains('>'));
            let whole: String = marked(&text, &terms).into_iter().map(|piece| piece.text).collect();
            prop_assert_eq!(whole.split_whitespace().collect::<String>(), text.split_whitespace().collect::<String>());
        }
    }
}
