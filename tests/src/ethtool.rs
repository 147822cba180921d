//! What an interface does for the protocols above it, as `ethtool -k` shows and `-K` sets it.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::libc;

/// Numbers of the commands that get and set TCP segmentation (TSO), checksums of what is sent, and
/// gathering of what is received (GRO), of `linux/ethtool.h`.
const OFFLOADS: [(u32, u32); 3] = [(0x1e, 0x1f), (0x16, 0x17), (0x2b, 0x2c)];

/// Returns whether an interface of the calling thread's network cuts TCP segments, writes checksums
/// and gathers what it receives.
///
/// # Errors
/// There is no such interface.
pub fn offloads(interface: &str) -> io::Result<[bool; 3]> {
    let mut all = [false; 3];
    for (on, (get, _)) in all.iter_mut().zip(OFFLOADS) {
        *on = ethtool(interface, get, 0)? != 0;
    }
    Ok(all)
}

/// Sets what [`offloads`] returns.
///
/// # Errors
/// There is no such interface, or the calling thread may not administer the network.
pub fn set_offloads(interface: &str, wanted: [bool; 3]) -> io::Result<()> {
    // Without checksums there is no segmentation: it comes last.
    for (on, (_, set)) in wanted.into_iter().zip(OFFLOADS).rev() {
        ethtool(interface, set, on.into())?;
    }
    Ok(())
}

/// Carries out a command with a value, and returns the value that the kernel has left.
#[expect(unsafe_code, reason = "no crate here has this ioctl")]
fn ethtool(interface: &str, command: u32, value: u32) -> io::Result<u32> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    let mut words = [command, value];
    // SAFETY: all-zero is a valid value of this plain structure.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let (_, room) = request.ifr_name.split_last_mut().expect("it has 16 bytes");
    for (to, from) in room.iter_mut().zip(interface.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_data = (&raw mut words).cast();
    const SIOCETHTOOL: libc::Ioctl = 0x8946;
    // SAFETY: the request and its two words, as many as each command above has, live across the
    // call.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) };
    Errno::result(done)?;
    Ok(words[1])
}
