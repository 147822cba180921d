//! TOML there and back, and what it says about what is wrong.

use std::time::Duration;

use super::any;
use crate::impair::{Direction, Impairment, Percent, preset};
use crate::topology::shape::Dice;
use crate::topology::{
    Engine, Families, LinkSpec, Neighbours, NodeSpec, PodSpec, Rootfs, Routing, Topology, shape,
};

#[test]
fn what_is_written_is_read_again() {
    let mut read = 0;
    for seed in 0..300 {
        let topology = any(seed);
        if topology.validate().is_err() {
            continue;
        }
        let text = topology.to_toml().unwrap();
        let again = Topology::from_toml(&text)
            .unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
        assert_eq!(again, topology, "seed {seed}:\n{text}");
        read += 1;
    }
    assert!(read > 150, "only {read} of 300 topologies were sound");
}

#[test]
fn settings_pods_and_fixtures_survive() {
    let mut topology = Topology::new();
    topology
        .domain("corp")
        .families(Families::V4)
        .routing(Routing::None)
        .neighbours(Neighbours::Fixed);
    topology.address_pools("172.16.0.0/12", "fd01::/48");
    let pod = topology.pod(
        PodSpec::new("web")
            .share_pid()
            .sysctl("net.core.somaxconn", 8)
            .drop_inbound_tcp([22, 80])
            .host("10.1.1.1", "x")
            .forward(false),
    );
    let app = topology.container(
        pod,
        NodeSpec::new("app")
            .rootfs(Rootfs::Fixture("nginx".into()))
            .command(["nginx", "-g", "daemon off;"]),
    );
    let other = topology.node("other");
    topology.link_with(
        other,
        app,
        LinkSpec::new()
            .name("only")
            .mtu(9000)
            .names("left", "right"),
    );
    assert_eq!(
        Topology::from_toml(&topology.to_toml().unwrap()).unwrap(),
        topology
    );
}

#[test]
fn shapes_can_be_named() {
    let shapes = [
        ("kind = \"pair\"", shape::pair()),
        ("kind = \"star\"\nnodes = 5", shape::star(5)),
        ("kind = \"line\"\nnodes = 5", shape::line(5)),
        ("kind = \"ring\"\nnodes = 5", shape::ring(5)),
        ("kind = \"full_mesh\"\nnodes = 5", shape::full_mesh(5)),
        (
            "kind = \"tree\"\nlevels = 2\nchildren = 3",
            shape::tree(2, 3),
        ),
        (
            "kind = \"dumbbell\"\nleft = 2\nright = 3",
            shape::dumbbell(2, 3),
        ),
        (
            "kind = \"random\"\nnodes = 9\nseed = 7",
            shape::random(9, 7),
        ),
    ];
    for (text, expected) in shapes {
        assert_eq!(
            Topology::from_toml(&format!("[shape]\n{text}\n")).unwrap(),
            expected,
            "{text}"
        );
    }
}

#[track_caller]
fn says(text: &str, expected: &str) {
    let error = Topology::from_toml(text).unwrap_err().to_string();
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn what_is_wrong_has_a_line_and_a_column() {
    says("[[node]\n", "line 1, column 8: ");
    says(
        "[[node]]\nname = \"a\"\ncolour = \"red\"\n",
        "line 3, column 1: unknown field `colour`",
    );
    says(
        "[[node]]\nname = 7\n",
        "line 2, column 8: invalid type: integer `7`",
    );
    says("nodes = 3\n", "line 1, column 1: unknown field `nodes`");
    says(
        "[[link]]\nends = [\"a\"]\n",
        "line 2, column 8: invalid length 1",
    );
    let nodes = "[[node]]\nname = \"a\"\n[[node]]\nname = \"b\"\n";
    says(
        &format!("{nodes}[[link]]\nends = [\"a\", \"c\"]\n"),
        "line 6, column 14: there is no node, pod or switch named `c`",
    );
    says(
        &format!("{nodes}[[link]]\nends = [\"a\", \"b\"]\nmtu = 1\n"),
        "line 7, column 7: MTU 1 of link `a–b`",
    );
    says(
        &format!("{nodes}[[node]]\nname = \"a\"\n"),
        "line 6, column 8: node `a` has the name of another",
    );
    says(
        &format!("{nodes}[[link]]\nends = [\"a\", \"a\"]\n"),
        "line 6, column 8: link `a–a` joins node `a` to itself",
    );
    says(
        &format!("{nodes}[[link]]\nends = [\"a\", \"b\"]\na.addresses = [\"x\"]\n"),
        "line 7, column 1: address at `a`",
    );
    says(
        &format!("{nodes}pod = \"web\"\n"),
        "line 5, column 7: there is no pod named `web`",
    );
    says(
        "[settings]\npool_v4 = \"x\"\n[[node]]\nname = \"a\"\n[[node]]\nname = \"b\"\n",
        "line 2, column 11: address pool of the topology: `x`",
    );
    let none = "line 1, column 1: the topology has no nodes; add one with `topology.node(\"alice\")`, in a file with `[[node]]` and `name = \"alice\"`";
    says("", none);
    says(
        "\n[shape]\nkind = \"star\"\nnodes = 20000\n",
        "line 2, column 1: the topology has 20000 nodes",
    );
    says(
        "[shape]\nkind = \"star\"\nnodes = 3\nmore = 4\n",
        "line 4, column 1: unknown field `more`",
    );
    says(
        "[shape]\nkind = \"blob\"\n",
        "line 2, column 8: unknown variant `blob`",
    );
    says(
        "shape = { kind = \"star\", nodes = 2 }\n[[node]]\nname = \"n_1\"\n",
        "line 3, column 8: node name `n_1`",
    );
    says(
        "# é\n[[node]]\nname = \"é\"\n",
        "line 3, column 8: node name `é` has `é` in it",
    );
    says(
        "[[node]]\nname = \"a\"\nmounts = [{ at = \"/data\" }]\n",
        "line 3, column 11: mount `/data` needs exactly one of",
    );
    says(
        "[[node]]\nname = \"a\"\nmounts = [{ at = \"/data\", tmpfs = \"7 apples\" }]\n",
        "line 3, column 35: `7 apples` is not a size",
    );
}

#[test]
fn a_file_is_named() {
    crate::files::lend_reader(|path, _| std::fs::read_to_string(path));
    let error = Topology::from_toml_file("no/such/lab.toml")
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("no/such/lab.toml: failed to read the topology: "),
        "{error}"
    );
    let path = std::env::temp_dir().join(format!("snowglobe-topology-{}.toml", std::process::id()));
    std::fs::write(&path, "[[node]]\nname = \"\"\n").unwrap();
    let error = Topology::from_toml_file(&path).unwrap_err().to_string();
    std::fs::remove_file(&path).unwrap();
    assert!(
        error.starts_with(&format!("{}:2:8: node name `` is empty", path.display())),
        "{error}"
    );
}

#[test]
fn no_text_makes_the_reader_panic() {
    let odd = [
        "",
        "\"",
        "[",
        "=",
        "-1",
        "0",
        "99999999999999999999",
        "é",
        "\n",
        "/",
        "n1",
        "lan0",
        "\u{0}",
        "10.0.0.0/0",
        "::/0",
    ];
    let mut dice = Dice(7);
    for seed in 0..400 {
        let mut text: Vec<char> = any(seed % 40).to_toml().unwrap().chars().collect();
        for _ in 0..1 + dice.below(4) {
            let at = dice.below(text.len() + 1);
            let end = (at + dice.below(6)).min(text.len());
            text.splice(at..end, odd[dice.below(odd.len())].chars());
        }
        if let Err(error) = Topology::from_toml(&text.into_iter().collect::<String>()) {
            let problems: Vec<String> = error.problems().collect();
            assert!(
                problems.iter().all(|problem| problem.starts_with("line ")),
                "{problems:?}"
            );
        }
    }
}

#[test]
fn impairments_are_read_with_their_units_and_judged_where_they_stand() {
    let text = |link: &str| {
        format!(
            "[[node]]\nname = \"a\"\n[[node]]\nname = \"b\"\n[[link]]\nends = [\"a\", \"b\"]\n{link}"
        )
    };
    let read = Topology::from_toml(&text(
        "engine = \"wire\"\nimpair = { delay = \"25ms\" }\nb_to_a = { loss = \"5%\" }",
    ));
    let mut built = Topology::new();
    let (a, b) = (built.node("a"), built.node("b"));
    let (slow, lossy) = (
        Impairment::delayed(Duration::from_millis(25)),
        Impairment {
            loss: Percent(5.0),
            ..Impairment::NONE
        },
    );
    let spec = LinkSpec::from(slow).impair_one_way(Direction::BToA, lossy);
    built.link_with(a, b, spec.engine(Engine::Wire));
    assert_eq!(read.unwrap(), built);

    let wrong = |link: &str| Topology::from_toml(&text(link)).unwrap_err().to_string();
    assert_eq!(
        wrong("a_to_b = { reorder = \"25%\" }"),
        "line 7, column 10: link `a–b`, a→b: reorder of 25 % without a delay: a reordered packet skips the delay, so give one, as in `delay = \"10ms\"`"
    );
    let negative = wrong("impair = { delay = \"-5ms\" }");
    assert!(negative.starts_with("line 7, column 20: "), "{negative}");
    let mut built = Topology::new();
    let (a, b) = (built.node("a"), built.node("b"));
    built.link_with(a, b, preset::lte());
    assert_eq!(
        Topology::from_toml(&text("preset = \"lte\"")).unwrap(),
        built
    );
    let pigeon = wrong("preset = \"pigeon\"");
    assert!(
        pigeon.starts_with(
            "line 7, column 10: there is no preset `pigeon`; there are wifi, lossy_cafe, lte"
        ),
        "{pigeon}"
    );
    let unknown = wrong("impair = { lag = \"5ms\" }");
    assert!(unknown.contains("unknown field `lag`"), "{unknown}");
}

#[test]
fn a_link_leads_to_the_switch_of_a_region() {
    let text = r#"
        [regions]
        places = { eu = ["paris"], us = [] }
        others = "40ms"

        [[node]]
        name = "paris"

        [[node]]
        name = "phone"

        [[link]]
        ends = ["phone", "us"]
        impair = { delay = "5ms" }
    "#;
    let topology = Topology::from_toml(text).unwrap();
    let plan = topology.plan().unwrap();
    let segment = |name: &str| {
        let mut nodes = topology.nodes();
        let node = nodes.find(|id| topology.node_name(*id) == name);
        plan.stack(node.unwrap()).interfaces[0].segment
    };
    assert_eq!(segment("phone"), segment("us-router"));
    assert_eq!(segment("paris"), segment("eu-router"));
    assert_eq!(
        Topology::from_toml(&topology.to_toml().unwrap()).unwrap(),
        topology
    );
}

#[test]
fn a_wrong_region_or_router_is_told_with_its_place() {
    let regions = "[regions]\nplaces = { eu = [\"a\"], us = [\"b\"] }\nothers = \"9ms\"\n";
    let nodes = "[[node]]\nname = \"a\"\n[[node]]\nname = \"b\"\n";
    let router = |line: &str| {
        format!(
            "[[node]]\nname = \"a\"\n\n[[router]]\nname = \"r\"\n{line}\n\n[[link]]\nends = [\"a\", \"r\"]\n"
        )
    };
    let latency =
        |names: &str| format!("[[regions.latency]]\nbetween = [{names}]\ntime = \"1ms\"\n");
    for (text, place, what) in [
        (
            format!("{}{nodes}", regions.replace("\"b\"", "\"c\"")),
            "line 2, column 30",
            "region `us`: there is no node `c`",
        ),
        (
            format!("{regions}{}{nodes}", latency("\"eu\", \"asia\"")),
            "line 5, column 18",
            "there is no region `asia`",
        ),
        (
            format!("{}{nodes}", regions.replace("others = \"9ms\"\n", "")),
            "line 1, column 1",
            "no latency from region `eu` to `us`",
        ),
        (
            format!("{regions}{nodes}[[link]]\nends = [\"a\", \"moon\"]\n"),
            "line 9, column 14",
            "there is no node, pod or switch named `moon`",
        ),
        (
            router("dhcp = { lease = \"0s\" }"),
            "line 6, column 8",
            "a lease is whole seconds",
        ),
        (
            router("dhcp = { leese = \"1s\" }"),
            "line 6, column 10",
            "unknown field `leese`",
        ),
        (
            router("dhcp6 = { delegate = { prefix = \"2001:db8::/60\", length = 56 } }"),
            "line 6, column 9",
            "which is smaller",
        ),
        (
            router("dhcp6 = { delegate = { prefix = \"2001:db8::/60\", length = 300 } }"),
            "line 6, column 59",
            "invalid value",
        ),
        (
            router("dhcp6 = { pool = \"nonsense\" }"),
            "line 6, column 9",
            "is no range of IPv6 addresses",
        ),
        (
            router("advertise = { delegated = true }"),
            "line 6, column 13",
            "has no uplink with IPv6",
        ),
        (
            router("users = { range = 0 }"),
            "line 6, column 9",
            "maps a range of no ids",
        ),
        (
            router("addresses_v6 = \"moon\""),
            "line 6, column 16",
            "unknown variant `moon`",
        ),
    ] {
        let error = Topology::from_toml(&text).unwrap_err().to_string();
        assert!(
            error.contains(place) && error.contains(what),
            "{text}\n{error}"
        );
    }
}

#[test]
fn routers_with_services_and_users_are_read() {
    let text = r#"
        [[router]]
        name = "isp"
        users = "one"
        dhcp = { lease = "10m" }
        dhcp6 = { lease = "1h", delegate = { prefix = "2001:db8:100::/40", length = 56 } }

        [[router]]
        name = "home"
        addresses = "program"
        addresses_v6 = "program"
        advertise = { delegated = true, lifetime = "20m" }

        [[node]]
        name = "laptop"
        addresses_v6 = "dhcp"

        [[link]]
        ends = ["home", "isp"]
        uplink = true

        [[link]]
        ends = ["laptop", "home"]
    "#;
    let topology = Topology::from_toml(text).unwrap();
    let spec = crate::dhcp6::Dhcp6Spec::new().delegate("2001:db8:100::/40", 56);
    let plan = topology.plan().unwrap();
    assert_eq!(plan.nodes[1].dhcp6, Some(spec));
    assert_eq!(plan.nodes[1].users, crate::topology::Users::One);
    assert!(plan.nodes[2].advertise.as_ref().unwrap().is_delegated());
    assert_eq!(
        Topology::from_toml(&topology.to_toml().unwrap()).unwrap(),
        topology
    );
}
