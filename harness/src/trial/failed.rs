//! The result of a test function, and the way from an error to a failure.

use std::error::Error;
use std::fmt;
use std::panic::Location;

/// The result of a test function that uses `?`.
///
/// Any error converts into [`Failed`], which remembers where the `?` stood:
///
/// ```
/// use snowglobe::TestResult;
///
/// fn parses() -> TestResult {
///     let port: u16 = "80".parse()?;
///     assert_eq!(port, 80);
///     Ok(())
/// }
/// # parses().unwrap();
/// ```
pub type TestResult<T = ()> = Result<T, Failed>;

/// Why a test failed: a text, and where in the source the error was passed on with `?`.
#[derive(Clone, PartialEq, Eq)]
pub struct Failed {
    message: String,
    at: Option<(String, u32, u32)>,
}

impl Failed {
    /// Makes a failure with no place in the source.
    pub fn without_location(message: impl Into<String>) -> Failed {
        Failed {
            message: message.into(),
            at: None,
        }
    }

    /// Reads a failure back from its text. Of an error that only displays, the text is all there is
    /// to know, and the error may have been a `Failed`.
    fn read_back(text: &str) -> Failed {
        let place = || {
            let (message, place) = text.rsplit_once(AT)?;
            let mut parts = place.rsplitn(3, ':');
            let (column, line) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            Some((message, (parts.next()?.to_owned(), line, column)))
        };
        match place() {
            Some((message, at)) => Failed {
                message: message.to_owned(),
                at: Some(at),
            },
            None => Failed::without_location(text),
        }
    }

    /// Returns the text.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the file, the line and the column of the `?`, as far as known.
    pub fn location(&self) -> Option<(&str, u32, u32)> {
        self.at
            .as_ref()
            .map(|(file, line, column)| (file.as_str(), *line, *column))
    }
}

/// Text between the message and its place in the source.
const AT: &str = "\n    at ";

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Failed {
    #[track_caller]
    fn from(error: E) -> Failed {
        let here = Location::caller();
        let error = error.into();
        let mut message = format!("{error:#}");
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            // Many errors already say their cause (and anyhow's `{:#}` the whole chain).
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            source = cause.source();
        }
        Failed {
            message,
            at: Some((here.file().to_owned(), here.line(), here.column())),
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.at {
            Some((file, line, column)) => write!(f, "{AT}{file}:{line}:{column}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A type that a test function may return: nothing, or a `Result` whose error displays.
#[diagnostic::on_unimplemented(
    message = "a test cannot return `{Self}`",
    label = "a test returns nothing, a `Result` whose error has `Display` or `Debug`, or what else a `main` may return"
)]
pub trait Outcome {
    /// Returns success, or the reason of the failure.
    #[doc(hidden)]
    fn into_outcome(self) -> Result<(), Failed>;
}

impl Outcome for () {
    fn into_outcome(self) -> Result<(), Failed> {
        Ok(())
    }
}

impl<T: Outcome, E: fmt::Display> Outcome for Result<T, E> {
    fn into_outcome(self) -> Result<(), Failed> {
        match self {
            Ok(value) => value.into_outcome(),
            Err(error) => Err(Failed::read_back(&format!("{error:#}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails() -> TestResult {
        Err("no such thing")?;
        Ok(())
    }

    #[test]
    fn a_question_mark_leaves_its_place() {
        let line = line!() - 6;
        let failed = fails().unwrap_err();
        assert_eq!(failed.message(), "no such thing");
        let (file, at, _) = failed.location().unwrap();
        assert!(file.ends_with("failed.rs"), "{file}");
        assert_eq!(at, line);
    }

    #[test]
    fn the_place_survives_being_returned() {
        let failed = fails().unwrap_err();
        assert_eq!(fails().into_outcome().unwrap_err(), failed);
        let plain = Err::<(), _>("look\n    at this")
            .into_outcome()
            .unwrap_err();
        assert_eq!(
            (plain.message(), plain.location()),
            ("look\n    at this", None)
        );
    }

    #[test]
    fn an_errors_cause_is_told_once() {
        #[derive(Debug)]
        struct Outer(std::io::Error);
        impl fmt::Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("outer")
            }
        }
        impl Error for Outer {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&self.0)
            }
        }
        let failed = Failed::from(Outer(std::io::Error::other("inner")));
        assert_eq!(failed.message(), "outer: inner");
    }

    #[test]
    fn only_display_is_asked_of_a_returned_error() {
        assert!(Ok::<(), u8>(()).into_outcome().is_ok());
        assert_eq!(Err::<(), _>(7).into_outcome().unwrap_err().message(), "7");
    }
}
