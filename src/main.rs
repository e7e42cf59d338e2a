//! The program `telefile`: see `telefile --help`.

fn main() -> std::process::ExitCode {
    telefile::cli::main()
}
