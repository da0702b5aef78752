//! The command `afterload`: parse, hand over.

use std::process::ExitCode;

fn main() -> ExitCode {
    afterload::cli::main()
}
