//! The queueing discipline HTB, whose answers the kernel does not take back as they are.

use crate::netlink::encoding::{self, numbered, set_u32};

/// HTB tells its whole version, and takes the upper half of it only (net/sched/sch_htb.c, htb_dump
/// and htb_init).
pub(super) fn take_back_version(whole: &mut [u8]) {
    const TCA_KIND: u16 = 1;
    const TCA_OPTIONS: u16 = 2;
    const TCA_HTB_INIT: u16 = 2;
    if encoding::find(&whole[20..], TCA_KIND).map(encoding::text) != Some("htb".to_owned()) {
        return;
    }
    let begin = whole.as_ptr() as usize;
    let options = numbered(&whole[20..]).find(|(kind, _)| *kind == TCA_OPTIONS);
    let init = options.and_then(|(_, list)| encoding::find(list, TCA_HTB_INIT));
    let at = init.map(|init| init.as_ptr() as usize - begin);
    if let Some(at) = at
        && let Some(version @ 0x1_0000..) = encoding::u32_at(whole, at)
    {
        set_u32(whole, at, version >> 16);
    }
}
