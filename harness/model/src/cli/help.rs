//! The help of a command, made from its table of flags.

use std::collections::HashSet;

use super::CommandLine;

/// Longest left column, in characters; the sentence of a longer one begins on the next line.
const WIDEST: usize = 30;

impl<T> CommandLine<T> {
    /// Returns the text that `--help` prints.
    pub fn help(&self) -> String {
        let options = self.flags.iter().map(|it| (it.usage(), it.sentence()));
        let sections = [
            self.about.to_owned(),
            section("Options", options.collect()),
            section("Environment", self.environment()),
            self.notes.to_owned(),
        ];
        let filled: Vec<&str> = sections.iter().map(|it| it.trim_end()).collect();
        let filled: Vec<&str> = filled.into_iter().filter(|it| !it.is_empty()).collect();
        filled.join("\n\n") + "\n"
    }

    /// Checks the table of flags, for a test of each command.
    ///
    /// # Panics
    /// Panics if two options share a name, if a name is missing in the help, if an option has no
    /// sentence, or if a line of the help is longer than 100 columns.
    pub fn assert_sound(&self) {
        let help = self.help();
        let mut seen = HashSet::new();
        for flag in self.flags {
            assert!(!flag.sentence().is_empty(), "{} has no help", flag.name());
            for name in flag.names() {
                assert!(help.contains(&name), "`{name}` is not in the help");
                assert!(seen.insert(name.clone()), "two options are named `{name}`");
            }
        }
        for line in help.lines() {
            assert!(line.chars().count() <= 100, "a long line: {line}");
        }
    }

    fn environment(&self) -> Vec<(String, String)> {
        let of_flags = self.flags.iter().filter_map(|flag| {
            let variable = flag.environment()?;
            Some((variable.to_owned(), format!("same as {}", flag.name())))
        });
        let others = self.variables.iter();
        let others = others.map(|(name, help)| ((*name).to_owned(), (*help).to_owned()));
        of_flags.chain(others).collect()
    }
}

fn section(title: &str, rows: Vec<(String, String)>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let widths = rows.iter().map(|(left, _)| left.chars().count());
    let width = widths.filter(|it| *it <= WIDEST).max().unwrap_or(0);
    let mut text = format!("{title}:\n");
    for (left, right) in &rows {
        if left.chars().count() > WIDEST {
            text += &format!("  {left}\n  {:width$}  {right}\n", "");
        } else {
            text += &format!("  {left:<width$}  {right}\n");
        }
    }
    text
}
