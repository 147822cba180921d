//! What a [`std::process::Command`] holds and has no method for: its zeroth argument, and whether
//! it begins with an empty environment.
//!
//! std shows both in the text of `Debug` only. So a twin is built with what the text says, and what
//! was read is taken for true only if the twin shows the same text.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::process::Command;

/// Parts of a command that std has no methods for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct HiddenParts {
    /// The zeroth argument, where it is not the program.
    pub(crate) arg0: Option<OsString>,
    /// Whether the program inherits no variables.
    pub(crate) clears_environment: bool,
}

impl HiddenParts {
    /// Returns the hidden parts of a command, or none where std's text cannot be understood.
    pub(crate) fn of(command: &Command) -> Self {
        let shown = format!("{command:?}");
        for clears_environment in [false, true] {
            let plain = Self {
                arg0: None,
                clears_environment,
            };
            if shows(&plain.twin(command), &shown) {
                return plain;
            }
            let named = Self {
                arg0: plain.read_arg0(command, &shown),
                clears_environment,
            };
            if named.arg0.is_some() && shows(&named.twin(command), &shown) {
                return named;
            }
        }
        Self::default()
    }

    /// Builds a command like another one, with these parts.
    fn twin(&self, command: &Command) -> Command {
        let mut twin = self.twin_without_arguments(command);
        twin.args(command.get_args());
        if let Some(arg0) = &self.arg0 {
            std::os::unix::process::CommandExt::arg0(&mut twin, arg0);
        }
        twin
    }

    fn twin_without_arguments(&self, command: &Command) -> Command {
        let mut twin = Command::new(command.get_program());
        if self.clears_environment {
            twin.env_clear();
        }
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => twin.env(key, value),
                None => twin.env_remove(key),
            };
        }
        if let Some(dir) = command.get_current_dir() {
            twin.current_dir(dir);
        }
        twin
    }

    /// Reads the zeroth argument. It stands between the program in brackets and the other
    /// arguments.
    fn read_arg0(&self, command: &Command, shown: &str) -> Option<OsString> {
        let mut alone = Command::new(command.get_program());
        let program = format!("{alone:?}");
        alone.args(command.get_args());
        let with_arguments = format!("{alone:?}");
        let arguments = with_arguments.strip_prefix(&program)?;
        let settings = format!("{:?}", self.twin_without_arguments(command));
        let settings = settings.strip_suffix(&program)?;
        let quoted = shown
            .strip_prefix(settings)?
            .strip_prefix(&format!("[{program}] "))?
            .strip_suffix(arguments)?;
        unquote(quoted).map(OsString::from_vec)
    }
}

fn shows(command: &Command, text: &str) -> bool {
    format!("{command:?}") == text
}

/// Returns the bytes of a text in quotes, as `Debug` of strings and C strings writes it.
fn unquote(quoted: &str) -> Option<Vec<u8>> {
    let mut rest = quoted.strip_prefix('"')?.strip_suffix('"')?.chars();
    let mut bytes = Vec::new();
    while let Some(char) = rest.next() {
        let char = match (char, char == '\\') {
            (plain, false) => plain,
            (_, true) => match rest.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '0' => '\0',
                'x' => {
                    let digits: String = rest.by_ref().take(2).collect();
                    // A byte, which need not be a character.
                    bytes.push(u8::from_str_radix(&digits, 16).ok()?);
                    continue;
                }
                'u' => {
                    let digits: String = rest.by_ref().skip(1).take_while(|c| *c != '}').collect();
                    char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
                }
                itself => itself,
            },
        };
        bytes.extend(char.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;

    use super::*;

    #[test]
    fn the_zeroth_argument_of_any_command_is_found() {
        let names: [&[u8]; 8] = [
            b"iptables",
            b"",
            b"-sh",
            b"with \"quotes\" and \\ and ' and a\nline",
            "\u{fc}n\u{ef}c\u{f6}de \u{200b}\u{1f600}".as_bytes(),
            b"\xff not utf-8 \x80",
            b"[\"/bin/busybox\"] \"x\"",
            b"\x1b\x7f",
        ];
        for name in names {
            let name = OsString::from_vec(name.to_vec());
            for busy in [false, true] {
                let mut command = Command::new("/bin/busybox");
                command.arg0(&name);
                if busy {
                    command.args(["x", "two words", "[\"a\"] \"b\""]);
                    command.env("A", "[\"/bin/busybox\"] \"c\"");
                    command.env_remove("B").current_dir("/tmp");
                }
                let found = HiddenParts::of(&command);
                assert_eq!(found.arg0.as_ref(), Some(&name), "{command:?}");
                assert!(!found.clears_environment);
            }
        }
    }

    #[test]
    fn a_command_without_hidden_parts_has_none() {
        let mut command = Command::new("ls");
        assert_eq!(HiddenParts::of(&command), HiddenParts::default());
        command.args(["-l", "[\"ls\"] \"ls\""]).env("A", "b");
        assert_eq!(HiddenParts::of(&command), HiddenParts::default());
        command.arg0("ls");
        assert_eq!(HiddenParts::of(&command), HiddenParts::default());
    }

    #[test]
    fn an_environment_that_begins_empty_is_noticed() {
        let mut command = Command::new("env");
        command.env_clear();
        assert!(HiddenParts::of(&command).clears_environment);
        command.env("A", "b").arg("x").arg0("y");
        let found = HiddenParts::of(&command);
        assert!(found.clears_environment);
        assert_eq!(found.arg0, Some("y".into()));
    }
}
