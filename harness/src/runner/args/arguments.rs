//! The command line: libtest's, and a little more.

use std::ffi::OsString;
use std::time::Duration;

use lexopt::prelude::{Long, Short, Value};

use super::values::{color, duration, format, number, text, threads, unknown, unstable, value};
use crate::runner::error::{RunError, usage};

/// The command line of a test program, as libtest understands it.
///
/// ```
/// use snowglobe::Arguments;
///
/// let args = Arguments::parse_from(["tcp", "--skip", "slow", "--test-threads=4"])?;
/// assert_eq!(args.filters, ["tcp"]);
/// assert_eq!(args.test_threads, Some(4));
/// assert!(Arguments::parse_from(["--test-threads=0"]).is_err());
/// # Ok::<(), snowglobe::RunError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arguments {
    /// Only trials whose name contains one of these (or is one of these, with `exact`).
    pub filters: Vec<String>,
    /// No trial whose name contains one of these.
    pub skip: Vec<String>,
    /// Filters match whole names.
    pub exact: bool,
    /// List instead of running.
    pub list: bool,
    /// Only the ignored trials.
    pub ignored: bool,
    /// The ignored trials too.
    pub include_ignored: bool,
    /// Benchmarks only: there are none, so every trial is ignored.
    pub bench: bool,
    /// Output goes straight through.
    pub no_capture: bool,
    /// Print the output of passed trials as well.
    pub show_output: bool,
    /// How many trials run at a time.
    pub test_threads: Option<usize>,
    /// How results are printed.
    pub format: Option<Format>,
    /// `-q`: one character a trial.
    pub quiet: bool,
    /// When to colour.
    pub color: Color,
    /// A file to write a line per trial to.
    pub logfile: Option<std::path::PathBuf>,
    /// In random order.
    pub shuffle: bool,
    /// In the random order of this seed.
    pub shuffle_seed: Option<u64>,
    /// Stop after the first failure.
    pub fail_fast: bool,
    /// Print how long each trial took.
    pub report_time: bool,
    /// The default timeout; `SNOWGLOBE_TIMEOUT` otherwise, or 60 s.
    pub timeout: Option<Duration>,
    /// The run's seed.
    pub seed: Option<u64>,
    /// `-h`.
    pub help: bool,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A line per trial.
    #[default]
    Pretty,
    /// A character per trial.
    Terse,
    /// libtest's JSON lines.
    Json,
    /// JUnit XML.
    Junit,
    /// Nothing but what went wrong: for where another program prints the rest.
    Failures,
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Arguments {
    /// Parses this program's arguments and the `RUST_TEST_*` and `SNOWGLOBE_*` environment.
    ///
    /// # Errors
    /// Says which option is unknown or which value does not parse.
    pub fn from_env() -> Result<Arguments, RunError> {
        let mut args = Arguments::parse_from(std::env::args_os().skip(1))?;
        args.read_environment(|key| std::env::var(key).ok())?;
        Ok(args)
    }

    /// The environment's alone, for a trial that runs by itself under another harness.
    pub(crate) fn bare() -> Result<Arguments, RunError> {
        let mut args = Arguments {
            no_capture: true,
            format: Some(Format::Failures),
            ..Arguments::default()
        };
        args.read_environment(|key| std::env::var(key).ok())?;
        Ok(args)
    }

    /// Parses the given arguments, without the program's name.
    ///
    /// # Errors
    /// As [`Arguments::from_env`].
    pub fn parse_from<I>(args: I) -> Result<Arguments, RunError>
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        let mut parser = lexopt::Parser::from_args(args.into_iter().map(Into::into));
        let mut parsed = Arguments::default();
        while let Some(argument) = parser.next().map_err(|e| usage(e.to_string()))? {
            match argument {
                Value(filter) => parsed.filters.push(text(filter)?),
                Short('h') => parsed.help = true,
                Short('q') => parsed.quiet = true,
                Short('Z') => unstable(&text(value(&mut parser)?)?)?,
                Long(name) => {
                    let name = name.to_owned();
                    parsed.long(&name, &mut parser)?;
                }
                Short(other) => return Err(unknown(&format!("-{other}"))),
            }
        }
        parsed.check()?;
        Ok(parsed)
    }

    fn long(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<(), RunError> {
        match name {
            "help" => self.help = true,
            "exact" => self.exact = true,
            "list" => self.list = true,
            "ignored" => self.ignored = true,
            "include-ignored" => self.include_ignored = true,
            "bench" => self.bench = true,
            // What libtest takes and what is nothing special here.
            "test" | "force-run-in-process" | "exclude-should-panic" => {}
            "nocapture" | "no-capture" => self.no_capture = true,
            "show-output" => self.show_output = true,
            "quiet" => self.quiet = true,
            "shuffle" => self.shuffle = true,
            "fail-fast" => self.fail_fast = true,
            "report-time" => {
                self.report_time = true;
                let _ = parser.optional_value();
            }
            "ensure-time" => self.report_time = true,
            "skip" => self.skip.push(text(value(parser)?)?),
            "logfile" => self.logfile = Some(value(parser)?.into()),
            "test-threads" => {
                self.test_threads = Some(threads("--test-threads", &text(value(parser)?)?)?)
            }
            "shuffle-seed" => {
                self.shuffle_seed = Some(number("--shuffle-seed", &text(value(parser)?)?)?)
            }
            "seed" => self.seed = Some(number("--seed", &text(value(parser)?)?)?),
            "timeout" => self.timeout = Some(duration("--timeout", &text(value(parser)?)?)?),
            "color" => self.color = color(&text(value(parser)?)?)?,
            "format" => self.format = Some(format(&text(value(parser)?)?)?),
            other => return Err(unknown(&format!("--{other}"))),
        }
        Ok(())
    }

    fn check(&self) -> Result<(), RunError> {
        if self.ignored && self.include_ignored {
            return Err(usage(
                "--ignored and --include-ignored exclude each other: give one of them",
            ));
        }
        Ok(())
    }

    /// What the environment says where the command line says nothing.
    pub(crate) fn read_environment(
        &mut self,
        get: impl Fn(&str) -> Option<String>,
    ) -> Result<(), RunError> {
        if self.test_threads.is_none()
            && let Some(text) = get("RUST_TEST_THREADS")
        {
            self.test_threads = Some(threads("RUST_TEST_THREADS", &text)?);
        }
        self.no_capture |= get("RUST_TEST_NOCAPTURE").is_some_and(|v| v != "0");
        self.shuffle |= get("RUST_TEST_SHUFFLE").is_some_and(|v| v != "0");
        if self.shuffle_seed.is_none()
            && let Some(text) = get("RUST_TEST_SHUFFLE_SEED")
        {
            self.shuffle_seed = Some(number("RUST_TEST_SHUFFLE_SEED", &text)?);
        }
        if self.timeout.is_none()
            && let Some(text) = get("SNOWGLOBE_TIMEOUT")
        {
            self.timeout = Some(duration("SNOWGLOBE_TIMEOUT", &text)?);
        }
        if self.seed.is_none()
            && let Some(text) = get("SNOWGLOBE_SEED")
        {
            self.seed = Some(number("SNOWGLOBE_SEED", &text)?);
        }
        Ok(())
    }

    /// The format that `--format` and `-q` come to.
    pub fn chosen_format(&self) -> Format {
        match self.format {
            Some(format) => format,
            None if self.quiet => Format::Terse,
            None => Format::Pretty,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, RunError> {
        Arguments::parse_from(line.split_whitespace())
    }

    #[test]
    fn everything_that_libtest_takes_is_taken() {
        let line = "a b --skip c --skip=d --exact --ignored --test --nocapture --no-capture \
                    --show-output --test-threads 3 --color never --format=terse --logfile x \
                    -Z unstable-options -Zunstable-options --report-time --shuffle \
                    --shuffle-seed 7 --fail-fast --ensure-time";
        let args = parse(line).unwrap();
        assert_eq!(args.filters, ["a", "b"]);
        assert_eq!(args.skip, ["c", "d"]);
        assert_eq!(args.shuffle_seed, Some(7));
        assert_eq!(args.chosen_format(), Format::Terse);
        assert!(args.exact && args.ignored && args.no_capture && args.fail_fast);
    }

    #[test]
    fn wrong_values_are_named() {
        for (line, named) in [
            ("--bogus", "--bogus"),
            ("-x", "-x"),
            ("--test-threads=0", "--test-threads"),
            ("--test-threads=many", "many"),
            ("--format=xml", "xml"),
            ("--color=pink", "pink"),
            ("--timeout=soon", "soon"),
            ("--timeout=0s", "0s"),
            ("--timeout=-1s", "-1s"),
            ("--ignored --include-ignored", "exclude"),
            ("-Z sandbox", "sandbox"),
        ] {
            let error = parse(line).expect_err(line).to_string();
            assert!(error.contains(named), "{line}: {error}");
            assert!(!error.contains('\n'), "one sentence: {error}");
        }
    }

    #[test]
    fn the_environment_speaks_where_the_command_line_is_silent() {
        let environment = |key: &str| match key {
            "RUST_TEST_THREADS" => Some("7".to_owned()),
            "SNOWGLOBE_TIMEOUT" => Some("3s".to_owned()),
            _ => None,
        };
        let mut args = parse("--test-threads=2").unwrap();
        args.read_environment(environment).unwrap();
        assert_eq!(args.test_threads, Some(2));
        assert_eq!(args.timeout, Some(Duration::from_secs(3)));
        let bad = |key: &str| (key == "SNOWGLOBE_TIMEOUT").then(|| "x".to_owned());
        assert!(
            parse("")
                .unwrap()
                .read_environment(bad)
                .unwrap_err()
                .to_string()
                .contains("SNOWGLOBE_TIMEOUT")
        );
    }
}
