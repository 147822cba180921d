//! The report as annotations of GitHub Actions.

use super::finding::{Finding, State};
use super::report::Report;

/// GitHub shows no more than this many of a kind, and drops the others without a word.
const MOST: usize = 10;

/// Returns the annotations, one a line: an error for each essential thing that is missing, and a
/// warning for everything else that is not ok.
pub(super) fn annotations(report: &Report) -> String {
    let bad = |finding: &&Finding| finding.state != State::Ok;
    let (errors, warnings): (Vec<&Finding>, Vec<&Finding>) = report
        .findings
        .iter()
        .filter(bad)
        .partition(|finding| finding.exit_code() == 2);
    let mut lines = of_a_kind("error", &errors);
    lines.extend(of_a_kind("warning", &warnings));
    lines.concat()
}

/// Returns one annotation for each finding. If there are too many, the last one names the rest.
fn of_a_kind(kind: &str, findings: &[&Finding]) -> Vec<String> {
    let shown = match findings.len() > MOST {
        true => MOST - 1,
        false => findings.len(),
    };
    let (shown, rest) = findings.split_at(shown);
    let mut lines: Vec<String> = shown.iter().map(|finding| one(kind, finding)).collect();
    if !rest.is_empty() {
        let names: Vec<&str> = rest.iter().map(|finding| finding.name.as_str()).collect();
        let title = format!("doctor: {} more", rest.len());
        lines.push(annotation(kind, &title, &names.join(", ")));
    }
    lines
}

fn one(kind: &str, finding: &Finding) -> String {
    let mut text = finding.evidence.to_string();
    let more = [("lost", &finding.lost), ("fix", &finding.fix)];
    for (what, more) in more {
        if let Some(more) = more {
            text.push_str(&format!("\n{what}: {more}"));
        }
    }
    let title = format!("doctor: {} is {}", finding.name, finding.state);
    annotation(kind, &title, &text)
}

fn annotation(kind: &str, title: &str, text: &str) -> String {
    format!("::{kind} title={}::{}\n", property(title), message(text))
}

fn message(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::finding::Evidence;
    use super::*;

    fn missing(name: &str) -> Finding {
        Finding::missing(name, Evidence::read("50 %", "a,b"))
    }

    #[test]
    fn what_would_end_a_line_or_a_property_is_escaped() {
        let report = Report {
            findings: vec![missing("a,b").fix("x\r\ny")],
        };
        assert_eq!(
            annotations(&report),
            "::warning title=doctor%3A a%2Cb is missing::50 %25: a,b%0Afix: x%0D%0Ay\n"
        );
    }

    #[test]
    fn ten_of_a_kind_at_most_and_none_is_forgotten() {
        let mut findings: Vec<Finding> = (0..25).map(|i| missing(&format!("w{i}"))).collect();
        findings.extend((0..10).map(|i| missing(&format!("e{i}")).essential()));
        findings.push(Finding::ok("fine", Evidence::read("x", "y")));
        let text = annotations(&Report { findings });
        let of = |kind: &str| text.lines().filter(|line| line.starts_with(kind)).count();
        assert_eq!((of("::error "), of("::warning ")), (10, 10));
        assert!(text.contains("16 more::w9, w10"), "{text}");
        assert!(!text.contains("fine"));
    }
}
