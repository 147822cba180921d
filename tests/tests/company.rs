//! Attributes and macros of other crates beside ours, with `snowglobe::main!`.

include!("shared/company.rs");

#[snowglobe::test]
fn each_case_is_there_once() {
    each_is_there_once(&[]);
}

#[snowglobe::test(nested)]
fn a_case_that_fails_fails() {
    one_case_of_two_fails();
}

snowglobe::main!();
