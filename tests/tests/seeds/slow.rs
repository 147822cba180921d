//! Slow machines: waits and time limits that are stretched, and trials of a starved machine.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use snowglobe_tests::{Run, finished, this_program};

fn sample(name: &str, args: &[&str]) -> Run {
    samples(&[name], args)
}

/// Runs samples, which find out how long they took to begin.
fn samples(names: &[&str], args: &[&str]) -> Run {
    let names = names.iter().map(|name| format!("slow_samples::{name}"));
    let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut command = this_program();
    command.env("SAMPLE_BEGAN", began.as_millis().to_string());
    command
        .args(["--exact", "--ignored"])
        .args(names)
        .args(args);
    finished(command.output().unwrap())
}

#[snowglobe::test(nested)]
fn every_wait_is_stretched_once_and_says_what_it_has_seen() {
    let waits = |run: &Run, time: &str| {
        run.failed_with(&["to show it"]);
        let told: Vec<&str> = run
            .stdout
            .lines()
            .filter(|it| it.starts_with("told: "))
            .collect();
        assert_eq!(told.len(), 18, "{run:#?}");
        for line in told {
            assert!(line.contains(&format!("{time} ")), "not {time}: {line}");
            let seen = ["last seen: ", "the last event was: ", " other packet"];
            assert!(
                seen.iter().any(|it| line.contains(it)),
                "nothing seen: {line}"
            );
        }
    };
    waits(&sample("waits_for_everything", &[]), "40ms");
    waits(
        &sample("waits_for_everything", &["--time-scale", "2.5"]),
        "100ms",
    );
}

#[snowglobe::test(nested)]
fn the_time_limit_of_a_trial_is_stretched() {
    sample("hangs", &[]).failed_with(&["timed out after 300ms"]);
    let mut command = this_program();
    command.env("SNOWGLOBE_TIME_SCALE", "3");
    command.args(["--exact", "slow_samples::hangs", "--ignored"]);
    finished(command.output().unwrap()).failed_with(&["timed out after 900ms"]);
}

#[snowglobe::test(nested)]
fn a_factor_that_is_none_is_refused() {
    for (factor, said) in [
        ("0.5", "waits can only be stretched"),
        ("fast", "give a number from 1 on, as in 2 or 2.5"),
        ("1e9", "give a number from 1 to 10000"),
    ] {
        let output = this_program().env("SNOWGLOBE_TIME_SCALE", factor).output();
        let run = finished(output.unwrap());
        assert_eq!(run.code, Some(64), "{run:#?}");
        assert!(run.stderr.contains(said), "{run:#?}");
    }
}

/// Returns whether the kernel counts what the verdict depends on.
fn kernel_counts() -> bool {
    let counts = Path::new("/proc/pressure/cpu").exists();
    if !counts {
        snowglobe::note("this kernel has no /proc/pressure/cpu");
    }
    counts
}

#[snowglobe::test(nested)]
fn a_starved_machine_makes_inconclusive_what_asks_for_that() {
    if !kernel_counts() {
        return;
    }
    let starved = "the machine was starved: for ";
    for (name, said) in [
        ("starves_and_passes", "the trial's pass does not count"),
        ("starves_and_fails", "too late"),
    ] {
        let run = sample(name, &[]);
        assert_eq!(run.code, Some(75), "{run:#?}");
        let counts = "INCONCLUSIVE. 0 passed; 0 failed; 1 inconclusive; 0 ignored";
        for part in ["... inconclusive\n", starved, said, counts] {
            assert!(run.stdout.contains(part), "{part}: {run:#?}");
        }
    }
    let note = format!("\nnote: {starved}");
    sample("starves_and_fails_as_elsewhere", &[]).failed_with(&["... FAILED\n", &note]);
    let json = sample("starves_and_passes", &["--format", "json"]);
    let noted = format!(r#""notes":["{starved}"#);
    let counts = [r#""failed":0,"#, r#""inconclusive":1,"#];
    for part in [r#""inconclusive":true"#, &noted, counts[0], counts[1]] {
        assert!(json.stdout.contains(part), "{part}: {json:#?}");
    }
    let junit = sample("starves_and_fails", &["--format", "junit"]);
    let noted = format!(r#"<property name="note" value="{starved}"#);
    for part in [
        &noted,
        r#"errors="1" failures="0" tests="1""#,
        r#"<error type="inconclusive""#,
    ] {
        assert!(junit.stdout.contains(part), "{part}: {junit:#?}");
    }
    let terse = sample("starves_and_passes", &["--format", "terse"]);
    assert!(terse.stdout.contains("\n?\n"), "{terse:#?}");
    // A failure counts for more.
    let both = samples(&["starves_and_passes", "hangs"], &["--test-threads", "1"]);
    let counts = "FAILED. 0 passed; 1 failed; 1 inconclusive;";
    both.failed_with(&["... inconclusive", "timed out", counts]);
}
