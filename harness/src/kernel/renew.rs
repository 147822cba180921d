//! Memory with no past, which makes forks cheaper.
//!
//! For every stretch of memory the kernel keeps the chain of all processes that may still share
//! pages of it, down from the first: each fork, and each exit, goes through that chain for each
//! stretch, under a lock that the whole family shares. Whoever forks a lot had better be the first.

use std::fs;
use std::io;
use std::iter;
use std::os::unix::fs::FileExt;
use std::ptr;

const PAGE: usize = 4096;

/// More stretches than a program without many libraries has; further ones are left as they are.
const MOST: usize = 64;

/// Larger ones are address space that somebody has reserved, as sanitizers do.
const LARGEST: usize = 256 << 20;

/// A stretch of this process' memory that is nobody's but its own, and perhaps its ancestors'.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Stretch {
    start: usize,
    size: usize,
    writable: bool,
}

/// Puts copies in the place of all memory that was written to before a fork.
///
/// The caller must have a single thread. Stacks are left alone, for they grow, and so are
/// executable files.
pub(crate) fn memory() {
    debug_assert!(super::clone::single_threaded());
    let mut found = [Stretch::default(); MOST];
    let Ok(count) = fs::read_to_string("/proc/self/smaps").map(|map| {
        let stretches = stretches(&map);
        let places = found.iter_mut().zip(stretches);
        places.map(|(place, stretch)| *place = stretch).count()
    }) else {
        return;
    };
    let Ok(pages) = fs::File::open("/proc/self/pagemap") else {
        return;
    };
    // Nothing in here may touch the heap, which is among them.
    for stretch in &found[..count] {
        copy(*stretch, &pages);
    }
}

/// From the text of `/proc/self/smaps`; neighbours that can be one are.
fn stretches(map: &str) -> impl Iterator<Item = Stretch> {
    let mut single = singles(map).peekable();
    iter::from_fn(move || {
        let mut stretch = single.next()?;
        while let Some(next) = single.next_if(|next| {
            next.start == stretch.start + stretch.size && next.writable == stretch.writable
        }) {
            stretch.size += next.size;
        }
        Some(stretch)
    })
}

fn singles(map: &str) -> impl Iterator<Item = Stretch> {
    let mut last = None;
    map.lines().filter_map(move |line| {
        let mut words = line.split_whitespace();
        let first = words.next()?;
        match first.strip_suffix(':') {
            Some("Anonymous") if words.next() != Some("0") => last.take(),
            Some(_) => None,
            None => {
                last = stretch(first, words.next()?, words.nth(3));
                None
            }
        }
    })
}

fn stretch(range: &str, access: &str, name: Option<&str>) -> Option<Stretch> {
    let (start, end) = range.split_once('-')?;
    let start = usize::from_str_radix(start, 16).ok()?;
    let size = usize::from_str_radix(end, 16).ok()? - start;
    let writable = match access {
        "rw-p" => true,
        "r--p" => false,
        _ => return None,
    };
    let special = name.is_some_and(|name| name.starts_with('[') && name != "[heap]");
    (!special && size <= LARGEST).then_some(Stretch {
        start,
        size,
        writable,
    })
}

fn copy(stretch: Stretch, pages: &fs::File) {
    let Stretch {
        start,
        size,
        writable,
    } = stretch;
    let access = match writable {
        true => libc::PROT_READ | libc::PROT_WRITE,
        false => libc::PROT_READ,
    };
    // SAFETY: the stretch is mapped and readable, and whole pages; the copy is as large and new.
    // It takes the place of the original in one system call, with the same content and access,
    // and nobody else could write to the original meanwhile but the kernel, which may note down
    // the processor that this thread is on: that is true again the next time it does. Should a
    // step fail, either the original or the copy is there.
    unsafe {
        let all = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let new = libc::mmap(ptr::null_mut(), size, all, flags, -1, 0);
        if new == libc::MAP_FAILED {
            return;
        }
        let place = ptr::with_exposed_provenance_mut::<libc::c_void>(start);
        let onto = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        let done = copy_pages(pages, place.cast(), new.cast(), size).is_ok()
            && libc::mprotect(new, size, access) == 0
            && libc::mremap(new, size, size, onto, place) != libc::MAP_FAILED;
        if !done {
            libc::munmap(new, size);
        }
    }
}

/// Copies the pages that there are.
///
/// # Safety
/// Both are mapped, whole pages, and as large as `size` says; `to` may be written to.
unsafe fn copy_pages(
    pages: &fs::File,
    from: *const u8,
    to: *mut u8,
    size: usize,
) -> io::Result<()> {
    /// `/proc/self/pagemap` has a word a page; one of these bits is set if there is one.
    const PRESENT_OR_SWAPPED: u8 = 0b1100_0000;
    let mut words = [[0; 8]; 512];
    let first = from.addr() / PAGE;
    let count = size / PAGE;
    for chunk in (0..count).step_by(words.len()) {
        let words = &mut words[..(count - chunk).min(512)];
        pages.read_exact_at(words.as_flattened_mut(), 8 * (first + chunk) as u64)?;
        for (word, page) in words.iter().zip(chunk..) {
            if word[7] & PRESENT_OR_SWAPPED != 0 {
                // SAFETY: within what the caller vouches for.
                unsafe {
                    ptr::copy_nonoverlapping(from.add(page * PAGE), to.add(page * PAGE), PAGE);
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_was_written_to_is_found() {
        let map = "\
55d0c0000000-55d0c0002000 r-xp 00000000 fe:00 1 /bin/x
Anonymous:             4 kB
55d0c0002000-55d0c0003000 r--p 00000000 fe:00 1 /bin/x
Rss:                   4 kB
Anonymous:             4 kB
VmFlags: rd mr mw me
55d0c0003000-55d0c0004000 rw-p 00000000 fe:00 1 /bin/x y
Anonymous:             0 kB
55d0c1000000-55d0c1021000 rw-p 00000000 00:00 0 [heap]
Anonymous:            12 kB
7f0000000000-7f0000001000 rw-p 00000000 00:00 0
Anonymous:             4 kB
7f0000001000-7f0000003000 rw-p 00000000 00:00 0
Anonymous:             8 kB
7f0000003000-7f0000004000 rw-s 00000000 00:01 9 /dev/zero
Anonymous:             4 kB
7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0 [stack]
Anonymous:             8 kB
";
        let stretch = |start, size, writable| Stretch {
            start,
            size,
            writable,
        };
        let found: Vec<Stretch> = stretches(map).collect();
        assert_eq!(
            found,
            [
                stretch(0x55d0_c000_2000, 0x1000, false),
                stretch(0x55d0_c100_0000, 0x21000, true),
                stretch(0x7f00_0000_0000, 0x3000, true),
            ]
        );
    }
}
