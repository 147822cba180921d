//! How a user wants a run to be printed.

use std::path::PathBuf;

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
