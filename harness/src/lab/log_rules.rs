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
    /// the node, the program and the line. Lines that were written before count as well, as far as
    /// [events](crate::events) are kept.
    ///
    /// A text is looked for anywhere in a line: `no panic` has the text `panic`, and the name of a
    /// file may have it. [`permit_in_logs`](Lab::permit_in_logs) makes exceptions of such lines.
    /// The lab reads what programs write to their standard output and error, unless the test reads
    /// that itself (`output()`, `Stdio::piped()`). It does not read log files. A program that
    /// writes one can be told to write to `/dev/stderr`, or `tail -F` can read the file in the
    /// node:
    ///
    /// ```no_run
    /// # use snowglobe::prelude::*;
    /// # #[snowglobe::test]
    /// # fn t() -> TestResult {
    /// # let lab = shape::pair().start()?;
    /// # let node = lab.node("alice").unwrap();
    /// let log = node.command("tail").args(["-n", "+1", "-F", "/tmp/data/server.log"]).spawn()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// An empty text, and one with a line end, are mistakes that fail the trial.
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
