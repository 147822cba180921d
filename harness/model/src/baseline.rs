//! The settings with which every network namespace of a trial begins.
//!
//! A new network namespace takes some of its settings from the first namespace of the machine: all
//! of `net.ipv4.conf`, those of `net.ipv6.conf` where `net.core.devconf_inherit_init_net` or a boot
//! parameter says so, TCP's buffers and congestion control, and the parameters of neighbour tables
//! (net/ipv4/devinet.c, `devinet_init_net`; net/ipv6/addrconf.c, `addrconf_init_net`;
//! net/ipv4/tcp_ipv4.c, `tcp_sk_init`; net/core/neighbour.c, `neigh_parms_alloc`). So a node on a
//! host with Docker would forward packets that the same node elsewhere drops. This table is what
//! they begin with instead: the kernel's own defaults, which are those of Linux 6.18 where versions
//! differ. The sysctls of a topology come on top of it.

use crate::plan::Sysctl;

/// A source of values that a new network namespace inherits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Heritage {
    /// `net.ipv4.conf` of the first namespace, unless `net.core.devconf_inherit_init_net` is 2.
    Ipv4Devices,
    /// `net.ipv6.conf` of the first namespace, if `net.core.devconf_inherit_init_net` is 1 or 3.
    Ipv6Devices,
    /// Parameters of the boot: `ipv6.disable_ipv6` and `ipv6.autoconf`.
    Boot,
    /// TCP's settings of the first namespace.
    Tcp,
}

/// Names of files in `net/ipv4/conf/all` and `net/ipv4/conf/default`, and their values there.
const IPV4: &[(&str, &str, &str)] = &[
    // `forwarding` stands first, for its change changes `accept_redirects` (net/ipv4/devinet.c,
    // inet_forward_change).
    ("forwarding", "0", "0"),
    ("accept_local", "0", "0"),
    ("accept_redirects", "1", "1"),
    ("accept_source_route", "0", "1"),
    ("arp_accept", "0", "0"),
    ("arp_announce", "0", "0"),
    ("arp_evict_nocarrier", "1", "1"),
    ("arp_filter", "0", "0"),
    ("arp_ignore", "0", "0"),
    ("arp_notify", "0", "0"),
    ("bc_forwarding", "0", "0"),
    ("bootp_relay", "0", "0"),
    ("disable_policy", "0", "0"),
    ("disable_xfrm", "0", "0"),
    ("drop_gratuitous_arp", "0", "0"),
    ("drop_unicast_in_l2_multicast", "0", "0"),
    ("force_igmp_version", "0", "0"),
    ("igmpv2_unsolicited_report_interval", "10000", "10000"),
    ("igmpv3_unsolicited_report_interval", "1000", "1000"),
    ("ignore_routes_with_linkdown", "0", "0"),
    ("log_martians", "0", "0"),
    ("medium_id", "0", "0"),
    ("promote_secondaries", "0", "0"),
    ("proxy_arp", "0", "0"),
    ("proxy_arp_pvlan", "0", "0"),
    ("route_localnet", "0", "0"),
    ("rp_filter", "0", "0"),
    ("secure_redirects", "1", "1"),
    ("send_redirects", "1", "1"),
    ("shared_media", "1", "1"),
    ("src_valid_mark", "0", "0"),
    ("tag", "0", "0"),
];

/// Names of files in `net/ipv6/conf/all` and `net/ipv6/conf/default`, and their values there.
const IPV6: &[(&str, &str, &str)] = &[
    ("forwarding", "0", "0"),
    ("accept_dad", "0", "1"),
    ("accept_ra", "1", "1"),
    ("accept_ra_defrtr", "1", "1"),
    ("accept_ra_from_local", "0", "0"),
    ("accept_ra_min_hop_limit", "1", "1"),
    ("accept_ra_min_lft", "0", "0"),
    ("accept_ra_mtu", "1", "1"),
    ("accept_ra_pinfo", "1", "1"),
    ("accept_ra_rt_info_max_plen", "0", "0"),
    ("accept_ra_rt_info_min_plen", "0", "0"),
    ("accept_ra_rtr_pref", "1", "1"),
    ("accept_redirects", "1", "1"),
    ("accept_source_route", "0", "0"),
    ("accept_untracked_na", "0", "0"),
    ("addr_gen_mode", "0", "0"),
    ("autoconf", "1", "1"),
    ("dad_transmits", "1", "1"),
    ("disable_ipv6", "0", "0"),
    ("disable_policy", "0", "0"),
    ("drop_unicast_in_l2_multicast", "0", "0"),
    ("drop_unsolicited_na", "0", "0"),
    ("enhanced_dad", "1", "1"),
    ("force_forwarding", "0", "0"),
    ("force_mld_version", "0", "0"),
    ("force_tllao", "0", "0"),
    ("hop_limit", "64", "64"),
    ("ignore_routes_with_linkdown", "0", "0"),
    ("ioam6_enabled", "0", "0"),
    ("ioam6_id", "65535", "65535"),
    ("ioam6_id_wide", "4294967295", "4294967295"),
    ("keep_addr_on_down", "0", "0"),
    ("max_addresses", "16", "16"),
    ("max_desync_factor", "600", "600"),
    ("mldv1_unsolicited_report_interval", "10000", "10000"),
    ("mldv2_unsolicited_report_interval", "1000", "1000"),
    ("mtu", "1280", "1280"),
    ("ndisc_evict_nocarrier", "1", "1"),
    ("ndisc_notify", "0", "0"),
    ("ndisc_tclass", "0", "0"),
    ("optimistic_dad", "0", "0"),
    ("proxy_ndp", "0", "0"),
    ("ra_defrtr_metric", "1024", "1024"),
    ("ra_honor_pio_life", "0", "0"),
    ("ra_honor_pio_pflag", "0", "0"),
    ("regen_max_retry", "3", "3"),
    ("regen_min_advance", "2", "2"),
    ("router_probe_interval", "60", "60"),
    ("router_solicitation_delay", "1", "1"),
    ("router_solicitation_interval", "4", "4"),
    ("router_solicitation_max_interval", "3600", "3600"),
    ("router_solicitations", "-1", "-1"),
    ("rpl_seg_enabled", "0", "0"),
    ("seg6_enabled", "0", "0"),
    ("seg6_require_hmac", "0", "0"),
    ("suppress_frag_ndisc", "1", "1"),
    ("temp_prefered_lft", "86400", "86400"),
    ("temp_valid_lft", "604800", "604800"),
    ("use_oif_addrs_only", "0", "0"),
    ("use_optimistic", "0", "0"),
    ("use_tempaddr", "0", "0"),
];

/// Paths of other settings below `net`, their values, and what they are inherited from.
const OTHERS: &[(&str, &str, Heritage)] = &[
    ("ipv6/conf/lo/forwarding", "0", Heritage::Ipv6Devices),
    ("ipv6/conf/lo/disable_ipv6", "0", Heritage::Boot),
    ("ipv6/conf/default/disable_ipv6", "0", Heritage::Boot),
    ("ipv6/conf/default/autoconf", "1", Heritage::Boot),
    // The kernel makes the last number of the machine's memory, and these are the most that it
    // takes (net/ipv4/tcp.c, tcp_init).
    ("ipv4/tcp_rmem", "4096 131072 33554432", Heritage::Tcp),
    ("ipv4/tcp_wmem", "4096 16384 4194304", Heritage::Tcp),
    (CONGESTION_CONTROL, "cubic", Heritage::Tcp),
];

/// The setting that not every host permits to be changed, as its path below `net`.
const CONGESTION_CONTROL: &str = "ipv4/tcp_congestion_control";

/// A setting with which network namespaces of a trial begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaselineSetting {
    /// The path below `/proc/sys`, and the value.
    pub sysctl: Sysctl,
    /// Where a new network namespace has the value from, if nobody changes that.
    pub heritage: Heritage,
}

impl BaselineSetting {
    /// Tells whether a value that was read from the kernel is that of the baseline. The kernel
    /// separates numbers by tabs.
    pub fn is(&self, value: &str) -> bool {
        let own = self.sysctl.value.split_ascii_whitespace();
        own.eq(value.split_ascii_whitespace())
    }

    /// Returns the path of the same setting of `lo`, below `/proc/sys`, where `lo` is like every
    /// interface. `lo` is made before anybody can change what it copies.
    pub fn path_of_lo(&self) -> Option<String> {
        let name = self.sysctl.path.strip_prefix("net/ipv4/conf/default/")?;
        // The kernel sets these on `lo` (net/ipv4/devinet.c, inetdev_event).
        let own = ["disable_policy", "disable_xfrm"].contains(&name);
        (!own).then(|| format!("net/ipv4/conf/lo/{name}"))
    }

    /// Tells whether this is TCP's congestion control, which can be changed only to one of those
    /// that the host permits to all.
    pub fn is_congestion_control(&self) -> bool {
        self.sysctl.path.ends_with(CONGESTION_CONTROL)
    }
}

/// Returns the settings, in the order in which they are to be written.
///
/// ```
/// use snowglobe_model::baseline;
///
/// let forwarding = "net/ipv4/conf/all/forwarding";
/// let found = baseline::settings().find(|setting| setting.sysctl.path == forwarding).unwrap();
/// assert_eq!(found.sysctl.value, "0");
/// ```
pub fn settings() -> impl Iterator<Item = BaselineSetting> {
    let ipv4 = devices("ipv4", IPV4, Heritage::Ipv4Devices);
    let ipv6 = devices("ipv6", IPV6, Heritage::Ipv6Devices);
    let others = OTHERS.iter();
    let others = others.map(|(path, value, heritage)| setting(path, value, *heritage));
    ipv4.chain(ipv6).chain(others)
}

/// Returns the settings that an interface of a network namespace begins with: the values of
/// `default`, as paths below `/proc/sys`.
pub fn settings_of_interface(name: &str) -> impl Iterator<Item = Sysctl> {
    [("ipv4", IPV4), ("ipv6", IPV6)]
        .into_iter()
        .flat_map(move |(family, table)| {
            let one = move |(file, _, value): &(&str, &str, &str)| Sysctl {
                path: format!("net/{family}/conf/{name}/{file}"),
                value: (*value).to_owned(),
            };
            table.iter().map(one)
        })
}

fn devices(
    family: &str,
    table: &'static [(&str, &str, &str)],
    heritage: Heritage,
) -> impl Iterator<Item = BaselineSetting> {
    table.iter().flat_map(move |(name, all, default)| {
        let of =
            |which: &str, value| setting(&format!("{family}/conf/{which}/{name}"), value, heritage);
        [of("all", all), of("default", default)]
    })
}

fn setting(path: &str, value: &str, heritage: Heritage) -> BaselineSetting {
    BaselineSetting {
        sysctl: Sysctl {
            path: format!("net/{path}"),
            value: value.to_owned(),
        },
        heritage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_value() {
        let mut paths: Vec<String> = settings()
            .filter(|setting| setting.heritage != Heritage::Boot)
            .map(|setting| setting.sysctl.path)
            .collect();
        let count = paths.len();
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), count);
    }

    #[test]
    fn numbers_are_compared_and_not_what_separates_them() {
        let rmem = settings().find(|it| it.sysctl.path == "net/ipv4/tcp_rmem");
        let rmem = rmem.unwrap();
        assert!(rmem.is("4096\t131072\t33554432\n"));
        assert!(!rmem.is("4096\t131072\t6291456\n"));
    }

    #[test]
    fn an_interface_begins_with_the_values_of_default() {
        let of_eth0: Vec<Sysctl> = settings_of_interface("eth0").collect();
        let found = |path: &str| of_eth0.iter().find(|it| it.path == path).unwrap();
        let routed = found("net/ipv4/conf/eth0/accept_source_route");
        assert_eq!(routed.value, "1");
        assert_eq!(found("net/ipv6/conf/eth0/accept_dad").value, "1");
    }
}
