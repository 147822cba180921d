//! The processor on which a thread runs.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::procfs::process_table::processor_of;

/// A restriction of the calling thread to the processor of another thread. A drop of this value
/// restores the affinity from before (`sched_setaffinity(2)`).
#[derive(Default)]
pub struct PinnedAffinity {
    /// The affinity from before, and the only processor of the calling thread now.
    kept: Option<(CpuSet, usize)>,
}

impl PinnedAffinity {
    /// Moves the calling thread to the processor on which the thread `id` has run last. The thread
    /// stays where it is if the kernel does not tell, or does not permit it.
    pub fn pin_to(&mut self, id: i32) {
        let Some(processor) = processor_of(id) else {
            return;
        };
        let before = match self.kept {
            Some((_, at)) if at == processor => return,
            Some((before, _)) => before,
            None => match sched_getaffinity(OURSELVES) {
                Ok(before) => before,
                Err(_) => return,
            },
        };
        let mut only = CpuSet::new();
        if only.set(processor).is_ok() && sched_setaffinity(OURSELVES, &only).is_ok() {
            self.kept = Some((before, processor));
        }
    }
}

impl Drop for PinnedAffinity {
    fn drop(&mut self) {
        if let Some((before, _)) = self.kept {
            // Processors that are gone are left out by the kernel (sched_setaffinity(2), NOTES).
            let _ = sched_setaffinity(OURSELVES, &before);
        }
    }
}

/// The calling thread, as `sched_setaffinity(2)` takes it.
const OURSELVES: Pid = Pid::from_raw(0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_in_company_has_one_processor_and_has_all_again_afterwards() {
        let this = nix::unistd::gettid().as_raw();
        let count = || {
            let allowed = sched_getaffinity(OURSELVES).unwrap();
            (0..CpuSet::count())
                .filter(|it| allowed.is_set(*it).unwrap())
                .count()
        };
        let before = count();
        let mut affinity = PinnedAffinity::default();
        affinity.pin_to(this);
        assert_eq!(count(), 1);
        affinity.pin_to(this);
        drop(affinity);
        assert_eq!(count(), before);
    }
}
