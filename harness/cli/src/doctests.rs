//! Doctests that rustdoc has merged into one program: each has a world of its own.
//!
//! From edition 2024 on, the doctests of a crate are one program, which starts itself once for each
//! of them. Through a runner, that program runs all of them in one process instead: rustdoc then
//! leaves out the variable by which the program knows its own file (`run_test` in
//! `src/librustdoc/doctest.rs`, Rust 1.95). This command sets the variable, to a script that runs
//! the program in a world.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Name that rustdoc gives to the program of a doctest.
const PROGRAM: &str = "rust_out";

/// Variable with the file that the program starts for each doctest.
const FILE_VARIABLE: &str = "RUSTDOC_DOCTEST_BIN_PATH";

/// Variable by which a started program knows its doctest.
const NUMBER_VARIABLE: &str = "RUSTDOC_DOCTEST_RUN_NB_TEST";

/// Name of the script, which is beside the program: rustdoc removes that directory.
const SCRIPT: &str = "snowglobe_exec";

/// Becomes the program, if it has the doctests of a crate and starts a program for each of them.
/// `all` are the words after `exec`, which end with the words of the program.
///
/// # Errors
/// The program cannot be started.
pub(crate) fn run_merged_doctests(all: &[OsString], program: &[OsString]) -> io::Result<()> {
    let [file, arguments @ ..] = program else {
        return Ok(());
    };
    let path = Path::new(file);
    let is_one = std::env::var_os(NUMBER_VARIABLE).is_some();
    if is_one || path.file_name() != Some(OsStr::new(PROGRAM)) || !starts_itself(path) {
        return Ok(());
    }
    let options = &all[..all.len() - program.len()];
    // Where no script can be written, the doctests share one world.
    let Ok(script) = write_script(path, options) else {
        return Ok(());
    };
    // Doctests run in the processes that the program starts, so that it needs no world itself.
    let mut command = Command::new(file);
    Err(command.args(arguments).env(FILE_VARIABLE, script).exec())
}

/// Returns whether a program starts the file that the variable names.
fn starts_itself(program: &Path) -> bool {
    let name = FILE_VARIABLE.as_bytes();
    let text = fs::read(program).unwrap_or_default();
    text.windows(name.len()).any(|it| it == name)
}

/// Writes the script that runs the program in a world with these options.
fn write_script(program: &Path, options: &[OsString]) -> io::Result<PathBuf> {
    let program = std::path::absolute(program)?;
    let script = program.with_file_name(SCRIPT);
    let ours = std::env::current_exe()?;
    let words = [ours.as_os_str(), OsStr::new("exec")].into_iter();
    let words = words.chain(options.iter().map(OsString::as_os_str));
    let words: Vec<Vec<u8>> = words.chain([program.as_os_str()]).map(quoted).collect();
    let text = [&b"#!/bin/sh\nexec "[..], &words.join(&b' '), b" \"$@\"\n"].concat();
    fs::write(&script, text)?;
    fs::set_permissions(&script, Permissions::from_mode(0o755))?;
    Ok(script)
}

/// Quotes a word for a shell.
fn quoted(word: &OsStr) -> Vec<u8> {
    let parts: Vec<&[u8]> = word.as_bytes().split(|it| *it == b'\'').collect();
    [&b"'"[..], &parts.join(&b"'\\''"[..]), b"'"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_a_quoted_word_as_it_was() {
        for word in ["", "a b", "it's", "''", "$HOME `x` \"y\" \\", "a\nb"] {
            let script = [&b"printf %s "[..], &quoted(OsStr::new(word))].concat();
            let mut shell = Command::new("sh");
            let output = shell.arg("-c").arg(OsStr::from_bytes(&script)).output();
            assert_eq!(output.unwrap().stdout, word.as_bytes(), "{word:?}");
        }
    }
}
