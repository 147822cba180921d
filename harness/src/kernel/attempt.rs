//! Single operations that not every kernel can do, each tried for real.
//!
//! Called in namespaces made for the purpose: nothing is undone.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

/// What was tried, and the kernel's answer.
pub(crate) type Refusal = (String, Errno);

/// `NFTA_TABLE_NAME` of `linux/netfilter/nf_tables.h`.
const NFTA_TABLE_NAME: u16 = 1;
const ACK: u16 = (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
const CREATE: u16 = ACK | (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;

/// Creates an interface of `kind`; if `stacked`, on top of one end of a veth pair.
pub(crate) fn link(kind: &str, stacked: bool) -> Result<(), Refusal> {
    let mut message = Message::new(libc::RTM_NEWLINK, CREATE);
    message.bytes(&[0; 16]);
    if stacked {
        link("veth", false)?;
        message.attribute(libc::IFLA_LINK, &index_of("veth0")?.to_ne_bytes());
    }
    let name = format!("{kind}\0");
    let info = Nested::new().attribute(libc::IFLA_INFO_KIND, name.as_bytes());
    let info = match kind {
        "vlan" => info.nested(2, Nested::new().attribute(1, &7u16.to_ne_bytes())),
        "vxlan" => info.nested(
            2,
            Nested::new()
                .attribute(1, &7u32.to_ne_bytes())
                .attribute(15, &4789u16.to_be_bytes()),
        ),
        _ => info,
    };
    message.attribute(libc::IFLA_LINKINFO, &info.0);
    route(message).map_err(|e| (format!("RTM_NEWLINK {kind}"), e))
}

/// Puts a queueing discipline on `lo`.
pub(crate) fn qdisc(kind: &str) -> Result<(), Refusal> {
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
            Nested::new().attribute(1, &words(&parms)).0
        }
        // TCA_HTB_INIT, struct tc_htb_glob: version, rate2quantum, defcls, debug, direct_pkts.
        _ => Nested::new().attribute(2, &words(&[3, 10, 0, 0, 0])).0,
    };
    message.attribute(libc::TCA_OPTIONS, &options);
    route(message).map_err(failed)
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// Creates a table of packet filters.
pub(crate) fn nft_table() -> Result<(), Refusal> {
    let failed = |e| ("NFT_MSG_NEWTABLE".to_owned(), e);
    const BEGIN: u16 = libc::NFNL_MSG_BATCH_BEGIN as u16;
    const END: u16 = libc::NFNL_MSG_BATCH_END as u16;
    const NEW_TABLE: u16 = (libc::NFNL_SUBSYS_NFTABLES << 8) as u16 | libc::NFT_MSG_NEWTABLE as u16;
    // struct nfgenmsg: family, version, resource id (of the subsystem, in a batch's brackets).
    let bracket = [0, 0, 0, libc::NFNL_SUBSYS_NFTABLES as u8];
    let mut batch = Vec::new();
    for (kind, flags, header) in [
        (BEGIN, libc::NLM_F_REQUEST as u16, bracket),
        (NEW_TABLE, CREATE, [libc::NFPROTO_INET as u8, 0, 0, 0]),
        (END, libc::NLM_F_REQUEST as u16, bracket),
    ] {
        let mut message = Message::new(kind, flags);
        message.bytes(&header);
        if kind == NEW_TABLE {
            message.attribute(NFTA_TABLE_NAME, b"probe\0");
        }
        batch.extend(message.finish());
    }
    exchange(SockProtocol::NetlinkNetFilter, &batch).map_err(failed)
}

/// Creates a TAP interface.
pub(crate) fn tap() -> Result<(), Refusal> {
    let file = fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun")
        .map_err(|e| {
            (
                "open /dev/net/tun".to_owned(),
                Errno::from_raw(e.raw_os_error().unwrap_or(0)),
            )
        })?;
    // SAFETY: an all-zero `ifreq` is a valid value of that plain structure.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: TUNSETIFF reads and writes one `ifreq`, which lives across the call.
    let done = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    Errno::result(done)
        .map(drop)
        .map_err(|e| ("TUNSETIFF".to_owned(), e))
}

/// Opens a packet socket.
pub(crate) fn packet_socket() -> Result<(), Refusal> {
    socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .map(drop)
    .map_err(|e| ("socket(AF_PACKET)".to_owned(), e))
}

/// Mounts an overlay, in a private tmpfs.
pub(crate) fn overlay() -> Result<(), Refusal> {
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
        fs::create_dir(format!("{at}/{dir}"))
            .map_err(|e| failed("mkdir", Errno::from_raw(e.raw_os_error().unwrap_or(0))))?;
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

fn route(message: Message) -> nix::Result<()> {
    exchange(SockProtocol::NetlinkRoute, &message.finish())
}

/// Sends a request and waits for its acknowledgement.
fn exchange(protocol: SockProtocol, request: &[u8]) -> nix::Result<()> {
    let socket: OwnedFd = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        protocol,
    )?;
    sendto(
        socket.as_raw_fd(),
        request,
        &NetlinkAddr::new(0, 0),
        MsgFlags::empty(),
    )?;
    let mut answer = [0; 4096];
    let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    // nlmsghdr, then the negative errno of an nlmsgerr.
    match answer[..length]
        .get(16..20)
        .and_then(|word| word.try_into().ok())
        .map(i32::from_ne_bytes)
    {
        Some(0) => Ok(()),
        Some(errno) => Err(Errno::from_raw(-errno)),
        None => Err(Errno::EPROTO),
    }
}

/// One netlink message.
struct Message(Vec<u8>);

impl Message {
    fn new(kind: u16, flags: u16) -> Message {
        let mut message = Message(vec![0; 4]);
        message.bytes(&kind.to_ne_bytes());
        message.bytes(&flags.to_ne_bytes());
        message.bytes(&[0; 8]);
        message
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        put_attribute(&mut self.0, kind, value);
    }

    fn finish(mut self) -> Vec<u8> {
        let length = self.0.len() as u32;
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0
    }
}

/// Attributes within an attribute.
struct Nested(Vec<u8>);

impl Nested {
    fn new() -> Nested {
        Nested(Vec::new())
    }

    fn attribute(mut self, kind: u16, value: &[u8]) -> Nested {
        put_attribute(&mut self.0, kind, value);
        self
    }

    fn nested(self, kind: u16, inner: Nested) -> Nested {
        self.attribute(kind, &inner.0)
    }
}

fn put_attribute(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    out.extend_from_slice(&(value.len() as u16 + 4).to_ne_bytes());
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(value);
    out.resize(out.len().next_multiple_of(4), 0);
}
