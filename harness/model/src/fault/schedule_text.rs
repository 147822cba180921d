//! Schedules as TOML, with the place of each error.

use std::path::Path;
use std::sync::Arc;

use snowglobe_derive::Serialize;
use snowglobe_text::{FromTree, Tree, TreeContent, TreeError};

use super::error::{ScheduleError, ScheduleProblem};
use super::schedule::{Schedule, ScheduleSource, ScheduledFault};
use crate::position::position;

/// The name of the list in the text.
const LIST: &str = "fault";

impl Schedule {
    /// Reads a schedule from TOML: a table `[[fault]]` for each fault, with `at`, `waits`, `lasts`,
    /// the name of the `fault` and its fields. A schedule without faults is `fault = []`.
    ///
    /// # Errors
    /// The text is no TOML or no schedule; an empty text is no schedule. The error names the line
    /// and the column.
    pub fn from_toml(text: &str) -> Result<Self, ScheduleError> {
        Self::read(text, None)
    }

    fn read(text: &str, file: Option<String>) -> Result<Self, ScheduleError> {
        let wrong = |error: TreeError| {
            let place = position(text, error.at().unwrap_or(0));
            ScheduleError::from(ScheduleProblem::Syntax(error)).at(place)
        };
        let document = Tree::from_toml(text).map_err(wrong)?;
        let fields = document.fields(&[LIST], true, "");
        let list: Option<Tree> = fields.and_then(|it| it.take(LIST)).map_err(wrong)?;
        // An editor or a full disk may have emptied the file. Without this error, the trial would
        // run without any fault.
        let Some(list) = list else {
            return Err(ScheduleError::from(ScheduleProblem::NoList(LIST)).at((1, 1)));
        };
        let TreeContent::List(entries) = &list.content else {
            let why = format!("`{LIST}` is no list of tables; each begins with `[[{LIST}]]`");
            return Err(wrong(list.error(&why)));
        };
        let mut schedule = Self::new();
        for entry in entries {
            schedule.push(ScheduledFault::from_tree(entry).map_err(wrong)?);
        }
        schedule.source = Some(Arc::new(ScheduleSource {
            file,
            text: text.to_owned(),
            faults: entries.clone(),
        }));
        Ok(schedule)
    }

    /// Reads a schedule from a TOML file.
    ///
    /// # Errors
    /// The file cannot be read, or its text is wrong. The error names file, line and column.
    pub fn from_toml_file(path: impl AsRef<Path>) -> Result<Self, ScheduleError> {
        let path = path.as_ref();
        let file = path.display().to_string();
        let text = crate::files::read(path).map_err(|error| {
            let problem = ScheduleProblem::Unreadable(Arc::new(error));
            ScheduleError::from(problem).in_file(&file)
        })?;
        Self::read(&text, Some(file.clone())).map_err(|error| error.in_file(&file))
    }

    /// Writes the schedule as TOML, from which [`from_toml`](Schedule::from_toml) makes an equal
    /// one.
    ///
    /// # Errors
    /// A path is not UTF-8, or a number is larger than TOML can write.
    pub fn to_toml(&self) -> Result<String, ScheduleError> {
        #[derive(Serialize)]
        struct ScheduleDocument<'s> {
            fault: &'s [ScheduledFault],
        }
        let document = ScheduleDocument {
            fault: self.faults(),
        };
        Tree::write_toml(&document).map_err(|error| ScheduleProblem::Unwritable(error).into())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::super::tests::samples;
    use super::super::{Fault, ScheduleErrorKind as Kind};
    use super::*;
    use crate::disk::DiskFault;
    use crate::topology::Size;

    const S: Duration = Duration::from_secs(1);

    /// Returns the names that a reader of TOML lists when `text` has an unknown one.
    fn known(text: &str) -> BTreeSet<String> {
        let error = Schedule::from_toml(text).unwrap_err().to_string();
        let (_, names) = error.split_once("expected one of ").expect(&error);
        let names = names.split(['`', ',', ' ', '\n']);
        names
            .filter(|it| !it.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// Each fault that TOML knows is one of the samples, and so is each that Rust knows: a new one
    /// is tried in all tests of faults.
    #[test]
    fn toml_and_rust_know_the_same_faults() {
        let samples = || samples().into_iter().map(|(fault, _)| fault);
        let known_faults = known("[[fault]]\nat = '1s'\nfault = 'x'");
        let names: BTreeSet<String> = samples()
            .map(|fault| name_in_rust(&fault).to_owned())
            .collect();
        assert_eq!(names, known_faults);
        for fault in samples() {
            let text = Schedule::new().then(S, S, fault.clone()).to_toml().unwrap();
            let line = format!("fault = \"{}\"", name_in_rust(&fault));
            assert!(text.contains(&line), "{line} in {text}");
        }
        let disk = "[[fault]]\nat = '1s'\nfault = 'disk'\nnode = 'a'\nwhat = ";
        let known_disks = known(&format!("{disk}{{ kind = 'x' }}"));
        let mut names = BTreeSet::new();
        for what in disk_faults() {
            names.insert(disk_name_in_rust(&what).to_owned());
            let schedule = Schedule::new().then(S, S, Fault::disk("a", what));
            let text = schedule.to_toml().unwrap();
            assert_eq!(Schedule::from_toml(&text).unwrap(), schedule, "{text}");
        }
        assert_eq!(names, known_disks);
    }

    #[test]
    fn a_time_that_is_too_long_is_refused_with_its_place() {
        let clock =
            "[[fault]]\nat = '1s'\nfault = 'clock'\nnode = 'a'\nchange = { jump = '-9999999999s' }";
        let error = Schedule::from_toml(clock).unwrap_err();
        assert_eq!(error.place(), Some((5, 19)));
        assert!(
            error
                .to_string()
                .contains("is no time of at most 292 years, such as `-1h`"),
            "{error}"
        );
    }

    /// A text without any `[[fault]]` is a mistake, and an empty schedule is written as one.
    #[test]
    fn only_an_empty_list_is_a_schedule_without_faults() {
        for text in ["", " \n", "# [[fault]]\n"] {
            let error = Schedule::from_toml(text).unwrap_err();
            assert_eq!((error.kind(), error.place()), (Kind::Syntax, Some((1, 1))));
            assert!(error.to_string().contains("`fault = []`"), "{error}");
        }
        let text = Schedule::new().to_toml().unwrap();
        assert_eq!(text.trim(), "fault = []");
        assert_eq!(Schedule::from_toml(&text), Ok(Schedule::new()));
    }

    /// Takes each fault apart, so that the compiler asks for the name of a new one.
    fn name_in_rust(fault: &Fault) -> &'static str {
        match fault {
            Fault::Cut { .. } => "cut",
            Fault::Flap { .. } => "flap",
            Fault::Degrade { .. } => "degrade",
            Fault::Partition { .. } => "partition",
            Fault::Pause { .. } => "pause",
            Fault::KillProcesses { .. } => "kill-processes",
            Fault::Crash { .. } => "crash",
            Fault::Dns { .. } => "dns",
            Fault::Clock { .. } => "clock",
            Fault::Disk { .. } => "disk",
            Fault::Sever { .. } => "sever",
            Fault::Restart { .. } => "restart",
            Fault::KillProgram { .. } => "kill-program",
            Fault::PauseProgram { .. } => "pause-program",
            Fault::Slow { .. } => "slow",
            Fault::Descriptors { .. } => "descriptors",
            Fault::Memory { .. } => "memory",
            Fault::Action { .. } => "action",
        }
    }

    fn disk_name_in_rust(fault: &DiskFault) -> &'static str {
        match fault {
            DiskFault::Full { .. } => "full",
            DiskFault::ReadOnly => "read-only",
            DiskFault::Slow { .. } => "slow",
            DiskFault::Io { .. } => "io",
            DiskFault::Torn => "torn",
            DiskFault::BitFlip { .. } => "bit-flip",
            DiskFault::Truncate { .. } => "truncate",
        }
    }

    fn disk_faults() -> [DiskFault; 7] {
        [
            DiskFault::full(),
            DiskFault::ReadOnly,
            DiskFault::slow(S / 10),
            DiskFault::failing_reads(),
            DiskFault::Torn,
            DiskFault::bit_flip("*.log"),
            DiskFault::Truncate {
                path: "*.log".to_owned(),
                by: Size::bytes(9),
            },
        ]
    }
}
