//! The tests ask tshark about a capture, for it has not been written by us.

use std::path::Path;

use snowglobe::prelude::*;

/// Returns the packets that `filter` lets through, each with the values of `fields`. Any complaint
/// of tshark is an error.
pub(crate) fn read(file: &Path, filter: &str, fields: &[&str]) -> TestResult<Vec<Vec<String>>> {
    read_with(&[], file, filter, fields)
}

/// Returns such packets, with more options for tshark.
pub(crate) fn read_with(
    options: &[&str],
    file: &Path,
    filter: &str,
    fields: &[&str],
) -> TestResult<Vec<Vec<String>>> {
    let mut tshark = Fixture::find("tshark")?.command("tshark")?;
    // tshark runs as root of the trial, whose home it cannot write to.
    tshark.env("HOME", "/tmp").arg("-n").args(options);
    tshark.arg("-r").arg(file).args(["-Y", filter]);
    tshark.args(["-T", "fields", "-E", "separator=\t"]);
    fields.iter().for_each(|field| {
        tshark.args(["-e", field]);
    });
    let output = tshark.output()?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    let complaint = complaint.replace(
        "Running as user \"root\" and group \"root\". This could be dangerous.\n",
        "",
    );
    if !output.status.success() || !complaint.is_empty() {
        return Err(format!("tshark: {}: {complaint}", output.status).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let values = |line: &str| line.split('\t').map(str::to_owned).collect();
    Ok(text.lines().map(values).collect())
}
