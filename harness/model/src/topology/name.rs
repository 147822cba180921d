//! Names of nodes, interfaces and aliases, and what is wrong with them.
//!
//! The limits of the kernel (64 bytes of a hostname, 15 of an interface) and the habits of
//! resolvers (`10` is the address 0.0.0.10) are checked here, so that no errno reports them later.

use std::fmt;

use snowglobe_text::counted;

/// The longest label of a domain name.
const LABEL: usize = 63;
/// The longest name of an interface, in bytes (`IFNAMSIZ - 1`).
pub(crate) const INTERFACE: usize = 15;
pub(crate) const ALTNAME: usize = 127;

/// The longest hostname, dots included (RFC 1035, section 2.3.4).
const HOSTNAME: usize = 253;

/// Returns a name for an error message: in backquotes, printable, and no longer than a line.
pub(crate) fn show(name: &str) -> String {
    format!("`{}`", clipped(name))
}

/// Returns a name as [`show`] does, without the backquotes.
pub(crate) fn clipped(name: &str) -> String {
    let mut text: String = name.chars().take(40).flat_map(char::escape_debug).collect();
    if name.chars().nth(40).is_some() {
        text.push('…');
    }
    text
}

/// The reason why a part cannot have a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NameMistake {
    /// The name, or a label of it, is empty.
    NoLabel,
    /// A label has a character that none can have.
    CharacterInLabel(char),
    /// A label has this number of bytes, which is too large.
    LongLabel(usize),
    /// A hostname has this number of bytes, which is too large.
    LongHostname(usize),
    /// A label starts or ends with a hyphen.
    HyphenAtEnd,
    Localhost,
    /// Resolvers would read the name as an address.
    Numeric,
    /// The name of an interface has this number of bytes, which is 0 or too large.
    InterfaceLength(usize),
    /// The name of an interface or a volume has a character that none can have.
    OddCharacter(char),
    ReservedByKernel,
    Loopback,
    EmptyVolume,
    /// The name of a volume is `.` or `..`.
    DotsAsVolume,
    /// The name of a volume has this number of bytes, which is too large.
    LongVolume(usize),
}

/// Tells the mistake as the rest of a sentence that begins with the name.
impl fmt::Display for NameMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLabel => {
                write!(
                    f,
                    "is empty; a name has 1 to {LABEL} letters, digits and hyphens"
                )
            }
            Self::CharacterInLabel(odd) => write!(
                f,
                "has `{}` in it; a name is made of letters a–z, digits and hyphens",
                odd.escape_debug()
            ),
            Self::LongLabel(bytes) => {
                write!(f, "has {bytes} bytes; a name has at most {LABEL}")
            }
            Self::LongHostname(bytes) => {
                write!(f, "has {bytes} bytes; a hostname has at most {HOSTNAME}")
            }
            Self::HyphenAtEnd => f.write_str("starts or ends with a hyphen; resolvers refuse that"),
            Self::Localhost => f.write_str("is reserved: every node is its own `localhost`"),
            Self::Numeric => f.write_str("would be read as an address; start it with a letter"),
            Self::InterfaceLength(bytes) => write!(
                f,
                "has {}; an interface name has 1 to {ALTNAME}",
                counted(*bytes as u64, "byte")
            ),
            Self::OddCharacter(odd) => write!(
                f,
                "has `{}` in it; use letters, digits, `-`, `_` and `.`",
                odd.escape_debug()
            ),
            Self::ReservedByKernel => f.write_str("is reserved by the kernel; choose another"),
            Self::Loopback => f.write_str("is reserved for the loopback interface; choose another"),
            Self::EmptyVolume => f.write_str("is empty; give the volume a name"),
            Self::DotsAsVolume => f.write_str("stands for another directory; choose another"),
            Self::LongVolume(bytes) => {
                write!(f, "has {bytes} bytes; a volume's name has at most {LABEL}")
            }
        }
    }
}

/// Returns the mistake of the name of a node, a pod or a switch, if there is one.
pub(crate) fn wrong_label(name: &str) -> Option<NameMistake> {
    wrong_single_label(name).or_else(|| match name.to_ascii_lowercase().as_str() {
        "localhost" => Some(NameMistake::Localhost),
        _ if is_numeric(name) => Some(NameMistake::Numeric),
        _ => None,
    })
}

/// Returns the mistake of an alias, which is a hostname and may have dots.
pub(crate) fn wrong_hostname(name: &str) -> Option<NameMistake> {
    if name.len() > HOSTNAME {
        return Some(NameMistake::LongHostname(name.len()));
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    name.split('.')
        .find_map(wrong_single_label)
        .or_else(|| wrong_label(last))
}

/// Returns the mistake of one label of a name, if there is one.
fn wrong_single_label(label: &str) -> Option<NameMistake> {
    let is_odd = |c: &char| !c.is_ascii_alphanumeric() && *c != '-';
    if label.is_empty() {
        return Some(NameMistake::NoLabel);
    }
    if let Some(odd) = label.chars().find(is_odd) {
        return Some(NameMistake::CharacterInLabel(odd));
    }
    if label.len() > LABEL {
        return Some(NameMistake::LongLabel(label.len()));
    }
    (label.starts_with('-') || label.ends_with('-')).then_some(NameMistake::HyphenAtEnd)
}

/// Returns whether resolvers take the name for an address, as `inet_aton(3)` does: `10`, `0x7f`.
fn is_numeric(label: &str) -> bool {
    let hex = label
        .strip_prefix("0x")
        .or_else(|| label.strip_prefix("0X"));
    match hex {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// Returns the mistake of the name of an interface, if there is one.
pub(crate) fn wrong_interface(name: &str) -> Option<NameMistake> {
    if name.is_empty() || name.len() > ALTNAME {
        return Some(NameMistake::InterfaceLength(name.len()));
    }
    let odd = |c: &char| !c.is_ascii_graphic() || "/:%`\"'\\".contains(*c);
    if let Some(odd) = name.chars().find(odd) {
        return Some(NameMistake::OddCharacter(odd));
    }
    match name {
        "." | ".." | "all" | "default" => Some(NameMistake::ReservedByKernel),
        "lo" => Some(NameMistake::Loopback),
        _ => None,
    }
}

/// Returns the mistake of the name of a volume, which becomes the name of a directory.
pub(crate) fn wrong_volume(name: &str) -> Option<NameMistake> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if let Some(odd) = name.chars().find(|c| !plain(*c)) {
        return Some(NameMistake::OddCharacter(odd));
    }
    match name {
        "" => Some(NameMistake::EmptyVolume),
        "." | ".." => Some(NameMistake::DotsAsVolume),
        _ if name.len() > LABEL => Some(NameMistake::LongVolume(name.len())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_are_welcome() {
        for name in [
            "a",
            "bob",
            "N1",
            "web-1",
            "1st",
            &"x".repeat(63),
            "xn--bb-lka",
        ] {
            assert_eq!(wrong_label(name), None, "{name}");
        }
        for name in ["www.example.org", "a", "1.a"] {
            assert_eq!(wrong_hostname(name), None, "{name}");
        }
    }

    #[test]
    fn names_that_no_resolver_or_kernel_takes_are_refused() {
        let long = "x".repeat(300);
        for name in [
            "",
            &long,
            "bøb",
            "a b",
            "a.b",
            "-a",
            "a-",
            "10",
            "0x7f",
            "localhost",
            "LocalHost",
            "a\0",
            "a_b",
        ] {
            assert!(wrong_label(name).is_some(), "{name}");
        }
        for name in [
            "a..b",
            ".a",
            "1.2.3.4",
            "a.10",
            &format!("{long}.org"),
            &["abc"; 64].join("."),
        ] {
            assert!(wrong_hostname(name).is_some(), "{name}");
        }
        for name in ["", &long, "a/b", "a:b", "lo", "..", "all", "a b", "é"] {
            assert!(wrong_interface(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_name_in_a_message_fits_a_line() {
        assert_eq!(show("bob"), "`bob`");
        assert_eq!(show("a\nb"), "`a\\nb`");
        assert_eq!(show(&"x".repeat(300)), format!("`{}…`", "x".repeat(40)));
    }
}
