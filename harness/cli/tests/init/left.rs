//! `snowglobe fix` names what it leaves as it is.

use crate::{MANIFEST, read, says, snowglobe, suite, text, write};

#[test]
fn what_cannot_be_converted_is_named_with_what_to_do() {
    let project = suite();
    let manifest = format!("{MANIFEST}[[test]]\nname = \"mimic\"\nharness = false\n");
    write(&project, "Cargo.toml", &manifest);
    write(&project, "tests/mimic.rs", "fn main() {}\n");
    write(&project, "tests/broken.rs", "fn main( {}\n");
    write(
        &project,
        "tests/line.rs",
        "mod a { #[test] fn crowded() {} }\n",
    );
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
    let written = snowglobe(project.path(), &["fix", "--yes"]);
    says(
        &text(&written.stderr),
        &["4 tests are trials now; 3 stay as they are, see above"],
    );
    // The way back leaves the `main` of another library.
    let undone = snowglobe(project.path(), &["fix", "--undo", "--yes"]);
    let said = text(&undone.stderr);
    says(&said, &["4 tests are as they were; 1 stays as it is"]);
    assert!(!said.contains("mimic"), "{said}");
    let missing = snowglobe(project.path(), &["fix", "--dry-run", "tests/none.rs"]);
    assert!(!missing.status.success());
    says(&text(&missing.stderr), &["cannot read", "tests/none.rs"]);
}

#[test]
fn other_packages_and_files_that_are_no_targets_stay() {
    let project = suite();
    let test = "#[test]\nfn a() {}\n";
    write(
        &project,
        "tests/other/Cargo.toml",
        "[package]\nname = \"other\"\n",
    );
    write(&project, "tests/other/src/lib.rs", test);
    write(&project, "tests/loose.rs", test);
    let manifest = MANIFEST.replace("edition", "autotests = false\nedition");
    let target = "[[test]]\nname = \"net\"\n";
    write(&project, "Cargo.toml", &format!("{manifest}\n{target}"));
    let done = snowglobe(project.path(), &["fix", "--yes", "--main"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert_eq!(read(&project, "tests/other/src/lib.rs"), test);
    assert!(read(&project, "tests/net.rs").contains("snowglobe::main!"));
    // cargo does not look for tests there, so that nothing runs this file.
    assert!(!read(&project, "tests/loose.rs").contains("snowglobe::main!"));
    let manifest = read(&project, "Cargo.toml");
    assert!(!manifest.contains("loose"), "{manifest}");
}

/// A target may lie outside of the package, beside files of others.
#[test]
fn what_lies_beside_a_target_outside_of_the_package_stays() {
    let project = suite();
    let test = "#[test]\nfn a() {}\n";
    let targets = "[[test]]\nname = \"it\"\npath = \"../checks/it.rs\"\n\
                   [[test]]\nname = \"own\"\npath = \"../package/tests/own.rs\"\n";
    let manifest = format!("{MANIFEST}\n{targets}");
    let files = [
        ("package/Cargo.toml", &*manifest),
        ("package/src/lib.rs", ""),
        ("package/tests/own.rs", test),
        ("checks/it.rs", test),
        ("checks/of_others.rs", test),
        ("target/out/generated.rs", test),
    ];
    for (path, text) in files {
        write(&project, path, text);
    }
    let done = snowglobe(&project.path().join("package"), &["fix", "--yes"]);
    let said = text(&done.stderr);
    assert!(done.status.success(), "{said}");
    says(&said, &["2 tests are trials now"]);
    for path in ["package/tests/own.rs", "checks/it.rs"] {
        says(&read(&project, path), &["#[snowglobe::test]\n#[test]"]);
    }
    for path in ["checks/of_others.rs", "target/out/generated.rs"] {
        assert_eq!(read(&project, path), test, "{path}");
    }
}

#[test]
fn a_file_that_the_manifest_names_is_one_target() {
    let project = suite();
    let target = "[[test]]\nname = \"other\"\npath = \"tests/net.rs\"\n";
    write(&project, "Cargo.toml", &format!("{MANIFEST}\n{target}"));
    let done = snowglobe(project.path(), &["fix", "--yes", "--main"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let manifest = read(&project, "Cargo.toml");
    says(&manifest, &[&format!("{target}harness = false\n")]);
    assert_eq!(manifest.matches("[[test]]").count(), 1, "{manifest}");
    let main = read(&project, "tests/net.rs");
    assert_eq!(main.matches("snowglobe::main!").count(), 1, "{main}");
}

#[test]
fn tests_for_other_systems_stay_and_are_named() {
    let project = suite();
    let test = "#[test]\nfn a() {}\n";
    write(
        &project,
        "src/lib.rs",
        "#[cfg(windows)]\nmod pipes;\n#[cfg(unix)]\nmod sockets;\n",
    );
    write(&project, "src/pipes.rs", test);
    write(&project, "src/sockets.rs", test);
    let registry = format!("#![cfg(windows)]\n{test}");
    write(&project, "tests/registry.rs", &registry);
    let mixed = format!("{test}#[cfg(target_os = \"macos\")]\n#[test]\nfn mac() {{}}\n");
    write(&project, "tests/mixed.rs", &mixed);
    let done = snowglobe(project.path(), &["fix", "--yes", "--main"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let why = "is for another system than Linux, and stays as it is";
    says(
        &text(&done.stderr),
        &[
            &format!("src/pipes.rs {why}"),
            &format!("tests/registry.rs:1: `this file` {why}"),
            &format!("tests/mixed.rs:3: `mac` {why}"),
        ],
    );
    assert_eq!(read(&project, "src/pipes.rs"), test);
    assert_eq!(read(&project, "tests/registry.rs"), registry);
    says(&read(&project, "src/sockets.rs"), &["snowglobe::test"]);
    // They do not keep the others from a `main` of ours.
    let converted = read(&project, "tests/mixed.rs");
    assert_eq!(
        converted.matches("#[snowglobe::test]").count(),
        1,
        "{converted}"
    );
    says(&converted, &["snowglobe::main!();"]);

    // What an earlier version has written into a file for others goes as well.
    let earlier = format!("#[cfg_attr(test, snowglobe::test)]\n{test}");
    write(&project, "src/pipes.rs", &earlier);
    let undone = snowglobe(project.path(), &["fix", "--undo", "--yes"]);
    assert!(undone.status.success(), "{}", text(&undone.stderr));
    for (path, before) in [("src/pipes.rs", test), ("tests/mixed.rs", mixed.as_str())] {
        assert_eq!(read(&project, path), before);
    }
}
