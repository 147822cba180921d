//! `snowglobe init` shows what it is about to write, writes it if somebody agrees, and overwrites
//! nothing; `snowglobe fix` converts a suite and back; and the other commands speak of commands
//! that this user has.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const MANIFEST: &str = "# mine\n[package]\nname   = 'mine' # odd\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n";

fn snowglobe(directory: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_snowglobe"))
        .args(words)
        .current_dir(directory)
        .env_remove("CARGO_MANIFEST_DIR")
        .env_remove("SNOWGLOBE_FIXTURES")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Makes a repository with this manifest.
fn project(manifest: &str) -> TempDir {
    let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    fs::create_dir_all(directory.path().join("src")).unwrap();
    fs::create_dir(directory.path().join(".git")).unwrap();
    fs::write(directory.path().join("Cargo.toml"), manifest).unwrap();
    fs::write(directory.path().join("src/lib.rs"), "").unwrap();
    directory
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

fn entries(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_diff_is_shown_and_nothing_written_before_somebody_agrees() {
    let project = project(MANIFEST);
    for words in [&["init", "--dry-run"][..], &["init"][..]] {
        let output = snowglobe(project.path(), words);
        says(
            &text(&output.stdout),
            &[
                "--- a/Cargo.toml\n+++ b/Cargo.toml\n",
                "+snowglobe = \"0.1\"\n",
                "+[[test]]\n+name = \"world\"\n+harness = false\n",
                "--- /dev/null\n+++ b/tests/world.rs\n",
                "+++ b/.github/workflows/snowglobe.yml\n",
            ],
        );
        assert_eq!(entries(project.path()), [".git", "Cargo.toml", "src"]);
        let manifest = fs::read_to_string(project.path().join("Cargo.toml")).unwrap();
        assert_eq!(manifest, MANIFEST);
        assert_eq!(output.status.success(), words.contains(&"--dry-run"));
        // Whoever has installed it from a checkout learns how to depend on that.
        let harness = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        says(
            &text(&output.stderr),
            &[&format!("--path {}", harness.display())],
        );
    }
    let asked = snowglobe(project.path(), &["init"]);
    says(&text(&asked.stderr), &["no terminal to ask", "--yes"]);
}

#[test]
fn what_is_written_is_not_written_again() {
    let project = project(MANIFEST);
    let output = snowglobe(project.path(), &["init", "--yes", "--fixtures"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    says(
        &text(&output.stderr),
        &["cargo test --test world", "snowglobe provision"],
    );
    let manifest = fs::read_to_string(project.path().join("Cargo.toml")).unwrap();
    for line in MANIFEST.lines() {
        assert!(
            manifest.lines().any(|it| it == line),
            "{line} is gone: {manifest}"
        );
    }
    let again = snowglobe(project.path(), &["init", "--yes", "--fixtures"]);
    assert!(again.status.success());
    assert_eq!(text(&again.stdout), "");
    says(
        &text(&again.stderr),
        &["tests/world.rs is there", "nothing to write"],
    );
    assert_eq!(
        fs::read_to_string(project.path().join("Cargo.toml")).unwrap(),
        manifest
    );
}

#[test]
fn files_of_the_user_are_left_alone() {
    let project = project(MANIFEST);
    fs::create_dir(project.path().join("tests")).unwrap();
    fs::write(project.path().join("tests/world.rs"), "fn main() {}\n").unwrap();
    let output = snowglobe(project.path(), &["init", "--yes", "--no-github"]);
    assert!(output.status.success());
    let test = fs::read_to_string(project.path().join("tests/world.rs")).unwrap();
    assert_eq!(test, "fn main() {}\n");
    assert!(!project.path().join(".github").exists());
}

#[test]
fn what_is_no_package_is_explained() {
    let workspace = project("[workspace]\nmembers = [\"a\", \"crates/b\"]\n");
    let broken = project("[package\n");
    for (directory, parts) in [
        (workspace.path(), &["without a package", "a, crates/b"][..]),
        (broken.path(), &["cannot be understood"][..]),
        (
            Path::new("/"),
            &["there is no Cargo.toml", "cargo init"][..],
        ),
    ] {
        let output = snowglobe(directory, &["init", "--yes"]);
        assert!(!output.status.success());
        says(&text(&output.stderr), parts);
    }
}

/// Tests of which no two can run at a time on one host: each holds port 80 until all have tried.
const SUITE: &str = r#"
use std::net::TcpListener;

fn hold() {
    let _listener = TcpListener::bind("0.0.0.0:80").expect("port 80 is mine");
    std::thread::sleep(std::time::Duration::from_millis(300));
}

#[test]
fn one() {
    hold();
}

/// Says something.
#[test]
#[should_panic = "as it must"]
fn two() {
    hold();
    panic!("as it must");
}
"#;

/// A library with tests in all the places where there are any.
const LIBRARY: &str = "\
//! ```
//! assert_eq!(mine::two(), 2);
//! ```

pub fn two() -> u8 {
    2
}

#[test]
fn outside() {}

#[cfg(test)]
mod tests {
    #[test]
    fn inside() {
        assert_eq!(super::two(), 2);
    }
}
";

/// Makes a repository with a suite in it.
fn suite() -> TempDir {
    let project = project(MANIFEST);
    fs::create_dir(project.path().join("tests")).unwrap();
    fs::write(project.path().join("tests/net.rs"), SUITE).unwrap();
    fs::write(project.path().join("src/lib.rs"), LIBRARY).unwrap();
    project
}

#[test]
fn a_suite_is_converted_and_back() {
    let project = suite();
    let read = |path: &str| fs::read_to_string(project.path().join(path)).unwrap();
    let shown = snowglobe(project.path(), &["fix", "--dry-run"]);
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    says(
        &text(&shown.stdout),
        &[
            "+snowglobe = \"0.1\"\n",
            "+[profile.dev.package]\n+snowglobe = { debug = false }\n",
            "+++ b/src/lib.rs\n",
            "+#[cfg_attr(test, snowglobe::test)]\n #[test]\n fn outside",
            "+    #[snowglobe::test]\n     #[test]\n     fn inside",
            "+#[snowglobe::test]\n #[test]\n #[should_panic",
        ],
    );
    let asked = snowglobe(project.path(), &["fix"]);
    assert!(!asked.status.success());
    says(&text(&asked.stderr), &["no terminal to ask", "--yes"]);
    assert_eq!(read("Cargo.toml"), MANIFEST);

    let done = snowglobe(project.path(), &["fix", "--yes"]);
    assert!(done.status.success());
    says(
        &text(&done.stderr),
        &["4 tests are trials now", "cargo test"],
    );
    assert_eq!(
        read("tests/net.rs").matches("#[snowglobe::test]").count(),
        2
    );
    let again = snowglobe(project.path(), &["fix", "--yes"]);
    says(&text(&again.stderr), &["nothing to write"]);

    let undone = snowglobe(project.path(), &["fix", "--undo", "--yes"]);
    assert!(undone.status.success());
    says(&text(&undone.stderr), &["4 tests are as they were"]);
    assert_eq!(read("tests/net.rs"), SUITE);
    assert_eq!(read("src/lib.rs"), LIBRARY);
    assert_eq!(read("Cargo.toml"), MANIFEST);
}

#[test]
fn integration_tests_get_a_main_of_ours_and_lose_it() {
    let project = suite();
    let write = |path: &str, text: &str| {
        let path = project.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let read = |path: &str| fs::read_to_string(project.path().join(path)).unwrap();
    let named = format!("{MANIFEST}\n[[test]]\nname = \"named\" # mine\npath = \"checks/it.rs\"\n");
    let conditional = "#![cfg(feature = \"full\")]\n#[test]\nfn a() {}\n";
    for (path, text) in [
        ("Cargo.toml", named.as_str()),
        ("checks/it.rs", "#[test]\nfn a() {}"),
        ("tests/folder/main.rs", "mod cases;\n"),
        ("tests/folder/cases.rs", "#[test]\nfn b() {}\n"),
        ("tests/full.rs", conditional),
        (
            "tests/half.rs",
            "#[test]\nfn c() {}\nmod a { #[test] fn crowded() {} }\n",
        ),
        ("tests/helper.rs", "// No tests.\n"),
    ] {
        write(path, text);
    }
    let files = ["fix", "--yes", "src", "tests", "checks"];
    let done = snowglobe(project.path(), &[&files[..], &["--main"]].concat());
    assert!(done.status.success(), "{}", text(&done.stderr));
    let manifest = read("Cargo.toml");
    let named_without = "name = \"named\" # mine\npath = \"checks/it.rs\"\nharness = false\n";
    says(
        &manifest,
        &[
            "[[test]]\nname = \"net\"\nharness = false\n",
            "[[test]]\nname = \"folder\"\nharness = false\n",
            named_without,
        ],
    );
    assert_eq!(manifest.matches("harness = false").count(), 3, "{manifest}");
    for (path, end) in [
        ("tests/net.rs", "}\n\nsnowglobe::main!();\n"),
        ("checks/it.rs", "}\n\nsnowglobe::main!();"),
        (
            "tests/folder/main.rs",
            "mod cases;\n\nsnowglobe::main!();\n",
        ),
    ] {
        assert!(read(path).ends_with(end), "{}", read(path));
    }
    says(
        &text(&done.stderr),
        &[
            "tests/full.rs keeps the standard harness",
            "required-features",
            "tests/half.rs keeps the standard harness",
        ],
    );
    let again = snowglobe(project.path(), &[&files[..], &["--main"]].concat());
    says(&text(&again.stderr), &["nothing to write"]);

    let undone = snowglobe(
        project.path(),
        &[&files[..2], &["--undo"], &files[2..]].concat(),
    );
    assert!(undone.status.success(), "{}", text(&undone.stderr));
    assert_eq!(read("tests/net.rs"), SUITE);
    assert_eq!(read("checks/it.rs"), "#[test]\nfn a() {}");
    assert_eq!(read("tests/folder/main.rs"), "mod cases;\n");
    assert_eq!(read("tests/full.rs"), conditional);
    // Only some files were named, so that others may need the dependency.
    let manifest = read("Cargo.toml");
    assert!(!manifest.contains("harness"), "{manifest}");
    says(
        &manifest,
        &["snowglobe = \"0.1\"\n", "name = \"named\" # mine\n"],
    );
}

#[test]
fn what_cannot_be_converted_is_named_with_what_to_do() {
    let project = suite();
    let write = |path: &str, text: &str| fs::write(project.path().join(path), text).unwrap();
    let manifest = format!("{MANIFEST}[[test]]\nname = \"mimic\"\nharness = false\n");
    write("Cargo.toml", &manifest);
    write("tests/mimic.rs", "fn main() {}\n");
    write("tests/broken.rs", "fn main( {}\n");
    write("tests/line.rs", "mod a { #[test] fn crowded() {} }\n");
    let named = snowglobe(project.path(), &["fix", "--dry-run"]);
    assert!(named.status.success());
    says(
        &text(&named.stderr),
        &[
            "tests/mimic.rs has a `main` of its own",
            "snowglobe::mimic::trial",
            "tests/broken.rs:1: the file stays as it is",
            "tests/line.rs:1: `crowded` stands behind something else",
        ],
    );
    let missing = snowglobe(project.path(), &["fix", "--dry-run", "tests/none.rs"]);
    assert!(!missing.status.success());
    says(&text(&missing.stderr), &["cannot read", "tests/none.rs"]);
}

/// Runs cargo in a project as its user would.
fn cargo(project: &Path, words: &[&str]) -> Output {
    let mut command = Command::new("cargo");
    for (name, _) in std::env::vars_os() {
        // cargo tells this test about its own package, and other settings are of this repository.
        if name.to_string_lossy().starts_with("CARGO_") && name != "CARGO_HOME" {
            command.env_remove(name);
        }
    }
    // Kept from run to run: only the first one builds snowglobe.
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

    let harness = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let path = harness.to_str().unwrap();
    for command in ["init", "fix"] {
        let output = snowglobe(project.path(), &[command, "--yes", "--path", path]);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let test = cargo(project.path(), &["test", "--offline"]);
    let said = text(&test.stdout);
    assert!(test.status.success(), "{said}{}", text(&test.stderr));
    for name in ["outside", "tests::inside", "one", "two"] {
        says(&said, &[&format!("test {name} ... ok")]);
    }
    // Of the library, of the suite, and of the first test.
    assert_eq!(said.matches("2 passed").count(), 3, "{said}");
    assert_eq!(said.matches("1 passed").count(), 1, "{said}");

    let output = snowglobe(project.path(), &["fix", "--yes", "--main"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let test = cargo(project.path(), &["test", "--offline", "--test", "net"]);
    let said = text(&test.stdout);
    assert!(test.status.success(), "{said}{}", text(&test.stderr));
    says(&said, &["each in user, net, mnt", "2 passed"]);
}

#[test]
fn messages_name_the_command_of_this_user() {
    let project = project(MANIFEST);
    let none = snowglobe(project.path(), &["provision", "--check"]);
    says(
        &text(&none.stderr),
        &["there is no fixtures.toml", "[package.metadata.snowglobe]"],
    );
    // Cargo.toml may name the manifest.
    let named = format!("{MANIFEST}[package.metadata.snowglobe]\nfixtures = \"tests/it.toml\"\n");
    fs::write(project.path().join("Cargo.toml"), named).unwrap();
    fs::create_dir(project.path().join("tests")).unwrap();
    fs::write(
        project.path().join("tests/it.toml"),
        "[site.path]\nfrom = \"src\"\n",
    )
    .unwrap();
    let missing = snowglobe(&project.path().join("src"), &["provision", "--check"]);
    says(
        &text(&missing.stderr),
        &[
            "fixture `site` is missing",
            "run `snowglobe provision site`",
        ],
    );
    let cargo = Command::new(env!("CARGO_BIN_EXE_cargo-snowglobe"))
        .args(["snowglobe", "provision", "--check"])
        .current_dir(project.path())
        .env_remove("CARGO_MANIFEST_DIR")
        .output()
        .unwrap();
    says(
        &text(&cargo.stderr),
        &["run `cargo snowglobe provision site`"],
    );
    let undeclared = snowglobe(project.path(), &["provision", "nginx"]);
    assert!(!undeclared.status.success());
    says(&text(&undeclared.stderr), &["nginx"]);
    let help = text(&snowglobe(project.path(), &["provision", "--help"]).stdout);
    says(&help, &["Usage: snowglobe provision [OPTIONS]"]);
    assert!(!help.contains("xtask"), "{help}");
    let help = text(&snowglobe(project.path(), &["--help"]).stdout);
    says(
        &help,
        &["snowglobe exec -- pytest", "doctor", "completions"],
    );
}

#[test]
fn completions_and_the_manual_page_are_understood_by_their_readers() {
    for (shell, reader) in [("bash", "bash"), ("zsh", "zsh"), ("fish", "fish")] {
        let script = snowglobe(Path::new("."), &["completions", shell]);
        assert!(script.status.success());
        // Not every machine has every shell.
        let Ok(mut child) = Command::new(reader).arg("-n").stdin(Stdio::piped()).spawn() else {
            continue;
        };
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), &script.stdout).unwrap();
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success(), "{shell}");
    }
    let page = snowglobe(Path::new("."), &["man"]);
    says(
        &text(&page.stdout),
        &[".TH SNOWGLOBE 1", "\\-\\-topology FILE"],
    );
}
