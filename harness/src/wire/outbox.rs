//! How frames go out: several with one system call, and datagrams that follow each other as one super-frame.

use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::sys::utsname::uname;

use super::port::Port;
use crate::impair::segment::{bundle, how_many_together};
use crate::kernel::frames::BATCH;

/// Whether datagrams go one by one, since this kernel does not take bundles of them, or has refused one.
static SINGLY: LazyLock<AtomicBool> = LazyLock::new(|| {
    let release = uname().map(|name| name.release().to_string_lossy().into_owned());
    AtomicBool::new(!release.is_ok_and(|release| cuts_bundles(&release)))
});

/// Linux takes them since 6.2, and cuts them right wherever they go since 6.5.
fn cuts_bundles(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut number = || numbers.next().and_then(|text| text.parse::<u32>().ok());
    (number(), number()) >= (Some(6), Some(5))
}

/// Where frames go.
trait Exit {
    /// Sends some, and says how many; an error is about the first.
    fn send(&self, frames: &[&[u8]]) -> nix::Result<usize>;
    /// Waits a moment until more can be sent.
    fn wait_for_room(&self);
}

impl Exit for Port {
    fn send(&self, frames: &[&[u8]]) -> nix::Result<usize> {
        Port::send(self, frames)
    }

    fn wait_for_room(&self) {
        Port::wait_for_room(self);
    }
}

/// Room for bundles, used again and again.
#[derive(Default)]
pub(super) struct Outbox {
    memory: Vec<u8>,
}

/// Frames that go out as one.
#[derive(Clone)]
struct Bundle {
    frames: Range<usize>,
    /// Where in the memory they are, if there are several.
    memory: Range<usize>,
}

impl Outbox {
    /// Sends frames, at most [`BATCH`], and tells of each whether it went out. Nothing stops a wire: an interface that is down takes
    /// nothing, and may be up again later.
    pub(super) fn send(&mut self, to: &Port, frames: &[&[u8]], told: impl FnMut(usize, bool)) {
        self.send_to(to, &SINGLY, frames, told);
    }

    fn send_to(
        &mut self,
        to: &impl Exit,
        singly: &AtomicBool,
        frames: &[&[u8]],
        mut told: impl FnMut(usize, bool),
    ) {
        if frames.len() < 2 || singly.load(Ordering::Relaxed) {
            return send_all(to, frames, |at, outcome| told(at, outcome.is_ok()));
        }
        let mut bundles = [const {
            Bundle {
                frames: 0..0,
                memory: 0..0,
            }
        }; BATCH];
        let count = self.pack(frames, &mut bundles);
        let mut wholes = [&[][..]; BATCH];
        for (whole, bundle) in wholes.iter_mut().zip(&bundles[..count]) {
            *whole = match bundle.frames.len() {
                1 => frames[bundle.frames.start],
                _ => &self.memory[bundle.memory.clone()],
            };
        }
        send_all(to, &wholes[..count], |at, outcome| {
            let these = &bundles[at].frames;
            if outcome.is_ok() || these.len() == 1 {
                return these.clone().for_each(|at| told(at, outcome.is_ok()));
            }
            // It may be the bundle that is refused, and not what is in it.
            let mut went_out = false;
            send_all(to, &frames[these.clone()], |at, outcome| {
                went_out |= outcome.is_ok();
                told(these.start + at, outcome.is_ok());
            });
            singly.fetch_or(went_out, Ordering::Relaxed);
        });
    }

    /// Finds out which frames may go as one, and makes one of them; says of how many bundles.
    fn pack(&mut self, frames: &[&[u8]], bundles: &mut [Bundle; BATCH]) -> usize {
        self.memory.clear();
        let (mut at, mut count) = (0, 0);
        while at < frames.len() {
            let together = at..at + how_many_together(&frames[at..]);
            let begin = self.memory.len();
            if together.len() > 1 {
                bundle(&frames[together.clone()], &mut self.memory);
            }
            at = together.end;
            bundles[count] = Bundle {
                frames: together,
                memory: begin..self.memory.len(),
            };
            count += 1;
        }
        count
    }
}

/// Sends frames as they are, and tells of each what came of it.
fn send_all(to: &impl Exit, frames: &[&[u8]], mut told: impl FnMut(usize, nix::Result<()>)) {
    let (mut at, mut has_waited) = (0, false);
    while at < frames.len() {
        match to.send(&frames[at..]) {
            Ok(sent @ 1..) => {
                (at..at + sent).for_each(|at| told(at, Ok(())));
                at += sent;
                has_waited = false;
            }
            Err(Errno::EAGAIN | Errno::ENOBUFS) if !has_waited => {
                to.wait_for_room();
                has_waited = true;
            }
            refused => {
                told(at, Err(refused.err().unwrap_or(Errno::EIO)));
                at += 1;
                has_waited = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::impair::segment::Segments;
    use crate::impair::segment::testing::datagrams;

    /// Takes all but bundles, which it refuses with an error, if with any; and nothing at all while it is `down`.
    #[derive(Default)]
    struct Kernel {
        refuses: Option<Errno>,
        down: bool,
        taken: RefCell<Vec<Vec<u8>>>,
    }

    impl Exit for Kernel {
        fn send(&self, frames: &[&[u8]]) -> nix::Result<usize> {
            let count = Segments::of(frames[0]).expect("a whole header").count();
            if self.down {
                return Err(Errno::ENETDOWN);
            }
            if let (Some(errno), 2..) = (self.refuses, count) {
                return Err(errno);
            }
            self.taken.borrow_mut().push(frames[0].to_vec());
            Ok(1)
        }

        fn wait_for_room(&self) {}
    }

    /// Sends six datagrams, of which three and three may go as one; says how many frames each call to the kernel passed, and what was told.
    fn sent(kernel: &Kernel, singly: &AtomicBool) -> Vec<(usize, bool)> {
        let frames = [datagrams(), datagrams()].concat();
        let slices: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        let mut told = Vec::new();
        Outbox::default().send_to(kernel, singly, &slices, |at, is_out| {
            told.push((at, is_out))
        });
        told
    }

    fn all(is_out: bool) -> Vec<(usize, bool)> {
        (0..6).map(|at| (at, is_out)).collect()
    }

    #[test]
    fn datagrams_go_in_bundles() {
        let (kernel, singly) = (Kernel::default(), AtomicBool::new(false));
        assert_eq!(sent(&kernel, &singly), all(true));
        assert_eq!(kernel.taken.borrow().len(), 2);
        assert!(!singly.into_inner());
    }

    #[test]
    fn what_a_kernel_refuses_as_a_bundle_goes_singly_and_so_does_all_that_follows() {
        for errno in [Errno::EINVAL, Errno::ENOBUFS] {
            let kernel = Kernel {
                refuses: Some(errno),
                ..Kernel::default()
            };
            let singly = AtomicBool::new(false);
            assert_eq!(sent(&kernel, &singly), all(true));
            assert_eq!(*kernel.taken.borrow(), [datagrams(), datagrams()].concat());
            assert!(singly.load(Ordering::Relaxed), "{errno}");
            assert_eq!(sent(&kernel, &singly), all(true));
        }
    }

    #[test]
    fn an_interface_that_is_down_says_nothing_about_bundles() {
        let kernel = Kernel {
            down: true,
            ..Kernel::default()
        };
        let singly = AtomicBool::new(false);
        assert_eq!(sent(&kernel, &singly), all(false));
        assert!(!singly.into_inner());
    }

    #[test]
    fn kernels_are_told_by_their_release() {
        for release in ["6.5.0-1025-azure", "6.18.5", "7.0-rc1", "10.0.1"] {
            assert!(cuts_bundles(release), "{release}");
        }
        for release in ["6.4.16", "6.1.0-56-amd64", "5.15.167", "", "x"] {
            assert!(!cuts_bundles(release), "{release}");
        }
    }
}
