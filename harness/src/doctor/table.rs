//! The report for people.

use std::fmt::Write;

use super::finding::State;
use super::report::Report;

/// Whether states are colored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TableColor {
    Plain,
    /// States are colored by escape sequences of ANSI terminals.
    Ansi,
}

/// Returns a line for each finding, in columns. Below a finding that is not ok stand the loss and
/// the fix.
pub(super) fn render(report: &Report, color: TableColor) -> String {
    let width = report.findings.iter().map(|finding| finding.name.len());
    let width = width.max().unwrap_or(0);
    let mut out = String::new();
    for finding in &report.findings {
        let state = paint(finding.state, color);
        let _ = writeln!(
            out,
            "{state}  {:width$}  {}",
            finding.name, finding.evidence
        );
        let indent = STATE_WIDTH + 2 + width + 2;
        if let Some(lost) = &finding.lost {
            let _ = writeln!(out, "{:indent$}lost: {lost}", "");
        }
        if let Some(fix) = &finding.fix {
            let _ = writeln!(out, "{:indent$}fix:  {fix}", "");
        }
    }
    let _ = writeln!(out, "\n{}", summary(report));
    out
}

const STATE_WIDTH: usize = "degraded".len();

fn paint(state: State, color: TableColor) -> String {
    let text = format!("{:STATE_WIDTH$}", state.to_string());
    let number = match state {
        State::Ok => 32,
        State::Degraded => 33,
        State::Missing => 31,
    };
    match color {
        TableColor::Ansi => format!("\x1b[{number}m{text}\x1b[0m"),
        TableColor::Plain => text,
    }
}

fn summary(report: &Report) -> String {
    let count = |state| {
        let these = report
            .findings
            .iter()
            .filter(|finding| finding.state == state);
        these.count()
    };
    let verdict = match report.exit_code() {
        0 => "all is well",
        1 => "trials run, except those that need what is not there",
        _ => "no trial can run",
    };
    format!(
        "{} ok, {} degraded, {} missing: {verdict}",
        count(State::Ok),
        count(State::Degraded),
        count(State::Missing)
    )
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Evidence, Finding};
    use super::*;

    fn report() -> Report {
        let netem = Finding::missing("netem", Evidence::read("a", "b"));
        Report {
            findings: vec![
                Finding::ok("kernel", Evidence::read("uname -r", "6.18")),
                netem.lost("delay").fix("sudo modprobe sch_netem"),
            ],
        }
    }

    #[test]
    fn columns_are_aligned() {
        let text = render(&report(), TableColor::Plain);
        assert_eq!(
            text,
            "\
ok        kernel  uname -r: 6.18
missing   netem   a: b
                  lost: delay
                  fix:  sudo modprobe sch_netem

1 ok, 0 degraded, 1 missing: trials run, except those that need what is not there
"
        );
    }

    #[test]
    fn colors_change_no_column() {
        let text = render(&report(), TableColor::Ansi);
        assert!(text.contains("\x1b[32mok      \x1b[0m  kernel"), "{text}");
    }
}
