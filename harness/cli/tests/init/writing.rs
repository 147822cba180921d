//! `snowglobe init` shows what it is about to write, and overwrites nothing.

use std::fs;
use std::path::Path;

use crate::{MANIFEST, of_checkout, project, read, says, snowglobe, text};

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
                &format!("+{}", of_checkout()),
                "+[[test]]\n+name = \"world\"\n+harness = false\n",
                "--- /dev/null\n+++ b/tests/world.rs\n",
            ],
        );
        assert_eq!(entries(project.path()), [".git", "Cargo.toml", "src"]);
        let manifest = fs::read_to_string(project.path().join("Cargo.toml")).unwrap();
        assert_eq!(manifest, MANIFEST);
        assert_eq!(output.status.success(), words.contains(&"--dry-run"));
        // A program that was built from a checkout names that checkout, and says how to name a
        // repository.
        let said = text(&output.stderr);
        says(
            &said,
            &[
                "no workflow for GitHub",
                "from which this program was built",
                "--git URL",
            ],
        );
    }
    let asked = snowglobe(project.path(), &["init"]);
    says(&text(&asked.stderr), &["no terminal to ask", "--yes"]);
}

#[test]
fn what_is_written_is_not_written_again() {
    let project = project(MANIFEST);
    let words = ["init", "--yes", "--fixtures", "--git", "https://x/y"];
    let output = snowglobe(project.path(), &words);
    assert!(output.status.success(), "{}", text(&output.stderr));
    says(
        &text(&output.stderr),
        &[
            "cargo test --test world",
            "for the fixtures: snowglobe provision",
        ],
    );
    says(
        &read(&project, "Cargo.toml"),
        &[
            "snowglobe = { git = \"https://x/y\" }\n",
            "[profile.dev.package]\n",
        ],
    );
    says(&read(&project, "fixtures.toml"), &["snowglobe provision"]);
    says(
        &read(&project, ".github/workflows/snowglobe.yml"),
        &[
            "apparmor_restrict_unprivileged_userns=0\n",
            "- run: cargo install --git https://x/y snowglobe-cli\n      - run: snowglobe provision\n",
            "- run: cargo test\n",
        ],
    );
    let manifest = read(&project, "Cargo.toml");
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
    assert_eq!(read(&project, "Cargo.toml"), manifest);
}

#[test]
fn tests_of_the_user_are_left_alone() {
    let project = project(MANIFEST);
    let tests = project.path().join("tests");
    fs::create_dir_all(tests.join("world2")).unwrap();
    fs::write(tests.join("world2/main.rs"), "").unwrap();
    let own = "#[test]\nfn mine() {}\n";
    fs::write(tests.join("world.rs"), own).unwrap();
    for _ in 0..2 {
        let output = snowglobe(project.path(), &["init", "--yes", "--no-github"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(entries(&tests), ["world.rs", "world2", "world3.rs"]);
        let manifest = read(&project, "Cargo.toml");
        assert_eq!(manifest.matches("[[test]]").count(), 1, "{manifest}");
        says(&manifest, &["name = \"world3\"\nharness = false\n"]);
    }
    assert_eq!(fs::read_to_string(tests.join("world.rs")).unwrap(), own);
    assert!(!project.path().join(".github").exists());
}

#[test]
fn a_program_of_the_user_without_a_harness_is_no_test_of_init() {
    for file in ["tests/world.rs", "tests/world/main.rs"] {
        let manifest = format!("{MANIFEST}\n[[test]]\nname = \"world\"\nharness = false\n");
        let project = project(&manifest);
        let own = project.path().join(file);
        fs::create_dir_all(own.parent().unwrap()).unwrap();
        fs::write(&own, "fn main() {}\n").unwrap();
        for _ in 0..2 {
            let output = snowglobe(project.path(), &["init", "--yes", "--no-github"]);
            says(&text(&output.stderr), &["world2"]);
            let manifest = read(&project, "Cargo.toml");
            assert_eq!(manifest.matches("[[test]]").count(), 2, "{manifest}");
            says(&manifest, &["name = \"world2\"\nharness = false\n"]);
        }
        assert_eq!(fs::read_to_string(own).unwrap(), "fn main() {}\n");
        assert!(!project.path().join("tests/world3.rs").exists());
    }
}

#[test]
fn nothing_is_left_of_what_could_not_be_written() {
    let project = project(MANIFEST);
    // Root may write everywhere, but not below a file.
    fs::write(project.path().join("tests"), "mine").unwrap();
    let output = snowglobe(project.path(), &["init", "--yes", "--fixtures"]);
    assert!(!output.status.success());
    says(
        &text(&output.stderr),
        &["cannot write", "tests/world.rs", "as they were"],
    );
    assert_eq!(read(&project, "Cargo.toml"), MANIFEST);
    assert_eq!(
        entries(project.path()),
        [".git", "Cargo.toml", "src", "tests"]
    );
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

#[test]
fn a_link_that_leads_nowhere_is_left_alone() {
    let project = project(MANIFEST);
    fs::create_dir(project.path().join("tests")).unwrap();
    let link = project.path().join("tests/world.rs");
    std::os::unix::fs::symlink("gone.rs", &link).unwrap();
    let output = snowglobe(project.path(), &["init", "--yes"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    says(&text(&output.stderr), &["cargo test --test world2"]);
    assert!(!project.path().join("tests/gone.rs").exists());
}

#[test]
fn a_package_below_its_repository_gets_what_belongs_to_it() {
    let workspace = project("[workspace]\nmembers = [\"crates/mine\"]\n");
    let package = workspace.path().join("crates/mine");
    fs::create_dir_all(package.join("src")).unwrap();
    let manifest = "[package]\nname = \"mine\"\nversion = \"0.1.0\"\n";
    fs::write(package.join("Cargo.toml"), manifest).unwrap();
    // A copy of snowglobe in the repository is found wherever the repository lies.
    let copy = workspace.path().join("third/snowglobe/harness");
    fs::create_dir_all(&copy).unwrap();
    fs::write(copy.join("Cargo.toml"), "[package]\nname = \"snowglobe\"\n").unwrap();
    let path = "../../third/snowglobe/harness";
    let output = snowglobe(&package, &["init", "--yes", "--fixtures", "--path", path]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let manifest = read(&workspace, "crates/mine/Cargo.toml");
    says(
        &manifest,
        &[&format!("snowglobe = {{ path = \"{path}\" }}\n")],
    );
    // Settings of profiles count in the manifest of the workspace only.
    assert!(!manifest.contains("profile"), "{manifest}");
    says(
        &read(&workspace, ".github/workflows/snowglobe.yml"),
        &[
            "working-directory: crates/mine\n",
            &format!("- run: cargo install --path {path}/cli\n"),
        ],
    );
}

#[test]
fn a_dependency_that_is_there_stays_and_is_what_the_workflow_installs() {
    let own = format!("{MANIFEST}[dev-dependencies]\nsnowglobe.git = \"https://mine\" # mine\n");
    let project = project(&own);
    let output = snowglobe(project.path(), &["init", "--yes", "--fixtures"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    says(
        &read(&project, "Cargo.toml"),
        &["snowglobe.git = \"https://mine\" # mine\n"],
    );
    says(
        &read(&project, ".github/workflows/snowglobe.yml"),
        &["cargo install --git https://mine snowglobe-cli\n"],
    );
}

#[test]
fn a_place_without_the_crate_is_refused() {
    let project = project(MANIFEST);
    for command in ["init", "fix"] {
        let wrong = snowglobe(project.path(), &[command, "--yes", "--path", "src"]);
        assert!(!wrong.status.success());
        says(
            &text(&wrong.stderr),
            &["--path is `src`", "directory `harness`"],
        );
        let both = snowglobe(
            project.path(),
            &[command, "--path", "a", "--git", "https://b/c"],
        );
        says(
            &text(&both.stderr),
            &["--path and --git exclude each other"],
        );
    }
    assert_eq!(
        fs::read_to_string(project.path().join("Cargo.toml")).unwrap(),
        MANIFEST
    );
}

#[test]
fn what_cargo_takes_for_no_repository_is_refused_with_what_to_give() {
    let project = project(MANIFEST);
    for (url, part) in [
        ("foo bar", "such as https://"),
        (
            "git@example.org:a/b.git",
            "give ssh://git@example.org/a/b.git",
        ),
        ("../snowglobe", "--path DIRECTORY"),
        ("", "such as https://"),
    ] {
        for command in ["init", "fix"] {
            let wrong = snowglobe(project.path(), &[command, "--yes", "--git", url]);
            assert_eq!(wrong.status.code(), Some(2), "{url}");
            says(&text(&wrong.stderr), &[&format!("--git is `{url}`"), part]);
        }
    }
    assert_eq!(read(&project, "Cargo.toml"), MANIFEST);
}

#[test]
fn another_place_than_the_one_of_the_dependency_that_is_there_is_refused() {
    let own = format!("{MANIFEST}[dev-dependencies]\nsnowglobe.git = \"https://mine/x\"\n");
    let project = project(&own);
    for command in ["init", "fix"] {
        for place in [["--git", "https://other/x"], ["--path", &crate::harness()]] {
            let words = [&[command, "--yes"], &place[..]].concat();
            let refused = snowglobe(project.path(), &words);
            assert_eq!(refused.status.code(), Some(1), "{words:?}");
            let parts = ["repository https://mine/x already", "leave --", "by hand"];
            says(&text(&refused.stderr), &parts);
        }
        let same = [command, "--dry-run", "--git", "https://mine/x"];
        assert!(snowglobe(project.path(), &same).status.success());
    }
    assert_eq!(read(&project, "Cargo.toml"), own);
}

#[test]
fn options_of_which_one_would_have_no_effect_are_refused() {
    let project = project(MANIFEST);
    for (words, said) in [
        (&["init", "--yes", "--dry-run"][..], "--yes and --dry-run"),
        (&["fix", "--yes", "--dry-run"], "--yes and --dry-run"),
        (&["fix", "--undo", "--main"], "leave --main out"),
        (
            &["fix", "--undo", "--git", "https://x/y"],
            "leave --path or --git out",
        ),
        (&["completions", "bash", "zsh"], "one shell only"),
    ] {
        let refused = snowglobe(project.path(), words);
        assert_eq!(refused.status.code(), Some(2), "{words:?}");
        says(&text(&refused.stderr), &[said]);
    }
}
