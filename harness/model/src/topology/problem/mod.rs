//! Problems with a topology as data, and for each kind of data the one place that makes sentences
//! of the data.
//!
//! Files and folders of the third column are those of `harness/model/src`.
//!
//! | file | role | raised in |
//! |---|---|---|
//! | `kind` | kinds of problems, as callers tell them apart | |
//! | `part` | the parts of a topology that sentences name | |
//! | `size` | more parts than a lab or the machine can have | `plan/build`, `plan/limits` |
//! | `name` | names that break a rule, are taken, or name nothing | `topology/validate/` |
//! | `stack` | settings of one network stack, and of a node | `topology/validate/`, `v6/check` |
//! | `start` | mounts, volumes, trees of files and commands | `topology/validate/` |
//! | `link` | links, their ends, and changes of what is in use | `plan/`, `topology/validate/` |
//! | `address` | addresses, subnets and pools | `plan/build`, `plan/addresses/` |
//! | `router` | uplinks, translation of IPv4 and routes given by hand | `plan/routing/` |
//! | `translation` | translation of IPv6, and between the families | `v6/check` |
//! | `lease` | servers and clients of DHCP | `dhcp/`, `dhcp6/check` |
//! | `prefix` | delegated and advertised prefixes | `dhcp6/check`, `ndp/check` |
//! | `dns` | name servers | `dns/check` |
//! | `region` | regions | `topology/regions` |
//! | `document` | topologies in files | `topology/text/`, `topology/regions` |

mod address;
mod dns;
#[cfg(feature = "toml")]
mod document;
mod kind;
mod lease;
mod link;
mod name;
mod part;
mod prefix;
mod region;
mod router;
mod size;
mod stack;
mod start;
mod translation;

use std::error::Error;
use std::fmt;

pub(crate) use address::{AddressMistake, AddressProblem, PoolMistake};
pub(crate) use dns::DnsProblem;
#[cfg(feature = "toml")]
pub(crate) use document::{DocumentProblem, ReadFailure};
use kind::NounProblem;
pub use kind::TopologyErrorKind;
pub(crate) use lease::LeaseProblem;
pub(crate) use link::{ChangeProblem, LinkProblem, NodePart};
pub(crate) use name::NameProblem;
pub(crate) use part::{LinkEnd, LinkLabel, NamedPart, PartKind};
pub(crate) use prefix::{AdvertiseProblem, DelegationProblem};
pub(crate) use region::RegionProblem;
pub(crate) use router::{LedInside, RouteMistake, RouterProblem, UnreachableForward};
pub use size::RAISE_OPEN_FILES;
pub(crate) use size::{MachineLimit, SizeProblem};
pub(crate) use stack::{FirewallMistake, RuleMistake, SettingOfPod, StackProblem, SysctlMistake};
pub(crate) use start::{CommandProblem, FilesMistake, FilesProblem};
pub(crate) use translation::{ExchangeProblem, Nat64Problem};

/// Declares the enum of all problems, with one variant for each enum of this folder.
macro_rules! problems {
    ($($(#[$on:meta])* $variant:ident($problem:ty),)*) => {
        /// A problem with a topology.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(crate) enum TopologyProblem {
            $($(#[$on])* $variant($problem),)*
        }

        impl TopologyProblem {
            /// Returns the kind of the problem.
            pub(crate) fn kind(&self) -> TopologyErrorKind {
                match self {
                    $($(#[$on])* Self::$variant(problem) => problem.kind(),)*
                }
            }

            /// Returns the error that caused the problem, if there is one.
            pub(crate) fn source(&self) -> Option<&(dyn Error + 'static)> {
                match self {
                    $($(#[$on])* Self::$variant(problem) => problem.source(),)*
                }
            }
        }

        impl fmt::Display for TopologyProblem {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $($(#[$on])* Self::$variant(problem) => problem.fmt(f),)*
                }
            }
        }

        $($(#[$on])* impl From<$problem> for TopologyProblem {
            fn from(problem: $problem) -> Self {
                Self::$variant(problem)
            }
        })*
    };
}

problems! {
    Size(SizeProblem),
    Name(NameProblem),
    Stack(StackProblem),
    Files(FilesProblem),
    Command(CommandProblem),
    Link(LinkProblem),
    Change(ChangeProblem),
    Address(AddressProblem),
    Router(RouterProblem),
    Exchange(ExchangeProblem),
    Nat64(Nat64Problem),
    Lease(LeaseProblem),
    Delegation(DelegationProblem),
    Advertise(AdvertiseProblem),
    Dns(DnsProblem),
    Region(RegionProblem),
    #[cfg(feature = "toml")]
    Document(DocumentProblem),
}
