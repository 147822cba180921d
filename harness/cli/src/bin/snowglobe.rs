//! The command `snowglobe`.

fn main() -> std::process::ExitCode {
    snowglobe_cli::main("snowglobe", std::env::args_os().skip(1))
}
