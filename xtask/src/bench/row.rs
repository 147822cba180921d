//! One comparison of ours with others, its target, and how both are printed.

use std::fmt;

use serde_json::json;

/// One comparison: a figure of ours, and the same figure of another program.
pub(crate) struct BenchRow {
    pub(crate) group: &'static str,
    pub(crate) name: String,
    /// Unit of both figures, as in `ms`.
    pub(crate) unit: &'static str,
    pub(crate) ours: f64,
    pub(crate) other: f64,
    pub(crate) target: Target,
}

/// Target of the ratio of our figure to the other one.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// The ratio is to be no more than this.
    AtMost(f64),
    /// The ratio is to be no less than this.
    AtLeast(f64),
}

impl Target {
    fn holds(self, ratio: f64) -> bool {
        match self {
            Self::AtMost(most) => ratio <= most,
            Self::AtLeast(least) => ratio >= least,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::AtMost(most) => format!("<= {most}"),
            Self::AtLeast(least) => format!(">= {least}"),
        };
        out.pad(&text)
    }
}

impl BenchRow {
    /// Makes the row of a figure and the most that it may be.
    pub(super) fn within(
        group: &'static str,
        name: impl Into<String>,
        unit: &'static str,
        ours: f64,
        bound: f64,
    ) -> Self {
        Self {
            group,
            name: name.into(),
            unit,
            ours,
            other: bound,
            target: Target::AtMost(1.0),
        }
    }

    fn ratio(&self) -> f64 {
        self.ours / self.other
    }

    /// Returns whether the ratio reaches its target.
    pub(super) fn holds(&self) -> bool {
        self.target.holds(self.ratio())
    }

    /// Prints the row as one line of the table.
    pub(super) fn print(&self) {
        println!(
            "{:<8} {:<58} {:>10.1} {:>10.1} {:>4} {:>7.3} {:>8} {}",
            self.group,
            self.name,
            self.ours,
            self.other,
            self.unit,
            self.ratio(),
            self.target,
            if self.holds() { "ok" } else { "MISSED" }
        );
    }

    /// Returns the row as JSON.
    pub(super) fn json(&self) -> serde_json::Value {
        let (bound, value) = match self.target {
            Target::AtMost(most) => ("at_most", most),
            Target::AtLeast(least) => ("at_least", least),
        };
        json!({
            "group": self.group, "name": self.name, "unit": self.unit, "ours": self.ours,
            "other": self.other, "ratio": self.ratio(), bound: value, "ok": self.holds(),
        })
    }
}
