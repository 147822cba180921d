//! Without the standard harness, rustc drops the tests of other attributes and macros. A program
//! that would lose tests in this way does not compile. Nor does a test with two sets of options;
//! and an option names the crate that passes snowglobe on.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// Returns the directory in which cargo keeps the crates that this program is made of.
fn deps() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    program.parent().unwrap().to_owned()
}

/// Returns the newest library of this name, which is the one that this program was built with.
///
/// Programs of the workspace that need fewer features of tokio have one of their own, which may be
/// newer.
fn library(name: &str) -> PathBuf {
    let begins = format!("lib{name}-");
    let is_library = |path: &PathBuf| {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        file.starts_with(&begins)
            && (file.ends_with(".rlib") || file.ends_with(".so"))
            && (name != "tokio" || mentions(path, b"tokio_macros"))
    };
    let modified = |path: &PathBuf| path.metadata().and_then(|it| it.modified()).ok();
    let entries = std::fs::read_dir(deps()).unwrap().flatten();
    let libraries = entries.map(|entry| entry.path()).filter(is_library);
    let newest = libraries.max_by_key(|path| modified(path).unwrap_or(SystemTime::UNIX_EPOCH));
    newest.unwrap_or_else(|| panic!("no library {name}"))
}

/// Returns whether a library's description has this text, as the name of a crate that it uses.
fn mentions(library: &Path, text: &[u8]) -> bool {
    let bytes = std::fs::read(library).unwrap();
    bytes.windows(text.len()).any(|window| window == text)
}

/// Compiles a source as cargo does for a target with `harness = false`. Returns what the compiler
/// has said, and whether it was content.
fn compile(dir: &Path, source: &str) -> (bool, String) {
    // A library is enough, since nothing needs to be linked.
    compile_as("rlib", dir, source)
}

/// Edition of the samples, where a test names no other.
const EDITION: &str = "2024";

/// Compiles a source as cargo does for a target with `harness = false`, to a crate of this type.
fn compile_as(crate_type: &str, dir: &Path, source: &str) -> (bool, String) {
    let names = [
        "actix_rt",
        "googletest",
        "proptest",
        "quickcheck",
        "quickcheck_macros",
        "rstest",
        "snowglobe",
        "test_case",
        "test_log",
        "tokio",
    ];
    let libraries = names.map(|name| (name, library(name)));
    compile_with(&libraries, "sample", [crate_type, EDITION], dir, source)
}

/// Compiles a source to a program with the standard harness.
fn compile_with_harness(dir: &Path, source: &str) -> (bool, String) {
    let libraries = ["actix_rt", "snowglobe"].map(|name| (name, library(name)));
    compile_with(&libraries, "sample", ["bin --test", EDITION], dir, source)
}

/// Compiles the source of a crate of a type and an edition, with these names and their libraries.
fn compile_with(
    libraries: &[(&str, PathBuf)],
    name: &str,
    [crate_type, edition]: [&str; 2],
    dir: &Path,
    source: &str,
) -> (bool, String) {
    let path = dir.join(format!("{name}.rs"));
    std::fs::write(&path, source).unwrap();
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or("rustc".into()));
    rustc
        .arg(format!("--edition={edition}"))
        .arg(format!("--crate-name={name}"))
        .args(format!("--crate-type={crate_type}").split(' '))
        .args(["--emit=dep-info,link", "--cfg=test", "-Awarnings"])
        .arg(format!(
            "-Cincremental={}",
            dir.join("incremental").display()
        ))
        .arg("--out-dir")
        .arg(dir)
        .arg("-L")
        .arg(format!("dependency={}", deps().display()));
    for (name, library) in libraries {
        rustc
            .arg("--extern")
            .arg(format!("{name}={}", library.display()));
    }
    let output = rustc.arg(&path).output().unwrap();
    (
        output.status.success(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// Fails the test unless the source does not compile, for tests with these names in these lines.
#[track_caller]
fn loses(source: &str, tests: &[(&str, usize)]) {
    let dir = snowglobe_tests::shared_dir();
    std::fs::write(dir.path().join("part.rs"), "#[test] fn in_a_file() {}").unwrap();
    let (compiles, text) = compile(dir.path(), source);
    assert!(!compiles, "{source}");
    assert!(text.contains("would never run"), "{text}");
    assert!(text.contains("`harness = false`"), "{text}");
    assert!(
        text.contains("write `#[snowglobe::test]` above all other attributes"),
        "{text}"
    );
    for (name, line) in tests {
        let listed = text
            .lines()
            .any(|text| text.contains(&format!(".rs:{line}: `{name}")));
        assert!(listed, "no {name} in line {line} of\n{text}");
    }
    let listed = text
        .lines()
        .filter(|line| line.contains(".rs:") && line.contains(": `"))
        .count();
    assert_eq!(listed, tests.len(), "{text}");
}

#[test]
fn tests_of_other_attributes_are_named() {
    loses(
        "#[snowglobe::test]
        fn ours() {}
        #[test]
        fn plain() {}
        #[tokio::test]
        async fn of_tokio() {}
        #[rstest::rstest]
        #[case(1)]
        #[case(2)]
        fn of_rstest(#[case] _n: i32) {}
        #[test_log::test]
        fn of_test_log() {}
        #[googletest::gtest]
        fn of_googletest() {}
        #[quickcheck_macros::quickcheck]
        fn of_quickcheck(n: u8) -> bool { n == n }
        #[test_case::test_case(1 ; \"one\")]
        fn of_test_case(_n: i32) {}
        snowglobe::main!();",
        &[
            ("plain", 4),
            ("of_tokio", 6),
            ("of_rstest::case_1", 10),
            ("of_rstest::case_2", 10),
            ("of_test_log", 12),
            ("of_googletest", 14),
            ("of_quickcheck", 16),
            ("of_test_case::", 17),
        ],
    );
}

#[test]
fn tests_of_macros_and_modules_are_named() {
    loses(
        "macro_rules! tests { ($($name:ident)*) => { $(#[test] fn $name() {})* } }
        tests!(a b);
        proptest::proptest! {
            #[test]
            fn in_proptest(_n in 0..2) {}
        }
        quickcheck::quickcheck! { fn in_quickcheck(n: u8) -> bool { n == n } }
        mod inner { #[cfg_attr(all(), test)] fn by_cfg_attr() {} }
        mod part;
        snowglobe::main!();",
        &[
            ("a", 2),
            ("b", 2),
            ("in_proptest", 5),
            ("in_quickcheck", 7),
            ("inner::by_cfg_attr", 8),
            ("part::in_a_file", 1),
        ],
    );
}

#[test]
fn tests_above_which_ours_must_stand_are_named() {
    loses(
        "#[test_case::test_case(1, 2 ; \"one\")]
        #[snowglobe::test]
        fn successor(a: i32, b: i32) { assert_eq!(a + 1, b); }
        snowglobe::main!();",
        &[("successor::", 1)],
    );
}

/// An attribute under a name that nobody knows puts `#[test]` before all others.
#[test]
fn tests_that_ours_cannot_help_are_told_what_to_leave_out() {
    let source = "use actix_rt as rt;
        #[snowglobe::test]
        #[rt::test]
        async fn of_actix() {}
        snowglobe::main!();";
    loses(source, &[("of_actix", 4)]);
    let (_, text) = compile(snowglobe_tests::shared_dir().path(), source);
    let remedy = "`of_actix`, which has `#[snowglobe::test]`: leave out the attribute that makes a `#[test]` of it as well";
    assert!(text.contains(remedy), "{text}");
}

#[test]
fn tests_of_an_isolated_module_that_would_be_no_trials_do_not_compile() {
    let dir = snowglobe_tests::shared_dir();
    let module = |attributes: &str| {
        format!(
            "use actix_rt::test as of_actix;
            #[snowglobe::isolate]
            mod tests {{
                use super::of_actix;
                #[test] fn plain() {{}}
                mod deeper {{
                    use super::of_actix;
                    {attributes} async fn of_actix_too() {{}}
                }}
                #[cfg_attr(any(), test)] fn never() {{}}
            }}
            #[of_actix] async fn outside() {{}}"
        )
    };
    let (compiles, text) = compile_with_harness(dir.path(), &module("#[of_actix]"));
    assert!(!compiles);
    for part in [
        "a test of this module would run without isolation",
        "sample.rs:8: `tests::deeper::of_actix_too`",
        "write `#[snowglobe::test]` above all other attributes",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("outside"), "{text}");
    let attributes = "#[snowglobe::test] #[allow(unused)]";
    let (compiles, text) = compile_with_harness(dir.path(), &module(attributes));
    assert!(compiles, "{text}");
    let conditional = "#[snowglobe::isolate]
        mod tests {
            #[cfg_attr(all(), test)] fn conditional() {}
        }";
    let (compiles, text) = compile_with_harness(dir.path(), conditional);
    assert!(!compiles);
    let part = "sample.rs:3: `tests::conditional`";
    assert!(text.contains(part), "{text}");
}

/// A program that hands its trials to `snowglobe::run` itself.
#[test]
fn tests_beside_a_main_of_the_users_own_are_named() {
    loses(
        "#[snowglobe::test]
        fn ours() {}
        #[test]
        fn plain() {}
        fn main() {}",
        &[("plain", 4)],
    );
}

#[test]
fn what_only_looks_like_a_test_to_a_program_is_none() {
    let dir = snowglobe_tests::shared_dir();
    let source = r##"
        // #[test] fn in_a_comment() {}
        /// #[test]
        /// fn in_documentation() {}
        #[snowglobe::test]
        fn ours() {}
        #[snowglobe::test]
        #[rstest::rstest]
        #[case(1)]
        fn with_rstest(#[case] _n: i32) {}
        #[snowglobe::test]
        #[tokio::test]
        async fn with_tokio() {}
        #[tokio::test]
        #[snowglobe::test]
        async fn with_tokio_above() {}
        #[snowglobe::test]
        #[test_case::test_case(1)]
        fn with_test_case(_n: i32) {}
        #[snowglobe::test]
        #[quickcheck_macros::quickcheck]
        fn with_quickcheck(n: u8) -> bool { n == n }
        const TEXT: &str = r#"#[test] fn in_a_string() {}"#;
        macro_rules! never_called { () => { #[test] fn in_a_macro() {} } }
        #[cfg(any())]
        #[test]
        fn cut_out() {}
        #[cfg(any())]
        mod cut_out { #[test] fn in_a_module() {} }
        fn trials() -> Vec<snowglobe::Trial> { Vec::new() }
        snowglobe::main!(trials);
    "##;
    let (compiles, text) = compile(dir.path(), source);
    assert!(compiles, "{text}");
}

/// Tests of a program whose `main` is not of `snowglobe::main!`.
const OURS: &str = "#![forbid(unsafe_code)]
    #[snowglobe::test]
    fn ours() {}
    mod inner { #[snowglobe::test] fn ours_too() {} }
";

#[test]
fn a_main_that_asks_for_no_tests_does_not_link() {
    for main in ["fn main() {}", "fn main() { snowglobe::note(\"none\") }"] {
        let dir = snowglobe_tests::shared_dir();
        let (links, text) = compile_as("bin", dir.path(), &format!("{OURS}{main}"));
        assert!(!links, "{main}");
        let sentence = "the tests of this program would never run, for its `main` asks for none of them: write `snowglobe::main!();` in the place of `fn main`";
        assert!(text.contains(sentence), "{text}");
        assert!(
            text.contains("ours_too") || text.contains("inner"),
            "{text}"
        );
    }
}

/// A program may be its own helper, whose `main` looks at an argument and returns.
#[test]
fn a_main_that_asks_for_tests_on_one_path_links() {
    for main in [
        "snowglobe::main!();",
        "mod trials { snowglobe::main!(); pub fn run() -> std::process::ExitCode { main() } }
        fn main() -> std::process::ExitCode {
            if std::env::args().len() == 7 { return 3.into() }
            trials::run()
        }",
        "fn main() -> std::process::ExitCode {
            if std::env::args().len() == 7 { return 3.into() }
            let args = snowglobe::Arguments::from_env().unwrap();
            snowglobe::run(&args, snowglobe::registered()).unwrap().exit_code()
        }",
    ] {
        let dir = snowglobe_tests::shared_dir();
        let (links, text) = compile_as("bin", dir.path(), &format!("{OURS}{main}"));
        assert!(links, "{main}\n{text}");
        let listed = Command::new(dir.path().join("sample"))
            .args(["--list", "--format", "terse"])
            .output()
            .unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert_eq!(listed.lines().count(), 2, "{main}\n{listed}");
    }
}

#[test]
fn a_program_without_tests_of_ours_links() {
    let dir = snowglobe_tests::shared_dir();
    let (links, text) = compile_as("bin", dir.path(), "use snowglobe as _; fn main() {}");
    assert!(links, "{text}");
}

#[test]
fn two_attributes_with_options_do_not_compile() {
    for below in ["snowglobe::test", "renamed", "sg::test"] {
        let dir = snowglobe_tests::shared_dir();
        let source = format!(
            "use snowglobe::{{self as sg, test as renamed}};
            #[snowglobe::test(timeout = \"1s\")]\n#[{below}(seed = 7)]\nfn twice() {{}}
            snowglobe::main!();"
        );
        let (compiles, text) = compile(dir.path(), &source);
        assert!(!compiles, "{below}");
        let sentence = "#[snowglobe::test] stands here twice: give one of them all options";
        assert!(text.contains(sentence), "{below}: {text}");
    }
}

/// In edition 2015, `::core` is a module of the crate itself.
#[test]
fn tests_of_edition_2015_compile_and_are_told_their_errors() {
    let dir = snowglobe_tests::shared_dir();
    let libraries = ["snowglobe", "tokio"].map(|name| (name, library(name)));
    let old = |source: &str| {
        let source = format!("{source}\nsnowglobe::main!();");
        compile_with(&libraries, "sample", ["rlib", "2015"], dir.path(), &source)
    };
    let (compiles, text) = old("mod within {
            #[snowglobe::test(timeout = \"1s\")]
            fn fallible() -> ::std::io::Result<()> { Ok(()) }
        }
        #[snowglobe::test]
        fn ours() -> snowglobe::TestResult { Ok(()) }
        #[snowglobe::isolate]
        mod all { #[test] fn one() -> Result<(), String> { Ok(()) } }");
    assert!(compiles, "{text}");
    let (compiles, text) = old("#[snowglobe::test(frob)] fn wrong() {}");
    assert!(
        !compiles && text.contains("there is no option `frob`"),
        "{text}"
    );
    assert!(!text.contains("E0433"), "{text}");
}

/// The program depends on a crate that re-exports snowglobe, and not on snowglobe itself.
#[test]
fn a_crate_that_passes_snowglobe_on_is_named() {
    let dir = snowglobe_tests::shared_dir();
    let snowglobe = [("snowglobe", library("snowglobe"))];
    let of_other = "pub use snowglobe;";
    let (compiles, text) =
        compile_with(&snowglobe, "other", ["rlib", EDITION], dir.path(), of_other);
    assert!(compiles, "{text}");
    let other = [("other", dir.path().join("libother.rlib"))];
    let sample = |option: &str| {
        let source = format!(
            "use other::snowglobe;
            #[snowglobe::test({option}timeout = \"1s\", isolation(net), fixtures(\"none\"))]
            async fn asynchronous() {{}}
            #[other::snowglobe::test({option}seed = 7)]
            #[other::snowglobe::test]
            fn twice() -> snowglobe::TestResult {{ Ok(()) }}
            #[snowglobe::isolate({option}timeout = \"1s\")]
            mod all {{
                #[test]
                fn one() {{}}
                mod within {{ #[test] #[should_panic] fn two() {{ panic!() }} }}
            }}
            fn more() -> Vec<snowglobe::Trial> {{ vec![snowglobe::Trial::test(\"made\", || ())] }}
            snowglobe::main!({option}more);"
        );
        compile_with(&other, "sample", ["bin", EDITION], dir.path(), &source)
    };
    for path in ["other::snowglobe", "::other::snowglobe", "crate::snowglobe"] {
        let (links, text) = sample(&format!("crate = \"{path}\", "));
        assert!(links, "{path}: {text}");
    }
    let listed = Command::new(dir.path().join("sample"))
        .args(["--list", "--format", "terse"])
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let names = [
        "all::one",
        "all::within::two",
        "asynchronous",
        "made",
        "twice",
    ];
    let mut lines: Vec<_> = listed.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, names.map(|name| format!("{name}: test")), "{listed}");

    let (links, text) = sample("crate = \"other snowglobe\", ");
    assert!(!links);
    let sentence = "the option is the path by which this file has the crate snowglobe, as in `crate = \"my_crate::snowglobe\"`";
    assert!(text.contains(sentence), "{text}");
    let (links, text) = sample("");
    assert!(!links && text.contains("E0433"), "{text}");
}
