//! Frames to test with.

/// An address and a type.
pub const ETHERNET: &str = "020000000002020000000001";

/// Returns the bytes that a text of hexadecimal digits stands for.
pub fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| {
        let pair = str::from_utf8(pair).expect("ASCII");
        u8::from_str_radix(pair, 16).expect("two digits")
    };
    digits.chunks(2).map(byte).collect()
}

/// Returns a frame behind its virtio-net header, made of flags and kind, and of three numbers: the
/// size of segments, and the places at which the checksum begins and stands.
pub fn framed(kind: [u8; 2], numbers: [u16; 3], frame: &str) -> Vec<u8> {
    // The length of the headers is a hint, and a wrong one here.
    let hint = 7u16;
    let mut whole = kind.to_vec();
    for number in [hint].iter().chain(&numbers) {
        whole.extend_from_slice(&number.to_ne_bytes());
    }
    whole.extend_from_slice(&bytes(&format!("{ETHERNET}{frame}")));
    whole
}

/// Datagrams from A to B as a kernel hands them out: each has the sum of its pseudo-header in the
/// place of its checksum.
pub const DATAGRAMS_V4: [&str; 3] = [
    "0800 4500002010004000401116cb0a0000010a000002 0fa00035000c1420 a0a1a2a3",
    "0800 4500002010014000401116ca0a0000010a000002 0fa00035000c1420 a4a5a6a7",
    "0800 4500001e10024000401116cb0a0000010a000002 0fa00035000a141e a8a9",
];

/// Frames of datagrams, each with a header that says what is to be completed.
pub fn laid_out(frames: &[&str]) -> Vec<Vec<u8>> {
    let datagram = |frame: &&str| {
        let start = if frame.starts_with("0800") { 34 } else { 54 };
        framed([1, 0], [0, start, 6], frame)
    };
    frames.iter().map(datagram).collect()
}

/// Makes three datagrams that may go as one.
pub fn datagrams() -> Vec<Vec<u8>> {
    laid_out(&DATAGRAMS_V4)
}
