//! Texts that no program of a lab may write.
//!
//! A server that finds its data corrupt often says so in a line of its log, and goes on. The test
//! sees good answers, and passes. So the lab can be told which texts fail the trial.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use super::event::{ProcessName, Stream};
use crate::kernel::sync::Lock;
use crate::trial::running;

/// Number of complaints of one lab. A program that panics in a loop would fill the report.
const TOLD: usize = 20;

/// Texts that fail the trial when a program writes them.
#[derive(Debug, Default)]
pub(crate) struct ForbiddenTexts {
    texts: Lock<Texts>,
}

#[derive(Debug, Default)]
struct Texts {
    /// Forbidden texts in lower case.
    forbidden: Vec<String>,
    /// Texts in lower case that excuse a line.
    permitted: Vec<String>,
    /// Texts that were complained of already: each once for each program.
    told: HashSet<(Arc<ProcessName>, String)>,
}

impl ForbiddenTexts {
    pub(crate) fn forbid(&self, texts: impl IntoIterator<Item = String>) {
        let texts = usable("forbid_in_logs", texts);
        self.texts.lock().forbidden.extend(texts);
    }

    pub(crate) fn permit(&self, texts: impl IntoIterator<Item = String>) {
        let texts = usable("permit_in_logs", texts);
        self.texts.lock().permitted.extend(texts);
    }

    /// Fails the trial if a line has a forbidden text, and none that is permitted. `cut_off` stands
    /// before the first line, which is another piece of the same line then.
    pub(crate) fn judge(
        &self,
        process: &Arc<ProcessName>,
        stream: Stream,
        lines: &[String],
        cut_off: &str,
    ) {
        let mut texts = self.texts.lock();
        if texts.forbidden.is_empty() {
            return;
        }
        let mut cut_off = cut_off;
        for line in lines {
            let before = std::mem::take(&mut cut_off);
            let line = match before.is_empty() {
                true => Cow::Borrowed(line.as_str()),
                false => Cow::Owned(format!("{before}{line}")),
            };
            let Some(text) = texts.found(&line) else {
                continue;
            };
            if texts.told.len() < TOLD && texts.told.insert((Arc::clone(process), text.clone())) {
                running::complain(format!(
                    "{process} wrote {text:?} to {stream}, which no log may have here \
                     (`Lab::permit_in_logs` makes exceptions): {}",
                    excerpt(&line, &text)
                ));
            }
        }
    }
}

/// Returns the texts in lower case. A text that no line or each line has is a mistake of the test:
/// with an empty text to permit, the check would find nothing any more.
fn usable<'t>(
    method: &'t str,
    texts: impl IntoIterator<Item = String> + 't,
) -> impl Iterator<Item = String> + 't {
    let texts = texts.into_iter().filter(move |text| {
        let why = if text.is_empty() {
            "each line has the empty text"
        } else if text.contains(['\n', '\r']) {
            "no line has a line end in it"
        } else {
            return true;
        };
        running::complain(format!(
            "`Lab::{method}` was given {text:?}, and {why}; give a part of a line"
        ));
        false
    });
    texts.map(|text| text.to_ascii_lowercase())
}

/// Returns the part of a line around a text, without control characters: a line may be long, and a
/// program may write what is no text.
fn excerpt(line: &str, text: &str) -> String {
    /// Bytes before the text, and behind it.
    const AROUND: usize = 200;
    let at = line.to_ascii_lowercase().find(text).unwrap_or(0);
    let from = line.floor_char_boundary(at.saturating_sub(AROUND));
    let to = line.ceil_char_boundary((at + text.len() + AROUND).min(line.len()));
    let mut shown = String::new();
    for c in line[from..to].chars() {
        match c.is_control() && c != '\t' {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    let (before, behind) = (from > 0, to < line.len());
    let dots = |is_cut: bool| if is_cut { "…" } else { "" };
    format!("{}{shown}{}", dots(before), dots(behind))
}

impl Texts {
    /// Returns the forbidden text that a line has, if nothing excuses the line.
    fn found(&self, line: &str) -> Option<String> {
        let line = line.to_ascii_lowercase();
        let mut forbidden = self.forbidden.iter();
        let found = forbidden.find(|text| line.contains(text.as_str()))?;
        let mut permitted = self.permitted.iter();
        let excused = permitted.any(|text| line.contains(text.as_str()));
        (!excused).then(|| found.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_judged_whatever_its_case_and_may_be_excused() {
        let texts = ForbiddenTexts::default();
        texts.forbid(["Data Race".to_owned(), "panic".to_owned()]);
        texts.permit(["panic button".to_owned()]);
        let found = |line| texts.texts.lock().found(line);
        assert_eq!(found("WARNING: DATA RACE").as_deref(), Some("data race"));
        assert_eq!(found("PANIC: out of memory").as_deref(), Some("panic"));
        assert_eq!(found("the Panic Button is ready"), None);
        assert_eq!(found("all is well"), None);
    }
}
