//! What a newcomer does, from the first command to a green run.

use std::path::Path;
use std::process::{Command, Output};

use crate::{says, snowglobe, suite, text};

/// Runs cargo in a project as its user would.
fn cargo(project: &Path, words: &[&str]) -> Output {
    let mut command = Command::new("cargo");
    for (name, _) in std::env::vars_os() {
        // These variables describe the package of this test, or are settings of this repository.
        if name.to_string_lossy().starts_with("CARGO_") && name != "CARGO_HOME" {
            command.env_remove(name);
        }
    }
    // The target directory is kept from run to run, so that only the first run builds snowglobe.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("newcomer");
    let command = command.args(words).current_dir(project);
    command.env("CARGO_TARGET_DIR", target).output().unwrap()
}

/// What a newcomer does, with this checkout as the dependency: the test that `init` writes passes,
/// and a suite whose tests need the same port fails before `fix`, and passes after.
#[test]
#[ignore = "builds snowglobe anew, which takes a minute"]
fn the_first_test_passes_and_a_suite_that_fought_over_a_port() {
    let project = suite();
    let before = cargo(project.path(), &["test", "--offline", "--test", "net"]);
    says(&text(&before.stdout), &["port 80 is mine"]);
    assert!(!before.status.success());

    let path = crate::harness();
    for command in ["init", "fix"] {
        let output = snowglobe(project.path(), &[command, "--yes", "--path", &path]);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let test = cargo(project.path(), &["test", "--offline"]);
    let said = text(&test.stdout);
    assert!(test.status.success(), "{said}{}", text(&test.stderr));
    // cargo warns of settings for packages that no dependency is.
    let warned = text(&test.stderr);
    assert!(!warned.contains("did not match any packages"), "{warned}");
    for name in ["outside", "tests::inside", "one", "two"] {
        says(&said, &[&format!("test {name} ... ok")]);
    }
    // These are the results of the library, of the suite, and of the first test.
    assert_eq!(said.matches("2 passed").count(), 3, "{said}");
    assert_eq!(said.matches("1 passed").count(), 1, "{said}");

    let output = snowglobe(project.path(), &["fix", "--yes", "--main"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let test = cargo(project.path(), &["test", "--offline", "--test", "net"]);
    let said = text(&test.stdout);
    assert!(test.status.success(), "{said}{}", text(&test.stderr));
    says(&said, &["each in user, net, mnt", "2 passed"]);
}

/// A manifest may give snowglobe another name; every macro writes that name then.
#[test]
#[ignore = "builds snowglobe anew, which takes a minute"]
fn the_macros_know_a_dependency_of_another_name() {
    let project = suite();
    let path = crate::harness();
    let dependency = format!("sg = {{ package = \"snowglobe\", path = \"{path}\" }}");
    let manifest = format!("{}\n[dev-dependencies]\n{dependency}\n", crate::MANIFEST);
    crate::write(&project, "Cargo.toml", &manifest);
    for (path, text) in [
        (
            "tests/imported.rs",
            "use sg::test;\n#[test]\nfn imported() {}\n",
        ),
        (
            "tests/isolated.rs",
            "macro_rules! made { ($name:ident) => { #[test] fn $name() {} } }\n\
             #[sg::isolate]\nmod all {\n#[test]\nfn plain() {}\nmade!(by_a_macro);\n}\n",
        ),
    ] {
        crate::write(&project, path, text);
    }
    for words in [
        &["init", "--yes"][..],
        &["fix", "--yes", "src", "tests/net.rs", "--main"],
    ] {
        let output = snowglobe(project.path(), words);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let test = cargo(project.path(), &["test", "--offline"]);
    let said = text(&test.stdout);
    assert!(test.status.success(), "{said}{}", text(&test.stderr));
    for name in [
        "imported",
        "all::plain",
        "all::by_a_macro",
        "outside",
        "one",
    ] {
        says(&said, &[&format!("test {name} ... ok")]);
    }
    says(&said, &["port_80_is_mine"]);
}
