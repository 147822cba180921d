//! One option of a command line.

use super::{CliError, GivenValue};

/// One option: its names, the sentence about it in the help, and what it sets in `T`.
#[derive(Debug)]
pub struct Flag<T> {
    /// Name after two dashes; empty for an option that has a letter only.
    long: &'static str,
    /// Other names after two dashes.
    aliases: &'static [&'static str],
    /// Letter after one dash.
    short: Option<char>,
    /// Environment variable that sets the option where the command line does not.
    variable: Option<&'static str>,
    help: &'static str,
    /// Whether the words after the option are left unread.
    is_last: bool,
    /// Whether every value of the variable but `0` sets the option.
    is_loose_variable: bool,
    action: Action<T>,
}

/// Effect of an option on the options `T` as a whole.
#[derive(Debug)]
pub(super) enum Action<T> {
    /// The option takes no value.
    Switch(fn(&mut T)),
    /// The option takes no value, or one after `=` that is ignored.
    LooseSwitch(fn(&mut T)),
    /// The option takes a value.
    Value {
        /// Name of the value in the help.
        name: &'static str,
        set: fn(&mut T, GivenValue) -> Result<(), CliError>,
    },
}

impl<T> Flag<T> {
    const fn new(long: &'static str, help: &'static str, action: Action<T>) -> Self {
        Self {
            long,
            aliases: &[],
            short: None,
            variable: None,
            help,
            is_last: false,
            is_loose_variable: false,
            action,
        }
    }

    /// Makes an option without a value.
    pub const fn switch(long: &'static str, help: &'static str, set: fn(&mut T)) -> Self {
        Self::new(long, help, Action::Switch(set))
    }

    /// Makes the option `--help`, which is `-h` too and leaves the words after it unread.
    pub const fn help(set: fn(&mut T)) -> Self {
        Self::switch("help", "Print this", set).short('h').last()
    }

    /// Makes an option without a value that accepts and ignores one after `=`.
    pub const fn loose_switch(long: &'static str, help: &'static str, set: fn(&mut T)) -> Self {
        Self::new(long, help, Action::LooseSwitch(set))
    }

    /// Makes an option with a value, which the help calls `name`.
    pub const fn value(
        long: &'static str,
        name: &'static str,
        help: &'static str,
        set: fn(&mut T, GivenValue) -> Result<(), CliError>,
    ) -> Self {
        Self::new(long, help, Action::Value { name, set })
    }

    /// Adds a letter, as in `-q`.
    #[must_use]
    pub const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }

    /// Adds other long names of the option.
    #[must_use]
    pub const fn aliases(mut self, names: &'static [&'static str]) -> Self {
        self.aliases = names;
        self
    }

    /// Names the environment variable that sets the option where the command line does not.
    ///
    /// A switch is set by `1`, and left alone by `0` and by no text.
    #[must_use]
    pub const fn variable(mut self, name: &'static str) -> Self {
        self.variable = Some(name);
        self
    }

    /// Names the environment variable of a switch that every value but `0` sets, as those of
    /// libtest do (`library/test/src/cli.rs`).
    #[must_use]
    pub const fn loose_variable(mut self, name: &'static str) -> Self {
        self.is_loose_variable = true;
        self.variable(name)
    }

    /// Leaves the words after the option unread, as after `--help`.
    #[must_use]
    pub const fn last(mut self) -> Self {
        self.is_last = true;
        self
    }

    /// Returns the name of the option with its dashes.
    pub fn name(&self) -> String {
        match self.short {
            Some(letter) if self.long.is_empty() => format!("-{letter}"),
            _ => format!("--{}", self.long),
        }
    }

    /// Returns all names of the option with their dashes, the letter first.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let short = self.short.map(|letter| format!("-{letter}"));
        let long = (!self.long.is_empty()).then_some(&self.long);
        let long = long.into_iter().chain(self.aliases);
        short
            .into_iter()
            .chain(long.map(|name| format!("--{name}")))
    }

    pub(super) fn has_long(&self, name: &str) -> bool {
        !name.is_empty() && (self.long == name || self.aliases.contains(&name))
    }

    pub(super) fn has_short(&self, letter: char) -> bool {
        self.short == Some(letter)
    }

    pub(super) fn is_last(&self) -> bool {
        self.is_last
    }

    pub(super) fn action(&self) -> &Action<T> {
        &self.action
    }

    /// Returns whether the value of the variable turns the switch on.
    pub(super) fn turns_on(&self, value: GivenValue) -> Result<bool, CliError> {
        match self.is_loose_variable {
            true => Ok(value.os_string() != "0"),
            false => value.switch(),
        }
    }

    /// Returns the environment variable of the option.
    pub fn environment(&self) -> Option<&'static str> {
        self.variable
    }

    /// Returns the name that the help has for the value of the option, if it takes one.
    pub(super) fn value_name(&self) -> Option<&'static str> {
        match &self.action {
            Action::Switch(_) | Action::LooseSwitch(_) => None,
            Action::Value { name, set: _ } => Some(name),
        }
    }

    /// Returns the names and the value as the left column of the help shows them.
    pub(super) fn usage(&self) -> String {
        let names = match (self.short, self.long) {
            (Some(letter), "") => format!("-{letter}"),
            (Some(letter), long) => format!("-{letter}, --{long}"),
            (None, long) => format!("    --{long}"),
        };
        match &self.action {
            Action::Switch(_) | Action::LooseSwitch(_) => names,
            Action::Value { name, set: _ } => format!("{names} {name}"),
        }
    }

    /// Returns the right column of the help.
    pub(super) fn sentence(&self) -> String {
        if self.aliases.is_empty() {
            return self.help.to_owned();
        }
        let aliases: Vec<String> = self.aliases.iter().map(|it| format!("--{it}")).collect();
        format!("{} (also {})", self.help, aliases.join(", "))
    }
}
