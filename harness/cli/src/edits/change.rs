//! One file that is to be written.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use similar::TextDiff;

/// A new file, or an edit of one.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) path: PathBuf,
    /// Text that is there now, unless the file is new.
    before: Option<String>,
    after: String,
}

/// Why a file was not written.
#[derive(Debug)]
pub(crate) struct WriteError {
    /// The sentence about the file.
    pub(crate) why: String,
    /// Why the file could not be made again what it was, if a part of it was written.
    pub(crate) left: Option<String>,
}

impl Change {
    /// Makes the change that creates a file.
    pub(crate) fn new(path: PathBuf, after: String) -> Self {
        Self {
            path,
            before: None,
            after,
        }
    }

    /// Makes the change that edits a file.
    pub(crate) fn edit(path: PathBuf, before: String, after: String) -> Self {
        Self {
            path,
            before: Some(before),
            after,
        }
    }

    /// Returns the change as a unified diff, with the file named so.
    pub(crate) fn diff(&self, name: &Path) -> String {
        let name = name.display();
        let before = self.before.as_deref();
        let old = match before {
            Some(_) => format!("a/{name}"),
            None => "/dev/null".to_owned(),
        };
        TextDiff::from_lines(before.unwrap_or_default(), &self.after)
            .unified_diff()
            .header(&old, &format!("b/{name}"))
            .to_string()
    }

    /// Writes the file, unless somebody has changed or made it meanwhile.
    ///
    /// # Errors
    /// The system refused to write, or the file is not what was shown.
    pub(crate) fn write(&self) -> Result<(), WriteError> {
        let path = self.path.display();
        let unwritten = |why| WriteError { why, left: None };
        let failed = |error| unwritten(format!("cannot write {path}: {error}"));
        // A full disk has emptied the file.
        let in_part = |error| WriteError {
            left: self.take_back().err(),
            ..failed(error)
        };
        match &self.before {
            Some(before) => {
                let now = fs::read_to_string(&self.path).map_err(failed)?;
                if now != *before {
                    return Err(unwritten(format!(
                        "{path} has changed since the diff was shown; nothing was written to it: run the command again"
                    )));
                }
                fs::write(&self.path, &self.after).map_err(in_part)
            }
            None => {
                if let Some(directory) = self.path.parent() {
                    fs::create_dir_all(directory).map_err(failed)?;
                }
                let mut file = fs::File::create_new(&self.path).map_err(failed)?;
                file.write_all(self.after.as_bytes()).map_err(in_part)
            }
        }
    }

    /// Makes the file what it was before it was written. A directory that was made for it stays.
    ///
    /// # Errors
    /// The system refused.
    pub(crate) fn take_back(&self) -> Result<(), String> {
        let done = match &self.before {
            Some(before) => fs::write(&self.path, before),
            None => fs::remove_file(&self.path),
        };
        done.map_err(|error| {
            let path = self.path.display();
            format!("cannot make {path} again what it was: {error}")
        })
    }
}
