//! The command `cargo snowglobe`: cargo starts this program, with its own word for it in front.

fn main() -> std::process::ExitCode {
    let mut words = std::env::args_os().skip(1).peekable();
    words.next_if(|word| word == "snowglobe");
    snowglobe_cli::main("cargo snowglobe", words)
}
