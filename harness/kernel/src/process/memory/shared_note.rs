//! A message that a process leaves for the one from which it was forked, without a descriptor.
//!
//! Code of a test may close any descriptor, as `close_range(3, ~0, 0)` does. Memory that is shared
//! (`mmap(2)`, `MAP_SHARED`) stays shared after a fork, and no ordinary call takes it away.
#![allow(unsafe_code)]

use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;

use crate::message_channel::MESSAGE_MAX;

/// Room for one message in memory that copies of this process share with it.
#[derive(Debug)]
pub struct SharedNote(NonNull<u8>);

/// Offset of the message in bytes. The length of the message comes first.
const MESSAGE: usize = 8;
const SIZE: usize = MESSAGE + MESSAGE_MAX;

// SAFETY: the length is read and written as an atomic, and the bytes of the message are written
// before the length, by one process, and read after it.
unsafe impl Send for SharedNote {}
// SAFETY: as above.
unsafe impl Sync for SharedNote {}

impl SharedNote {
    /// Makes an empty note. Its pages cost nothing until a message is left.
    ///
    /// # Errors
    /// There is no memory left.
    pub fn new() -> crate::Result<Self> {
        // SAFETY: a new mapping takes nobody's memory.
        let memory = unsafe {
            libc::mmap(
                ptr::null_mut(),
                SIZE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        NonNull::new(memory.cast()).map(Self).ok_or(Errno::ENOMEM)
    }

    /// Leaves a message, in the place of an earlier one. What is longer than [`MESSAGE_MAX`] is cut
    /// off.
    pub fn leave(&self, message: &[u8]) {
        let length = message.len().min(MESSAGE_MAX);
        // SAFETY: the mapping has room for so many bytes behind the length.
        unsafe {
            ptr::copy_nonoverlapping(message.as_ptr(), self.0.as_ptr().add(MESSAGE), length);
        }
        self.length().store(length as u32, Ordering::Release);
    }

    /// Returns whether no message was left.
    pub fn is_empty(&self) -> bool {
        self.length().load(Ordering::Acquire) == 0
    }

    /// Takes the message that was left, if there is one.
    pub fn take(&self) -> Option<Vec<u8>> {
        let length = self.length().swap(0, Ordering::Acquire) as usize;
        if length == 0 || length > MESSAGE_MAX {
            return None;
        }
        let mut message = vec![0; length];
        // SAFETY: the mapping has at least so many bytes behind the length.
        unsafe {
            ptr::copy_nonoverlapping(self.0.as_ptr().add(MESSAGE), message.as_mut_ptr(), length);
        }
        Some(message)
    }

    fn length(&self) -> &AtomicU32 {
        // SAFETY: the mapping begins on a page, and lives as long as this value.
        unsafe { AtomicU32::from_ptr(self.0.as_ptr().cast()) }
    }
}

impl Drop for SharedNote {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and nobody has a reference into it.
        unsafe { libc::munmap(self.0.as_ptr().cast(), SIZE) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_taken_once() {
        let note = SharedNote::new().unwrap();
        assert_eq!(note.take(), None);
        note.leave(b"first");
        note.leave(&vec![b'x'; MESSAGE_MAX + 1]);
        assert_eq!(note.take().map(|message| message.len()), Some(MESSAGE_MAX));
        assert_eq!(note.take(), None);
    }
}
