//! One way to turn a message into bytes and back, for all processes of ours.
//!
//! A process that dies in the midst of its work, or a descriptor that a test closed, must never
//! make its peer panic or allocate without bound. So every message names its version and its edge,
//! and whatever does not read exactly as one message of that edge is no message.
//!
//! Numbers are little-endian. Texts and lists are preceded by their length. Reading allocates for
//! texts and lists only: the init of a trial reads and writes the usual messages without the heap.

use std::borrow::Cow;
use std::ffi::{CString, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// Version of all messages together. The first byte of each.
pub(crate) const VERSION: u8 = 2;

/// Two processes that speak with each other; the second byte of each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Edge {
    /// From the supervisor to the first process of the outer sandbox, before it is ready.
    ToOuterSandbox = 1,
    /// From the first process of the outer sandbox, or of a throw-away one, to its maker.
    FromOuterSandbox,
    /// From the supervisor to the nursery.
    ToNursery,
    /// From the supervisor to a zygote.
    ToZygote,
    /// From the supervisor to a trial's init.
    ToInit,
    /// From a trial's init, or its zygote, to the supervisor.
    FromInit,
    /// From a test body to its init.
    FromBody,
    /// From a lab to the trial's init.
    ToNodeFactory,
    /// From a node that is being made to its lab.
    FromNewNode,
    /// From a lab to a node's first process.
    ToNode,
    /// From a node's first process to the lab: the answer to a command.
    FromNode,
    /// From a node's first process to the lab: what becomes of a program.
    FromProgram,
    /// From the keeper of an outer sandbox to whoever asks for it.
    FromKeeper,
    /// From a lab to the server of a disk.
    ToDisk,
    /// From the server of a disk to its lab.
    FromDisk,
    /// From a start of the program to a resident.
    ToResident,
    /// From a resident to a start of the program, and to the resident from its maker.
    FromResident,
    /// From a start of `snowglobe exec` to a resident for programs.
    ToProgramResident,
    /// From a copy of the trial's init to the server of a disk: what a program asks for.
    ToSyncedDisk,
    /// From the server of a disk to a copy of the trial's init.
    FromSyncedDisk,
}

/// A whole message of one edge.
pub(crate) trait EdgeMessage: Codec {
    /// The processes between which this message goes.
    const EDGE: Edge;
    /// Length of the longest message, in bytes. The texts of longer ones are cut.
    const MOST: usize = usize::MAX;

    /// Returns the message as bytes.
    fn encode(&self) -> Vec<u8> {
        // The usual messages fit in 64 bytes, and the buffer is allocated once.
        let mut to = MessageWriter {
            bytes: Vec::with_capacity(64),
            most: Self::MOST,
        };
        to.bytes.extend(header(Self::EDGE));
        self.put(&mut to);
        to.bytes
    }

    /// Reads a message. Returns `None` unless `bytes` are one of this version and this edge.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = MessageReader { bytes };
        if from.take()? != header(Self::EDGE) {
            return None;
        }
        let message = Self::get(&mut from)?;
        // A message with something left over is another one, or another version's.
        from.bytes.is_empty().then_some(message)
    }
}

/// Returns the bytes with which every message of an edge begins.
pub(crate) const fn header(edge: Edge) -> [u8; 2] {
    [VERSION, edge as u8]
}

/// Bytes of a message that is being written.
pub(crate) struct MessageWriter {
    bytes: Vec<u8>,
    /// Length of the message at which texts are cut.
    most: usize,
}

impl MessageWriter {
    /// Appends bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends a text and its length, cut at a character so that the message stays short enough.
    fn text(&mut self, text: &str) {
        // What comes after a text is at most another text's length and its mark of a cut.
        const REST: usize = 64;
        let room = self.most.saturating_sub(self.bytes.len() + REST);
        if text.len() <= room {
            return self.counted(text.as_bytes());
        }
        // The boundary of a character, so that the peer still reads UTF-8.
        let kept = &text[..text.floor_char_boundary(room)];
        self.counted(format!("{kept}…").as_bytes());
    }

    fn counted(&mut self, bytes: &[u8]) {
        (bytes.len() as u32).put(self);
        self.raw(bytes);
    }
}

/// Bytes of a message that are still to be read.
pub(crate) struct MessageReader<'a> {
    bytes: &'a [u8],
}

impl<'a> MessageReader<'a> {
    /// Takes as many bytes as the array has.
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(*taken)
    }

    /// Takes a length and as many bytes.
    fn counted(&mut self) -> Option<&'a [u8]> {
        // The length is the peer's word: it may point beyond the end of the message.
        let length = u32::get(self)? as usize;
        let (taken, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(taken)
    }
}

/// A value that can be part of a message.
pub(crate) trait Codec: Sized {
    /// Appends the value to a message.
    fn put(&self, to: &mut MessageWriter);
    /// Reads the value. Returns `None` where the bytes do not encode a value of this type.
    fn get(from: &mut MessageReader<'_>) -> Option<Self>;
}

macro_rules! codec_numbers {
    ($($number:ty),*) => {$(
        impl Codec for $number {
            fn put(&self, to: &mut MessageWriter) {
                to.raw(&self.to_le_bytes());
            }

            fn get(from: &mut MessageReader<'_>) -> Option<Self> {
                from.take().map(<$number>::from_le_bytes)
            }
        }
    )*};
}

codec_numbers!(u8, u32, i32, u64, i64);

impl Codec for bool {
    fn put(&self, to: &mut MessageWriter) {
        u8::from(*self).put(to);
    }

    fn get(from: &mut MessageReader<'_>) -> Option<Self> {
        // Any other byte is no bool of ours, but a sign of a message that was not understood.
        match u8::get(from)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Codec for String {
    fn put(&self, to: &mut MessageWriter) {
        to.text(self);
    }

    fn get(from: &mut MessageReader<'_>) -> Option<Self> {
        // The conversion is not lossy: a text that is no UTF-8 was never written by a process of
        // ours.
        String::from_utf8(from.counted()?.to_vec()).ok()
    }
}

impl Codec for Cow<'static, str> {
    fn put(&self, to: &mut MessageWriter) {
        to.text(self);
    }

    fn get(from: &mut MessageReader<'_>) -> Option<Self> {
        String::get(from).map(Cow::Owned)
    }
}

impl Codec for CString {
    fn put(&self, to: &mut MessageWriter) {
        to.counted(self.as_bytes());
    }

    fn get(from: &mut MessageReader<'_>) -> Option<Self> {
        CString::new(from.counted()?).ok()
    }
}

impl Codec for PathBuf {
    fn put(&self, to: &mut MessageWriter) {
        // Bytes, for a path need not be UTF-8.
        to.counted(self.as_os_str().as_bytes());
    }

    fn get(from: &mut MessageReader<'_>) -> Option<Self> {
        Some(OsString::from_vec(from.counted()?.to_vec()).into())
    }
}

impl<T: Codec> Codec for Option<T> {
    fn put(&self, to: &mut MessageWriter) {
        self.is_some().put(to);
        if let Some(value) = self {
            value.put(to);
        }
    }

    fn get(from: &mut MessageReader<'_>) -> Option<Self> {
        Some(if bool::get(from)? {
            Some(T::get(from)?)
        } else {
            None
        })
    }
}

impl<T: Codec> Codec for Vec<T> {
    fn put(&self, to: &mut MessageWriter) {
        (self.len() as u32).put(to);
        for value in self {
            value.put(to);
        }
    }

    fn get(from: &mut MessageReader<'_>) -> Option<Self> {
        // No room is reserved: the number may be larger than the message is long.
        let mut values = Vec::new();
        for _ in 0..u32::get(from)? {
            values.push(T::get(from)?);
        }
        Some(values)
    }
}

impl<A: Codec, B: Codec> Codec for (A, B) {
    fn put(&self, to: &mut MessageWriter) {
        self.0.put(to);
        self.1.put(to);
    }

    fn get(from: &mut MessageReader<'_>) -> Option<Self> {
        Some((A::get(from)?, B::get(from)?))
    }
}

/// Implements [`Codec`] for a struct: the names of all its fields, in the order of the bytes.
macro_rules! codec_struct {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl $crate::sandbox::protocol::codec::Codec for $name {
            fn put(&self, to: &mut $crate::sandbox::protocol::codec::MessageWriter) {
                // Without `..`, so that the compiler names this list when a field is added.
                let Self { $($field),* } = self;
                $( $crate::sandbox::protocol::codec::Codec::put($field, to); )*
            }

            fn get(from: &mut $crate::sandbox::protocol::codec::MessageReader<'_>) -> Option<Self> {
                $( let $field = $crate::sandbox::protocol::codec::Codec::get(from)?; )*
                Some(Self { $($field),* })
            }
        }
    };
}

/// Implements [`Codec`] for an enum: a byte for each variant, and the names of its fields.
macro_rules! codec_enum {
    ($name:ident {
        $($tag:literal => $variant:ident $(( $($item:ident),* ))? $({ $($field:ident),* })?),* $(,)?
    }) => {
        impl $crate::sandbox::protocol::codec::Codec for $name {
            fn put(&self, to: &mut $crate::sandbox::protocol::codec::MessageWriter) {
                // Without `_`, so that the compiler names this list when a variant is added.
                match self {
                    $( Self::$variant $(( $($item),* ))? $({ $($field),* })? => {
                        to.raw(&[$tag]);
                        $( $( $crate::sandbox::protocol::codec::Codec::put($item, to); )* )?
                        $( $( $crate::sandbox::protocol::codec::Codec::put($field, to); )* )?
                    } )*
                }
            }

            fn get(from: &mut $crate::sandbox::protocol::codec::MessageReader<'_>) -> Option<Self> {
                Some(match <u8 as $crate::sandbox::protocol::codec::Codec>::get(from)? {
                    $( $tag => {
                        $( $( let $item = $crate::sandbox::protocol::codec::Codec::get(from)?; )* )?
                        $( $( let $field = $crate::sandbox::protocol::codec::Codec::get(from)?; )* )?
                        Self::$variant $(( $($item),* ))? $({ $($field),* })?
                    } )*
                    _ => return None,
                })
            }
        }
    };
}

pub(crate) use {codec_enum, codec_struct};

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use std::fmt::Debug;

    /// Asserts that a message arrives as it was sent, and that nothing else passes for it: no part
    /// of it, no more than it, and no message of another version or another edge.
    pub(crate) fn arrives<M: EdgeMessage + PartialEq + Debug>(message: &M) {
        let bytes = message.encode();
        assert_eq!(M::decode(&bytes).as_ref(), Some(message));
        for length in 0..bytes.len() {
            assert_eq!(
                M::decode(&bytes[..length]),
                None,
                "{message:?} cut at {length}"
            );
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(M::decode(&longer), None, "{message:?} and more");
        for place in 0..2 {
            let mut foreign = bytes.clone();
            foreign[place] += 1;
            assert_eq!(M::decode(&foreign), None, "{message:?} from elsewhere");
        }
        // Nonsense may read as a message by chance, but must not panic or exhaust the memory.
        for place in 2..bytes.len() {
            let mut wrong = bytes.clone();
            wrong[place] = 0xff;
            let _ = M::decode(&wrong);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Texts {
        first: String,
        second: Option<String>,
    }

    codec_struct!(Texts { first, second });

    impl EdgeMessage for Texts {
        const EDGE: Edge = Edge::ToNode;
        const MOST: usize = 256;
    }

    #[test]
    fn texts_that_are_too_long_are_cut_between_characters() {
        let long = || "é".repeat(1000);
        let bytes = Texts {
            first: long(),
            second: Some(long()),
        }
        .encode();
        assert!(bytes.len() <= 256, "{}", bytes.len());
        let texts = Texts::decode(&bytes).unwrap();
        assert!(texts.first.ends_with("é…"));
        assert_eq!(texts.second.as_deref(), Some("…"));
    }

    #[test]
    fn a_number_of_values_that_cannot_be_there_reserves_no_memory() {
        let mut bytes = header(Edge::ToNode).to_vec();
        bytes.extend(u32::MAX.to_le_bytes());
        let mut from = MessageReader { bytes: &bytes[2..] };
        assert_eq!(Vec::<u64>::get(&mut from), None);
    }
}
