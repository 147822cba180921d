//! `snowglobe fix` converts a suite and back.

use std::fs;

use crate::{LIBRARY, MANIFEST, SUITE, of_checkout, read, says, snowglobe, suite, text, write};

#[test]
fn a_suite_is_converted_and_back() {
    let project = suite();
    let shown = snowglobe(project.path(), &["fix", "--dry-run"]);
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    says(
        &text(&shown.stdout),
        &[
            &format!("+{}", of_checkout()),
            "+[profile.dev.package]\n+snowglobe = { debug = false }\n",
            "+++ b/src/lib.rs\n",
            "+#[cfg_attr(test, snowglobe::test)]\n #[test]\n fn outside",
            "+    #[snowglobe::test]\n     #[test]\n     fn inside",
            "+#[snowglobe::test]\n #[test]\n #[should_panic",
        ],
    );
    says(
        &text(&shown.stderr),
        &["note: Cargo.toml names", "--git URL"],
    );
    let asked = snowglobe(project.path(), &["fix"]);
    assert!(!asked.status.success());
    says(&text(&asked.stderr), &["no terminal to ask", "--yes"]);
    assert_eq!(read(&project, "Cargo.toml"), MANIFEST);

    let done = snowglobe(project.path(), &["fix", "--yes"]);
    assert!(done.status.success());
    says(
        &text(&done.stderr),
        &["4 tests are trials now", "cargo test"],
    );
    assert_eq!(
        read(&project, "tests/net.rs")
            .matches("#[snowglobe::test]")
            .count(),
        2
    );
    let again = snowglobe(project.path(), &["fix", "--yes"]);
    says(&text(&again.stderr), &["nothing to write"]);

    let lock = "version = 4\n\n[[package]]\nname = \"snowglobe\"\nversion = \"0.1.0\"\n";
    write(&project, "Cargo.lock", lock);
    let partly = snowglobe(project.path(), &["fix", "--undo", "--yes", "src"]);
    let said = text(&partly.stderr);
    assert!(!said.contains("Cargo.lock"), "{said}");
    let undone = snowglobe(project.path(), &["fix", "--undo", "--yes"]);
    assert!(undone.status.success());
    says(
        &text(&undone.stderr),
        &["tests are as they were", "git checkout Cargo.lock"],
    );
    assert_eq!(read(&project, "Cargo.lock"), lock);
    assert_eq!(read(&project, "tests/net.rs"), SUITE);
    assert_eq!(read(&project, "src/lib.rs"), LIBRARY);
    assert_eq!(read(&project, "Cargo.toml"), MANIFEST);
}

#[test]
fn integration_tests_get_a_main_of_ours_and_lose_it() {
    let project = suite();
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
        write(&project, path, text);
    }
    let files = ["fix", "--yes", "src", "tests", "checks"];
    let done = snowglobe(project.path(), &[&files[..], &["--main"]].concat());
    assert!(done.status.success(), "{}", text(&done.stderr));
    let manifest = read(&project, "Cargo.toml");
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
        assert!(
            read(&project, path).ends_with(end),
            "{}",
            read(&project, path)
        );
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
    assert_eq!(read(&project, "tests/net.rs"), SUITE);
    assert_eq!(read(&project, "checks/it.rs"), "#[test]\nfn a() {}");
    assert_eq!(read(&project, "tests/folder/main.rs"), "mod cases;\n");
    assert_eq!(read(&project, "tests/full.rs"), conditional);
    // Only some files were named, so that others may need the dependency.
    let manifest = read(&project, "Cargo.toml");
    assert!(!manifest.contains("harness = "), "{manifest}");
    says(&manifest, &[&of_checkout(), "name = \"named\" # mine\n"]);
}

#[test]
fn a_main_of_ours_stays_where_tests_stay_trials() {
    let project = suite();
    let done = snowglobe(project.path(), &["fix", "--yes", "--main"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let converted = read(&project, "tests/net.rs");
    let own = converted.replacen("snowglobe::test]", "snowglobe::test(nested)]", 1);
    write(&project, "tests/net.rs", &own);
    let undone = snowglobe(project.path(), &["fix", "--undo", "--yes"]);
    assert!(undone.status.success(), "{}", text(&undone.stderr));
    let said = text(&undone.stderr);
    says(&said, &["3 tests are as they were; 1 stays as it is"]);
    let left = read(&project, "tests/net.rs");
    assert!(left.ends_with("\nsnowglobe::main!();\n"), "{left}");
    let manifest = read(&project, "Cargo.toml");
    says(&manifest, &["harness = false", &of_checkout()]);
}

#[test]
fn the_place_of_the_dependency_is_the_one_that_was_named() {
    for (words, line) in [
        (
            ["--git", "https://x/y"],
            "snowglobe = { git = \"https://x/y\" }\n".to_owned(),
        ),
        (["--path", &crate::harness()], of_checkout()),
    ] {
        let project = suite();
        let done = snowglobe(project.path(), &[&["fix", "--yes"], &words[..]].concat());
        assert!(done.status.success(), "{}", text(&done.stderr));
        let manifest = fs::read_to_string(project.path().join("Cargo.toml")).unwrap();
        says(&manifest, &[&line]);
        let said = text(&done.stderr);
        assert!(!said.contains("note: "), "{said}");
    }
}

#[test]
fn a_dependency_of_another_name_is_known_by_it() {
    let renamed = format!(
        "{MANIFEST}\n[dev-dependencies]\nsg = {{ package = \"snowglobe\", path = \"{}\" }} # mine\n",
        crate::harness()
    );
    let project = suite();
    write(&project, "Cargo.toml", &renamed);
    // The import of this file, and the attribute that the import names, are not of snowglobe.
    write(
        &project,
        "tests/other.rs",
        "use msg::test;\n#[test]\nfn a() {}\n",
    );
    let done = snowglobe(project.path(), &["fix", "--yes", "--main"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    says(&text(&done.stderr), &["5 tests are trials now. Next"]);
    let manifest = read(&project, "Cargo.toml");
    assert!(manifest.starts_with(&renamed), "{manifest}");
    assert!(!manifest.contains("\nsnowglobe = { path"), "{manifest}");
    let library = read(&project, "src/lib.rs");
    says(
        &library,
        &["#[cfg_attr(test, sg::test)]\n#[test]\nfn outside"],
    );
    let net = read(&project, "tests/net.rs");
    says(
        &net,
        &["#[sg::test]\n#[test]\n#[should", "\nsg::main!();\n"],
    );
    assert!(!net.contains("snowglobe"), "{net}");
    let again = snowglobe(project.path(), &["fix", "--yes", "--main"]);
    says(&text(&again.stderr), &["nothing to write"]);
    let options = net.replacen("#[sg::test]", "#[sg::test(timeout = \"1s\")]", 1);
    write(&project, "tests/net.rs", &options);
    let some = snowglobe(project.path(), &["fix", "--undo", "--dry-run"]);
    says(
        &text(&some.stderr),
        &["`one` has an attribute", "take `#[sg::test]` away"],
    );
    write(&project, "tests/net.rs", &net);

    let undone = snowglobe(project.path(), &["fix", "--undo", "--yes"]);
    assert!(undone.status.success(), "{}", text(&undone.stderr));
    says(&text(&undone.stderr), &["5 tests are as they were"]);
    assert_eq!(read(&project, "tests/net.rs"), SUITE);
    assert_eq!(read(&project, "src/lib.rs"), LIBRARY);
    assert_eq!(read(&project, "Cargo.toml"), MANIFEST);

    write(&project, "Cargo.toml", &renamed);
    let written = snowglobe(project.path(), &["init", "--yes", "--fixtures"]);
    assert!(written.status.success(), "{}", text(&written.stderr));
    let test = read(&project, "tests/world.rs");
    says(&test, &["-> sg::TestResult {", "\nsg::main!();\n"]);
    assert!(!test.contains("snowglobe::"), "{test}");
    says(
        &read(&project, "fixtures.toml"),
        &["`snowglobe provision`", "`sg::Fixture::"],
    );
    assert!(read(&project, "Cargo.toml").starts_with(&renamed));
}

#[test]
fn a_dependency_for_some_platforms_or_of_the_package_itself_stays_alone() {
    for table in [
        "target.'cfg(target_os = \"linux\")'.dev-dependencies",
        "dependencies",
    ] {
        let own = format!("{MANIFEST}\n[{table}]\nsnowglobe.git = \"https://mine\"\n");
        for command in ["fix", "init"] {
            let project = suite();
            write(&project, "Cargo.toml", &own);
            let done = snowglobe(project.path(), &[command, "--yes"]);
            assert!(done.status.success(), "{}", text(&done.stderr));
            let manifest = read(&project, "Cargo.toml");
            assert!(manifest.starts_with(&own), "{manifest}");
            assert!(!manifest.contains("\n[dev-dependencies]"), "{manifest}");
            says(&manifest, &["snowglobe = { debug = false }"]);
        }
    }
}

#[test]
fn new_tests_of_a_suite_with_a_main_of_ours_are_converted() {
    let project = suite();
    let target = format!("{MANIFEST}\n[[test]]\nname = \"net\"\nharness = false\n");
    fs::write(project.path().join("Cargo.toml"), target).unwrap();
    let file = project.path().join("tests/net.rs");
    fs::write(&file, format!("{SUITE}\nsnowglobe::main!();\n")).unwrap();
    let done = snowglobe(project.path(), &["fix", "--yes"]);
    says(&text(&done.stderr), &["4 tests are trials now. Next"]);
    let converted = fs::read_to_string(file).unwrap();
    assert_eq!(
        converted.matches("#[snowglobe::test]").count(),
        2,
        "{converted}"
    );
}

/// Tests are where cargo finds targets, and where `Cargo.toml` names them.
#[test]
fn tests_of_all_targets_are_converted_and_back() {
    let project = suite();
    let test = "#[test]\nfn a() {}\n";
    let inside = "fn main() {}\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn a() {}\n}\n";
    let manifest = format!(
        "{MANIFEST}\n[lib]\npath = \"library/all.rs\"\n[[test]]\nname = \"it\"\npath = \"checks/it.rs\"\n\
         [[bin]]\nname = \"b\"\npath = \"b.rs\"\n[[bench]]\nname = \"own\"\nharness = false\n\
         [[example]]\nname = \"quiet\"\nharness = false\n"
    );
    write(&project, "Cargo.toml", &manifest);
    let files = [
        (
            "library/all.rs",
            test,
            "#[cfg_attr(test, snowglobe::test)]\n#[test]",
        ),
        (
            "library/part.rs",
            test,
            "#[cfg_attr(test, snowglobe::test)]\n#[test]",
        ),
        ("checks/it.rs", test, "#[snowglobe::test]\n#[test]"),
        ("checks/part/mod.rs", test, "#[snowglobe::test]\n#[test]"),
        ("b.rs", test, "#[cfg_attr(test, snowglobe::test)]\n#[test]"),
        (
            "examples/e.rs",
            inside,
            "    #[snowglobe::test]\n    #[test]",
        ),
        (
            "examples/large/main.rs",
            test,
            "#[snowglobe::test]\n#[test]",
        ),
        ("benches/part.rs", test, "#[snowglobe::test]\n#[test]"),
        ("benches/own.rs", inside, inside),
        ("examples/quiet.rs", "fn main() {}\n", "fn main() {}\n"),
        // Beside a target in the folder of the package lies what belongs to none.
        ("loose.rs", test, test),
    ];
    for (path, before, _) in files {
        write(&project, path, before);
    }
    let done = snowglobe(project.path(), &["fix", "--yes"]);
    let said = text(&done.stderr);
    assert!(done.status.success(), "{said}");
    for (path, _, after) in files {
        let text = read(&project, path);
        assert!(text.contains(after), "{path}: {text}");
    }
    let own =
        "benches/own.rs has `harness = false`, so that its tests are not built, and stays as it is";
    says(&said, &[own, "12 tests are trials now; 1 stays as it is"]);
    assert!(!said.contains("quiet"), "{said}");

    // The dependency goes only where no target needs it.
    let some = snowglobe(
        project.path(),
        &["fix", "--undo", "--yes", "src", "library"],
    );
    assert!(some.status.success(), "{}", text(&some.stderr));
    says(&read(&project, "Cargo.toml"), &["snowglobe"]);
    let undone = snowglobe(project.path(), &["fix", "--undo", "--yes"]);
    assert!(undone.status.success(), "{}", text(&undone.stderr));
    for (path, before, _) in files {
        assert_eq!(read(&project, path), before, "{path}");
    }
    assert!(!read(&project, "Cargo.toml").contains("snowglobe"));
}
