//! Sends frames in batches: several with one system call, and datagrams that follow each other as
//! one super-frame.
//!
//! What a wire costs is system calls and the kernel's path for each frame, not bytes. So datagrams
//! of one flow and one size leave as one super-frame (UDP segmentation, `VIRTIO_NET_HDR_GSO_UDP_L4`
//! in the virtio-net header), which the receiving kernel carries whole as far as it can.

use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::kernel::errno::Errno;
use crate::kernel::process::kernel_release;

use super::wire_port::WirePort;
use crate::kernel::frames::BATCH;
use crate::model::packet::segment::{bundle, how_many_together};

/// Whether datagrams go one by one, since this kernel does not take super-frames of datagrams or
/// has refused one.
static SINGLY: LazyLock<AtomicBool> = LazyLock::new(|| {
    let release = kernel_release();
    AtomicBool::new(!release.is_some_and(|release| segments_datagrams(&release)))
});

/// Returns whether a kernel of this release takes super-frames of datagrams and always cuts them
/// right.
fn segments_datagrams(release: &str) -> bool {
    // Linux takes them since 6.2, the release that brought TUN_F_USO4 for TAP devices, and cuts
    // them right wherever they go since 6.5.
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut number = || numbers.next().and_then(|text| text.parse::<u32>().ok());
    (number(), number()) >= (Some(6), Some(5))
}

/// Where frames go: a port, or a kernel that a test imitates.
trait FrameSink {
    /// Sends frames. Returns how many were sent; an error is about the first of them.
    fn send(&self, frames: &[&[u8]]) -> crate::kernel::Result<usize>;
    /// Waits, but only for a moment, until more can be sent.
    fn wait_for_room(&self);
}

impl FrameSink for WirePort {
    fn send(&self, frames: &[&[u8]]) -> crate::kernel::Result<usize> {
        Self::send(self, frames)
    }

    fn wait_for_room(&self) {
        Self::wait_for_room(self);
    }
}

/// Sends batches of frames, and owns the memory in which super-frames are put together.
#[derive(Default)]
pub(super) struct FrameSender {
    memory: Vec<u8>,
}

/// Frames of a batch that are sent as one.
#[derive(Clone)]
struct Bundle {
    /// Indices of the frames in the batch.
    frames: Range<usize>,
    /// Place of the super-frame in the sender's memory, if the bundle has several frames.
    memory: Range<usize>,
}

impl FrameSender {
    /// Sends at most [`BATCH`] frames and calls `report` for each, with its index and whether it
    /// was sent.
    ///
    /// An error never ends the wire: an interface that is down takes nothing (ENETDOWN,
    /// packet(7)), and it may be up again for the next frame.
    pub(super) fn send(
        &mut self,
        to: &WirePort,
        frames: &[&[u8]],
        report: impl FnMut(usize, bool),
    ) {
        self.send_to(to, &SINGLY, frames, report);
    }

    fn send_to(
        &mut self,
        to: &impl FrameSink,
        singly: &AtomicBool,
        frames: &[&[u8]],
        mut report: impl FnMut(usize, bool),
    ) {
        // Relaxed: a worker that reads the old value learns once more what another one has learnt.
        if frames.len() < 2 || singly.load(Ordering::Relaxed) {
            return send_all(to, frames, |at, outcome| report(at, outcome.is_ok()));
        }
        // Arrays and not vectors: this runs for every batch, and must not allocate.
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
                return these.clone().for_each(|at| report(at, outcome.is_ok()));
            }
            // The kernel may have refused the super-frame for being one. If the same datagrams go
            // out singly, that is so, and super-frames are not tried again. If they are refused
            // as well, as by an interface that is down, nothing was learnt.
            let mut went_out = false;
            send_all(to, &frames[these.clone()], |at, outcome| {
                went_out |= outcome.is_ok();
                report(these.start + at, outcome.is_ok());
            });
            singly.fetch_or(went_out, Ordering::Relaxed);
        });
    }

    /// Finds out which frames may be sent as one, and puts these together in the memory. Returns
    /// the number of bundles.
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

/// Sends frames as they are, and calls `report` for each with what came of it.
fn send_all(
    to: &impl FrameSink,
    frames: &[&[u8]],
    mut report: impl FnMut(usize, crate::kernel::Result<()>),
) {
    let (mut at, mut has_waited) = (0, false);
    while at < frames.len() {
        match to.send(&frames[at..]) {
            Ok(sent @ 1..) => {
                (at..at + sent).for_each(|at| report(at, Ok(())));
                at += sent;
                has_waited = false;
            }
            // EAGAIN: the socket's own buffer is full. ENOBUFS: the interface has dropped the
            // frame (net/packet/af_packet.c, packet_snd, by net_xmit_errno). Both pass when the
            // receiver has read, so each frame gets one more attempt.
            Err(Errno::EAGAIN | Errno::ENOBUFS) if !has_waited => {
                to.wait_for_room();
                has_waited = true;
            }
            // A kernel that takes nothing and says nothing counts as refusing: otherwise it would
            // be asked for ever.
            refused => {
                report(at, Err(refused.err().unwrap_or(Errno::EIO)));
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
    use crate::model::packet::segment::Segments;
    use crate::model::packet::segment::testing::datagrams;

    /// A kernel that takes every frame, but for two settings.
    #[derive(Default)]
    struct Kernel {
        /// Error with which a super-frame is refused, if super-frames are.
        refuses: Option<Errno>,
        /// Whether the interface is down, so that nothing is taken.
        down: bool,
        taken: RefCell<Vec<Vec<u8>>>,
    }

    impl FrameSink for Kernel {
        fn send(&self, frames: &[&[u8]]) -> crate::kernel::Result<usize> {
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

    /// Sends six datagrams, of which three and three may go as one super-frame. Returns what the
    /// sender has reported of each.
    fn sent(kernel: &Kernel, singly: &AtomicBool) -> Vec<(usize, bool)> {
        let frames = [datagrams(), datagrams()].concat();
        let slices: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        let mut told = Vec::new();
        FrameSender::default().send_to(kernel, singly, &slices, |at, is_out| {
            told.push((at, is_out))
        });
        told
    }

    fn all(is_out: bool) -> Vec<(usize, bool)> {
        (0..6).map(|at| (at, is_out)).collect()
    }

    #[test]
    fn datagrams_go_in_super_frames() {
        let (kernel, singly) = (Kernel::default(), AtomicBool::new(false));
        assert_eq!(sent(&kernel, &singly), all(true));
        assert_eq!(kernel.taken.borrow().len(), 2);
        assert!(!singly.into_inner());
    }

    #[test]
    fn what_a_kernel_refuses_as_a_super_frame_goes_singly_and_so_does_all_that_follows() {
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
    fn an_interface_that_is_down_says_nothing_about_super_frames() {
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
            assert!(segments_datagrams(release), "{release}");
        }
        for release in ["6.4.16", "6.1.0-56-amd64", "5.15.167", "", "x"] {
            assert!(!segments_datagrams(release), "{release}");
        }
    }
}
