//! A machine without power says nothing, and starts again with the network of the plan; where only
//! its processes are killed, its kernel says that connections end.

use std::io::ErrorKind;
use std::net::IpAddr;

use snowglobe::fault::Fault;
use snowglobe::lab::{Link, Node, Process};
use snowglobe::prelude::*;
use snowglobe::topology::{Engine, LinkId, NodeId};
use snowglobe_tests::{offloads, set_offloads};

/// A client and a server, joined in one of several ways.
struct World {
    lab: Lab,
    client: NodeId,
    server: NodeId,
    /// The link at which the server is.
    link: LinkId,
}

/// A way in which the two nodes are joined.
#[derive(Clone, Copy, Debug)]
enum Way {
    Cable,
    Switch,
    Wire,
    WireAtSwitch,
}

const WAYS: [Way; 4] = [Way::Cable, Way::Switch, Way::Wire, Way::WireAtSwitch];

impl World {
    fn new(way: Way) -> TestResult<Self> {
        let mut topology = Topology::new();
        let (client, server) = (topology.node("client"), topology.node("server"));
        let slow = || LinkSpec::from(Impairment::NONE).engine(Engine::Wire);
        let link = match way {
            Way::Cable => topology.link(client, server),
            Way::Wire => topology.link_with(client, server, slow()),
            Way::Switch | Way::WireAtSwitch => {
                let lan = topology.switch("lan");
                topology.plug(client, lan);
                match way {
                    Way::WireAtSwitch => topology.plug_with(server, lan, slow()),
                    _ => topology.plug(server, lan),
                }
            }
        };
        let lab = topology.start()?;
        Ok(Self {
            lab,
            client,
            server,
            link,
        })
    }

    fn client(&self) -> &Node {
        &self.lab[self.client]
    }

    fn server(&self) -> &Node {
        &self.lab[self.server]
    }

    fn link(&self) -> &Link {
        &self.lab[self.link]
    }

    /// Starts a server that sends back what it reads, and talks to it.
    fn talk(&self) -> TestResult<(Process, TcpStream)> {
        let busybox = Fixture::find("busybox")?.command("busybox")?;
        let mut echo = self.server().command_like(&busybox);
        let echo = echo.args(["nc", "-l", "-p", "80", "-e", "cat"]).spawn()?;
        echo.wait_for_port(80)?;
        let mut stream = self.connect()?;
        stream.write_all(b"hello")?;
        stream.read_exact(&mut [0; 5])?;
        Ok((echo, stream))
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::new(self.server().ip(), 80)
    }

    /// Connects to the server, which is there.
    fn connect(&self) -> std::io::Result<TcpStream> {
        self.connect_within(Duration::from_secs(20))
    }

    fn connect_within(&self, limit: Duration) -> std::io::Result<TcpStream> {
        let to = self.address();
        let stream = self
            .client()
            .run(|| TcpStream::connect_timeout(&to, limit))?;
        stream.set_read_timeout(Some(limit))?;
        Ok(stream)
    }

    /// Sends a datagram to a port at which nobody is, and returns what comes of it: a kernel says
    /// that the port is closed.
    fn knock(&self, limit: Duration) -> std::io::Result<usize> {
        let to = (self.server().ip(), 9);
        let knock = self.client().run(|| UdpSocket::bind("0.0.0.0:0"))?;
        knock.set_read_timeout(Some(limit))?;
        knock.connect(to)?;
        knock.send(b"anybody there?")?;
        knock.recv(&mut [0; 8])
    }

    fn assert_silent(&self, stream: &mut TcpStream, way: Way) {
        stream.set_read_timeout(Some(SHORT)).expect("a time");
        let heard = stream.read(&mut [0; 8]).unwrap_err();
        assert_eq!(heard.kind(), ErrorKind::WouldBlock, "{way:?}");
        let refused = self.connect_within(SHORT).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TimedOut, "{way:?}");
        let knocked = self.knock(SHORT).unwrap_err();
        assert_eq!(knocked.kind(), ErrorKind::WouldBlock, "{way:?}");
    }
}

/// Time in which a node that has power answers. Silence lasts for so long in each of these tests.
const SHORT: Duration = Duration::from_millis(150);

#[snowglobe::test(fixtures("busybox", "iproute2"))]
fn a_machine_without_power_says_nothing() -> TestResult {
    for way in WAYS {
        let world = World::new(way)?;
        let ip = |args: &str| -> TestResult<String> {
            let ip = Fixture::find("iproute2")?.command("ip")?;
            let output = world
                .client()
                .command_like(&ip)
                .args(args.split(' '))
                .output()?;
            Ok(output.stdout_str() + &output.stderr_str())
        };
        let address = world.server().ip();
        // An entry with a hardware address is one on which the kernel relies.
        let is_known =
            || -> TestResult<bool> { Ok(ip(&format!("neigh show {address}"))?.contains("lladdr")) };
        let (mut echo, mut stream) = world.talk()?;
        world.server().crash()?;
        assert!(!echo.wait()?.success());
        stream.write_all(b"unheard")?;
        world.assert_silent(&mut stream, way);
        // Not even ARP is answered, and nobody relies on what was known before.
        assert!(!is_known()?, "{way:?}");
        let unreachable = world.connect().unwrap_err();
        assert_eq!(unreachable.kind(), ErrorKind::HostUnreachable, "{way:?}");

        world.server().restart()?;
        let (_echo, mut again) = world.talk()?;
        assert!(is_known()?, "{way:?}");
        again.write_all(b"x")?;
        again.read_exact(&mut [0; 1])?;
        // The machine knows nothing of a connection from before its start.
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let reset = stream.read(&mut [0; 8]).unwrap_err();
        assert_eq!(reset.kind(), ErrorKind::ConnectionReset, "{way:?}");
    }
    Ok(())
}

#[snowglobe::test(fixtures("busybox"))]
fn processes_that_are_killed_leave_a_kernel_that_answers() -> TestResult {
    for way in WAYS {
        let world = World::new(way)?;
        let (_echo, mut stream) = world.talk()?;
        let lan = world.server().command("ip").arg("addr").output()?;
        world.server().kill_processes()?;
        assert!(!world.server().is_running());
        let ended = stream.read(&mut [0; 8]);
        let by_reset = |error: &std::io::Error| error.kind() == ErrorKind::ConnectionReset;
        assert!(
            matches!(ended, Ok(0)) || ended.as_ref().is_err_and(by_reset),
            "{ended:?}"
        );
        let refused = world.connect().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{way:?}");
        let knocked = world.knock(Duration::from_secs(20)).unwrap_err();
        assert_eq!(knocked.kind(), ErrorKind::ConnectionRefused, "{way:?}");
        world.server().restart()?;
        let now = world.server().command("ip").arg("addr").output()?;
        assert_eq!(now.stdout_str(), lan.stdout_str(), "the network stays");
        world.talk()?;
    }
    Ok(())
}

/// Returns what there is of the network of a node: interfaces, addresses, routes, rules,
/// neighbours, queueing disciplines and sysctls.
fn network(node: &Node) -> TestResult<String> {
    let script = "PATH=$PATH:/usr/sbin:/sbin; cd /proc/sys/net; ls /sys/class/net; ip -d -o link show eth0 | sed 's/@[^:]*//; s/link-netns[^ ]* [^ ]*//'; \
        ip -o addr | sed 's/valid_lft.*//'; ip route show table all | sort; ip -6 route show table all | sort; \
        ip rule; ip neigh show nud permanent; tc qdisc show dev eth0; grep -r . ipv4/ip_forward ipv4/conf/*/* ipv6/conf/*/* ipv4/tcp_* 2>/dev/null | sort";
    let output = node.command("sh").args(["-c", script]).output()?;
    Ok(output.stdout_str())
}

#[snowglobe::test]
fn a_restart_after_a_power_cut_gives_the_network_of_the_plan() -> TestResult {
    for way in WAYS {
        let world = World::new(way)?;
        let server = world.server();
        let before = network(server)?;
        let script = "PATH=$PATH:/usr/sbin:/sbin; ip addr add 10.0.0.100/24 dev eth0; ip addr add 10.1.0.1/32 dev lo; ip addr del fe80::1/64 dev eth0; \
            ip route add 192.0.2.0/24 dev eth0; ip route add default dev eth0 table 77; ip rule add from 10.9.9.9 lookup 77; \
            ip link add m0 link eth0 type macvlan mode bridge; ip link set m0 up; ip link add d0 type dummy; ip link set eth0 mtu 1300 txqueuelen 55; \
            ip link set eth0 promisc on; ip neigh add 10.0.0.200 lladdr 02:00:00:00:99:99 dev eth0; tc qdisc add dev eth0 root pfifo limit 5; \
            echo 1 > /proc/sys/net/ipv4/ip_forward; echo 33 > /proc/sys/net/ipv6/conf/eth0/hop_limit; echo 1 > /proc/sys/net/ipv4/tcp_ecn; \
            ip link property add dev eth0 altname other; ip link set eth0 arp off allmulticast on alias uplink group 5; \
            ip link set eth0 gso_max_size 3000 gro_max_size 3000";
        server.command("sh").args(["-c", script]).output()?;
        assert_ne!(network(server)?, before, "{way:?}");
        let offloads_before = server.run(|| offloads("eth0"))?;
        server.run(|| set_offloads("eth0", [false, false, offloads_before[2]]))?;
        assert_ne!(server.run(|| offloads("eth0"))?, offloads_before);
        let listener = server.run(|| TcpListener::bind("0.0.0.0:80"))?;
        server.crash()?;
        server.restart()?;
        let after = network(server)?;
        let differs = before.lines().zip(after.lines()).find(|(a, b)| a != b);
        assert_eq!(after, before, "{way:?}: {differs:?}");
        assert_eq!(server.run(|| offloads("eth0"))?, offloads_before, "{way:?}");
        // A socket of the test from before is in no network any more.
        let refused = world.connect().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{way:?}");
        drop(listener);
        for ip in [Some(server.ip()), server.ipv6().map(Into::into)] {
            let ip: IpAddr = ip.ok_or("both families")?;
            let listener = server.run(|| TcpListener::bind((ip, 81)))?;
            world.client().run(|| TcpStream::connect((ip, 81)))?;
            server.run(|| TcpStream::connect((world.client().ip(), 81)).unwrap_err());
            listener.accept()?;
        }
    }
    Ok(())
}

#[snowglobe::test]
fn a_power_cut_takes_what_futures_wanted_to_say() -> TestResult {
    let world = World::new(Way::Switch)?;
    let to = world.address();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (ready, bound) = tokio::sync::oneshot::channel();
    let _server = world.server().spawn(async move {
        let listener = tokio::net::TcpListener::bind(to).await?;
        let _ = ready.send(());
        let taken = listener.accept().await?;
        std::future::pending::<()>().await;
        drop(taken);
        std::io::Result::Ok(())
    });
    runtime.block_on(bound)?;
    let mut stream = world.connect()?;
    world.server().crash()?;
    world.assert_silent(&mut stream, Way::Switch);
    Ok(())
}

#[snowglobe::test]
fn cuts_and_partitions_outlive_a_power_cut() -> TestResult {
    for way in WAYS {
        let world = World::new(way)?;
        let [cut, parted] = [
            world.link().cut()?,
            world.lab.partition(&[world.client], &[world.server])?,
        ];
        world.server().crash()?;
        world.server().restart()?;
        let _listener = world.server().run(|| TcpListener::bind("0.0.0.0:80"))?;
        assert!(
            world.connect_within(SHORT).is_err(),
            "{way:?}: cut and parted"
        );
        cut.heal()?;
        assert!(world.connect_within(SHORT).is_err(), "{way:?}: parted");
        parted.heal()?;
        world.connect()?;
    }
    Ok(())
}

/// Fails if a node answers a datagram to a port at which nobody is, as a kernel that lives does.
fn assert_says_nothing(lab: &Lab, from: NodeId, to: NodeId) -> TestResult {
    let socket = lab[from].run(|| UdpSocket::bind("0.0.0.0:0"))?;
    socket.connect((lab[to].ip(), 9))?;
    socket.set_read_timeout(Some(SHORT))?;
    // A neighbour that is known to be gone is an error too, but no refusal.
    let heard = socket.send(b"x").and_then(|_| socket.recv(&mut [0; 8]));
    assert_ne!(heard.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    Ok(())
}

#[snowglobe::test]
fn what_a_lab_changes_while_a_machine_has_no_power_holds_when_it_starts() -> TestResult {
    let mut topology = Topology::new();
    let (client, server, other) = (
        topology.node("client"),
        topology.node("server"),
        topology.node("other"),
    );
    let (lan, wan) = (topology.switch("lan"), topology.switch("wan"));
    topology.plug(client, lan);
    topology.plug(other, wan);
    let cable = topology.plug(server, lan);
    let direct = topology.link(client, server);
    let mut lab = topology.start()?;
    lab[server].crash()?;
    lab[direct].down()?;
    lab[cable].down()?;
    lab[cable].up()?;
    lab[cable].impair(Impairment::delayed(Duration::from_millis(2)))?;
    assert_says_nothing(&lab, client, server)?;
    lab.move_link(cable, wan)?;
    assert_says_nothing(&lab, other, server)?;
    let reached = |lab: &Lab, from: NodeId, ip| {
        let listener = lab[server].run(|| TcpListener::bind((ip, 80)))?;
        lab[from].run(|| TcpStream::connect((ip, 80)))?;
        listener.accept().map(drop)
    };
    lab[server].restart()?;
    reached(&lab, other, lab[server].ip())?;
    lab[direct].up()?;
    let of_direct = lab.inspect(server)?;
    let eth1 = of_direct.interfaces.iter().find(|it| it.name == "eth1");
    let eth1 = eth1.ok_or("eth1")?.index;
    let address = of_direct.addresses.iter().find(|it| it.interface == eth1);
    reached(&lab, client, address.ok_or("an address")?.address)?;
    lab.remove_node(server)?;
    Ok(())
}

#[snowglobe::test]
fn both_are_faults_whose_heal_is_a_restart() -> TestResult {
    let world = World::new(Way::Switch)?;
    for (fault, kind) in [
        (Fault::crash("server"), ErrorKind::TimedOut),
        (
            Fault::kill_processes("server"),
            ErrorKind::ConnectionRefused,
        ),
    ] {
        let down = world.lab.inject(fault)?;
        let limit = match kind {
            ErrorKind::TimedOut => SHORT,
            _ => Duration::from_secs(20),
        };
        assert_eq!(world.connect_within(limit).unwrap_err().kind(), kind);
        down.heal()?;
        assert!(world.server().is_running());
    }
    Ok(())
}

#[snowglobe::test]
fn of_faults_that_stop_one_node_the_last_heal_lets_it_go_on() -> TestResult {
    let world = World::new(Way::Switch)?;
    let server = world.server();
    for (long, short) in [
        (Fault::crash("server"), Fault::crash("server")),
        (Fault::crash("server"), Fault::kill_processes("server")),
        (Fault::kill_processes("server"), Fault::crash("server")),
    ] {
        let long = world.lab.inject(long)?;
        let short = world.lab.inject(short)?;
        short.heal()?;
        assert!(!server.is_running(), "{:?} is in force", long.fault());
        long.heal()?;
        assert!(server.is_running());
    }
    let program = server.command("sleep").arg("1000").spawn()?;
    let is_stopped = || -> TestResult<bool> {
        let stat = format!("/proc/{}/stat", program.id());
        let stat = server.command("cat").arg(stat).output()?.stdout_str();
        // The state follows the name in brackets (proc_pid_stat(5)).
        Ok(stat.contains(") T "))
    };
    let long = world.lab.inject(Fault::pause("server"))?;
    // A program stops when it next has a processor (signal(7)).
    world.lab.wait_until(|| is_stopped().is_ok_and(|it| it))?;
    world.lab.inject(Fault::pause("server"))?.heal()?;
    assert!(is_stopped()?, "{:?} is in force", long.fault());
    long.heal()?;
    assert!(!is_stopped()?);
    Ok(())
}

#[snowglobe::test]
fn a_fault_does_not_start_a_node_that_the_test_had_stopped() -> TestResult {
    let world = World::new(Way::Switch)?;
    let server = world.server();
    server.crash()?;
    for fault in [Fault::crash("server"), Fault::kill_processes("server")] {
        world.lab.inject(fault)?.heal()?;
        assert!(!server.is_running());
    }
    // What the test starts while the fault lasts, another fault stops for as long as that lasts.
    let idle = world.lab.inject(Fault::crash("server"))?;
    server.restart()?;
    let down = world.lab.inject(Fault::crash("server"))?;
    idle.heal()?;
    assert!(!server.is_running());
    down.heal()?;
    assert!(server.is_running());
    Ok(())
}

#[snowglobe::test]
fn a_container_is_no_machine() -> TestResult {
    let mut topology = Topology::new();
    let pod = topology.pod("web");
    let (app, sidecar) = (
        topology.container(pod, "app"),
        topology.container(pod, "log"),
    );
    let client = topology.node("client");
    topology.link(client, pod);
    let lab = topology.start()?;
    let ip = lab[app].ip();
    lab[app].crash()?;
    let refused = lab[client]
        .run(|| TcpStream::connect((ip, 80)))
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let listener = lab[sidecar].run(|| TcpListener::bind("0.0.0.0:80"))?;
    lab[client].run(|| TcpStream::connect((ip, 80)))?;
    listener.accept()?;
    lab[app].restart()?;
    Ok(())
}
