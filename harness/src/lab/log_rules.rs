//! Texts that fail a trial when a program of its lab writes them.

use crate::lab::lab::Lab;

/// Texts with which programs say that something is wrong inside: panics of Rust and Go, races and
/// memory errors that a sanitizer found, broken data.
pub const ALARMING: [&str; 10] = [
    "panic",
    "data race",
    "corrupt",
    "assertion failed",
    "assertion `",
    "fatal error",
    "segmentation fault",
    "AddressSanitizer",
    "ThreadSanitizer",
    "runtime error:",
];

impl Lab {
    /// Fails the trial if a program of the lab writes a line with one of these texts, in upper or
    /// lower case, to an output that the lab reads; whatever the test itself finds. The report has
    /// the node, the program and the line. Lines that were written before count as well.
    ///
    /// ```no_run
    /// # use snowglobe::prelude::*;
    /// # #[snowglobe::test]
    /// # fn t() -> TestResult {
    /// let lab = shape::pair().start()?;
    /// lab.forbid_in_logs(snowglobe::lab::ALARMING);
    /// lab.forbid_in_logs(["lost quorum"]);
    /// lab.permit_in_logs(["checking for corrupt pages"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn forbid_in_logs<T: Into<String>>(&self, texts: impl IntoIterator<Item = T>) {
        self.journal()
            .forbid(texts.into_iter().map(Into::into).collect());
    }

    /// Excuses lines with one of these texts from [`forbid_in_logs`](Lab::forbid_in_logs). Lines
    /// that were written before are not excused any more.
    pub fn permit_in_logs<T: Into<String>>(&self, texts: impl IntoIterator<Item = T>) {
        let texts = texts.into_iter().map(Into::into);
        self.journal().forbidden().permit(texts);
    }
}
