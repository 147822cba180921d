//! Wishes of a user about the output of a run.

use std::path::PathBuf;

/// Format in which the results of a run are printed.
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
    /// Nothing but failures, for a run under another program, which prints the rest.
    Failures,
}

impl Format {
    /// Returns whether programs read the format: a part of such a report is of no use to anybody.
    pub(crate) fn is_for_programs(self) -> bool {
        match self {
            Format::Json | Format::Junit => true,
            Format::Pretty | Format::Terse | Format::Failures => false,
        }
    }

    /// Returns whether another harness prints what is written in the format.
    pub(crate) fn is_for_a_harness(self) -> bool {
        match self {
            Format::Failures => true,
            Format::Pretty | Format::Terse | Format::Json | Format::Junit => false,
        }
    }
}

/// Choice of whether the output is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// The output is coloured on a terminal.
    #[default]
    Auto,
    /// The output is always coloured.
    Always,
    /// The output is never coloured.
    Never,
}

/// Everything that a user can ask of the output of a run.
#[derive(Clone, Debug)]
pub(crate) struct ReportOptions {
    pub(crate) format: Format,
    pub(crate) color: Color,
    /// The output of passed trials is shown too.
    pub(crate) show_output: bool,
    /// The duration of each trial is shown.
    pub(crate) report_time: bool,
    /// File that gets a line per trial.
    pub(crate) logfile: Option<PathBuf>,
}
