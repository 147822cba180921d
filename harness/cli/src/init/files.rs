//! The texts of the new files.

use std::path::Path;

/// The first test.
pub(super) const TEST: &str = r#"//! Tests in worlds of their own: every one may bind port 80, and none sees another.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

#[snowglobe::test]
fn port_80_is_mine() -> snowglobe::TestResult {
    let listener = TcpListener::bind("0.0.0.0:80")?;
    TcpStream::connect("127.0.0.1:80")?.write_all(b"hi")?;
    let mut heard = String::new();
    listener.accept()?.0.read_to_string(&mut heard)?;
    assert_eq!(heard, "hi");
    Ok(())
}

#[snowglobe::test]
fn bob_answers_alice() -> snowglobe::TestResult {
    let lab = snowglobe::topology::shape::pair().start()?;
    let (alice, bob) = (lab.node("alice").unwrap(), lab.node("bob").unwrap());
    let listener = bob.run(|| TcpListener::bind("0.0.0.0:80"))?;
    let _client = alice.run(|| TcpStream::connect("bob:80"))?;
    let (_, peer) = listener.accept()?;
    assert_eq!(peer.ip(), alice.ip());
    Ok(())
}

snowglobe::main!();
"#;

/// A manifest of fixtures with nothing in it but the way to go on.
pub(super) const FIXTURES: &str = r#"# Programs and files that tests need from outside. `snowglobe provision` puts them into the store,
# and `snowglobe::Fixture::find("nginx")` finds them. Commit fixtures.lock beside this file.
#
# [nginx.deb]
# packages = ["nginx-light | nginx"]
"#;

/// Returns a text in which the crate has the name that the sources of the package give it.
pub(super) fn named(text: &str, name: &str) -> String {
    text.replace("snowglobe::", &format!("{name}::"))
}

/// Returns a workflow for a package in this directory of its repository; one with fixtures
/// installs the program that provisions them by the command `installation`.
pub(super) fn workflow(package: &Path, installation: Option<&str>) -> String {
    let directory = match package.as_os_str().is_empty() {
        true => String::new(),
        false => format!(
            "    defaults:\n      run:\n        working-directory: {}\n",
            package.display()
        ),
    };
    let provision = match installation {
        Some(command) => format!("      - run: {command}\n      - run: snowglobe provision\n"),
        None => String::new(),
    };
    format!(
        "\
name: snowglobe
on: [push, pull_request]
jobs:
  test:
    runs-on: ubuntu-latest
{directory}    steps:
      - uses: actions/checkout@v4
      # Ubuntu 24.04 takes the capabilities away from user namespaces of programs that it does not
      # know (AppArmor).
      - run: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0
{provision}      - run: cargo test
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workflow_goes_to_the_package() {
        let text = workflow("crates/a".as_ref(), Some("cargo install it"));
        assert!(text.contains("working-directory: crates/a\n"), "{text}");
        let steps = "      - run: cargo install it\n      - run: snowglobe provision\n";
        assert!(text.contains(steps), "{text}");
        let plain = workflow("".as_ref(), None);
        assert!(!plain.contains("working-directory"), "{plain}");
        assert!(!plain.contains("provision"), "{plain}");
    }
}
