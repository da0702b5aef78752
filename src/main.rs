//! The command `afterload`: choose the memory allocator, parse, hand over.

use std::process::ExitCode;

/// A fifth off the time to understand a config, for about the same memory: docs/decisions/0014.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    afterload::cli::main()
}
