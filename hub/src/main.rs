//! The hub's program: see `lianxin-hub --help`.

fn main() -> std::process::ExitCode {
    lianxin_hub::cli::run()
}
