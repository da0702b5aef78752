//! Safe HTML of a long write-up, against the parser's own writer, which leaves everything in.
//!
//! Prints the ratio and its bound; nothing fails. Taken in turns, so that what else runs falls on both.
#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::hint::black_box;
use std::time::Instant;

use afterload::text::markdown;
use pulldown_cmark::{Options, Parser};

const ENTRIES: usize = 1_000;
const TURNS: usize = 25;

fn main() {
    let source = write_up();
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let bare = || {
        let mut out = String::with_capacity(source.len() * 3 / 2);
        pulldown_cmark::html::push_html(&mut out, Parser::new_ext(&source, options));
        out
    };
    let safe = || markdown::render(&source);
    let mut turns: Vec<(f64, f64, f64)> = (0..TURNS)
        .map(|_| {
            let (bare, safe) = (milliseconds(&bare), milliseconds(&safe));
            (safe / bare, bare, safe)
        })
        .collect();
    turns.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, bare, safe) = turns[TURNS / 2];
    let verdict = if ratio <= 3.0 { "holds" } else { "MISSED" };
    println!("safe HTML of a write-up with {ENTRIES} entries, {} kB", source.len() / 1_000);
    println!("  pulldown-cmark alone {bare:.2} ms, safe {safe:.2} ms: {ratio:.2} times, bound 3, {verdict}");
}

fn milliseconds(work: &dyn Fn() -> String) -> f64 {
    let began = Instant::now();
    for _ in 0..10 {
        black_box(work());
    }
    began.elapsed().as_secs_f64() * 100.0
}

fn write_up() -> String {
    let mut source = String::from("# Postmortem\n\n## Timeline\n\n");
    for number in 0..ENTRIES {
        let body = match number % 4 {
            0 => format!(
                "p99 of `checkout` is at **{number} ms**, see [the panel](https://graphs.example/d/{number}), as in INC-{number}."
            ),
            1 => format!("- drained `web-{}`\n- waited for 30 s\n- put it back with weight {}", number % 9, number % 100),
            2 => format!("| server | weight |\n|---|--:|\n| web-1 | {number} |\n| web-2 | 100 |"),
            _ => format!("> upstream timed out after {} s\n\nis in the log of *{} of 12* servers.", number % 40, number % 12),
        };
        source += &format!("### {:02}:{:02} Observation of the checkout pool\n\n{body}\n\n", number / 60 % 24, number % 60);
    }
    source
}
