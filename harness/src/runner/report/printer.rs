//! How a run is shown: in libtest's layouts, whichever was asked for.

use super::{failure, failures, json, junit, pretty, terse};
use std::fs::File;
use std::io::Write as _;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use super::outbox::Outbox;

use crate::runner::args::{Arguments, Color, Format};
use crate::runner::conclusion::Conclusion;
use crate::runner::error::{RunError, usage};
use crate::runner::result::{Verdict, signal_name};
use crate::sandbox::protocol::trial::Survivor;
use crate::trial::Trial;

/// A trial that is over.
pub(crate) struct Done<'a> {
    pub(crate) trial: &'a Trial,
    pub(crate) verdict: Verdict,
    pub(crate) duration: Duration,
    pub(crate) seed: u64,
    pub(crate) output: String,
    pub(crate) survivors: Vec<Survivor>,
    pub(crate) described: Option<String>,
    pub(crate) notes: Vec<String>,
    pub(crate) captured: bool,
}

impl<'a> Done<'a> {
    /// A trial that was settled without running.
    pub(crate) fn not_run(trial: &'a Trial, verdict: Verdict) -> Done<'a> {
        Done {
            trial,
            verdict,
            duration: Duration::ZERO,
            seed: 0,
            output: String::new(),
            survivors: Vec::new(),
            described: None,
            notes: Vec::new(),
            captured: true,
        }
    }

    /// `7 (nginx), 9 (sleep)`.
    pub(super) fn survivors(&self) -> Option<String> {
        let list: Vec<String> = self
            .survivors
            .iter()
            .map(|s| format!("{} ({})", s.pid, s.name))
            .collect();
        (!list.is_empty()).then(|| list.join(", "))
    }
}

/// What is known when a run begins.
pub(crate) struct Opening {
    pub(crate) trials: usize,
    /// A sentence on the isolation that trials get.
    pub(crate) isolation: String,
    pub(crate) notes: Vec<String>,
    pub(crate) run_seed: u64,
    pub(crate) shuffle_seed: Option<u64>,
    /// One at a time: then a trial is named when it starts.
    pub(crate) serial: bool,
}

/// Prints a run as it goes.
pub(crate) struct Printer {
    out: Outbox,
    layout: Layout,
    log: Option<File>,
    show_output: bool,
    started: Instant,
}

enum Layout {
    Failures(failures::OnlyFailures),
    Pretty(pretty::Pretty),
    Terse(terse::Terse),
    Json(json::Json),
    Junit(junit::Junit),
}

/// What every layout has an answer to.
pub(super) trait Show {
    fn opening(&mut self, out: &mut Outbox, opening: &Opening);
    fn started(&mut self, out: &mut Outbox, trial: &Trial);
    fn slow(&mut self, out: &mut Outbox, trial: &Trial, elapsed: Duration);
    fn done(&mut self, out: &mut Outbox, done: &Done<'_>);
    fn closing(&mut self, out: &mut Outbox, conclusion: &Conclusion, elapsed: Duration);
}

impl Layout {
    fn show(&mut self) -> &mut dyn Show {
        match self {
            Layout::Failures(layout) => layout,
            Layout::Pretty(layout) => layout,
            Layout::Terse(layout) => layout,
            Layout::Json(layout) => layout,
            Layout::Junit(layout) => layout,
        }
    }
}

impl Printer {
    pub(crate) fn new(args: &Arguments) -> Result<Printer, RunError> {
        let style = Style::chosen(args.color);
        let failures = failure::Failures::new(style, args.show_output);
        let layout = match args.chosen_format() {
            Format::Failures => Layout::Failures(failures::OnlyFailures::default()),
            Format::Pretty => {
                Layout::Pretty(pretty::Pretty::new(style, args.report_time, failures))
            }
            Format::Terse => Layout::Terse(terse::Terse::new(style, failures)),
            Format::Json => Layout::Json(json::Json::default()),
            Format::Junit => Layout::Junit(junit::Junit::default()),
        };
        let log = args
            .logfile
            .as_ref()
            .map(|path| {
                File::create(path)
                    .map_err(|e| usage(format!("--logfile: cannot create {}: {e}", path.display())))
            })
            .transpose()?;
        Ok(Printer {
            out: Outbox::default(),
            layout,
            log,
            show_output: args.show_output,
            started: Instant::now(),
        })
    }

    pub(crate) fn opening(&mut self, opening: &Opening) {
        self.layout.show().opening(&mut self.out, opening);
        self.out.flush_some();
    }

    pub(crate) fn started(&mut self, trial: &Trial) {
        self.layout.show().started(&mut self.out, trial);
        // At once: whoever looks at a run that hangs wants to see in what.
        self.out.flush_some();
    }

    pub(crate) fn slow(&mut self, trial: &Trial, elapsed: Duration) {
        self.layout.show().slow(&mut self.out, trial, elapsed);
        self.out.flush_some();
    }

    pub(crate) fn done(&mut self, mut done: Done<'_>) {
        if let Some(log) = &mut self.log {
            let word = match done.verdict {
                Verdict::Passed => "ok",
                Verdict::Failed(_) => "failed",
                Verdict::Ignored(_) => "ignored",
            };
            let _ = writeln!(log, "{word} {}", done.trial.name());
        }
        if let (Verdict::Failed(failure), false) = (&done.verdict, done.captured)
            && !done.output.contains(&failure.reason)
            && !failure.in_output
        {
            // What runs us looks for this on stderr; nothing of ours was shown there yet.
            eprintln!("Error: {}", failure.reason);
        }
        if done.verdict == Verdict::Passed && !self.show_output {
            done.output.clear();
        }
        self.layout.show().done(&mut self.out, &done);
        self.out.flush_some();
    }

    /// Says on stderr what happens after an interruption.
    pub(crate) fn interrupted(&mut self, signal: i32, running: usize, grace: Duration) {
        if running > 0 {
            eprintln!(
                "\n{}: {running} running; they have {} s to end. Once more ends them at once.",
                signal_name(signal),
                grace.as_secs()
            );
        }
    }

    pub(crate) fn closing(&mut self, conclusion: &Conclusion) {
        let elapsed = self.started.elapsed();
        self.layout
            .show()
            .closing(&mut self.out, conclusion, elapsed);
        self.out.flush_all();
    }

    /// Stdout, if there is something left to write to it.
    pub(crate) fn pending(&self) -> Option<BorrowedFd<'_>> {
        self.out.pending()
    }

    pub(crate) fn flush_some(&mut self) {
        self.out.flush_some();
    }

    pub(crate) fn flush_all(&mut self) {
        self.out.flush_all();
    }
}

/// Colours, or none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    colored: bool,
}

impl Style {
    fn chosen(color: Color) -> Style {
        use std::io::IsTerminal;
        let colored = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                std::io::stdout().is_terminal()
                    && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
                    && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        };
        Style { colored }
    }

    fn paint(self, code: u8, text: &str) -> String {
        match self.colored {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    pub(super) fn green(self, text: &str) -> String {
        self.paint(32, text)
    }

    pub(super) fn red(self, text: &str) -> String {
        self.paint(31, text)
    }

    pub(super) fn yellow(self, text: &str) -> String {
        self.paint(33, text)
    }
}

/// libtest's last line.
pub(super) fn result_line(style: Style, conclusion: &Conclusion, elapsed: Duration) -> String {
    let word = match conclusion.has_failed() {
        true => style.red("FAILED"),
        false => style.green("ok"),
    };
    let interrupted = match conclusion.interrupted_by {
        Some(signal) => format!(" interrupted by {};", signal_name(signal)),
        None => String::new(),
    };
    format!(
        "\ntest result: {word}.{interrupted} {} passed; {} failed; {} ignored; {} measured; {} filtered out; finished in {:.2}s\n\n",
        conclusion.num_passed,
        conclusion.num_failed,
        conclusion.num_ignored,
        conclusion.num_measured,
        conclusion.num_filtered_out,
        elapsed.as_secs_f64()
    )
}

/// `1 test`, `2 tests`.
pub(crate) fn plural(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
