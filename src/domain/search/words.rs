//! Text as the words that a search compares: one folding for what is stored and for what is asked, so that both
//! databases find the same. It knows nothing of languages: no stems, no stop words.

use unicode_normalization::char::{canonical_combining_class, decompose_compatible};

/// Bytes of a folded word; what follows in a longer one is not compared.
const WORD_MAX: usize = 120;

/// A folded word and where it stands in the text, as bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Word {
    pub text: String,
    pub start: usize,
    pub end: usize,
}

/// The words of a text in their order: runs of letters and digits in small letters without accents, in Unicode's
/// compatibility decomposition (UAX #15). Han and kana, which are written without spaces, are words one by one, and a
/// reference such as `INC-42` is one word.
pub fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    let mut word = Word::default();
    let mut folded = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        folded.clear();
        fold(c, &mut folded);
        let end = at + c.len_utf8();
        if folded.is_empty() {
            let before_digit = chars.peek().is_some_and(|(_, next)| next.is_ascii_digit());
            let stays_open = canonical_combining_class(c) != 0 || (c == '-' && word.text == "inc" && before_digit);
            if !stays_open {
                close(&mut word, &mut found);
            }
            continue;
        }
        let alone = is_written_without_spaces(c);
        if alone {
            close(&mut word, &mut found);
        }
        if word.text.is_empty() {
            word.start = at;
        }
        if word.text.len() + folded.len() <= WORD_MAX {
            word.text.push_str(&folded);
        }
        word.end = end;
        if alone {
            close(&mut word, &mut found);
        }
    }
    close(&mut word, &mut found);
    found
}

/// The words alone, one space between them: what the indexes are made of.
pub fn folded(text: &str) -> String {
    words(text).into_iter().map(|word| word.text).collect::<Vec<_>>().join(" ")
}

fn close(word: &mut Word, found: &mut Vec<Word>) {
    if !word.text.is_empty() {
        found.push(std::mem::take(word));
    }
}

fn fold(c: char, into: &mut String) {
    if c.is_ascii() {
        if c.is_ascii_alphanumeric() {
            into.push(c.to_ascii_lowercase());
        }
        return;
    }
    decompose_compatible(c, |part| {
        let lower = part.to_lowercase();
        into.extend(lower.filter(|c| canonical_combining_class(*c) == 0 && c.is_alphanumeric()));
    });
}

fn is_written_without_spaces(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_accents_and_punctuation_do_not_count() {
        assert_eq!(folded("Größe, CAFÉ; e\u{301}tat-major\n10.0.0.1 /api/v1?x=_y"), "große cafe etat major 10 0 0 1 api v1 x y");
        assert_eq!(folded("ﬁle Ａ２ Ωμέγα"), "file a2 ωμεγα");
        assert_eq!(folded("see inc-42, INC-007: not inc- or inc-x"), "see inc42 inc007 not inc or inc x");
        assert_eq!(folded("負荷 分散ok"), "負 荷 分 散 ok");
        assert_eq!(folded("\u{0}\u{301}---<>&\"'*"), "");
    }

    #[test]
    fn places_are_those_of_the_text() {
        let text = "x  «E\u{301}tat» INC-42";
        let cut: Vec<_> = words(text).iter().map(|word| &text[word.start..word.end]).collect();
        assert_eq!(cut, ["x", "E\u{301}tat", "INC-42"]);
    }

    #[test]
    fn a_word_without_an_end_is_cut_alike_on_both_sides() {
        let long = "é".repeat(5_000);
        assert_eq!(words(&long), [Word { text: "e".repeat(WORD_MAX), start: 0, end: long.len() }]);
    }
}
