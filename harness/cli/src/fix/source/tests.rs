//! Texts before and after a conversion.

use super::*;

#[track_caller]
fn there_and_back(text: &str, part: PackagePart, expected: &str) {
    let there = convert(text, part, Conversion::There, "snowglobe").unwrap();
    assert_eq!(there.text, expected);
    let again = convert(&there.text, part, Conversion::There, "snowglobe").unwrap();
    assert_eq!((again.text.as_str(), again.count), (expected, 0));
    let back = convert(&there.text, part, Conversion::Back, "snowglobe").unwrap();
    assert_eq!((back.text.as_str(), back.count), (text, there.count));
}

#[test]
fn every_kind_of_test_gets_a_line_above_it() {
    there_and_back(
        "#![allow(x)]\n/// #[test]\n#[test]\nfn a() {}\n\n#[ignore]\r\n  #[tokio::test(flavor = \"x\")]\r\nasync fn b() {}\n\
         #[rstest]\n#[case(1)]\nfn c(#[case] it: u8) {}\n#[test_case(1)]\n#[test_case(2)]\nfn d(it: u8) {}\nconst X: &str = \"\n#[test]\n\";\n",
        PackagePart::Test,
        "#![allow(x)]\n/// #[test]\n#[snowglobe::test]\n#[test]\nfn a() {}\n\n#[ignore]\r\n  #[snowglobe::test]\r\n  #[tokio::test(flavor = \"x\")]\r\nasync fn b() {}\n\
         #[snowglobe::test]\n#[rstest]\n#[case(1)]\nfn c(#[case] it: u8) {}\n#[snowglobe::test]\n#[test_case(1)]\n#[test_case(2)]\nfn d(it: u8) {}\nconst X: &str = \"\n#[test]\n\";\n",
    );
}

#[test]
fn a_library_is_built_without_dev_dependencies_too() {
    there_and_back(
        "#[test]\nfn a() {}\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn b() {}\n}\nmod c {\n    #[test]\n    fn d() {}\n}\n",
        PackagePart::Package,
        "#[cfg_attr(test, snowglobe::test)]\n#[test]\nfn a() {}\n#[cfg(test)]\nmod tests {\n    #[snowglobe::test]\n    #[test]\n    fn b() {}\n}\nmod c {\n    #[cfg_attr(test, snowglobe::test)]\n    #[test]\n    fn d() {}\n}\n",
    );
}

#[test]
fn tests_that_macros_make_are_found() {
    there_and_back(
        "macro_rules! t {\n    ($name:ident) => {\n        #[test]\n        fn $name() {}\n    };\n}\nproptest! {\n    #[test]\n    fn p(x in 0..3) { }\n}\n",
        PackagePart::Test,
        "macro_rules! t {\n    ($name:ident) => {\n        #[snowglobe::test]\n        #[test]\n        fn $name() {}\n    };\n}\nproptest! {\n    #[snowglobe::test]\n    #[test]\n    fn p(x in 0..3) { }\n}\n",
    );
}

#[track_caller]
fn left(text: &str, way: Conversion, line: usize, name: &str, why: &str) {
    let converted = convert(text, PackagePart::Package, way, "snowglobe").unwrap();
    assert_eq!(converted.text, text);
    let [left] = &converted.left[..] else {
        panic!("{converted:?}");
    };
    assert_eq!((left.line, left.name.as_str()), (line, name));
    assert!(left.why.contains(why), "{}", left.why);
}

#[test]
fn what_stays_as_it_is_has_a_name_and_a_remedy() {
    use Conversion::{Back, There};
    left(
        "\nmod t { #[test] fn a() {} }\n",
        There,
        2,
        "a",
        "before `#[test]`",
    );
    left(
        "#[wasm_bindgen_test]\nfn w() {}\n",
        There,
        1,
        "w",
        "no Linux",
    );
    left("#[bench]\nfn b(it: &mut B) {}\n", There, 1, "b", "measures");
    left(
        "quickcheck! {\n fn q(x: u8) -> bool { true } }\n",
        There,
        1,
        "quickcheck!",
        "use snowglobe::test;",
    );
    left(
        "#[macro_export]\nmacro_rules! t {\n() => {\n#[test]\nfn a() {} } }\n",
        There,
        4,
        "a macro that other crates use too",
        "snowglobe exec",
    );
    for (above, line) in [
        ("#[cfg_attr(unix, tokio::test(flavor = \"x\"))]\nasync", 1),
        (
            "#[allow(x)]\n#[cfg_attr(all(unix, not(miri)), cold, test)]\n",
            2,
        ),
        ("#[cfg_attr(a, cfg_attr(b, async_std::test))]\nasync", 1),
    ] {
        let text = format!("{above} fn a() {{}}\n");
        left(&text, There, line, "a", "the condition of a `cfg_attr`");
        let in_macro = format!("t! {{\n{text}}}\n");
        left(
            &in_macro,
            There,
            line + 1,
            "a",
            "the condition of a `cfg_attr`",
        );
    }
    left("#[snowglobe::test]\nfn a() {}\n", Back, 1, "a", "`#[test]`");
    left(
        "#[snowglobe::test(timeout = \"1s\")]\n#[test]\nfn a() {}\n",
        Back,
        1,
        "a",
        "by hand",
    );
    // The line of our attribute has more on it than what `fix` writes, so it is left to the user.
    for line in [
        "#[snowglobe::test] #[test]",
        "#[snowglobe::test] // mine\n#[test]",
    ] {
        left(&format!("{line}\nfn a() {{}}\n"), Back, 1, "a", "by hand");
    }
    left(
        "use snowglobe::test;\n#[test]\nfn a() {}\n",
        Back,
        1,
        "use snowglobe::test;",
        "by hand",
    );
}

#[test]
fn tests_that_are_ours_already_are_left_alone() {
    for text in [
        "use snowglobe::test;\n#[test]\nfn a() {}\n",
        "#[snowglobe::test(timeout = \"1s\")]\nfn a() {}\n",
        "#[cfg_attr(test, snowglobe::test(timeout = \"1s\"))]\n#[test]\nfn a() {}\n",
        "#[cfg_attr(unix, snowglobe::test)]\nfn a() {}\n",
        "#[snowglobe::test]\n#[cfg_attr(unix, tokio::test)]\nfn a() {}\n",
        "#[cfg_attr(miri, ignore)]\nfn a() {}\n",
        "use snowglobe::{TestResult, test};\n#[test]\nfn a() {}\n",
        "#[snowglobe::isolate]\nmod tests {\n#[test]\nfn a() {}\n}\n",
    ] {
        let converted = convert(text, PackagePart::Test, Conversion::There, "snowglobe").unwrap();
        assert_eq!((converted.text.as_str(), converted.count), (text, 0));
        assert_eq!(converted.left, []);
    }
}

#[test]
fn what_is_built_for_tests_only_is_known() {
    for above in ["#[cfg(test)]\n", "#[cfg(all(test, feature = \"x\"))]\n"] {
        there_and_back(
            &format!("{above}#[test]\nfn a() {{}}\n{above}mod m {{\n#[test]\nfn b() {{}}\n}}\n"),
            PackagePart::Package,
            &format!(
                "{above}#[snowglobe::test]\n#[test]\nfn a() {{}}\n{above}mod m {{\n#[snowglobe::test]\n#[test]\nfn b() {{}}\n}}\n"
            ),
        );
    }
    there_and_back(
        "#![cfg(test)]\n#[test]\nfn a() {}\n",
        PackagePart::Package,
        "#![cfg(test)]\n#[snowglobe::test]\n#[test]\nfn a() {}\n",
    );
}

#[test]
fn attributes_in_a_macro_belong_to_the_next_function() {
    there_and_back(
        "macro_rules! t {\n() => {\n$(#[$a])*\n#[test]\npub(crate) fn a() {}\n#[test]\nconst A: u8 = 1;\nfn b() {}\n};\n}\n",
        PackagePart::Test,
        "macro_rules! t {\n() => {\n$(#[$a])*\n#[snowglobe::test]\n#[test]\npub(crate) fn a() {}\n#[test]\nconst A: u8 = 1;\nfn b() {}\n};\n}\n",
    );
    there_and_back(
        "#[macro_export]\nmacro_rules! t {\n() => {\n#[test]\nfn a() {}\n};\n}\n",
        PackagePart::Test,
        "#[macro_export]\nmacro_rules! t {\n() => {\n#[snowglobe::test]\n#[test]\nfn a() {}\n};\n}\n",
    );
}

#[test]
fn tests_for_other_systems_stay_and_come_back() {
    use Conversion::{Back, There};
    for (text, line, name) in [
        ("#![cfg(windows)]\n#[test]\nfn a() {}\n", 1, "this file"),
        (
            "\n#[cfg(not(unix))]\nmod m {\n#[test]\nfn a() {}\n}\n",
            2,
            "m",
        ),
        (
            "#[test]\n#[cfg(target_os = \"macos\")]\nfn a() {}\n",
            1,
            "a",
        ),
        (
            "#[cfg(windows)]\nproptest! {\n#[test]\nfn a() {}\n}\n",
            1,
            "this macro",
        ),
    ] {
        left(text, There, line, name, "another system");
        // An earlier version has converted such tests like this.
        let converted = text.replace("#[test]", "#[snowglobe::test]\n#[test]");
        let back = convert(&converted, PackagePart::Test, Back, "snowglobe").unwrap();
        assert_eq!(back.text, text);
    }
    // Nothing is said where there are no tests.
    let none = "#[cfg(windows)]\nmod m {\nfn a() {}\n}\n#[cfg(windows)]\nfn b() {}\n";
    let converted = convert(none, PackagePart::Test, There, "snowglobe").unwrap();
    assert_eq!(converted.left, []);
}
