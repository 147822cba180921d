// Tests with attributes and macros of other crates beside ours, in both orders. Each is a trial,
// and is there once for each of its cases.

/// Fails outside of a trial, and returns whether `number` is even.
fn is_even(number: u32) -> bool {
    assert!(snowglobe::trial_name().is_some(), "not in a trial");
    number.is_multiple_of(2)
}

#[snowglobe::test]
#[test_case::test_case(2)]
#[test_case::test_case(4 ; "named")]
fn cases_below(number: u32) {
    assert!(is_even(number));
}

#[snowglobe::test]
#[test_case::test_case(2 => true)]
#[test_case::test_case(3 => false)]
#[test_case::test_case(5 => panics "five")]
#[test_case::test_case(6 => ignore true)]
fn cases_with_results(number: u32) -> bool {
    assert_ne!(number, 5, "five");
    is_even(number)
}

#[snowglobe::test]
#[test_case::test_matrix([2, 4], [6, 8])]
fn matrix_below(a: u32, b: u32) {
    assert!(is_even(a + b));
}

#[test_case::test_case(2)]
#[test_case::test_case(4)]
#[snowglobe::test]
async fn async_cases_above(number: u32) {
    tokio::task::yield_now().await;
    assert!(is_even(number));
}

#[snowglobe::test]
#[test_case::test_case(2)]
async fn async_cases_below(number: u32) {
    tokio::task::yield_now().await;
    assert!(is_even(number));
}

#[snowglobe::test]
#[yare::parameterized(one = { 2, 4 }, named = { 6, 8 })]
fn yare_below(a: u32, b: u32) {
    assert!(is_even(a + b));
}

#[snowglobe::test]
#[yare::parameterized(five = { 5 })]
#[should_panic = "five"]
fn yare_panics(number: u32) {
    assert!(is_even(number), "five");
}

#[snowglobe::test]
#[yare::parameterized(one = { 2 })]
async fn yare_async(number: u32) {
    tokio::task::yield_now().await;
    assert!(is_even(number));
}

#[yare::parameterized(one = { 2 })]
#[test_macro(snowglobe::test)]
fn yare_names_ours(number: u32) {
    assert!(is_even(number));
}

/// The attribute of another crate with that name.
#[snowglobe::test]
#[parameterized::parameterized(number = {2, 4})]
fn parameterized_below(number: u32) {
    assert!(is_even(number));
}

/// Of a runtime whose tasks run on a thread of its own kind only.
async fn is_even_on_actix(number: u32) -> bool {
    actix_rt::spawn(async move { is_even(number) }).await.unwrap()
}

#[snowglobe::test]
#[actix_rt::test]
async fn actix_below() -> Result<(), String> {
    is_even_on_actix(2).await.then_some(()).ok_or_else(|| "odd".to_owned())
}

#[snowglobe::test]
#[actix_rt::test]
#[should_panic(expected = "odd")]
async fn actix_panics() {
    assert!(is_even_on_actix(3).await, "odd");
}

#[snowglobe::test]
#[test_case::test_case(2)]
#[test_case::test_case(4)]
#[actix_rt::test]
async fn actix_with_cases(number: u32) {
    assert!(is_even_on_actix(number).await);
}

#[snowglobe::test]
#[rstest::rstest]
#[case(2)]
#[actix_rt::test]
async fn actix_with_rstest(#[case] number: u32) {
    assert!(is_even_on_actix(number).await);
}

#[rstest::fixture]
fn two() -> u32 {
    2
}

#[rstest::rstest]
#[case(2)]
#[case::named(4)]
#[snowglobe::test]
fn rstest_above(#[case] number: u32) {
    assert!(is_even(number));
}

#[snowglobe::test(timeout = "30s")]
#[rstest::rstest]
#[case(2)]
#[case(4)]
async fn rstest_below(#[case] number: u32, two: u32) {
    tokio::task::yield_now().await;
    assert!(is_even(number + two));
}

#[snowglobe::test]
#[rstest::rstest]
fn rstest_without_arguments() {
    assert!(is_even(2));
}

#[rstest::rstest]
#[snowglobe::test]
#[should_panic(expected = "odd")]
fn rstest_panics(#[values(1, 3)] number: u32) {
    assert!(is_even(number), "odd");
}

#[test_log::test]
#[snowglobe::test]
fn test_log_above() {
    assert!(is_even(2));
}

#[snowglobe::test]
#[test_log::test]
fn test_log_below() {
    assert!(is_even(2));
}

#[googletest::gtest]
#[snowglobe::test]
fn gtest_above() {
    googletest::expect_that!(is_even(2), googletest::matchers::eq(true));
}

#[snowglobe::test]
#[googletest::test]
fn gtest_below() -> googletest::Result<()> {
    googletest::verify_that!(is_even(2), googletest::matchers::eq(true))
}

#[tokio::test]
#[snowglobe::test]
async fn tokio_above() {
    tokio::task::yield_now().await;
    assert!(is_even(2));
}

/// As `#[crate::test]` of axum 0.8 leaves `#[snowglobe::test] #[crate::test]`: that attribute puts
/// `#[tokio::test]` behind all others.
#[snowglobe::test(__last, timeout = "9s")]
#[tokio::test]
async fn tokio_behind_ours() {
    tokio::task::yield_now().await;
}

#[snowglobe::test]
#[tokio::test(flavor = "current_thread")]
async fn tokio_below() {
    tokio::task::yield_now().await;
    assert!(is_even(2));
}

#[snowglobe::test]
#[quickcheck_macros::quickcheck]
fn quickcheck_below(number: u16) -> bool {
    is_even(u32::from(number) * 2)
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(8))]
    #[snowglobe::test]
    fn in_proptest(number in 0..100_u32) {
        assert!(is_even(number * 2));
    }
}

#[snowglobe::test]
#[test]
fn plain_below() {
    assert!(is_even(2));
}

/// Ours by other names: two of them are one trial, with the options of either.
mod named {
    use snowglobe as sg;
    use snowglobe::test as trial;

    fn is_with_seed(seed: Option<u64>) {
        assert!(super::is_even(2));
        assert!(seed.is_none_or(|it| it == snowglobe::seed()));
    }

    #[snowglobe::test]
    #[trial]
    fn below() {
        is_with_seed(None);
    }

    #[snowglobe::test(seed = 7)]
    #[trial]
    fn below_and_with_options() {
        is_with_seed(Some(7));
    }

    #[trial]
    #[snowglobe::test(seed = 7)]
    fn above() {
        is_with_seed(Some(7));
    }

    #[trial]
    #[trial]
    fn both() {
        is_with_seed(None);
    }

    #[snowglobe::test]
    #[cfg_attr(test, snowglobe::test)]
    fn on_a_condition() {
        is_with_seed(None);
    }

    #[snowglobe::test]
    #[sg::test(seed = 7)]
    fn of_a_renamed_crate() {
        is_with_seed(Some(7));
    }

    #[snowglobe::isolate]
    mod isolated {
        use super::{is_with_seed, sg, trial};

        #[test]
        #[trial]
        fn below() {
            is_with_seed(None);
        }

        #[sg::test(seed = 7)]
        fn with_options() {
            is_with_seed(Some(7));
        }
    }
}

macro_rules! passed_on {
    ($(#[$attribute:meta])* fn $name:ident() $body:block) => {
        $(#[$attribute])*
        #[test]
        fn $name() $body
    };
}

passed_on! {
    #[snowglobe::test]
    fn of_a_macro_above() {
        assert!(is_even(2));
    }
}

/// Macros that write `#[test]` write ours where ours has that name.
mod imported {
    use super::is_even;
    use snowglobe::test;

    quickcheck::quickcheck! {
        fn in_quickcheck(number: u16) -> bool {
            is_even(u32::from(number) * 2)
        }
    }

    #[quickcheck_macros::quickcheck]
    #[snowglobe::test]
    fn quickcheck_above(number: u16) -> bool {
        is_even(u32::from(number) * 2)
    }

    macro_rules! even {
        ($($name:ident: $number:expr;)*) => {$(
            #[test]
            fn $name() {
                assert!(is_even($number));
            }
        )*};
    }

    even! {
        of_a_macro: 2;
        of_a_macro_too: 4;
    }
}

/// One attribute isolates all of these.
#[snowglobe::isolate(timeout = "30s")]
mod isolated {
    use super::is_even;

    #[test]
    fn plain() {
        assert!(is_even(2));
    }

    #[test]
    #[should_panic(expected = "odd")]
    fn panics() {
        assert!(is_even(3), "odd");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_tokio() {
        tokio::task::spawn(async { assert!(is_even(2)) }).await.unwrap();
    }

    #[actix_rt::test]
    async fn of_actix() {
        assert!(super::is_even_on_actix(2).await);
    }

    #[tokio::test(start_paused = true)]
    async fn of_tokio_and_paused() {
        super::an_hour_passes().await;
    }

    #[rstest::rstest]
    #[case(2)]
    #[case(4)]
    fn of_rstest(#[case] number: u32) {
        assert!(is_even(number));
    }

    mod deeper {
        use super::is_even;

        passed_on! {
            fn of_a_macro() {
                assert!(is_even(2));
            }
        }

        #[test]
        fn plain() {
            assert!(is_even(2));
        }
    }

    #[snowglobe::test(name = "isolated::own_options")]
    fn a_trial_already() {
        assert!(is_even(2));
    }
}

/// Sleeps for an hour of tokio's clock, which stands still but for sleeps.
async fn an_hour_passes() {
    let started = std::time::Instant::now();
    tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
    assert!(started.elapsed().as_secs() < 60, "the clock was not paused");
    assert!(is_even(2));
}

#[snowglobe::test(start_paused = true)]
async fn paused() {
    an_hour_passes().await;
}

/// Cases that fail.
mod failing {
    #[snowglobe::test(ignore = "a sample")]
    #[test_case::test_case(2)]
    #[test_case::test_case(3)]
    fn one_case_fails(number: u32) {
        assert_eq!(number, 2, "a case that fails");
    }
}

/// Numbers of tests in the functions and modules above. test-case chooses the names of its cases.
const COUNTS: [(&str, usize); 40] = [
    ("actix_below", 1),
    ("actix_panics", 1),
    ("actix_with_cases::", 2),
    ("actix_with_rstest::", 1),
    ("async_cases_above::", 2),
    ("async_cases_below::", 1),
    ("cases_below::", 2),
    ("cases_with_results::", 4),
    ("failing::one_case_fails::", 2),
    ("gtest_above", 1),
    ("gtest_below", 1),
    ("imported::in_quickcheck", 1),
    ("imported::of_a_macro", 2),
    ("imported::quickcheck_above", 1),
    ("in_proptest", 1),
    ("isolated::deeper::of_a_macro", 1),
    ("isolated::deeper::plain", 1),
    ("isolated::of_actix", 1),
    ("isolated::of_rstest::", 2),
    ("isolated::of_tokio", 2),
    ("isolated::panics", 1),
    ("isolated::plain", 1),
    ("matrix_below::", 4),
    ("named::", 8),
    ("of_a_macro_above", 1),
    ("parameterized_below::", 2),
    ("paused", 1),
    ("plain_below", 1),
    ("quickcheck_below", 1),
    ("rstest_above::", 2),
    ("rstest_below::", 2),
    ("rstest_panics::", 2),
    ("rstest_without_arguments", 1),
    ("test_log_above", 1),
    ("test_log_below", 1),
    ("tokio_", 3),
    ("yare_async::", 1),
    ("yare_below::", 2),
    ("yare_names_ours::", 1),
    ("yare_panics::", 1),
];

/// Fails unless the program lists each test once, those above and those that `more` counts.
fn each_is_there_once(more: &[(&str, usize)]) {
    let run = snowglobe_tests::run(&["--list", "--format", "terse"]);
    let tests = run.stdout.lines().filter_map(|line| line.strip_suffix(": test"));
    let mut tests: Vec<&str> = tests.collect();
    tests.sort_unstable();
    let mut once = tests.clone();
    once.dedup();
    assert_eq!(tests, once);
    for (begins, count) in COUNTS.iter().chain(more) {
        let found = tests.iter().filter(|name| name.starts_with(begins)).count();
        assert_eq!(found, *count, "{begins} in {tests:#?}");
    }
}

/// Runs two cases, of which one fails.
fn one_case_of_two_fails() {
    let run = snowglobe_tests::run(&["failing::one_case_fails", "--ignored"]);
    run.failed_with(&["1 passed; 1 failed", "a case that fails", "_3_expects ... FAILED"]);
}
