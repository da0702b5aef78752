//! What people type, and what nobody means to type.

use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn parse(text: &str) -> Search {
    Search::parse(text, at("2026-11-21T12:00:00Z"), 60)
}

fn terms(terms: &[Term]) -> Vec<String> {
    terms.iter().map(Term::to_string).collect()
}

#[test]
fn words_phrases_beginnings_and_what_is_not_wanted() {
    let search = parse("Checkout  \"Connection  refused\" -drill -\"load test\" time* “as phones quote” web-3 - * \"\"");
    assert_eq!(terms(&search.wanted), ["“checkout”", "“connection refused”", "“time…”", "“as phones quote”", "“web 3”"]);
    assert_eq!(terms(&search.unwanted), ["“drill”", "“load test”"]);
    assert!(search.filters.is_empty() && !search.means_incidents());
    assert_eq!(terms(&parse("\"never closed -at all").wanted), ["“never closed at all”"]);
    assert_eq!(terms(&parse("\"connection ref*\" \"load te\"*").wanted), ["“connection ref…”", "“load te…”"]);
    assert_eq!(terms(&parse("INC-42").wanted), ["“inc42”"]);
    assert!(parse(" - * \"\" ::: ").is_empty());
}

#[test]
fn filters_and_what_only_looks_like_one() {
    let search = parse(
        "status:open -status:Monitoring severity:SEV1 severity:2 kind:hypothesis kind:task kind:near-miss \
         service:\"check out\" label:team=db label:team:db label:team after:7d before:2026-11-21",
    );
    let holding: Vec<Filter> = search.filters.iter().filter(|(holds, _)| *holds).map(|(_, filter)| filter.clone()).collect();
    let label = |value: Option<&str>| Filter::Label("team".into(), value.map(str::to_owned));
    assert_eq!(
        holding,
        [
            Filter::Open,
            Filter::Severity(Severity::Sev1),
            Filter::Severity(Severity::Sev2),
            Filter::EntryKind(EntryKind::Hypothesis),
            Filter::Found(Found::Task),
            Filter::IncidentKind(IncidentKind::NearMiss),
            Filter::Service("check out".into()),
            label(Some("db")),
            label(Some("db")),
            label(None),
            Filter::After(at("2026-11-14T12:00:00Z")),
            Filter::Before(at("2026-11-20T23:00:00Z")),
        ]
    );
    assert!(search.filters.contains(&(false, Filter::Status(Status::Monitoring))) && search.wanted.is_empty());
    // The value is unknown, or the name: then they are words.
    assert_eq!(terms(&parse("status:bad http://x after:soon after:99999999d \"kind:task\"").wanted).len(), 5);
    assert!(parse("status:open").means_incidents() && !parse("kind:note").means_incidents() && parse("-x").means_incidents());
}

proptest! {
    #[test]
    fn no_text_is_an_error(text in "(\\PC|[-\"*:() \\n]|status:|after:|label:|9){0,80}", offset in -840..840) {
        let search = Search::parse(&text, at("2026-11-21T12:00:00Z"), offset);
        for term in search.wanted.iter().chain(&search.unwanted) {
            prop_assert!(!term.words.is_empty());
            for word in &term.words {
                prop_assert!(!word.is_empty() && word.chars().all(char::is_alphanumeric), "{:?}", word);
            }
        }
        prop_assert!(search.said().len() <= PARTS_MAX);
    }
}
