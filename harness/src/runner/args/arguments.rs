//! The command line and the environment as one value.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::flags::COMMAND_LINE;
use super::rerun::is_for_a_program;
use super::switches::{CORE, REQUIRE, is_on};
use super::values::Stress;
use crate::model::cli::{CliError, GivenFlags};
use crate::model::time_scale::TimeScale;
use crate::runner::error::{RunError, usage};
use crate::runner::report::{Color, Format, ReportOptions};
use crate::sandbox::within::is_within_trial;

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
    /// Texts of which a trial's name must contain one, or be one with `exact`. Without a text all
    /// trials run.
    pub filters: Vec<String>,
    /// Texts of which a trial's name must contain none, or be none with `exact`.
    pub skip: Vec<String>,
    /// The filters match whole names.
    pub exact: bool,
    /// Trials are listed instead of run.
    pub list: bool,
    /// Only the ignored trials run.
    pub ignored: bool,
    /// The ignored trials run too.
    pub include_ignored: bool,
    /// Only benchmarks run. No trial is a benchmark, so every trial is ignored.
    pub bench: bool,
    /// The output of trials goes straight through.
    pub no_capture: bool,
    /// The output of passed trials is shown as well.
    pub show_output: bool,
    /// Number of trials that run at a time. Without one, there are four for each core.
    pub test_threads: Option<usize>,
    /// As many trials run at a time as asked for, even if they may use up what the user's programs
    /// share on this host.
    pub ignore_budgets: bool,
    /// Format of the report. Without one, `quiet` decides.
    pub format: Option<Format>,
    /// The report has one character a trial (`-q`).
    pub quiet: bool,
    /// Whether the report is coloured.
    pub color: Color,
    /// File that gets a line for each trial.
    pub logfile: Option<PathBuf>,
    /// Trials run in a random order.
    pub shuffle: bool,
    /// Seed of the random order. A seed implies `shuffle`.
    pub shuffle_seed: Option<u64>,
    /// The first failure ends the run.
    pub fail_fast: bool,
    /// The duration of each trial is shown.
    pub report_time: bool,
    /// Time limit of trials that set none. Without one, the limit is 60 s.
    pub timeout: Option<Duration>,
    /// Seed of the run, from which the trials' seeds are derived. Without one, the seed is random.
    pub seed: Option<u64>,
    /// User, by name or id, as whom trials run that name none. Without one, they run as root of
    /// their namespaces.
    pub user: Option<String>,
    /// Copies of each trial run side by side, until one of them fails or this is reached.
    pub stress: Option<Stress>,
    /// Number of seeds with which each trial runs side by side, until one fails. Without one, each
    /// trial runs as often as its option `seeds` says.
    pub runs: Option<u64>,
    /// Each trial runs twice with one seed, and fails if the two runs differ.
    pub twice: bool,
    /// A trial that fails with a schedule of faults is run again with ever smaller ones.
    pub shrink: bool,
    /// Factor by which waits and time limits are stretched. Without one, they are not.
    pub time_scale: Option<TimeScale>,
    /// The help is shown, and nothing else happens.
    pub help: bool,
}

impl Arguments {
    /// Parses this program's arguments and the `RUST_TEST_*` and `SNOWGLOBE_*` environment.
    ///
    /// # Errors
    /// Says which option is unknown or which value does not parse.
    pub fn from_env() -> Result<Arguments, RunError> {
        let (mut args, given) = Arguments::parsed(std::env::args_os().skip(1))?;
        let on_the_line = args.clone();
        args.read_environment(&given, |key| std::env::var_os(key))?;
        args.drop_variables_of_outer_run(&on_the_line);
        Ok(args)
    }

    /// Within a trial, gives the options that take sandboxes the values of the command line: the
    /// variables are for the run of the trial that has started this program.
    fn drop_variables_of_outer_run(&mut self, on_the_line: &Arguments) {
        if self.needing_sandboxes().next().is_none() || !is_within_trial() {
            return;
        }
        self.timeout = on_the_line.timeout;
        self.user.clone_from(&on_the_line.user);
        self.stress = on_the_line.stress;
        self.runs = on_the_line.runs;
        self.twice = on_the_line.twice;
        self.shrink = on_the_line.shrink;
    }

    /// Returns the names of the given options that take a sandbox for each run of a trial.
    pub(crate) fn needing_sandboxes(&self) -> impl Iterator<Item = &'static str> {
        let others = [
            (self.timeout.is_some(), "--timeout (SNOWGLOBE_TIMEOUT)"),
            (self.user.is_some(), "--user (SNOWGLOBE_USER)"),
            (self.shrink, "--shrink (SNOWGLOBE_SHRINK)"),
        ];
        let others = others.into_iter();
        self.repeating_options()
            .chain(others.filter_map(|(is_given, name)| is_given.then_some(name)))
    }

    /// Returns the names of the given options that say how often a trial runs. They exclude each
    /// other.
    fn repeating_options(&self) -> impl Iterator<Item = &'static str> {
        [
            (self.stress.is_some(), "--stress (SNOWGLOBE_STRESS)"),
            (self.runs.is_some(), "--runs (SNOWGLOBE_RUNS)"),
            (self.twice, "--twice (SNOWGLOBE_TWICE)"),
        ]
        .into_iter()
        .filter_map(|(is_given, name)| is_given.then_some(name))
    }

    /// Returns the arguments of a trial that runs by itself under another harness: the environment
    /// speaks, but the command line, which is that harness's, does not.
    ///
    /// # Errors
    /// Says which variable has a wrong value.
    pub(crate) fn bare() -> Result<Arguments, RunError> {
        let is_rerun = is_for_a_program();
        let mut args = Arguments {
            no_capture: !is_rerun,
            format: Some(if is_rerun {
                Format::Json
            } else {
                Format::Failures
            }),
            ..Arguments::default()
        };
        args.read_environment(&GivenFlags::default(), |key| std::env::var_os(key))?;
        args.drop_variables_of_outer_run(&Arguments::default());
        Ok(args)
    }

    /// Parses the given arguments, without the program's name.
    ///
    /// # Errors
    /// Says which option is unknown or which value does not parse.
    pub fn parse_from<I>(args: I) -> Result<Arguments, RunError>
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        Arguments::parsed(args).map(|(args, _)| args)
    }

    fn parsed<I>(words: I) -> Result<(Arguments, GivenFlags), RunError>
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        let mut args = Arguments::default();
        let given = COMMAND_LINE.parse_into(&mut args, words).map_err(wrong)?;
        args.check_exclusions()?;
        Ok((args, given))
    }

    /// Sets from the environment whatever the command line has not set.
    fn read_environment(
        &mut self,
        given: &GivenFlags,
        get: impl Fn(&str) -> Option<OsString>,
    ) -> Result<(), RunError> {
        COMMAND_LINE
            .read_environment(self, given, &get)
            .map_err(wrong)?;
        for variable in [CORE, REQUIRE] {
            // The code that acts by a variable reads that variable by itself.
            is_on(variable, &get).map_err(wrong)?;
        }
        self.check_exclusions()
    }

    /// Refuses options that exclude each other, and `--shrink` without the feature `toml`.
    fn check_exclusions(&self) -> Result<(), RunError> {
        if self.ignored && self.include_ignored {
            return Err(usage(
                "--ignored and --include-ignored exclude each other: give one of them",
            ));
        }
        // `--shrink` goes with `--runs`, and not with the others.
        let given: Vec<&str> = self.repeating_options().collect();
        if self.shrink && !cfg!(feature = "toml") {
            return Err(usage(
                "--shrink writes schedules as TOML: turn on the feature `toml` of snowglobe",
            ));
        }
        let other = [(self.stress.is_some(), "--stress"), (self.twice, "--twice")];
        if let Some((_, other)) = other.iter().find(|(is_given, _)| *is_given && self.shrink) {
            return Err(usage(format!(
                "--shrink (SNOWGLOBE_SHRINK) and {other} exclude each other: give one of them"
            )));
        }
        match given[..] {
            [first, second, ..] => Err(usage(format!(
                "{first} and {second} exclude each other: give one of them"
            ))),
            [] | [_] => Ok(()),
        }
    }

    /// Returns the text that `--help` prints.
    pub(crate) fn help() -> String {
        COMMAND_LINE.help()
    }

    /// Returns what the report needs to know.
    pub(crate) fn report_options(&self) -> ReportOptions {
        ReportOptions {
            format: self.chosen_format(),
            color: self.color,
            show_output: self.show_output,
            report_time: self.report_time,
            logfile: self.logfile.clone(),
        }
    }

    /// Returns the format that `--format` and `-q` together ask for.
    pub fn chosen_format(&self) -> Format {
        match self.format {
            Some(format) => format,
            None if self.quiet => Format::Terse,
            None => Format::Pretty,
        }
    }
}

/// Makes the error of a wrong command line or environment, and says where to read more.
fn wrong(error: CliError) -> RunError {
    match error {
        CliError::UnknownOption(_) => usage(format!("{error}; --help lists those there are")),
        CliError::UnexpectedOperand(_)
        | CliError::Syntax(_)
        | CliError::NotUtf8 { .. }
        | CliError::Value { .. }
        | CliError::Contradiction(_)
        | CliError::Other(_) => usage(error.to_string()),
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
            "RUST_TEST_THREADS" => Some("7".into()),
            "SNOWGLOBE_TIMEOUT" => Some("3s".into()),
            _ => None,
        };
        let (mut args, given) = Arguments::parsed(["--test-threads=2"]).unwrap();
        args.read_environment(&given, environment).unwrap();
        assert_eq!(args.test_threads, Some(2));
        assert_eq!(args.timeout, Some(Duration::from_secs(3)));
        let bad = |key: &str| (key == "SNOWGLOBE_TIMEOUT").then(|| "x".into());
        assert!(
            parse("")
                .unwrap()
                .read_environment(&GivenFlags::default(), bad)
                .unwrap_err()
                .to_string()
                .contains("SNOWGLOBE_TIMEOUT")
        );
    }

    #[test]
    fn a_switch_of_the_environment_is_on_or_off() {
        let read = |variable: &str, value: &'static str| {
            let mut args = parse("").unwrap();
            let get = |key: &str| (key == variable).then(|| value.into());
            let read = args.read_environment(&GivenFlags::default(), get);
            read.map(|()| args).map_err(|error| error.to_string())
        };
        assert!(read("SNOWGLOBE_TWICE", "1").unwrap().twice);
        assert!(!read("SNOWGLOBE_TWICE", "0").unwrap().twice);
        assert!(!read("SNOWGLOBE_TWICE", "").unwrap().twice);
        for variable in [
            "SNOWGLOBE_TWICE",
            "SNOWGLOBE_SHRINK",
            "SNOWGLOBE_IGNORE_BUDGETS",
            "SNOWGLOBE_REQUIRE",
            "SNOWGLOBE_CORE",
        ] {
            assert!(read(variable, "1").is_ok(), "{variable}");
            let wrong = format!("{variable} is `x`: give 1 to turn it on, or 0");
            assert_eq!(read(variable, "x").unwrap_err(), wrong);
        }
        // libtest takes every value but 0 for a yes.
        assert!(read("RUST_TEST_NOCAPTURE", "x").unwrap().no_capture);
        assert!(!read("RUST_TEST_SHUFFLE", "0").unwrap().shuffle);
    }
}
