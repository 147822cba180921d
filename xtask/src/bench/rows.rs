//! The rows of a group, printed as they are measured. A row that cannot be measured is named, and
//! the others are measured all the same.

use serde_json::{Value, json};

use super::row::BenchRow;

/// Rows that a group has measured so far, and those that it could not measure.
pub(super) struct MeasuredRows {
    group: &'static str,
    rows: Vec<BenchRow>,
    /// Names of rows that could not be measured, and the reasons.
    failures: Vec<(String, String)>,
}

impl MeasuredRows {
    pub(super) fn of_group(group: &'static str) -> Self {
        Self {
            group,
            rows: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Prints and keeps a row, or several that are measured together. `what` names them where they
    /// could not be measured.
    pub(super) fn add(&mut self, what: &str, measured: Result<impl Into<Vec<BenchRow>>, String>) {
        match measured {
            Ok(rows) => {
                let rows: Vec<BenchRow> = rows.into();
                rows.iter().for_each(BenchRow::print);
                self.rows.extend(rows);
            }
            Err(why) => {
                // The reason stands beside the rows of the table, so that nobody looks for the row
                // in vain.
                println!("{:<8} {what:<58} FAILED, see below", self.group);
                eprintln!("error: {}, {what}: {why}", self.group);
                self.failures.push((what.to_owned(), why));
            }
        }
    }

    /// Returns whether every row was measured.
    pub(super) fn is_whole(&self) -> bool {
        self.failures.is_empty()
    }

    /// Returns whether every row that was measured reaches its target.
    pub(super) fn all_hold(&self) -> bool {
        self.rows.iter().all(BenchRow::holds)
    }

    /// Returns the rows as JSON, those with an `error` among them that could not be measured.
    pub(super) fn json(&self) -> Vec<Value> {
        let failed = |(what, why): &(String, String)| json!({ "group": self.group, "name": what, "error": why, "ok": false });
        let rows = self.rows.iter().map(BenchRow::json);
        rows.chain(self.failures.iter().map(failed)).collect()
    }
}

impl From<BenchRow> for Vec<BenchRow> {
    fn from(row: BenchRow) -> Self {
        vec![row]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_fails_is_named_and_the_others_stay() {
        let row = |name: &str| BenchRow::within("lab", name, "ms", 1.0, 2.0);
        let mut rows = MeasuredRows::of_group("lab");
        rows.add("first", Ok(row("first")));
        rows.add("second", Err::<BenchRow, _>("it broke".to_owned()));
        assert!(!rows.is_whole());
        rows.add("others", Ok([row("third"), row("fourth")]));
        let json = rows.json();
        let names: Vec<&str> = json.iter().filter_map(|row| row["name"].as_str()).collect();
        assert_eq!(names, ["first", "third", "fourth", "second"]);
        assert_eq!(json[3]["error"], "it broke");
        assert!(rows.all_hold());
    }
}
