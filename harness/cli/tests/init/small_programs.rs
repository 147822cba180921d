//! Test programs are built without the debug information of snowglobe and what snowglobe brings.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::{MANIFEST, project, read, says, snowglobe, text, write};

/// Dependencies of snowglobe whose debug information users may want, and those that are no part of
/// programs; see `PACKAGES` in the file `small_programs.rs` of the command.
const OTHERS: [&str; 5] = [
    "libc",
    "serde_core",
    "snowglobe-derive",
    "snowglobe-macros",
    "tokio",
];

/// Returns the packages of the settings in a manifest.
fn packages(manifest: &str) -> BTreeSet<String> {
    let lines = manifest.lines();
    let settings = lines.filter_map(|line| line.strip_suffix(" = { debug = false }"));
    settings.map(str::to_owned).collect()
}

/// Returns snowglobe's packages and their dependencies, with these options of cargo for features.
fn dependencies(features: &[&str]) -> BTreeSet<String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let tree = "tree --offline -p snowglobe -e normal --prefix depth --no-dedupe";
    let cargo = cargo.args(tree.split(' ')).args(features);
    let output = cargo.current_dir(crate::harness()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let mut found = BTreeSet::new();
    // The packages above the present line of the tree.
    let mut above: Vec<String> = Vec::new();
    for line in text(&output.stdout).lines() {
        let end = line.find(|it: char| !it.is_ascii_digit()).unwrap();
        let depth: usize = line[..end].parse().unwrap();
        let name = line[end..].split(' ').next().unwrap();
        above.truncate(depth);
        if above.iter().all(|it| it.starts_with("snowglobe")) {
            found.insert(name.to_owned());
        }
        above.push(name.to_owned());
    }
    found.retain(|name| !OTHERS.contains(&name.as_str()));
    found
}

#[test]
fn the_packages_are_those_that_snowglobe_brings() {
    for (settings, features) in [
        ("", &[][..]),
        (", default-features = false", &["--no-default-features"]),
        (
            ", default-features = false, features = [\"toml\"]",
            &["--no-default-features", "--features", "toml"],
        ),
        (", features = [\"history\"]", &["--features", "history"]),
    ] {
        let path = crate::harness();
        let dependency = format!("snowglobe = {{ path = \"{path}\"{settings} }}");
        let manifest = format!("{MANIFEST}\n[dev-dependencies]\n{dependency}\n");
        let project = project(&manifest);
        let done = snowglobe(project.path(), &["init", "--yes"]);
        assert!(done.status.success(), "{}", text(&done.stderr));
        let expected = dependencies(features);
        // Serde and serde_json are other people's too.
        let expected: BTreeSet<String> = expected
            .into_iter()
            .filter(|name| !["serde", "serde_json"].contains(&name.as_str()))
            .collect();
        assert!(expected.contains("nix"), "{expected:?}");
        assert_eq!(packages(&read(&project, "Cargo.toml")), expected);
    }
}

#[test]
fn the_readme_has_the_settings_for_those_who_write_them_by_hand() {
    let project = project(MANIFEST);
    let done = snowglobe(project.path(), &["init", "--yes"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let manifest = read(&project, "Cargo.toml");
    let at = manifest.find("[profile.dev.package]\n").unwrap();
    let readme = Path::new(&crate::harness()).join("../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    says(&readme, &[manifest[at..].trim_end()]);
}

/// Makes a workspace with two packages.
fn workspace(more: &str) -> TempDir {
    let workspace = project(&format!("[workspace]\nmembers = [\"crates/*\"]\n{more}"));
    for name in ["mine", "yours"] {
        let manifest = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\n");
        write(&workspace, &format!("crates/{name}/Cargo.toml"), &manifest);
        let test = "#[test]\nfn a() {}\n";
        write(&workspace, &format!("crates/{name}/src/lib.rs"), test);
    }
    workspace
}

#[test]
fn the_settings_of_a_member_go_to_its_workspace_and_come_back() {
    let workspace = workspace("");
    let before = read(&workspace, "Cargo.toml");
    let [mine, yours] = ["mine", "yours"].map(|it| workspace.path().join("crates").join(it));
    for package in [&mine, &yours] {
        let words = ["fix", "--yes", "--git", "https://x/y"];
        let done = snowglobe(package, &words);
        assert!(done.status.success(), "{}", text(&done.stderr));
        if package == &mine {
            says(&text(&done.stdout), &["+++ b/Cargo.toml\n", "\n+nix = {"]);
        }
        let manifest = read(&workspace, "Cargo.toml");
        assert!(packages(&manifest).contains("snowglobe"), "{manifest}");
    }
    let own = read(&workspace, "crates/mine/Cargo.toml");
    assert!(!own.contains("profile"), "{own}");

    let undone = snowglobe(&mine, &["fix", "--undo", "--yes"]);
    let said = text(&undone.stderr);
    says(&said, &["of Cargo.toml stays as it is: another package"]);
    assert!(packages(&read(&workspace, "Cargo.toml")).contains("nix"));
    let undone = snowglobe(&yours, &["fix", "--undo", "--yes"]);
    assert!(undone.status.success(), "{}", text(&undone.stderr));
    assert_eq!(read(&workspace, "Cargo.toml"), before);
}

#[test]
fn the_settings_stay_where_any_table_still_has_snowglobe() {
    let here = "this package still has snowglobe in ";
    let there = "another package there has snowglobe too";
    for (name, table, why) in [
        ("mine", "[dependencies]", here),
        ("mine", "[build-dependencies]", here),
        ("mine", "[target.'cfg(unix)'.dev-dependencies]", here),
        ("yours", "[target.'cfg(unix)'.dependencies]", there),
        ("yours", "[target.'cfg(unix)'.dev-dependencies]", there),
    ] {
        let workspace = workspace("");
        let path = format!("crates/{name}/Cargo.toml");
        let own = read(&workspace, &path);
        write(
            &workspace,
            &path,
            &format!("{own}\n{table}\nsnowglobe = \"0.1\"\n"),
        );
        let package = workspace.path().join("crates/mine");
        // A package that has snowglobe already can name no other place.
        let words: &[&str] = match name {
            "mine" => &["fix", "--yes"],
            _ => &["fix", "--yes", "--git", "https://x/y"],
        };
        let done = snowglobe(&package, words);
        assert!(done.status.success(), "{}", text(&done.stderr));
        let before = read(&workspace, "Cargo.toml");
        let undone = snowglobe(&package, &["fix", "--undo", "--yes"]);
        let said = text(&undone.stderr);
        assert!(undone.status.success(), "{said}");
        let why = match name {
            "mine" => format!("{why}{table}"),
            _ => why.to_owned(),
        };
        says(&said, &["of Cargo.toml stays as it is: ", &why]);
        assert_eq!(read(&workspace, "Cargo.toml"), before);
        assert!(packages(&before).contains("nix"), "{before}");
    }
}

#[test]
fn a_table_that_is_there_stays_and_is_named_with_what_belongs_into_it() {
    let table = "[profile.dev.package]\nserde.opt-level = 3\n";
    let workspace = workspace(table);
    let before = read(&workspace, "Cargo.toml");
    let package = workspace.path().join("crates/mine");
    let done = snowglobe(&package, &["init", "--yes"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    says(
        &text(&done.stderr),
        &[
            "note: [profile.dev.package] of Cargo.toml stays as it is",
            "`NAME = { debug = false }` there for snowglobe, ",
            ", nix, ",
        ],
    );
    assert_eq!(read(&workspace, "Cargo.toml"), before);
}

#[test]
fn a_package_that_its_workspace_excludes_has_its_own_settings() {
    // The repository of this test is a workspace too, and lies above the directory of `project`.
    let workspace = TempDir::new().unwrap();
    write(
        &workspace,
        "Cargo.toml",
        "[workspace]\nexclude = [\"apart\"]\n",
    );
    let manifest = "[package]\nname = \"apart\"\nversion = \"0.1.0\"\n";
    write(&workspace, "apart/Cargo.toml", manifest);
    let done = snowglobe(&workspace.path().join("apart"), &["init", "--yes"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(packages(&read(&workspace, "apart/Cargo.toml")).contains("nix"));
    let root = read(&workspace, "Cargo.toml");
    assert!(packages(&root).is_empty(), "{root}");
}

#[test]
fn a_member_that_inherits_snowglobe_gets_what_the_workspace_names() {
    for (place, installation) in [
        (
            "git = \"https://x/y\"",
            Some("cargo install --git https://x/y snowglobe-cli"),
        ),
        (
            "path = \"third/harness\"",
            Some("cargo install --path ../../third/harness/cli"),
        ),
        ("path = \"/\"", None),
    ] {
        let more = format!("[workspace.dependencies]\nsnowglobe = {{ {place} }}\n");
        let workspace = workspace(&more);
        let library = "[package]\nname = \"snowglobe\"\n";
        write(&workspace, "third/harness/Cargo.toml", library);
        let own = read(&workspace, "crates/mine/Cargo.toml");
        let own = format!("{own}[dev-dependencies]\nsnowglobe.workspace = true\n");
        write(&workspace, "crates/mine/Cargo.toml", &own);
        let package = workspace.path().join("crates/mine");
        let done = snowglobe(&package, &["init", "--yes", "--fixtures"]);
        let said = text(&done.stderr);
        assert!(done.status.success(), "{said}");
        let root = read(&workspace, "Cargo.toml");
        assert!(packages(&root).contains("nix"), "{root}");
        let workflow = workspace.path().join(".github/workflows/snowglobe.yml");
        match installation {
            Some(command) => says(
                &fs::read_to_string(workflow).unwrap(),
                &["working-directory: crates/mine\n", command, "provision\n"],
            ),
            None => {
                says(&said, &["no workflow for GitHub", "snowglobe provision"]);
                assert!(!workflow.exists());
            }
        }
    }
}
