//! Parsing of a command line by its table of flags.

use std::ffi::OsString;

use super::flag::Action;
use super::{CliError, Flag, GivenValue};

/// A command: its options, its operands, and the text around them in its help.
#[derive(Debug)]
pub struct CommandLine<T: 'static> {
    /// Beginning of the help: the usage, and what the command does.
    pub about: &'static str,
    /// Meaning of the words that are no options.
    pub operands: Operands<T>,
    /// Options in the order of the help.
    pub flags: &'static [Flag<T>],
    /// Environment variables that no option stands for, each with its sentence in the help.
    pub variables: &'static [(&'static str, &'static str)],
    /// End of the help; may be empty.
    pub notes: &'static str,
}

/// Meaning of the words of a command line that are no options (POSIX calls them operands).
#[derive(Debug)]
pub enum Operands<T> {
    /// The command takes none.
    None,
    /// Each is handed over by itself, and options may stand between them.
    Each(fn(&mut T, GivenValue) -> Result<(), CliError>),
    /// The first and everything after it, options included, belong together: a command to run.
    Program(fn(&mut T, Vec<OsString>)),
}

/// Options that a command line set, so that the environment does not set them again.
#[derive(Debug, Default)]
pub struct GivenFlags(Vec<usize>);

impl<T> CommandLine<T> {
    /// Parses a command line, which is without the program's name.
    ///
    /// # Errors
    /// Says which option is unknown or which value is wrong.
    pub fn parse<I>(&self, words: I) -> Result<T, CliError>
    where
        T: Default,
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        let mut options = T::default();
        self.parse_into(&mut options, words)?;
        Ok(options)
    }

    /// Sets in `options` whatever a command line sets, and returns which options those are.
    ///
    /// # Errors
    /// Says which option is unknown or which value is wrong.
    pub fn parse_into<I>(&self, options: &mut T, words: I) -> Result<GivenFlags, CliError>
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        use lexopt::Arg::{Long, Short, Value};
        let mut parser = lexopt::Parser::from_args(words.into_iter().map(Into::into));
        let mut given = GivenFlags::default();
        while let Some(argument) = parser.next()? {
            let (name, found) = match argument {
                Long(name) => (format!("--{name}"), self.find(|flag| flag.has_long(name))),
                Short(letter) => (
                    format!("-{letter}"),
                    self.find(|flag| flag.has_short(letter)),
                ),
                Value(word) => {
                    self.take_operand(options, word, &mut parser)?;
                    continue;
                }
            };
            let Some(index) = found else {
                return Err(CliError::UnknownOption(name));
            };
            let flag = &self.flags[index];
            match flag.action() {
                Action::Switch(set) => set(options),
                Action::LooseSwitch(set) => {
                    let _ignored = parser.optional_value();
                    set(options);
                }
                Action::Value { name: _, set } => {
                    set(options, GivenValue::new(name, parser.value()?))?
                }
            }
            given.0.push(index);
            if flag.is_last() {
                break;
            }
        }
        Ok(given)
    }

    /// Sets in `options` what environment variables say about the options that are not among
    /// `given`; `get` returns the value of a variable.
    ///
    /// # Errors
    /// Says which variable has a wrong value.
    pub fn read_environment(
        &self,
        options: &mut T,
        given: &GivenFlags,
        get: impl Fn(&str) -> Option<OsString>,
    ) -> Result<(), CliError> {
        for (index, flag) in self.flags.iter().enumerate() {
            let Some(variable) = flag.environment() else {
                continue;
            };
            let Some(value) = get(variable).filter(|_| !given.0.contains(&index)) else {
                continue;
            };
            let value = GivenValue::new(variable, value);
            match flag.action() {
                Action::Switch(set) | Action::LooseSwitch(set) => {
                    if flag.turns_on(value)? {
                        set(options);
                    }
                }
                Action::Value { name: _, set } => set(options, value)?,
            }
        }
        Ok(())
    }

    fn find(&self, wanted: impl Fn(&Flag<T>) -> bool) -> Option<usize> {
        self.flags.iter().position(wanted)
    }

    fn take_operand(
        &self,
        options: &mut T,
        word: OsString,
        parser: &mut lexopt::Parser,
    ) -> Result<(), CliError> {
        match self.operands {
            Operands::None => Err(CliError::UnexpectedOperand(word)),
            Operands::Each(take) => take(options, GivenValue::new("the argument", word)),
            Operands::Program(take) => {
                let rest = parser.raw_args()?;
                take(options, std::iter::once(word).chain(rest).collect());
                Ok(())
            }
        }
    }
}
