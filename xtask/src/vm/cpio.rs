//! The kernel unpacks an archive into its first root: in cpio's `newc` format.

/// An archive that is being written.
#[derive(Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    inode: u32,
}

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const SYMLINK: u32 = 0o120_777;
const CHARACTER_DEVICE: u32 = 0o020_600;

impl Archive {
    pub(super) fn directory(&mut self, path: &str) {
        self.entry(path, DIRECTORY, (0, 0), &[]);
    }

    pub(super) fn file(&mut self, path: &str, content: &[u8]) {
        self.entry(path, PROGRAM, (0, 0), content);
    }

    pub(super) fn symlink(&mut self, path: &str, to: &str) {
        self.entry(path, SYMLINK, (0, 0), to.as_bytes());
    }

    pub(super) fn device(&mut self, path: &str, major: u32, minor: u32) {
        self.entry(path, CHARACTER_DEVICE, (major, minor), &[]);
    }

    /// Returns the bytes, with the entry that marks the end.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, (0, 0), &[]);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, device: (u32, u32), content: &[u8]) {
        self.inode += 1;
        let name = path.trim_start_matches('/');
        // These are the inode, mode, uid, gid, links, mtime, size, device, own device, length of
        // the name, and checksum.
        let numbers = [
            self.inode,
            mode,
            0,
            0,
            1,
            0,
            content.len() as u32,
            0,
            0,
            device.0,
            device.1,
            name.len() as u32 + 1,
            0,
        ];
        self.bytes.extend(b"070701");
        for number in numbers {
            self.bytes.extend(format!("{number:08x}").bytes());
        }
        self.bytes.extend(name.bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::Archive;

    #[test]
    fn an_entry_is_as_newc_wants_it() {
        let mut archive = Archive::default();
        archive.file("/init", b"hello");
        let bytes = archive.finish();
        let header = "070701\
             00000001000081ed000000000000000000000001000000000000000500000000000000000000000000000000\
             0000000500000000";
        assert_eq!(&bytes[..110], header.as_bytes());
        assert_eq!(
            &bytes[110..124],
            b"init\0\0hello\0\0\0",
            "name and content end at multiples of four"
        );
        assert!(bytes[124..].starts_with(b"070701"));
        assert!(
            bytes.ends_with(b"TRAILER!!!\0\0\0\0"),
            "{:?}",
            &bytes[bytes.len() - 16..]
        );
    }
}
