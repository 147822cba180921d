//! Mounts, as plain values.

use std::io;

use serde::Serialize;

use super::Procfs;

/// A mount, as its process sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MountEntry {
    /// Its number.
    pub id: u64,
    /// The mount that it lies on.
    pub parent: u64,
    /// Where in its filesystem it begins: `/` unless it is a bind.
    pub root: String,
    /// Where it is seen.
    pub target: String,
    /// `tmpfs`, `overlay`, `proc`, …
    pub kind: String,
    /// The device, or what the mounter called it.
    pub source: String,
    /// `ro`, `nosuid`, …: of the mount.
    pub options: Vec<String>,
    /// `size=…`, `lowerdir=…`: of the filesystem.
    pub super_options: Vec<String>,
    /// `shared:2`, `master:1`, …; none for a private mount.
    pub propagation: Vec<String>,
}

impl Procfs {
    /// The mounts that this process sees, in the order in which they were made.
    pub fn mounts(&self, pid: i32) -> io::Result<Vec<MountEntry>> {
        let explain = |error: io::Error| {
            io::Error::new(
                error.kind(),
                format!("failed to read the mounts of process {pid}: {error}"),
            )
        };
        let text = self.read(&format!("{pid}/mountinfo")).map_err(explain)?;
        let invalid = |line: &str| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("failed to parse procfs file `{pid}/mountinfo`: {line}"),
            )
        };
        String::from_utf8_lossy(&text)
            .lines()
            .map(|line| parse(line).ok_or_else(|| invalid(line)))
            .collect()
    }
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
pub(super) fn parse(line: &str) -> Option<MountEntry> {
    let mut words = line.split(' ');
    let id = words.next()?.parse().ok()?;
    let parent = words.next()?.parse().ok()?;
    let (_device, root, target, options) =
        (words.next()?, words.next()?, words.next()?, words.next()?);
    let propagation = words
        .by_ref()
        .take_while(|word| *word != "-")
        .map(str::to_owned)
        .collect();
    let (kind, source, super_options) = (words.next()?, words.next()?, words.next()?);
    let list = |text: &str| text.split(',').map(unescape).collect();
    Some(MountEntry {
        id,
        parent,
        root: unescape(root),
        target: unescape(target),
        kind: unescape(kind),
        source: unescape(source),
        options: list(options),
        super_options: list(super_options),
        propagation,
    })
}

/// Space, tab, newline and backslash are written as `\040`, `\011`, `\012` and `\134`.
fn unescape(word: &str) -> String {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let octal = (*first == b'\\')
            .then(|| tail.get(..3))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
