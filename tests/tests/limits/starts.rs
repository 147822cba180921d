//! Settings of the host that the start of a program reads: a start is to be cheap, and there are a
//! hundred of them.

use std::path::Path;

use snowglobe::prelude::*;
use snowglobe_tests::{OpenWatch, run, sample};

/// A directory of settings that belong to the host as a whole, in which every run looks.
const SETTINGS: &str = "/proc/sys/net/core";

#[snowglobe::test(ignore = "a sample")]
fn passes() {}

#[snowglobe::test(nested)]
fn a_list_reads_no_setting_of_the_host() -> TestResult {
    let mut watch = OpenWatch::on(Path::new(SETTINGS))?;
    for format in ["pretty", "terse"] {
        run(&["--list", "--format", format]).passed_with(&["starts::passes: test"]);
        assert!(!watch.has_seen_any()?, "{format}");
    }
    // It would have been seen.
    sample("starts::passes").passed_with(&["1 passed"]);
    assert!(watch.has_seen_any()?);
    Ok(())
}
