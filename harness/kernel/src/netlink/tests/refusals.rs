//! Refusals of the kernel, and the errors that tell of them.

use std::net::Ipv4Addr;

use nix::errno::Errno;

use super::*;

#[test]
fn a_refusal_names_operation_interface_errno_and_reason() {
    sealed(|| {
        let mut netlink = Netlink::open().expect("a socket");
        let mut batch = Batch::new();
        batch.add_bridge(&BridgeRequest {
            device: Device {
                index: 7,
                name: "twice",
            },
            mac: [2, 0, 0, 0, 0, 1],
            querier: None,
        });
        batch.add_bridge(&BridgeRequest {
            device: Device {
                index: 8,
                name: "twice",
            },
            mac: [2, 0, 0, 0, 0, 2],
            querier: None,
        });
        batch.set_up(Device {
            index: 7,
            name: "twice",
        });
        let error = netlink.execute(batch).expect_err("the name is taken");
        assert_eq!(
            (error.operation(), error.subject()),
            ("create the bridge", "twice")
        );
        assert_eq!(error.errno(), Some(Errno::EEXIST));
        assert!(error.to_string().contains("already taken"), "{error}");
        let up = netlink
            .interfaces()
            .expect("interfaces")
            .into_iter()
            .any(|entry| entry.index == 7 && entry.up);
        assert!(up, "what came after the refused request was done");
    });
}

#[test]
fn the_kernels_own_words_are_passed_on() {
    sealed(|| {
        let mut netlink = Netlink::open().expect("a socket");
        let mut batch = Batch::new();
        batch.add_bridge(&BRIDGE);
        batch.set_up(BRIDGE.device);
        batch.add_route(&default_via(v4(1)));
        let error = netlink.execute(batch).expect_err("the gateway is nowhere");
        assert_eq!(error.errno(), Some(Errno::ENETUNREACH));
        assert!(
            error
                .to_string()
                .contains("the kernel says: Nexthop has invalid gateway"),
            "{error}"
        );
    });
}

#[test]
fn many_refusals_at_once_report_the_first() {
    sealed(|| {
        let mut netlink = Netlink::open().expect("a socket");
        let mut batch = Batch::new();
        let names: Vec<String> = (0..1000).map(|at| format!("none{at}")).collect();
        for name in &names {
            batch.set_up(Device { index: 99, name });
        }
        let error = netlink
            .execute(batch)
            .expect_err("there is no such interface");
        assert_eq!(
            (error.subject(), error.errno()),
            ("none0", Some(Errno::ENODEV))
        );
        netlink.interfaces().expect("the conversation goes on");
    });
}

#[test]
fn a_thousand_requests_in_one_batch_are_all_done() {
    sealed(|| {
        let mut netlink = Netlink::open().expect("a socket");
        let mut batch = Batch::new();
        batch.add_bridge(&BRIDGE);
        for at in 0..1000u32 {
            batch.add_address(ETH0, Ipv4Addr::from_bits(0x0a00_0001 + at).into(), 32);
        }
        netlink.execute(batch).expect("addresses");
        assert_eq!(netlink.addresses().expect("addresses").len(), 1001);
    });
}
