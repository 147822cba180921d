//! The functions by which a test asks something of the trial that runs it, or leaves something
//! there.

use super::running;

/// Returns the seed of the running trial: the source of every random choice that the trial makes.
///
/// The seed is derived from the run's seed and the trial's name, or set by the trial's options. A
/// failure prints the seed, and a line that runs the trial again with the same seed.
///
/// # Panics
/// The caller is outside of a trial, where there is no seed.
///
/// ```no_run
/// #[snowglobe::test(seed = 42)]
/// fn the_same_every_time() {
///     assert_eq!(snowglobe::seed(), 42);
/// }
/// ```
pub fn seed() -> u64 {
    running::current()
        .expect("snowglobe::seed() was called outside of a trial, where there is none")
        .seed
}

/// Returns the name of the running trial, or `None` outside of one.
///
/// ```
/// assert_eq!(snowglobe::trial_name(), None);
/// ```
pub fn trial_name() -> Option<&'static str> {
    running::current().map(|current| &*current.name)
}

/// Shows a short note beside the verdict of the running trial, whether the trial passes or fails.
///
/// A note is for what a reader of the verdict should know although it does not decide: that the
/// host was too busy for a measurement to mean much, or where a capture was kept. A note is one
/// line: line breaks become spaces, a note of more than 500 bytes is cut, and after ten notes of a
/// trial the others are left out. Outside of a trial the note goes to stderr.
///
/// ```no_run
/// #[snowglobe::test]
/// fn answers_within_a_millisecond() {
///     snowglobe::note("measured on a busy host");
/// }
/// // test answers_within_a_millisecond ... ok (note: measured on a busy host)
/// ```
pub fn note(text: impl AsRef<str>) {
    let text = text.as_ref();
    if !running::note_of_the_test(text) {
        eprintln!("note: {text}");
    }
}

/// Registers `work` to run at the end of the running trial, with whether the trial has passed: to
/// keep what a failure left behind, or to throw it away.
///
/// The work runs in the process of the test, after the test function has returned or panicked; what
/// was registered last runs first. The work may call [`note`](crate::note()). A panic in the work
/// fails the trial. The work does not run where the process does not reach its end: after an abort,
/// a crash or a time-out. So keep first, and throw away when the trial has passed.
///
/// # Panics
/// The caller is outside of a trial, which has no end to wait for.
///
/// ```no_run
/// # const LOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/server.log");
/// #[snowglobe::test]
/// fn serves() {
///     snowglobe::at_end(|passed| {
///         if passed {
///             drop(std::fs::remove_file(LOG));
///         } else {
///             snowglobe::note(format!("log kept: {LOG}"));
///         }
///     });
/// }
/// ```
pub fn at_end(work: impl FnOnce(bool) + Send + 'static) {
    assert!(
        running::current().is_some(),
        "snowglobe::at_end() was called outside of a trial, which has no end to wait for"
    );
    running::at_end(Box::new(work));
}
