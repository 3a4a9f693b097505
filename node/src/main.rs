//! The community office's program: see `lianxin-node --help`.

fn main() -> std::process::ExitCode {
    lianxin_node::cli::run()
}
