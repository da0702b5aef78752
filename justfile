# Every step of CI as a recipe; `just` lists them, `just STEP` runs one.

_default:
    @just --list

# Everything that CI runs, in its order; installs what is missing
all:
    tests/run

# Run the server on ./data
run *ARGS:
    cargo run -- {{ARGS}}

# Install programs that the tests need and that are missing
install:
    tests/run install

# Put the code into its one format
fmt:
    cargo fmt

# Format, warnings, unit and integration tests on both databases
rust:
    tests/run rust

# Warnings are errors
clippy:
    cargo clippy --all-targets --locked -- -D warnings

# Unit tests alone, without a database server: just test domain::
test *FILTER:
    cargo test --locked --lib {{FILTER}}

# The walk on real HAProxy, Prometheus, Alertmanager and a browser
walk:
    tests/run walk

# One test file of the walk, on the binary that is built: just browser walk
browser NAME='walk':
    cd tests/browser && node --test --test-reporter=spec {{NAME}}.test.mjs

# Accept what the snapshot tests see now; read the difference before committing it
bless:
    INSTA_UPDATE=always cargo test --locked --lib --test architecture

# Draw the pictures of the documentation anew
pictures:
    cargo build --locked
    cd tests/browser && UPDATE_SCREENSHOTS=1 node --test --test-reporter=spec walk.test.mjs

# Print the OpenAPI document
openapi:
    @cargo run --quiet --locked -- openapi

# How long configs take to understand, against the balancers' own checks in the same run
bench:
    tests/balancers target/balancers
    AFTERLOAD_TEST_BALANCERS=target/balancers cargo bench --locked --bench configs

# How fast the server is, against a bare program in the same run; parts: start list search room weights ingest postgres memory storm
bench-service *PARTS:
    cargo build --release --locked
    AFTERLOAD_BINARY="${CARGO_TARGET_DIR:-$PWD/target}/release/afterload" benches/postgres \
        cargo run --release --quiet --manifest-path benches/service/Cargo.toml -- {{PARTS}}
    {{ if PARTS == "" { "cargo bench --locked --bench markdown" } else { "true" } }}

# What a power cut leaves: replays of writes that were cut off, with FULL and with NORMAL; needs strace
power-loss IMAGES='200':
    AFTERLOAD_IMAGES={{IMAGES}} cargo test --locked --test power_loss

# Kill the server again and again under load, on both databases
kill-loop ROUNDS='100':
    AFTERLOAD_KILL_ROUNDS={{ROUNDS}} tests/run kill

# Throw made-up bytes at a parser, the redaction or the diff: just fuzz haproxy 1000000; needs `cargo install cargo-fuzz`
fuzz TARGET='haproxy' RUNS='10000000':
    cp Cargo.lock fuzz/Cargo.lock
    cargo +nightly fuzz run --sanitizer none --no-trace-compares {{TARGET}} -- -runs={{RUNS}} -dict=fuzz/dict/{{TARGET}}.dict -timeout=1 -rss_limit_mb=512 -max_len=4096 -len_control=1000 -reload=0 -print_final_stats=1

# Keep of a target's corpus only what reaches something of its own
fuzz-keep TARGET:
    cargo +nightly fuzz cmin --sanitizer none --no-trace-compares {{TARGET}} -- -use_counters=0
