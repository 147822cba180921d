//! The texts of a command line without its types, for completions and manual pages.

use super::CommandLine;

/// Texts of one command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandText {
    /// Text that `--help` prints.
    pub help: String,
    /// Options, in the order of the help.
    pub options: Vec<OptionText>,
}

/// Texts of one option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionText {
    /// All names of the option with their dashes.
    pub names: Vec<String>,
    /// Name of the value, if the option takes one.
    pub value: Option<&'static str>,
    /// Sentence about the option.
    pub sentence: String,
}

impl<T> CommandLine<T> {
    /// Returns the texts of this command line.
    pub fn text(&self) -> CommandText {
        let options = self.flags.iter().map(|flag| OptionText {
            names: flag.names().collect(),
            value: flag.value_name(),
            sentence: flag.sentence(),
        });
        CommandText {
            help: self.help(),
            options: options.collect(),
        }
    }
}
