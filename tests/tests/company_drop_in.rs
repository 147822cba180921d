//! Attributes and macros of other crates beside ours, under the standard harness; and what becomes
//! of their tests in a program without it.

include!("shared/company.rs");

/// Attributes above ours that put `#[test]` before it. Without the standard harness such tests do
/// not compile: see below.
#[test_case::test_case(2)]
#[test_case::test_case(5 => panics "five" ; "five")]
#[snowglobe::test]
fn cases_above(number: u32) {
    assert_ne!(number, 5, "five");
    assert!(is_even(number));
}

#[quickcheck_macros::quickcheck]
#[snowglobe::test]
fn quickcheck_above(number: u16) -> bool {
    is_even(u32::from(number) * 2)
}

quickcheck::quickcheck! {
    #[snowglobe::test]
    fn in_quickcheck(number: u16) -> bool {
        is_even(u32::from(number) * 2)
    }
}

macro_rules! below {
    ($(#[$attribute:meta])* fn $name:ident() $body:block) => {
        #[test]
        $(#[$attribute])*
        fn $name() $body
    };
}

below! {
    #[snowglobe::test]
    fn of_a_macro_below() {
        assert!(is_even(2));
    }
}

#[test]
#[snowglobe::test]
fn plain_above() {
    assert!(is_even(2));
}

#[test]
fn each_case_is_there_once() {
    each_is_there_once(&[
        ("cases_above::", 2),
        ("in_quickcheck", 1),
        ("of_a_macro_below", 1),
        ("plain_above", 1),
        ("quickcheck_above", 1),
    ]);
}

#[test]
fn a_case_that_fails_fails() {
    one_case_of_two_fails();
}
