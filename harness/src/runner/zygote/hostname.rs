//! The hostname of a trial.
//!
//! Programs print their hostname, put the name into certificates and look it up. Only letters,
//! digits and hyphens are permitted (RFC 1123, section 2.1), and at most 63 of them in a label
//! (RFC 1035, section 2.3.4), so the path of a test function is no hostname yet.

use std::fmt::Write;

use crate::kernel::fixed_str::FixedStr;

/// Returns a name that a host may have, made of a trial's: `tcp::answers_bob` is
/// `tcp-answers-bob`.
pub(crate) fn hostname(name: &str) -> FixedStr<63> {
    let mut host = FixedStr::<63>::new();
    for c in name.chars() {
        let c = match c {
            c if c.is_ascii_alphanumeric() => c.to_ascii_lowercase(),
            _ if host.is_empty() || host.ends_with('-') => continue,
            _ => '-',
        };
        if host.write_char(c).is_err() {
            break;
        }
    }
    let length = host.trim_end_matches('-').len();
    host.truncate(length);
    if host.is_empty() {
        host = FixedStr::of(format_args!("trial"));
    }
    host
}

#[cfg(test)]
mod tests {
    use super::hostname;

    #[test]
    fn hostnames_are_ones_that_hosts_may_have() {
        assert_eq!(&*hostname("tcp::answers_bob"), "tcp-answers-bob");
        assert_eq!(&*hostname("__x__"), "x");
        assert_eq!(&*hostname("日本"), "trial");
        assert_eq!(hostname(&"ab_".repeat(100)).len(), 62);
    }
}
