//! A suite with a `main` of its own on libtest-mimic, whose trials are isolated by wrapping.
//!
//! `main` makes samples instead where the environment asks for them; a plain trial of libtest-mimic
//! runs this program so and reads the verdicts.

use std::net::TcpListener;
use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, Failed};
use snowglobe::{Feature, Need, Options, Trial};

const SAMPLES: &str = "MIMIC_SAMPLES";

/// Binds port 80, which one process of a network has, and lets a file tell of the trial.
fn port_80() -> Result<(), Failed> {
    let _listener = TcpListener::bind("0.0.0.0:80")?;
    assert_eq!(std::os::unix::process::parent_id(), 1);
    let file = std::path::Path::new("/tmp/of-this-trial");
    assert!(!file.exists(), "/tmp is another trial's");
    std::fs::write(file, "x")?;
    Ok(())
}

fn samples() -> Vec<libtest_mimic::Trial> {
    use snowglobe::mimic::{trial, wrap};
    // The other one of these two passes.
    let twin = |has_failed: bool| {
        trial("twin", move || {
            assert!(!has_failed, "the second twin");
            Ok(())
        })
    };
    let panics = Trial::test("panics_as_it_should", || -> () { panic!("the reason") });
    let ignored = Trial::test("is_ignored", || -> () { panic!("it ran") });
    let lacking = Trial::test("lacks_a_feature", || -> () { panic!("it ran") });
    let needs = const { &[Need::Feature(Feature::Wireguard)] };
    vec![
        trial("passes", || Ok(())),
        trial("fails", || Err("an error of the body".into())),
        trial("panics", || {
            println!("written before the panic");
            panic!("a panic of the body")
        }),
        trial("exits", || std::process::exit(0)),
        twin(false),
        twin(true),
        wrap(panics.with_options(Options::NEW.should_panic_with("reason"))),
        wrap(ignored.with_ignored_flag(true).with_kind("kind")),
        wrap(lacking.with_options(Options::NEW.requires(needs))),
    ]
}

fn suite() -> Vec<libtest_mimic::Trial> {
    let mut trials: Vec<_> = (0..6)
        .map(|number| snowglobe::mimic::trial(format!("port_80::{number}"), port_80))
        .collect();
    let plain: [(&str, fn()); 2] = [
        ("a_plain_trial_runs_beside", || {
            assert_eq!(snowglobe::trial_name(), None);
        }),
        ("verdicts_are_those_of_the_runner", verdicts),
    ];
    for (name, body) in plain {
        let body = move || {
            body();
            Ok(())
        };
        trials.push(libtest_mimic::Trial::test(name, body));
    }
    trials
}

fn run(arguments: &[&str]) -> Output {
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env(SAMPLES, "1")
        .env_remove("SNOWGLOBE_REQUIRE");
    command.output().expect("it starts")
}

fn verdicts() {
    let output = run(&["--color=never"]);
    assert_eq!(output.status.code(), Some(101));
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let all = format!("{stdout}{stderr}");
    let line = |name: &str| {
        let mut lines = stdout.lines().filter(|line| line.starts_with("test "));
        let found = lines.find(|line| line.contains(name));
        found
            .unwrap_or_else(|| panic!("{name} in {all}"))
            .trim_end()
            .to_owned()
    };
    for (name, verdict) in [
        ("passes", "ok"),
        ("fails", "FAILED"),
        ("panics ", "FAILED"),
        ("exits", "FAILED"),
        ("panics_as_it_should", "ok"),
        ("is_ignored", "ignored"),
    ] {
        assert!(
            line(name).ends_with(verdict),
            "{name} is not {verdict}: {all}"
        );
    }
    // It is ignored, unless this kernel has what it takes.
    let lacking = line("lacks_a_feature");
    let is_ignored = lacking.contains("ignored") && lacking.contains("wireguard");
    assert!(is_ignored || lacking.ends_with("FAILED"), "{lacking}");
    let twins = stdout
        .lines()
        .filter(|line| line.starts_with("test ") && line.contains(" twin "));
    let mut twins: Vec<_> = twins
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    twins.sort_unstable();
    assert_eq!(twins, ["FAILED", "ok"], "{all}");
    for text in [
        "an error of the body",
        "a panic of the body",
        "written before the panic",
        "exit",
        "the second twin",
        "[kind]",
    ] {
        assert!(all.contains(text), "{text} in {all}");
    }
    let listed = run(&["--list"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("passes: test"));
    let one = run(&["--exact", "passes", "--nocapture"]);
    assert!(one.status.success());
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let is_sample = std::env::var_os(SAMPLES).is_some();
    let trials = if is_sample { samples() } else { suite() };
    libtest_mimic::run(&arguments, trials).exit_code()
}
