//! tshark, asked about a capture.

use std::path::Path;

use snowglobe::prelude::*;

/// The packets that `filter` lets through, each with the values of `fields`. Anything that tshark complains of is an error.
pub(crate) fn read(file: &Path, filter: &str, fields: &[&str]) -> TestResult<Vec<Vec<String>>> {
    read_with(&[], file, filter, fields)
}

/// The same, with more options.
pub(crate) fn read_with(
    options: &[&str],
    file: &Path,
    filter: &str,
    fields: &[&str],
) -> TestResult<Vec<Vec<String>>> {
    let mut tshark = Fixture::find("tshark")?.command("tshark")?;
    // It is root here, of a small world.
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
