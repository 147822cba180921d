//! The file of a trial's schedule, and the file that takes the place of a schedule.
//!
//! A trial that fails under a nemesis is run again with the same schedule, or a part of it. So the
//! schedule that was carried out is kept as TOML, and a trial takes one from `SNOWGLOBE_SCHEDULE`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::{fmt, fs, io};

use crate::lab::attempt::LabAttempt;
use crate::lab::error::{LabError, LabErrorKind, Result};
use crate::model::fault::{Schedule, ScheduleError};
use crate::observe::{self, ObserveError};
use crate::trial::running;

/// Variable that names the file of a schedule, which takes the place of the first schedule of a
/// trial.
pub(crate) const VARIABLE: &str = "SNOWGLOBE_SCHEDULE";

/// Schedule of the file that the variable names, as the runner has read it.
static REPLACEMENT: OnceLock<Schedule> = OnceLock::new();

/// Number of schedules that this process has begun.
static BEGUN: AtomicUsize = AtomicUsize::new(0);

/// Returns the file in which the schedule of a trial is kept while the trial runs, and afterwards
/// if it fails: `snowglobe/schedules/PROGRAM/TRIAL-SEED.toml` below the target directory.
///
/// # Errors
/// The program lies in no target directory.
pub(crate) fn schedule_file(trial: &str, seed: u64) -> std::result::Result<PathBuf, ObserveError> {
    let directory = observe::directory_of("schedules")?;
    let stem = observe::file_stem(trial);
    Ok(directory.join(format!("{stem}-{seed}.toml")))
}

/// The environment names a file that is no schedule, for this reason.
#[derive(Debug)]
pub(crate) struct ReplacementError(ScheduleError);

impl fmt::Display for ReplacementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VARIABLE} names no schedule: {}", self.0)
    }
}

impl Error for ReplacementError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// Reads the file that the environment names, before trials are made: a trial has a `/tmp` of its
/// own, and an error in the file is reported before any trial runs. The processes of trials are
/// copies of this process, and have the schedule.
///
/// # Errors
/// The file cannot be read, or is no schedule. The error tells the file, the line and the column.
pub(crate) fn read_replacement() -> Result<(), ReplacementError> {
    let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    let schedule = Schedule::from_toml_file(Path::new(&path));
    let schedule = schedule.map_err(ReplacementError)?;
    REPLACEMENT.get_or_init(|| schedule);
    Ok(())
}

/// Returns the schedule that the environment has instead of the first one of the trial.
pub(crate) fn replacement() -> Result<Option<Schedule>> {
    let first = BEGUN.fetch_add(1, Ordering::Relaxed) == 0;
    let Some(path) = std::env::var_os(VARIABLE).filter(|path| first && !path.is_empty()) else {
        return Ok(None);
    };
    // A process that no runner has made reads the file by itself.
    if let Some(schedule) = REPLACEMENT.get() {
        return Ok(Some(schedule.clone()));
    }
    let what = LabAttempt::TakeSchedule { variable: VARIABLE };
    let schedule = Schedule::from_toml_file(Path::new(&path));
    schedule
        .map(Some)
        .map_err(|error| LabError::caused(LabErrorKind::InvalidArgument, what, error))
}

/// Keeps a schedule that was drawn until the end of the trial, and longer if the trial fails.
pub(crate) fn keep(schedule: &Schedule) {
    let Some(trial) = running::current() else {
        return;
    };
    let number = BEGUN.load(Ordering::Relaxed);
    let mut path = match schedule_file(&trial.name, trial.seed) {
        Ok(path) => path,
        Err(error) => {
            tell_unkept_once(error.to_string());
            return;
        }
    };
    if number > 1 {
        // Only the first schedule of a trial can be replaced; the others are kept to be read.
        path.set_extension(format!("{number}.toml"));
    }
    // A schedule that cannot be kept is printed still.
    if let Err(error) = write(&path, schedule) {
        tell_unkept_once(error.to_string());
        return;
    }
    let first = number <= 1;
    if first {
        running::leave_last_words(&format!("schedule: {}", path.display()));
    }
    running::at_end(Box::new(move |passed| {
        if passed {
            // A file that cannot be removed is overwritten by the next run.
            let _ = fs::remove_file(&path);
        } else if first {
            let others = match BEGUN.load(Ordering::Relaxed) {
                0 | 1 => String::new(),
                _ => "; its other schedules are in files beside it".to_owned(),
            };
            running::note(&format!(
                "schedule: {}; run the trial again with {VARIABLE}=this file{others}",
                path.display()
            ));
        }
    }));
}

/// Tells once in a trial that schedules cannot be kept, and only if the trial fails: a trial that
/// draws many of them would tell the same of each.
fn tell_unkept_once(why: String) {
    static TOLD: AtomicBool = AtomicBool::new(false);
    if TOLD.swap(true, Ordering::Relaxed) {
        return;
    }
    running::at_end(Box::new(move |passed| {
        if !passed {
            running::note(&format!("the schedule cannot be kept: {why}"));
        }
    }));
}

/// Writes a schedule as TOML, and makes the directory of the file if it is not there.
///
/// # Errors
/// The schedule has no text form, or the directory or the file cannot be written.
pub(crate) fn write(path: &Path, schedule: &Schedule) -> std::result::Result<(), UnkeptSchedule> {
    let refused = |at: &Path| {
        let at = at.to_owned();
        move |source| UnkeptSchedule::File { at, source }
    };
    let text = schedule.to_toml().map_err(UnkeptSchedule::Text)?;
    let directory = path.parent().unwrap_or(path);
    fs::create_dir_all(directory).map_err(refused(directory))?;
    fs::write(path, text).map_err(refused(path))
}

/// The reason why a schedule was not written to a file.
#[derive(Debug)]
pub(crate) enum UnkeptSchedule {
    /// The schedule cannot be written as TOML.
    Text(ScheduleError),
    /// The kernel refused to make the directory or the file.
    File { at: PathBuf, source: io::Error },
}

impl fmt::Display for UnkeptSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(error) => error.fmt(f),
            Self::File { at, source } => write!(f, "{}: {source}", at.display()),
        }
    }
}

impl Error for UnkeptSchedule {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Text(error) => Some(error),
            Self::File { source, .. } => Some(source),
        }
    }
}
