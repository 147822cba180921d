//! What `--help` says.

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Usage: [OPTIONS] [FILTERS...]

Runs each trial whose name contains one of the FILTERS in namespaces of its own.

Options:
        --include-ignored   Run ignored trials too
        --ignored           Run only ignored trials
        --test              Run tests (they are all there is)
        --bench             Run benchmarks only (there are none)
        --list              List trials instead of running them
    -h, --help              Display this message
        --logfile PATH      Write a line per trial to the specified file
        --no-capture        Let output through (also --nocapture)
        --test-threads N    Run N trials at a time (4 per core by default)
        --skip FILTER       Skip trials whose names contain FILTER (repeatable)
    -q, --quiet             One character per trial (--format terse)
        --exact             Match filters against whole names
        --color WHEN        auto, always or never
        --format FORMAT     pretty, terse, json, junit or failures
        --show-output       Show what passed trials wrote, too
    -Z unstable-options     Accepted
        --report-time       Show how long each trial took
        --fail-fast         Stop after the first failure
        --shuffle           Run in random order
        --shuffle-seed SEED Run in the random order of SEED
        --timeout TIME      Default timeout of a trial, as in 30s (60s by default)
        --seed SEED         The run's seed, as printed with each failure

Environment:
    RUST_TEST_THREADS, RUST_TEST_NOCAPTURE, RUST_TEST_SHUFFLE, RUST_TEST_SHUFFLE_SEED
    SNOWGLOBE_TIMEOUT   as --timeout
    SNOWGLOBE_SEED      as --seed
    SNOWGLOBE_REQUIRE   1: a trial whose requirements are missing fails
    SNOWGLOBE_WRITABLE  more directories that trials may write to, separated by `:`

Exit status:
    0    every trial that ran passed
    64   the command line, the environment or the registered trials are wrong
    71   a limit of the system was reached
    77   this system does not permit the isolation that was asked for
    101  a trial failed
    128+N  ended by signal N
";
