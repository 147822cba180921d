//! The options of a test program, one block an option.
//!
//! cargo passes the same options to every test program of a workspace, so a program that refuses
//! one of libtest's options breaks the whole run. The first part of the table is libtest's command
//! line (`library/test/src/cli.rs`); the second part is snowglobe's own.

use super::Arguments;
use super::rerun;
use super::switches::{CORE, REQUIRE};
use super::values::{color, duration, format, number, runs, stress, threads, unstable};
use crate::model::cli::{self, CommandLine, Operands};
use crate::trial::time_scale;

type Flag = cli::Flag<Arguments>;

/// The command line of a test program.
pub(crate) const COMMAND_LINE: CommandLine<Arguments> = CommandLine {
    about: "\
Usage: [OPTIONS] [FILTERS...]

Runs each trial whose name contains one of the FILTERS in namespaces of its own.
",
    operands: Operands::Each(|args, filter| {
        args.filters.push(filter.text()?);
        Ok(())
    }),
    flags: FLAGS,
    variables: &[
        (CORE, "1: a program that crashes may leave a core file"),
        (REQUIRE, "1: a trial whose requirements are missing fails"),
        (
            "SNOWGLOBE_WRITABLE",
            "more directories that trials may write to, separated by `:`",
        ),
    ],
    notes: "\
Exit status:
  0      every trial that ran passed
  64     the command line, the environment or the registered trials are wrong
  71     a limit of the system was reached
  74     the report could not be written, and no trial failed
  75     trials were inconclusive, for the machine was starved, and none failed
  77     this system does not permit the isolation that was asked for
  101    a trial failed
  128+N  ended by signal N
",
};

const FLAGS: &[Flag] = &[
    // ---- libtest's ----------------------------------------------------------------------------
    Flag::switch("include-ignored", "Run ignored trials too", |args| {
        args.include_ignored = true;
    }),
    Flag::switch("ignored", "Run only ignored trials", |args| {
        args.ignored = true;
    }),
    Flag::switch("test", "Run tests (they are all there is)", |_| {}),
    Flag::switch("bench", "Run benchmarks only (there are none)", |args| {
        args.bench = true;
    }),
    Flag::switch("list", "List trials instead of running them", |args| {
        args.list = true;
    }),
    Flag::switch("help", "Display this message", |args| args.help = true).short('h'),
    Flag::value(
        "logfile",
        "PATH",
        "Write a line per trial to the specified file",
        |args, path| {
            args.logfile = Some(path.path());
            Ok(())
        },
    ),
    Flag::switch("no-capture", "Let output through", |args| {
        args.no_capture = true;
    })
    // nextest 0.9 writes it so.
    .aliases(&["nocapture"])
    .loose_variable("RUST_TEST_NOCAPTURE"),
    Flag::value(
        "test-threads",
        "N",
        "Run N trials at a time (4 per core by default)",
        |args, number| {
            args.test_threads = Some(threads(number)?);
            Ok(())
        },
    )
    .variable("RUST_TEST_THREADS"),
    Flag::switch(
        "ignore-budgets",
        "Run as many trials at a time as asked for, whatever they share",
        |args| args.ignore_budgets = true,
    )
    .variable("SNOWGLOBE_IGNORE_BUDGETS"),
    Flag::value(
        "skip",
        "FILTER",
        "Skip trials whose names contain FILTER (repeatable)",
        |args, filter| {
            args.skip.push(filter.text()?);
            Ok(())
        },
    ),
    Flag::switch(
        "quiet",
        "One character per trial (--format terse)",
        |args| args.quiet = true,
    )
    .short('q'),
    Flag::switch("exact", "Match filters against whole names", |args| {
        args.exact = true;
    }),
    Flag::value("color", "WHEN", "auto, always or never", |args, when| {
        args.color = color(when)?;
        Ok(())
    }),
    Flag::value(
        "format",
        "FORMAT",
        "pretty, terse, json, junit or failures",
        |args, name| {
            args.format = Some(format(name)?);
            Ok(())
        },
    ),
    Flag::switch(
        "show-output",
        "Show what passed trials wrote, too",
        |args| args.show_output = true,
    ),
    Flag::value(
        "",
        "unstable-options",
        "Accepted, and without effect",
        |_, name| unstable(name),
    )
    .short('Z'),
    // Older versions of libtest took a mode here, as in `--report-time=colored`.
    Flag::loose_switch("report-time", "Show how long each trial took", |args| {
        args.report_time = true;
    }),
    Flag::switch("ensure-time", "Same as --report-time", |args| {
        args.report_time = true;
    }),
    Flag::switch("fail-fast", "Stop after the first failure", |args| {
        args.fail_fast = true;
    }),
    Flag::switch("shuffle", "Run in random order", |args| {
        args.shuffle = true;
    })
    .loose_variable("RUST_TEST_SHUFFLE"),
    Flag::value(
        "shuffle-seed",
        "SEED",
        "Run in the random order of SEED",
        |args, seed| {
            args.shuffle_seed = Some(number(seed)?);
            Ok(())
        },
    )
    .variable("RUST_TEST_SHUFFLE_SEED"),
    Flag::switch(
        "force-run-in-process",
        "Accepted, and without effect",
        |_| {},
    ),
    Flag::switch(
        "exclude-should-panic",
        "Accepted, and without effect",
        |_| {},
    ),
    // ---- snowglobe's own ----------------------------------------------------------------------
    Flag::value(
        "timeout",
        "TIME",
        "Default timeout of a trial, as in 30s (60s by default)",
        |args, time| {
            args.timeout = Some(duration(time)?);
            Ok(())
        },
    )
    .variable(rerun::TIMEOUT),
    Flag::value(
        "user",
        "NAME|UID",
        "Run trials that name no user as this one, without capabilities",
        |args, user| {
            args.user = Some(user.text()?);
            Ok(())
        },
    )
    .variable(rerun::USER),
    Flag::value(
        "seed",
        "SEED",
        "The run's seed, as printed with each failure",
        |args, seed| {
            args.seed = Some(number(seed)?);
            Ok(())
        },
    )
    .variable("SNOWGLOBE_SEED"),
    Flag::value(
        "stress",
        "N|TIME",
        "Run copies of each trial, until one fails or N or TIME is reached",
        |args, length| {
            args.stress = Some(stress(length)?);
            Ok(())
        },
    )
    .variable("SNOWGLOBE_STRESS"),
    Flag::value(
        "runs",
        "N",
        "Run each trial with N seeds side by side, until one fails",
        |args, number| {
            args.runs = Some(runs(number)?);
            Ok(())
        },
    )
    .variable("SNOWGLOBE_RUNS"),
    Flag::switch(
        "twice",
        "Run each trial twice with one seed, and show the first difference",
        |args| args.twice = true,
    )
    .variable("SNOWGLOBE_TWICE"),
    Flag::switch(
        "shrink",
        "Run a trial that fails under faults again, with ever fewer of them",
        |args| args.shrink = true,
    )
    .variable("SNOWGLOBE_SHRINK"),
    Flag::value(
        "time-scale",
        "FACTOR",
        "Stretch every wait and time limit, as by 2.5 on a slow machine",
        |args, factor| {
            args.time_scale = Some(factor.parse()?);
            Ok(())
        },
    )
    .variable(time_scale::VARIABLE),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::report::format_names;

    #[test]
    fn every_option_is_in_the_help() {
        COMMAND_LINE.assert_sound();
    }

    #[test]
    fn every_format_is_in_the_help() {
        let help = COMMAND_LINE.help();
        for (name, _) in format_names() {
            assert!(help.contains(name), "{name}");
        }
    }
}
