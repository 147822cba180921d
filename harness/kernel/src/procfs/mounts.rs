//! Mounts as plain values, from `mountinfo` (`proc_pid_mountinfo(5)`).

use std::io;

use snowglobe_derive::Serialize;

use super::Procfs;

/// A mount, as its process sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MountEntry {
    /// Number of the mount, unique while the mount exists.
    pub id: u64,
    /// Number of the mount below.
    pub parent: u64,
    /// Directory of the filesystem that is mounted: `/` unless the mount is a bind.
    pub root: String,
    /// Path of the mount point.
    pub target: String,
    /// Kind of the filesystem: `tmpfs`, `overlay`, `proc`, …
    pub kind: String,
    /// Device, or the name that the mounter gave.
    pub source: String,
    /// Options of the mount: `ro`, `nosuid`, …
    pub options: Vec<String>,
    /// Options of the filesystem: `size=…`, `lowerdir=…`
    pub super_options: Vec<String>,
    /// Relations to other mounts: `shared:2`, `master:1`, …; none for a private mount.
    pub propagation: Vec<String>,
}

impl Procfs {
    /// Lists the mounts that a process sees, in the order in which they were made.
    ///
    /// # Errors
    /// There is no such process, or a line cannot be read.
    pub fn mounts(&self, pid: i32) -> io::Result<Vec<MountEntry>> {
        let explain = |error: io::Error| {
            io::Error::new(
                error.kind(),
                format!("failed to read the mounts of process {pid}: {error}"),
            )
        };
        // mountinfo and not mounts: only mountinfo tells parents, roots and propagation.
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

/// Reads a line such as
/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`.
pub(super) fn parse(line: &str) -> Option<MountEntry> {
    let mut words = line.split(' ');
    let id = words.next()?.parse().ok()?;
    let parent = words.next()?.parse().ok()?;
    let (_device, root, target, options) =
        (words.next()?, words.next()?, words.next()?, words.next()?);
    // Any number of optional fields, up to a single hyphen (proc_pid_mountinfo(5)).
    let propagation = words
        .by_ref()
        .take_while(|word| *word != "-")
        .map(str::to_owned)
        .collect();
    // After the hyphen stand the filesystem type, source, and options of the superblock.
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

/// Replaces the escapes of space, tab, newline and backslash: `\040`, `\011`, `\012` and `\134`.
fn unescape(word: &str) -> String {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        // A backslash without three octal digits stands for itself.
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
