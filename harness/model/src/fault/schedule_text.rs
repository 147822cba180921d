//! Schedules as TOML, with the place of each error.

use std::path::Path;

use snowglobe_derive::Serialize;
use snowglobe_text::{FromTree, Tree, TreeContent, TreeError};

use super::check::{ScheduleError, ScheduleErrorKind as Kind};
use super::schedule::{Schedule, ScheduledFault};
use crate::position::position;

/// The name of the list in the text.
const LIST: &str = "fault";

impl Schedule {
    /// Reads a schedule from TOML: a table `[[fault]]` for each fault, with `at`, `waits`, `lasts`,
    /// the name of the `fault` and its fields.
    ///
    /// # Errors
    /// The text is no TOML, or no schedule. The error names line and column.
    pub fn from_toml(text: &str) -> Result<Self, ScheduleError> {
        let wrong = |error: TreeError| {
            let place = position(text, error.at().unwrap_or(0));
            ScheduleError::new(Kind::Syntax, error.to_string())
                .at(place)
                .caused_by(error)
        };
        let document = Tree::from_toml(text).map_err(wrong)?;
        let fields = document.fields("Schedule", &[LIST], true, "");
        let list: Option<Tree> = fields.and_then(|it| it.take(LIST)).map_err(wrong)?;
        let Some(list) = list else {
            return Ok(Self::new());
        };
        let TreeContent::List(entries) = &list.content else {
            let why = format!("`{LIST}` is no list of tables; each begins with `[[{LIST}]]`");
            return Err(wrong(list.error(&why)));
        };
        let mut schedule = Self::new();
        let mut places = Vec::new();
        for entry in entries {
            schedule.push(ScheduledFault::from_tree(entry).map_err(wrong)?);
            places.push(position(text, entry.at.unwrap_or(0)));
        }
        schedule.places = places;
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
            let text = format!("failed to read the schedule: {error}");
            ScheduleError::new(Kind::Unreadable, text)
                .caused_by(error)
                .in_file(&file)
        })?;
        let mut schedule = Self::from_toml(&text).map_err(|error| error.in_file(&file))?;
        schedule.file = Some(file);
        Ok(schedule)
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
        Tree::write_toml(&document).map_err(|error| {
            let text = format!("failed to write the schedule as TOML: {error}");
            ScheduleError::new(Kind::Impossible, text).caused_by(error)
        })
    }
}
