//! A request of the kernel, read.

/// A request: who asks for what on which inode.
#[derive(Debug)]
pub struct Request<'b> {
    /// Number by which the kernel knows the answer.
    pub unique: u64,
    /// Number by which the kernel knows the inode that the request is about.
    pub inode: u64,
    /// User id of the caller, in the user namespace of the mount.
    pub uid: u32,
    /// Group id of the caller.
    pub gid: u32,
    /// Thread id of the caller, in the PID namespace of the mount; 0 for the kernel itself.
    pub thread: u32,
    /// Operation that the caller asks for.
    pub operation: FuseOperation<'b>,
}

/// Attributes that are to be set.
#[derive(Clone, Copy, Debug, Default)]
pub struct SetAttributes {
    /// Permissions.
    pub mode: Option<u32>,
    /// User id.
    pub uid: Option<u32>,
    /// Group id.
    pub gid: Option<u32>,
    /// Size.
    pub size: Option<u64>,
    /// Last access: seconds and nanoseconds; no time means now.
    pub accessed: Option<Option<(u64, u32)>>,
    /// Last modification.
    pub modified: Option<Option<(u64, u32)>>,
    /// Last change.
    pub changed: Option<(u64, u32)>,
}

/// Operation that the kernel asks for; the names are those of `linux/fuse.h`.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum FuseOperation<'b> {
    Init {
        flags: u32,
    },
    Lookup {
        name: &'b [u8],
    },
    /// Nothing is answered.
    Forget,
    GetAttributes {
        open: bool,
    },
    SetAttributes(SetAttributes),
    ReadLink,
    SymbolicLink {
        name: &'b [u8],
        target: &'b [u8],
    },
    MakeNode {
        name: &'b [u8],
        mode: u32,
        device: u32,
    },
    MakeDirectory {
        name: &'b [u8],
        mode: u32,
    },
    Unlink {
        name: &'b [u8],
    },
    RemoveDirectory {
        name: &'b [u8],
    },
    Rename {
        name: &'b [u8],
        to: u64,
        new: &'b [u8],
        flags: u32,
    },
    Link {
        from: u64,
        name: &'b [u8],
    },
    Open {
        flags: u32,
    },
    Create {
        name: &'b [u8],
        mode: u32,
    },
    Read {
        offset: u64,
        length: u32,
    },
    Write {
        offset: u64,
        bytes: &'b [u8],
        cached: bool,
        flags: u32,
    },
    Release,
    /// `directory` for a directory.
    Sync {
        directory: bool,
    },
    StatFilesystem,
    OpenDirectory,
    ReadDirectory {
        handle: u64,
        offset: u64,
        length: u32,
    },
    ReleaseDirectory {
        handle: u64,
    },
    Allocate {
        offset: u64,
        length: u64,
        mode: u32,
    },
    Seek {
        offset: u64,
        whence: u32,
    },
    /// The filesystem is mounted nowhere any more.
    Destroy,
    /// Something that this protocol has and no server of ours does.
    Other,
}

impl<'b> Request<'b> {
    /// Reads a request. Returns nothing if the bytes are none.
    pub fn parse(bytes: &'b [u8]) -> Option<Self> {
        let mut from = Reader(bytes);
        let _length = from.u32()?;
        let opcode = from.u32()?;
        let (unique, inode) = (from.u64()?, from.u64()?);
        let (uid, gid, thread) = (from.u32()?, from.u32()?, from.u32()?);
        from.u32()?;
        Some(Self {
            unique,
            inode,
            uid,
            gid,
            thread,
            operation: operation(opcode, &mut from)?,
        })
    }
}

fn operation<'b>(opcode: u32, from: &mut Reader<'b>) -> Option<FuseOperation<'b>> {
    Some(match opcode {
        1 => FuseOperation::Lookup { name: from.name()? },
        2 | 42 => FuseOperation::Forget,
        // FUSE_GETATTR_FH: through an open file.
        3 => FuseOperation::GetAttributes {
            open: from.u32()? & 1 == 1,
        },
        4 => FuseOperation::SetAttributes(set_attributes(from)?),
        5 => FuseOperation::ReadLink,
        6 => FuseOperation::SymbolicLink {
            name: from.name()?,
            target: from.name()?,
        },
        8 => {
            let (mode, device) = (from.u32()?, from.u32()?);
            from.u64()?;
            let name = from.name()?;
            FuseOperation::MakeNode { name, mode, device }
        }
        9 => {
            let mode = from.u32()?;
            from.u32()?;
            let name = from.name()?;
            FuseOperation::MakeDirectory { name, mode }
        }
        10 => FuseOperation::Unlink { name: from.name()? },
        11 => FuseOperation::RemoveDirectory { name: from.name()? },
        12 | 45 => {
            let to = from.u64()?;
            let flags = if opcode == 45 { from.u64()? as u32 } else { 0 };
            let (name, new) = (from.name()?, from.name()?);
            FuseOperation::Rename {
                name,
                to,
                new,
                flags,
            }
        }
        13 => FuseOperation::Link {
            from: from.u64()?,
            name: from.name()?,
        },
        14 => FuseOperation::Open { flags: from.u32()? },
        18 => FuseOperation::Release,
        17 => FuseOperation::StatFilesystem,
        20 | 30 => FuseOperation::Sync {
            directory: opcode == 30,
        },
        27 => FuseOperation::OpenDirectory,
        29 => FuseOperation::ReleaseDirectory {
            handle: from.u64()?,
        },
        38 => FuseOperation::Destroy,
        other => data_operation(other, from)?,
    })
}

/// Reads the requests that have an offset, and the first one of a connection.
fn data_operation<'b>(opcode: u32, from: &mut Reader<'b>) -> Option<FuseOperation<'b>> {
    Some(match opcode {
        15 | 28 => {
            let handle = from.u64()?;
            let (offset, length) = (from.u64()?, from.u32()?);
            match opcode {
                15 => FuseOperation::Read { offset, length },
                _ => FuseOperation::ReadDirectory {
                    handle,
                    offset,
                    length,
                },
            }
        }
        16 => {
            from.u64()?;
            let (offset, length, write_flags) = (from.u64()?, from.u32()?, from.u32()?);
            from.u64()?;
            let flags = from.u32()?;
            from.u32()?;
            FuseOperation::Write {
                offset,
                bytes: from.0.get(..length as usize)?,
                // FUSE_WRITE_CACHE: the kernel writes what programs have written before.
                cached: write_flags & 1 == 1,
                flags,
            }
        }
        26 => {
            // The version, and how far the kernel reads ahead.
            let [_major, _minor, _ahead] = [from.u32()?, from.u32()?, from.u32()?];
            FuseOperation::Init { flags: from.u32()? }
        }
        35 => {
            let _flags = from.u32()?;
            let mode = from.u32()?;
            from.u64()?;
            let name = from.name()?;
            FuseOperation::Create { name, mode }
        }
        43 => {
            from.u64()?;
            let (offset, length) = (from.u64()?, from.u64()?);
            FuseOperation::Allocate {
                offset,
                length,
                mode: from.u32()?,
            }
        }
        46 => {
            from.u64()?;
            FuseOperation::Seek {
                offset: from.u64()?,
                whence: from.u32()?,
            }
        }
        _ => FuseOperation::Other,
    })
}

fn set_attributes(from: &mut Reader<'_>) -> Option<SetAttributes> {
    let valid = from.u32()?;
    from.u32()?;
    from.u64()?;
    let size = from.u64()?;
    from.u64()?;
    let seconds = [from.u64()?, from.u64()?, from.u64()?];
    let nanos = [from.u32()?, from.u32()?, from.u32()?];
    let mode = from.u32()?;
    from.u32()?;
    let (uid, gid) = (from.u32()?, from.u32()?);
    let has = |bit: u32| valid & (1 << bit) != 0;
    let time = |which: usize| (seconds[which], nanos[which]);
    // FATTR_* of linux/fuse.h, by the number of the bit.
    Some(SetAttributes {
        mode: has(0).then_some(mode),
        uid: has(1).then_some(uid),
        gid: has(2).then_some(gid),
        size: has(3).then_some(size),
        accessed: has(4).then(|| (!has(7)).then(|| time(0))),
        modified: has(5).then(|| (!has(8)).then(|| time(1))),
        changed: has(10).then(|| time(2)),
    })
}

/// Bytes that are not read yet.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn u32(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_ne_bytes(*bytes))
    }

    fn u64(&mut self) -> Option<u64> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_ne_bytes(*bytes))
    }

    /// Reads a name, which ends with a zero byte.
    fn name(&mut self) -> Option<&'b [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let name = &self.0[..end];
        self.0 = &self.0[end + 1..];
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(opcode: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [0, opcode, 7, 0, 1, 0, 1000, 100, 4711, 0] {
            bytes.extend(u32::to_ne_bytes(word));
        }
        bytes
    }

    #[test]
    fn a_lookup_has_its_caller_and_its_name() {
        let mut bytes = header(1);
        bytes.extend(b"name\0");
        let request = Request::parse(&bytes).unwrap();
        assert_eq!(
            (request.unique, request.inode, request.thread),
            (7, 1, 4711)
        );
        assert!(matches!(
            request.operation,
            FuseOperation::Lookup { name: b"name" }
        ));
    }

    #[test]
    fn what_is_cut_short_is_no_request() {
        let mut bytes = header(6);
        bytes.extend(b"name\0target\0");
        assert!(Request::parse(&bytes).is_some());
        for length in 0..bytes.len() {
            assert!(Request::parse(&bytes[..length]).is_none(), "{length}");
        }
    }
}
