//! The pcapng file format, as far as a capture writes it: blocks in little-endian order.
//!
//! The older pcap format has one interface and no comments. A pcapng file is a section header and
//! then blocks of any kind in any order, but that an interface is described before a packet names
//! it. Each function appends one whole block; a file that ends after any of them is valid.
//!
//! See draft-ietf-opsawg-pcapng, "PCAP Now Generic (pcapng) Capture File Format". The constants
//! have its names.

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;
const DECRYPTION_SECRETS: u32 = 10;

const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const VERSION: [u16; 2] = [1, 0];
const ETHERNET: u16 = 1;
/// Type of secrets in the format of `SSLKEYLOGFILE`: "TLSK".
const TLS_KEY_LOG: u32 = 0x544c_534b;

const COMMENT: u16 = 1;
const EPB_FLAGS: u16 = 2;
const IF_NAME: u16 = 2;
const IF_DESCRIPTION: u16 = 3;
const IF_TSRESOL: u16 = 9;
const SHB_USERAPPL: u16 = 4;
const ISB_IFRECV: u16 = 4;
const ISB_IFDROP: u16 = 5;

/// The beginning of a block: its type and its length.
pub(super) struct BlockHead {
    /// Length of the whole block, in bytes.
    pub(super) length: u64,
    /// Time of the packet, in nanoseconds since 1970, if the block is one of a packet.
    pub(super) time: Option<u64>,
}

impl BlockHead {
    /// Bytes of a block that are read: up to the end of a packet's time.
    pub(super) const LENGTH: usize = 20;

    /// Reads the beginning of a block that was written by this module.
    pub(super) fn read(bytes: &[u8; Self::LENGTH]) -> Self {
        let word = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let time = u64::from(word(12)) << 32 | u64::from(word(16));
        Self {
            length: word(4).into(),
            time: (word(0) == ENHANCED_PACKET).then_some(time),
        }
    }
}

/// Appends the first block of a file.
pub(super) fn section_header(out: &mut Vec<u8>, comment: &str) {
    // The length is not known before the capture ends, and a crash must not make it wrong.
    const LENGTH_UNKNOWN: u64 = u64::MAX;
    block(out, SECTION_HEADER, |out| {
        out.extend(BYTE_ORDER.to_le_bytes());
        VERSION
            .iter()
            .for_each(|part| out.extend(part.to_le_bytes()));
        out.extend(LENGTH_UNKNOWN.to_le_bytes());
        let program = concat!("snowglobe ", env!("CARGO_PKG_VERSION"));
        option(out, SHB_USERAPPL, program.as_bytes());
        option(out, COMMENT, comment.as_bytes());
        end_of_options(out);
    });
}

/// Appends the description of an Ethernet interface whose times are in nanoseconds. Interfaces are
/// numbered in the order of their descriptions.
pub(super) fn interface(out: &mut Vec<u8>, name: &str, description: &str) {
    const NO_LIMIT: u32 = 0;
    const NANOSECONDS: u8 = 9;
    block(out, INTERFACE_DESCRIPTION, |out| {
        out.extend(ETHERNET.to_le_bytes());
        out.extend([0; 2]);
        out.extend(NO_LIMIT.to_le_bytes());
        option(out, IF_NAME, name.as_bytes());
        option(out, IF_DESCRIPTION, description.as_bytes());
        option(out, IF_TSRESOL, &[NANOSECONDS]);
        end_of_options(out);
    });
}

/// One frame on an interface, as it is written.
pub(super) struct PacketBlock<'a> {
    /// Number of the interface.
    pub(super) interface: u32,
    /// Time of the frame, in nanoseconds since 1970.
    pub(super) time: u64,
    /// Whether the frame left by the interface, rather than arrived.
    pub(super) outbound: bool,
    pub(super) frame: &'a [u8],
    /// Comment on the frame; none is written if this is empty.
    pub(super) comment: &'a str,
}

/// Appends a frame in its full length.
pub(super) fn packet(out: &mut Vec<u8>, packet: &PacketBlock<'_>) {
    const INBOUND: u32 = 1;
    const OUTBOUND: u32 = 2;
    let length = (packet.frame.len() as u32).to_le_bytes();
    let direction = if packet.outbound { OUTBOUND } else { INBOUND };
    block(out, ENHANCED_PACKET, |out| {
        out.extend(packet.interface.to_le_bytes());
        time(out, packet.time);
        out.extend(length);
        out.extend(length);
        out.extend(packet.frame);
        pad(out, packet.frame.len());
        option(out, EPB_FLAGS, &direction.to_le_bytes());
        option(out, COMMENT, packet.comment.as_bytes());
        end_of_options(out);
    });
}

/// Appends what TLS libraries have logged to the file that `SSLKEYLOGFILE` names.
pub(super) fn tls_keys(out: &mut Vec<u8>, log: &[u8]) {
    block(out, DECRYPTION_SECRETS, |out| {
        out.extend(TLS_KEY_LOG.to_le_bytes());
        out.extend((log.len() as u32).to_le_bytes());
        out.extend(log);
        pad(out, log.len());
    });
}

/// Appends how many frames were seen on an interface up to the time `at`, in nanoseconds since
/// 1970, and for how many of them there was no room.
pub(super) fn statistics(out: &mut Vec<u8>, interface: u32, at: u64, seen: u64, lost: u64) {
    block(out, INTERFACE_STATISTICS, |out| {
        out.extend(interface.to_le_bytes());
        time(out, at);
        option(out, ISB_IFRECV, &seen.to_le_bytes());
        option(out, ISB_IFDROP, &lost.to_le_bytes());
        end_of_options(out);
    });
}

/// Appends a block. Its length stands in front of the body and once more behind it, so that readers
/// can go backwards.
fn block(out: &mut Vec<u8>, kind: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend(kind.to_le_bytes());
    out.extend([0; 4]);
    body(out);
    let length = ((out.len() - start + 4) as u32).to_le_bytes();
    out[start + 4..start + 8].copy_from_slice(&length);
    out.extend(length);
}

/// Appends a time as two words, of which the upper one comes first whatever the byte order.
fn time(out: &mut Vec<u8>, nanoseconds: u64) {
    out.extend(((nanoseconds >> 32) as u32).to_le_bytes());
    out.extend((nanoseconds as u32).to_le_bytes());
}

/// Appends an option. An empty value is left out, and one of more than 64 KB is cut: an option has
/// 16 bits for its length.
fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    if value.is_empty() {
        return;
    }
    out.extend(code.to_le_bytes());
    out.extend((value.len() as u16).to_le_bytes());
    out.extend(value);
    pad(out, value.len());
}

fn end_of_options(out: &mut Vec<u8>) {
    out.extend([0; 4]);
}

/// Appends zeros up to a multiple of four bytes.
fn pad(out: &mut Vec<u8>, length: usize) {
    out.extend(&[0; 3][..length.wrapping_neg() % 4]);
}
