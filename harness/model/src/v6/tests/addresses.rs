//! Addresses within addresses.

use super::*;

#[test]
fn the_examples_of_the_standard_come_out() {
    // RFC 6052, section 2.4, tables 2 and 3.
    for (prefix, with_address) in [
        ("2001:db8::/32", "2001:db8:c000:221::"),
        ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
        ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
        ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
        ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
        ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"),
        ("64:ff9b::/96", "64:ff9b::192.0.2.33"),
    ] {
        let parsed: EmbeddingPrefix = prefix.parse().unwrap();
        let v4 = Ipv4Addr::new(192, 0, 2, 33);
        let v6: Ipv6Addr = with_address.parse().unwrap();
        assert_eq!(parsed.embed(v4), v6, "{prefix}");
        assert_eq!(parsed.extract(v6), Some(v4), "{prefix}");
        assert_eq!(parsed.extract("2a00::1".parse().unwrap()), None);
        assert_eq!(parsed.to_string(), prefix);
    }
}

#[test]
fn prefixes_of_other_lengths_are_none() {
    for (text, wrong) in [
        ("64:ff9b::/95", "32, 40, 48, 56, 64 or 96"),
        ("64:ff9b::/128", "32, 40, 48, 56, 64 or 96"),
        ("10.0.0.0/8", "32, 40, 48, 56, 64 or 96"),
        ("64:ff9b::1/96", "is not a subnet"),
        ("64:ff9b::", "is not a subnet"),
        ("2001:db8:0:0:100::/96", "bits 64 to 71"),
    ] {
        let error = text.parse::<EmbeddingPrefix>().unwrap_err();
        assert!(error.to_string().contains(wrong), "{text}: {error}");
    }
}

#[test]
fn the_well_known_prefix_leads_to_public_addresses_only() {
    let own: EmbeddingPrefix = "2001:db8:64::/96".parse().unwrap();
    for (text, is_public) in [
        ("5.6.7.8", true),
        ("192.0.2.33", true),
        ("100.63.255.255", true),
        ("100.64.0.1", false),
        ("10.0.0.1", false),
        ("172.16.0.1", false),
        ("192.168.1.1", false),
        ("127.0.0.1", false),
        ("169.254.1.1", false),
        ("224.0.0.1", false),
        ("0.0.0.0", false),
    ] {
        let v4 = text.parse().unwrap();
        assert_eq!(well_known().admits(v4), is_public, "{text}");
        assert!(own.admits(v4), "{text}");
    }
}
