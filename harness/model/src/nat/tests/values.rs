//! Behaviours as values: text, and what is not possible.

use super::*;

#[test]
fn presets_are_possible_and_their_text_gives_them_back() {
    for (name, preset) in preset::ALL {
        let spec = preset();
        spec.validate()
            .unwrap_or_else(|why| panic!("{name}: {why}"));
        let text = serde_json::to_string(&spec).expect("text");
        assert_eq!(
            serde_json::from_str::<NatSpec>(&text).expect("a value"),
            spec,
            "{text}"
        );
        assert_eq!(preset::by_name(name), Some(spec));
    }
    assert_eq!(preset::by_name("nonesuch"), None);
}

#[test]
fn a_field_alone_is_enough() {
    let text = r#"{"mapping": "address_dependent", "timeouts": {"udp": "30s"}, "ports": {"blocks": {"size": 64, "per_subscriber": 2}}}"#;
    let spec: NatSpec = serde_json::from_str(text).expect("a value");
    assert_eq!(spec.mapping, Dependence::AddressDependent);
    assert_eq!(spec.timeouts.udp, Duration::from_secs(30));
    assert_eq!(spec.timeouts.icmp, Duration::from_secs(60));
    assert!(serde_json::from_str::<NatSpec>(r#"{"maping": "address_dependent"}"#).is_err());
}

#[test]
fn what_is_not_possible_is_refused_by_name() {
    let default = NatSpec::default;
    let blocks = |size, per_subscriber| NatSpec {
        ports: PortAssignment::Blocks {
            size,
            per_subscriber,
        },
        ..default()
    };
    let cases = [
        (
            NatSpec {
                engine: NatEngine::Nftables,
                ..preset::full_cone()
            },
            "`mapping`: Linux maps by remote address and port; take",
        ),
        (
            NatSpec {
                port_range: [0, 5],
                ..default()
            },
            "port range 0 to 5",
        ),
        (
            NatSpec {
                port_range: [6, 5],
                ..default()
            },
            "port range 6 to 5",
        ),
        (blocks(0, 1), "power of two"),
        (blocks(100, 1), "power of two"),
        (blocks(32_768, 0), "`per_subscriber` is 0"),
        (
            NatSpec {
                filtering: Dependence::EndpointIndependent,
                ..preset::symmetric_port_preserving()
            },
            "Udp depends on less",
        ),
        (
            NatSpec {
                timeouts: NatTimeouts {
                    icmp: Duration::ZERO,
                    ..NatTimeouts::default()
                },
                ..default()
            },
            "`icmp` is zero",
        ),
    ];
    all_refused(&cases);
}

#[test]
fn what_cannot_be_forwarded_or_pooled_is_refused_by_name() {
    let inside = at(INSIDE, 80);
    let default = NatSpec::default;
    let cases = [
        (default().forward(NatProtocol::Udp, 0, inside), "port 0"),
        (default().forward(NatProtocol::Icmp, 1, inside), "no ports"),
        (
            default().forward(NatProtocol::Udp, 1, inside).forward(
                NatProtocol::Udp,
                1,
                at(INSIDE, 81),
            ),
            "forwarded twice",
        ),
        (
            default()
                .forward(NatProtocol::Udp, 1, inside)
                .forward(NatProtocol::Udp, 2, inside),
            "by either",
        ),
        (
            NatSpec {
                pool: vec![PUBLIC, PUBLIC],
                ..default()
            },
            "203.0.113.1",
        ),
    ];
    all_refused(&cases);
}

fn all_refused(cases: &[(NatSpec, &str)]) {
    for (spec, expected) in cases {
        let why = spec.validate().expect_err(expected).to_string();
        assert!(why.contains(expected), "{why}");
    }
}

#[test]
fn the_kernel_carries_what_it_can_do_and_nothing_else() {
    for (name, preset) in preset::ALL {
        let by_kernel = matches!(name, "home" | "symmetric_port_preserving");
        let expected = match by_kernel {
            true => NatEngine::Nftables,
            false => NatEngine::Userspace,
        };
        assert_eq!(preset().carried_by(), expected, "{name}");
    }
    let asked = NatSpec {
        engine: NatEngine::Userspace,
        ..preset::home()
    };
    assert_eq!(asked.carried_by(), NatEngine::Userspace);
}
