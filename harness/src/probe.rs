//! What the kernel can do here, found out by doing it in a throw-away sandbox.

use std::fmt;

/// Something that not every kernel or machine can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Feature {
    /// The `netem` queueing discipline.
    Netem,
}

impl Feature {
    /// Whether it works here.
    pub fn probe(self) -> Result<(), String> {
        Err("todo".into())
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("netem")
    }
}
