//! Single operations that not every kernel can do, each tried for real.
//!
//! Called in namespaces made for the purpose: nothing is undone.

mod message;
mod nft;

use std::fs;
use std::os::fd::BorrowedFd;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use self::message::{CREATE, Message, route};
pub use super::errno::Refusal;
use super::errno::errno;
use super::frames::Tap;
use super::mount::fresh;
use super::netlink::encoding::{Attributes, words};
pub use nft::{nat, nft_table};

/// Creates an interface of `kind`; if `stacked`, on top of one end of a veth pair.
pub fn link(kind: &str, stacked: bool) -> Result<(), Refusal> {
    let mut message = Message::new(libc::RTM_NEWLINK, CREATE);
    message.bytes(&[0; 16]);
    if stacked {
        link("veth", false)?;
        message.attribute(libc::IFLA_LINK, &index_of("veth0")?.to_ne_bytes());
    }
    let name = format!("{kind}\0");
    let info = Attributes::new().with(libc::IFLA_INFO_KIND, name.as_bytes());
    let info = match kind {
        "vlan" => info.nest(2, Attributes::new().with(1, &7u16.to_ne_bytes())),
        "vxlan" => info.nest(
            2,
            Attributes::new()
                .with(1, &7u32.to_ne_bytes())
                .with(15, &4789u16.to_be_bytes()),
        ),
        _ => info,
    };
    message.attribute(libc::IFLA_LINKINFO, &info.0);
    route(message).map_err(|e| (format!("RTM_NEWLINK {kind}"), e))
}

/// Puts a queueing discipline on `lo`.
pub fn qdisc(kind: &str) -> Result<(), Refusal> {
    const ROOT: u32 = 0xffff_ffff;
    let failed = |e| (format!("RTM_NEWQDISC {kind}"), e);
    let mut message = Message::new(libc::RTM_NEWQDISC, CREATE | libc::NLM_F_REPLACE as u16);
    // struct tcmsg: family and padding, interface, handle, parent, info.
    message.bytes(&[0; 4]);
    for word in [1, 0x0001_0000, ROOT, 0] {
        message.bytes(&u32::to_ne_bytes(word));
    }
    message.attribute(libc::TCA_KIND, format!("{kind}\0").as_bytes());
    let options = match kind {
        // struct tc_netem_qopt: latency, limit, loss, gap, duplicate, jitter.
        "netem" => words(&[1_000, 100, 0, 0, 0, 0]),
        // TCA_TBF_PARMS, struct tc_tbf_qopt: rate, peak rate, limit, buffer, mtu.
        "tbf" => {
            let rate = [0x0001_0001, 0, 125_000];
            let parms = [&rate[..], &[0, 0, 0], &[30_000, 200_000, 0]].concat();
            Attributes::new().with(1, &words(&parms)).0
        }
        // TCA_HTB_INIT, struct tc_htb_glob: version, rate2quantum, defcls, debug, direct_pkts.
        _ => Attributes::new().with(2, &words(&[3, 10, 0, 0, 0])).0,
    };
    message.attribute(libc::TCA_OPTIONS, &options);
    route(message).map_err(failed)
}

/// Creates a TAP interface, by a device that was made for trials, if there is one, or else by the host's.
pub fn tap(directory: Option<BorrowedFd<'_>>) -> Result<(), Refusal> {
    Tap::create_by(directory, "probe0", 2).map(drop)
}

/// Opens a packet socket.
pub fn packet_socket() -> Result<(), Refusal> {
    socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .map(drop)
    .map_err(|e| ("socket(AF_PACKET)".to_owned(), e))
}

/// Mounts an empty filesystem of memory over `/tmp`, and makes a file in it.
pub fn tmpfs() -> Result<(), Refusal> {
    fresh(c"tmpfs", Path::new("/tmp"), None).map_err(|e| ("mount /tmp".to_owned(), e))?;
    let made = fs::write("/tmp/file", "");
    made.map_err(|e| ("create /tmp/file".to_owned(), errno(&e)))
}

/// Mounts the message queues of this IPC namespace.
pub fn mqueue() -> Result<(), Refusal> {
    fresh(c"mqueue", Path::new("/tmp"), None).map_err(|e| ("mount a mqueue".to_owned(), e))
}

/// Gives this UTS namespace another name.
pub fn hostname() -> Result<(), Refusal> {
    nix::unistd::sethostname("probe").map_err(|e| ("sethostname".to_owned(), e))
}

/// Listens on a port that only root may have.
pub fn low_port() -> Result<(), Refusal> {
    std::net::TcpListener::bind("127.0.0.1:80")
        .map(drop)
        .map_err(|e| ("bind 127.0.0.1:80".to_owned(), errno(&e)))
}

/// Shows the files of `path` with the ids of another user namespace, on a copy of their mount.
pub fn idmapped(path: &Path, userns: &fs::File) -> Result<(), Refusal> {
    use super::mount::{Attributes, detach_copy, set_attributes};
    use std::os::fd::AsFd;
    let tree = detach_copy(path, false).map_err(|e| ("open_tree".to_owned(), e))?;
    let mapped = Attributes {
        idmap: Some(userns.as_fd()),
        ..Attributes::default()
    };
    set_attributes(tree.as_fd(), &mapped)
        .map_err(|e| ("mount_setattr MOUNT_ATTR_IDMAP".to_owned(), e))
}

/// Mounts an overlay, in a private tmpfs.
pub fn overlay() -> Result<(), Refusal> {
    let at = "/tmp";
    let failed = |what: &str, e| (what.to_owned(), e);
    mount(
        Some("tmpfs"),
        at,
        Some("tmpfs"),
        MsFlags::empty(),
        None::<&str>,
    )
    .map_err(|e| failed("mount a tmpfs", e))?;
    for dir in ["lower", "upper", "work", "merged"] {
        fs::create_dir(format!("{at}/{dir}")).map_err(|e| failed("mkdir", errno(&e)))?;
    }
    let options = "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work,userxattr";
    mount(
        Some("overlay"),
        "/tmp/merged",
        Some("overlay"),
        MsFlags::empty(),
        Some(options),
    )
    .map_err(|e| failed("mount an overlay", e))
}

fn index_of(name: &str) -> Result<u32, Refusal> {
    nix::net::if_::if_nametoindex(name).map_err(|e| (format!("find the interface {name}"), e))
}
