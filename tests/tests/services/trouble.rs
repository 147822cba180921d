//! Some stores cannot be written to, and some machines have no network.

use std::fs;
use std::path::Path;

use snowglobe::Lab;
use snowglobe::lab::Output;
use snowglobe::prelude::*;
use snowglobe::topology::Size;

use crate::packages::failed_with;

const STORE: &str = "/tmp/store";

/// Starts a machine on which the store is this volume, for a checkout with these fixtures.
fn machine(checkout: &Path, fixtures: &str, store: Volume) -> TestResult<Lab> {
    fs::write(checkout.join("fixtures.toml"), fixtures)?;
    let mut topology = Topology::new();
    topology.node(NodeSpec::new("machine").volume(STORE, store));
    Ok(topology.start()?)
}

fn provision(lab: &Lab, checkout: &Path, words: &str) -> TestResult<Output> {
    let machine = lab.node("machine").ok_or("the machine")?;
    let mut command = machine.command_like(&snowglobe_tests::this_program());
    command.env(crate::PROVISION, words);
    command.env("SNOWGLOBE_FIXTURES", checkout.join("fixtures.toml"));
    Ok(command.env("SNOWGLOBE_STORE", STORE).output()?)
}

/// Returns how many files a part of the store has.
fn count(lab: &Lab, part: &str) -> TestResult<usize> {
    let machine = lab.node("machine").ok_or("the machine")?;
    Ok(
        machine
            .run(|| fs::read_dir(Path::new(STORE).join("v1").join(part)).map(Iterator::count))?,
    )
}

#[snowglobe::test]
fn of_what_does_not_fit_nothing_is_kept_and_nothing_else_is_lost() -> TestResult {
    let dir = snowglobe_tests::shared_dir();
    let fixtures = "[large.path]\nfrom = \"large\"\n[small.path]\nfrom = \"small\"\n";
    fs::write(dir.path().join("large"), vec![7; 3 << 20])?;
    fs::write(dir.path().join("small"), "small")?;
    let lab = machine(dir.path(), fixtures, Volume::tmpfs(Size::mib(2)))?;
    let fits = provision(&lab, dir.path(), "small")?;
    assert!(fits.status.success(), "{fits:?}");
    let full = provision(&lab, dir.path(), "")?;
    failed_with(
        &full,
        &[
            "fixture `large`",
            "No space left on device",
            "free some space",
        ],
    );
    assert_eq!((count(&lab, "trees")?, count(&lab, "tmp")?), (1, 0));
    fs::write(dir.path().join("large"), vec![7; 1 << 20])?;
    let fits = provision(&lab, dir.path(), "")?;
    assert!(fits.status.success(), "{fits:?}");
    assert_eq!(count(&lab, "trees")?, 2);
    Ok(())
}

/// The files that apt makes of any index are larger than this disk.
#[snowglobe::test(timeout = "90s")]
fn a_disk_without_room_for_the_package_index_is_named() -> TestResult {
    let dir = snowglobe_tests::shared_dir();
    let lab = machine(
        dir.path(),
        "[hello.deb]\npackages = [\"hello\"]\n",
        Volume::tmpfs(Size::kib(512)),
    )?;
    let full = provision(&lab, dir.path(), "")?;
    failed_with(
        &full,
        &[
            "fixture `hello`",
            "the disk of `/tmp/store",
            "is full",
            "free some space",
        ],
    );
    assert_eq!((count(&lab, "trees")?, count(&lab, "tmp")?), (0, 0));
    Ok(())
}
