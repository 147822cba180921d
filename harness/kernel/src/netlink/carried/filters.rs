//! Traffic filters. The kernel refuses its own messages about filters, unless they are changed.

use crate::netlink::encoding::{self, numbered, set_u32};

const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;

/// Clears the flags of a filter that tell whether a network card has it (linux/pkt_cls.h,
/// TCA_CLS_FLAGS_IN_HW and NOT_IN_HW). The kernel refuses them (include/net/pkt_cls.h,
/// tc_flags_valid).
pub(super) fn take_back_state(whole: &mut [u8]) {
    const STATE: u32 = 0x4 | 0x8;
    let Some(attributes) = whole.get(20..) else {
        return;
    };
    let kind = encoding::find(attributes, TCA_KIND).map(encoding::text);
    let flags = match kind.as_deref() {
        // TCA_MATCHALL_FLAGS, TCA_BPF_FLAGS_GEN, TCA_U32_FLAGS, TCA_FLOWER_FLAGS.
        Some("matchall") => 3,
        Some("bpf") => 9,
        Some("u32") => 11,
        Some("flower") => 22,
        _ => return,
    };
    let begin = whole.as_ptr() as usize;
    let options = numbered(attributes).find(|(kind, _)| *kind == TCA_OPTIONS);
    let found = options.and_then(|(_, list)| encoding::find(list, flags));
    let at = found.map(|found| found.as_ptr() as usize - begin);
    if let Some(at) = at
        && let Some(value) = encoding::u32_at(whole, at)
    {
        set_u32(whole, at, value & !STATE);
    }
}

/// Tells whether this is the first hash table of a u32 filter, which the kernel makes together with
/// the filter (net/sched/cls_u32.c, u32_init). The message is a `struct tcmsg`: handle at 8.
pub(super) fn is_made_with_its_filter(whole: &[u8]) -> bool {
    let kind = encoding::find(&whole[20..], TCA_KIND).map(encoding::text);
    let handle = encoding::u32_at(whole, 8).unwrap_or(0);
    // TC_U32_USERHTID, and TC_U32_KEY. Tables of programs have smaller numbers (gen_new_htid).
    let (table, key) = (handle >> 20, handle & 0xf_ffff);
    kind.as_deref() == Some("u32") && table >= 0x800 && key == 0
}
