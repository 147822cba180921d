//! Trials can be made at run time, from a matrix of values.

use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use snowglobe::{Isolation, Need, Options, Trial};

/// Makes one trial for each protocol and port.
pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for port in [1, 80, 443, 65_535] {
        trials.push(Trial::test(
            format!("parameters::tcp::port_{port}"),
            move || TcpListener::bind(("0.0.0.0", port)).map(drop),
        ));
        trials.push(
            Trial::test(format!("parameters::udp::port_{port}"), move || {
                UdpSocket::bind(("0.0.0.0", port)).map(drop)
            })
            .with_kind("matrix")
            .timeout(Duration::from_secs(20)),
        );
    }
    trials.push(
        Trial::test("samples::made_at_run_time", || Err::<(), _>("made to fail"))
            .with_options(Options::NEW.isolation(Isolation::ALL))
            .with_ignored_flag(true),
    );
    if std::env::var_os("SAMPLE_NEEDS").is_some() {
        const NEEDS: Options = Options::NEW.requires(&[Need::Fixture("no-such-fixture")]);
        trials.push(Trial::test("samples::needs_a_fixture", || ()).with_options(NEEDS));
    }
    if std::env::var_os("SAMPLE_DUPLICATE").is_some() {
        trials.push(Trial::test("parameters::tcp::port_80", || ()));
    }
    if let Ok(name) = std::env::var("SAMPLE_NAME") {
        trials.push(Trial::test(name, || ()));
    }
    trials
}

/// Such a name on the command line is an option. nextest would run another trial, or all.
#[snowglobe::test(nested)]
fn names_that_begin_like_an_option_are_an_error() {
    for name in ["--list", "-1_is_negative"] {
        for args in [&["--list"][..], &["parameters::tcp"]] {
            let mut program = snowglobe_tests::this_program();
            let run = program.env("SAMPLE_NAME", name).args(args).output();
            let run = snowglobe_tests::finished(run.unwrap());
            assert_eq!(run.code, Some(64), "{run:#?}");
            let told = format!("a trial is named `{name}` (added at run time)");
            assert!(run.stderr.contains(&told), "{}", run.stderr);
        }
    }
}

#[snowglobe::test(nested)]
fn a_trial_made_at_run_time_fails_like_any_other() {
    snowglobe_tests::sample("samples::made_at_run_time").failed_with(&["made to fail"]);
}

#[snowglobe::test(nested)]
fn names_that_stand_twice_are_an_error() {
    let run = snowglobe_tests::this_program()
        .env("SAMPLE_DUPLICATE", "1")
        .output()
        .unwrap();
    let run = snowglobe_tests::finished(run);
    assert_eq!(run.code, Some(64), "{run:#?}");
    assert!(
        run.stderr
            .contains("two trials are named `parameters::tcp::port_80`"),
        "{}",
        run.stderr
    );
}
