//! What the fuzzers found interesting holds in every run: the corpora of `fuzz/corpus`, read by the same functions.

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::path::Path;

#[test]
fn every_corpus_is_read_and_nothing_breaks() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, target) in targets::TARGETS {
        let mut count = 0;
        for file in fs::read_dir(corpora.join(name)).expect("each target has a corpus") {
            let path = file.expect("a file").path();
            let data = fs::read(&path).expect("bytes");
            if std::panic::catch_unwind(|| target(&data)).is_err() {
                panic!("{} breaks the fuzz target {name}; the reason stands above", path.display());
            }
            count += 1;
        }
        assert!(count > 20, "only {count} files for {name}");
    }
}
