//! `windlass`, the operators' command.

fn main() -> std::process::ExitCode {
    windlass_cli::run()
}
