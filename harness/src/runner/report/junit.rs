//! JUnit XML for CI servers, as one document at the end of the run.

use std::fmt::Write as _;
use std::time::Duration;

use super::describe::describe;
use super::outbox::Outbox;
use super::reporter::{FinishedTrial, Reporter, RunStart};
use crate::runner::conclusion::Conclusion;
use crate::runner::result::TrialResult;

/// The format `junit`.
#[derive(Default)]
pub(crate) struct Junit {
    /// Elements of the trials that are over.
    cases: String,
    run_seed: u64,
}

impl Reporter for Junit {
    fn run_started(&mut self, _: &mut Outbox, start: &RunStart) {
        self.run_seed = start.run_seed;
    }

    fn trial_finished(&mut self, _: &mut Outbox, finished: &FinishedTrial<'_>) {
        let (class, name) = match finished.trial.name().rsplit_once("::") {
            Some((class, name)) => (class, name),
            None => ("crate", finished.trial.name()),
        };
        let _ = write!(
            self.cases,
            r#"<testcase classname="{}" name="{}" time="{:.6}""#,
            escape(class),
            escape(name),
            finished.duration.as_secs_f64()
        );
        let mut inner = properties(finished);
        inner += &match &finished.result {
            TrialResult::Passed if finished.output.is_empty() => String::new(),
            TrialResult::Passed => format!("<system-out>{}</system-out>", escape(&finished.output)),
            TrialResult::Ignored(reason) => format!(r#"<skipped message="{}"/>"#, escape(reason)),
            TrialResult::Failed(failure) => {
                // JUnit has no element for a trial without a verdict. An error is a test that could
                // not be judged, other than a failure, and readers count errors apart.
                let (element, kind) = if failure.is_inconclusive {
                    ("error", "inconclusive")
                } else {
                    ("failure", "assert")
                };
                format!(
                    r#"<{element} type="{kind}" message="{}">{}</{element}><system-out>{}</system-out>"#,
                    escape(&failure.whole_reason()),
                    escape(&failure.location),
                    escape(&describe(finished, failure))
                )
            }
        };
        if inner.is_empty() {
            self.cases.push_str("/>");
        } else {
            let _ = write!(self.cases, ">{inner}</testcase>");
        }
    }

    fn run_finished(&mut self, out: &mut Outbox, conclusion: &Conclusion, elapsed: Duration) {
        let verdicts = conclusion.num_passed + conclusion.num_failed;
        let tests = verdicts + conclusion.num_inconclusive + conclusion.num_ignored;
        out.push(&format!(
            r#"<?xml version="1.0" encoding="UTF-8"?><testsuites><testsuite name="test" package="test" id="0" errors="{}" failures="{}" tests="{tests}" skipped="{}" time="{:.6}">{}</testsuite></testsuites>"#,
            conclusion.num_inconclusive,
            conclusion.num_failed,
            conclusion.num_ignored,
            elapsed.as_secs_f64(),
            self.cases
        ));
        out.push("\n");
    }
}

/// Returns the notes, and the seeds that failed, as an element of JUnit.
fn properties(finished: &FinishedTrial<'_>) -> String {
    let property = |name, value: &str| {
        let value = escape(value);
        format!(r#"<property name="{name}" value="{value}"/>"#)
    };
    let notes = finished.all_notes().into_iter();
    let notes = notes.map(|note| property("note", note));
    let seeds = finished.failed_seeds.iter();
    let seeds = seeds.map(|seed| property("failed_seed", &seed.to_string()));
    let properties: String = notes.chain(seeds).collect();
    if properties.is_empty() {
        return properties;
    }
    format!("<properties>{properties}</properties>")
}

/// Escapes text for elements and attributes. Characters that XML 1.0 forbids even as references
/// (section 2.2) become U+FFFD.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            '\r' => escaped.push_str("&#13;"),
            c if (c as u32) < 0x20 || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                escaped.push('\u{fffd}')
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn what_xml_reserves_or_forbids_is_replaced() {
        assert_eq!(
            escape("a<b>&\"c\"\n\u{1b}[0m"),
            "a&lt;b&gt;&amp;&quot;c&quot;&#10;\u{fffd}[0m"
        );
    }
}
