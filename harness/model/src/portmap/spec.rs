//! The port mapping that a router serves, as a value.

use std::fmt;
use std::time::Duration;

use snowglobe_derive::{Deserialize, Serialize};

use crate::impair::text::serde_duration;

/// The protocols by which a router gives ports to hosts that ask, and for how long.
///
/// The default is all three. The hosts behind the router are served, and nobody in front of it.
///
/// ```
/// use snowglobe_model::portmap::PortMappingSpec;
/// use snowglobe_model::topology::RouterSpec;
///
/// let upnp_only = PortMappingSpec { upnp: true, ..PortMappingSpec::off() };
/// let home = RouterSpec::home("home").port_mapping(upnp_only);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PortMappingSpec {
    /// Whether the router serves NAT-PMP (RFC 6886), at UDP port 5351.
    pub nat_pmp: bool,
    /// Whether the router serves PCP (RFC 6887), at UDP port 5351.
    pub pcp: bool,
    /// Whether the router is an Internet Gateway Device of UPnP.
    pub upnp: bool,
    /// The shortest lease. Who asks for less gets this.
    #[serde(with = "serde_duration")]
    pub shortest: Duration,
    /// The longest lease. Who asks for more gets this.
    #[serde(with = "serde_duration")]
    pub longest: Duration,
}

impl Default for PortMappingSpec {
    fn default() -> Self {
        PortMappingSpec {
            nat_pmp: true,
            pcp: true,
            upnp: true,
            // RFC 6887, section 15 recommends 120 seconds at least and 24 hours at most. A test
            // that waits for the end of a lease asks for less.
            shortest: Duration::from_secs(1),
            longest: Duration::from_secs(86_400),
        }
    }
}

/// A reason why no router can serve this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortMappingProblem {
    /// No lease is both long enough and short enough.
    Lifetimes([Duration; 2]),
}

impl fmt::Display for PortMappingProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PortMappingProblem::Lifetimes([shortest, longest]) => write!(
                f,
                "leases of {shortest:?} to {longest:?}: take whole seconds, one or more for the shortest, and a longest that is not below it and fits into 32 bits"
            ),
        }
    }
}

impl std::error::Error for PortMappingProblem {}

impl PortMappingSpec {
    /// Returns the value that serves all three protocols: the default.
    pub fn all() -> PortMappingSpec {
        PortMappingSpec::default()
    }

    /// Returns the value that serves nothing.
    pub fn off() -> PortMappingSpec {
        PortMappingSpec {
            nat_pmp: false,
            pcp: false,
            upnp: false,
            ..PortMappingSpec::default()
        }
    }

    /// Returns whether something is served.
    pub fn is_on(&self) -> bool {
        self.nat_pmp || self.pcp || self.upnp
    }

    /// Checks that a router can serve this.
    ///
    /// # Errors
    /// The shortest or the longest lease is not possible.
    pub fn validate(&self) -> Result<(), PortMappingProblem> {
        let PortMappingSpec {
            nat_pmp: _,
            pcp: _,
            upnp: _,
            shortest,
            longest,
        } = self;
        let is_whole = |time: &Duration| *time == Duration::from_secs(time.as_secs());
        let fits = longest.as_secs() < u64::from(u32::MAX);
        let possible = !shortest.is_zero() && shortest <= longest && fits;
        match possible && is_whole(shortest) && is_whole(longest) {
            true => Ok(()),
            false => Err(PortMappingProblem::Lifetimes([*shortest, *longest])),
        }
    }

    /// Returns the lifetime that a host gets which asks for so many seconds.
    pub(super) fn lifetime(&self, asked: u32) -> Duration {
        Duration::from_secs(asked.into()).clamp(self.shortest, self.longest)
    }
}
