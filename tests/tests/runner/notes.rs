//! A test may show notes beside its verdict, and act when the verdict is known.

use snowglobe_tests::{run, sample};

#[snowglobe::test(nested)]
fn a_note_stands_beside_a_pass() {
    sample("samples::leaves_notes")
        .passed_with(&["test samples::leaves_notes ... ok (note: the host was busy; <twice>)\n"]);
}

#[snowglobe::test(nested)]
fn a_note_stands_beside_a_failure_however_it_came_about() {
    sample("samples::notes_and_aborts").failed_with(&[
        "test samples::notes_and_aborts ... FAILED (note: about to abort)\n",
        "SIGABRT",
        "\nnote: about to abort\n",
    ]);
    sample("samples::notes_and_hangs").failed_with(&[
        "test samples::notes_and_hangs ... FAILED (note: about to hang)\n",
        "timed out after 2s",
    ]);
}

#[snowglobe::test(nested)]
fn notes_are_in_json_and_junit() {
    let with = |format| {
        let name = "samples::leaves_notes";
        let args = ["--exact", name, "--ignored", "--format", format];
        run(&[&args[..], &["-Z", "unstable-options"]].concat())
    };
    with("json").passed_with(&[r#""notes":["the host was busy","<twice>"]"#]);
    with("junit").passed_with(&[
        r#"<properties><property name="note" value="the host was busy"/><property name="note" value="&lt;twice&gt;"/></properties></testcase>"#,
    ]);
}

#[snowglobe::test(nested)]
fn notes_are_few_and_short() {
    let run = sample("samples::notes_too_much");
    run.passed_with(&["é…; note 0; ", "; note 8)\n"]);
    assert_eq!(run.stdout.matches('é').count(), 250);
}

#[snowglobe::test(nested)]
fn a_test_is_told_at_its_end_whether_it_passed() {
    sample("samples::is_told_that_it_passed").passed_with(&["(note: last: true; first: true)"]);
    sample("samples::is_told_that_it_failed").failed_with(&["(note: last: false; first: false)"]);
}

#[snowglobe::test(nested)]
fn a_panic_at_the_end_fails_the_trial_and_the_others_hear_of_it() {
    sample("samples::breaks_down_at_its_end").failed_with(&[
        "FAILED (note: told false)",
        "at the trial's end: panicked: no room left",
    ]);
}
