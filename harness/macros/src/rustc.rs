//! The compiler that expands our macros, as its command line shows it.
//!
//! The same source is compiled for the standard harness and for `snowglobe::main!`, and the source
//! does not say which. The command line does: with `harness = false` cargo passes `--cfg test`, but
//! not `--test`, to rustc (measured with cargo 1.95).

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Environment variable that is set where this crate has started the compiler again, to learn which
/// tests of other macros there are.
const LOOKING: &str = "SNOWGLOBE_LOOKS_FOR_TESTS";

/// Name of the crate whose macros these are.
pub(crate) const OWN_NAME: &str = "snowglobe";

/// Command line of a compiler.
pub(crate) struct Rustc {
    args: Vec<OsString>,
}

impl Rustc {
    /// Returns the compiler that expands our macros now.
    pub(crate) fn present() -> &'static Self {
        static PRESENT: OnceLock<Rustc> = OnceLock::new();
        PRESENT.get_or_init(|| Self::of(std::env::args_os().skip(1)))
    }

    /// Returns the compiler with these arguments.
    fn of(given: impl Iterator<Item = OsString>) -> Self {
        let mut args = Vec::new();
        for arg in given {
            // A command line that is too long comes in a file, with an argument on each line (the
            // rustc book, "Command-line Arguments", `@path`).
            let file = arg.to_str().and_then(|arg| arg.strip_prefix('@'));
            match file.and_then(|path| std::fs::read_to_string(path).ok()) {
                Some(text) => args.extend(text.lines().map(OsString::from)),
                None => args.push(arg),
            }
        }
        Self { args }
    }

    /// Returns whether this program makes the compilation only to look for tests.
    pub(crate) fn is_looking() -> bool {
        std::env::var_os(LOOKING).is_some()
    }

    /// Returns whether the compiler makes a program with the standard harness.
    pub(crate) fn has_harness(&self) -> bool {
        self.args.iter().any(|arg| arg == "--test")
    }

    /// Returns whether the compiler makes a program of tests that has a `main` of its own.
    pub(crate) fn drops_tests(&self) -> bool {
        let is_for_tests = self.values("--cfg").any(|value| value == "test");
        is_for_tests && self.links() && !self.has_harness()
    }

    /// Returns whether the compiler makes a program: `cargo check` and clippy do not.
    pub(crate) fn links(&self) -> bool {
        let mut kinds = self.values("--emit");
        kinds.any(|kinds| kinds.to_string_lossy().split(',').any(is_link))
    }

    /// Returns the name by which the source that is compiled now knows the crate `snowglobe`: a
    /// manifest may give a dependency another name (The Cargo Book, "Renaming dependencies in
    /// `Cargo.toml`").
    pub(crate) fn name_of_snowglobe() -> &'static str {
        static NAME: OnceLock<String> = OnceLock::new();
        NAME.get_or_init(|| {
            let names: Vec<&str> = Self::present().names_of(OWN_NAME).collect();
            match names.first() {
                Some(name) if !names.contains(&OWN_NAME) => (*name).to_owned(),
                _ => OWN_NAME.to_owned(),
            }
        })
    }

    /// Returns the names that the command line gives to the library of a crate, as in
    /// `--extern priv:NAME=/path/libCRATE-4a1f.rlib` (the rustc book, "`--extern`").
    fn names_of<'a>(&'a self, library: &'a str) -> impl Iterator<Item = &'a str> {
        self.values("--extern").filter_map(move |value| {
            let (name, path) = value.to_str()?.split_once('=')?;
            let file = Path::new(path).file_name()?.to_str()?;
            let rest = file.strip_prefix("lib")?.strip_prefix(library)?;
            let is_it = rest.starts_with(['-', '.']);
            is_it.then(|| name.rsplit(':').next().unwrap_or(name))
        })
    }

    /// Returns the values of an option, which stand behind `=` or are the next argument.
    fn values<'a>(&'a self, option: &'a str) -> impl Iterator<Item = &'a OsStr> {
        let next = self.args.iter().skip(1).map(Some).chain([None]);
        self.args.iter().zip(next).filter_map(move |(arg, next)| {
            if arg == option {
                return next.map(OsString::as_os_str);
            }
            let rest = arg.to_str()?.strip_prefix(option)?.strip_prefix('=')?;
            Some(OsStr::new(rest))
        })
    }

    /// Returns the command that prints the source with all macros expanded, as it would be with
    /// the standard harness.
    pub(crate) fn expansion_with_harness(&self) -> Option<Command> {
        let mut command = Command::new(std::env::current_exe().ok()?);
        command
            .args(self.args_of_expansion())
            .args(["--test", "-Zunpretty=expanded"])
            .env(LOOKING, "1")
            // Stable compilers print expanded source on this condition only.
            .env("RUSTC_BOOTSTRAP", "1")
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        Some(command)
    }

    /// Returns the arguments without those that name the output or the incremental state, which the
    /// present compilation has in use.
    fn args_of_expansion(&self) -> Vec<&OsStr> {
        let mut kept: Vec<&OsStr> = Vec::with_capacity(self.args.len());
        for arg in &self.args {
            let text = arg.to_string_lossy();
            if text.starts_with("incremental=") {
                // `-C incremental=…` in two arguments.
                kept.pop();
            } else if !text.starts_with("-Cincremental=")
                && !text.starts_with("--emit=")
                && text != "--test"
            {
                kept.push(arg);
            }
        }
        kept
    }
}

fn is_link(kind: &str) -> bool {
    kind.split('=').next() == Some("link")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rustc(line: &str) -> Rustc {
        Rustc::of(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_command_line_tells_the_harness() {
        let own = rustc("--crate-name a a.rs --emit=dep-info,link -C debuginfo=2 --cfg test -C x");
        assert!(own.drops_tests() && !own.has_harness());
        let standard = rustc("a.rs --emit=dep-info,link --test");
        assert!(standard.has_harness() && !standard.drops_tests());
        assert!(!rustc("a.rs --emit=dep-info,metadata --cfg test").drops_tests());
        assert!(!rustc("a.rs --emit=link --cfg feature=\"test\"").drops_tests());
        assert!(rustc("a.rs --emit dep-info,link=x --cfg=test").drops_tests());
    }

    #[test]
    fn a_library_is_found_under_another_name() {
        let line = "a.rs --extern other=/x/libsnowglobe_macros-1.so --extern sg=/x/libsnowglobe-1f.rlib \
                    --extern=priv:third=/x/libsnowglobe.rmeta --extern plain";
        let rustc = rustc(line);
        let names: Vec<&str> = rustc.names_of("snowglobe").collect();
        assert_eq!(names, ["sg", "third"]);
        assert_eq!(rustc.names_of("none").count(), 0);
    }

    #[test]
    fn the_second_compiler_has_no_output_in_common_with_the_first() {
        let line = "a.rs --emit=link -C incremental=/x -C opt-level=3 -Cincremental=/y --test";
        let rustc = rustc(line);
        assert_eq!(rustc.args_of_expansion(), ["a.rs", "-C", "opt-level=3"]);
    }
}
