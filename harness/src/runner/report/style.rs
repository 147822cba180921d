//! Colours, where the output is read by a person.

use std::io::IsTerminal;

use super::options::Color;

/// Colours, or none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    is_colored: bool,
}

impl Style {
    /// Returns the style that the user has chosen.
    pub(crate) fn chosen(color: Color) -> Self {
        let is_colored = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                std::io::stdout().is_terminal()
                    // The convention of https://no-color.org: set and not empty.
                    && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
                    && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        };
        Self { is_colored }
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.paint(32, text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.paint(31, text)
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.paint(33, text)
    }

    /// Colours `text` with the foreground colour of this number (ECMA-48, SGR).
    fn paint(self, code: u8, text: &str) -> String {
        if self.is_colored {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}
