//! The place of a NAT on the wire of an uplink: filled, changed and emptied as the plan says.

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::model::nat::{Nat, NatSpec};
use crate::model::random::seed_for;
use crate::model::side::Side;
use crate::model::v6::{PrefixExchanger, PrefixPair};
use crate::topology::plan::{CablePlan, InterfacePlan};
use crate::wire::{UplinkNat, UplinkTranslators};

/// The place of a NAT. Clones share the place.
#[derive(Clone, Debug)]
pub(crate) struct NatPlace {
    nat: Arc<UplinkNat>,
}

impl NatPlace {
    /// Makes the place for a cable whose first end is an interface of a node; other cables have
    /// none.
    pub(crate) fn of(cable: &CablePlan, interface: Option<&InterfacePlan>) -> Option<Self> {
        let interface = interface?;
        let spec = cable.nat.as_deref();
        let v4 = spec.map(|spec| new_nat(cable, interface, spec));
        let v6 = exchanger(cable.prefixes.as_deref());
        Some(Self {
            nat: UplinkNat::new(UplinkTranslators { v4, v6 }),
        })
    }

    pub(crate) fn nat(&self) -> &Arc<UplinkNat> {
        &self.nat
    }

    /// Brings the NAT to what a changed plan says.
    pub(crate) fn refresh(&self, cable: &CablePlan, interface: Option<&InterfacePlan>) {
        let Some(interface) = interface else { return };
        self.nat.with(|UplinkTranslators { v4, v6 }| {
            match (cable.nat.as_deref(), v4.as_mut()) {
                (None, _) => *v4 = None,
                (Some(spec), None) => *v4 = Some(new_nat(cable, interface, spec)),
                // The mappings stay where only the behaviours change, as in a router that is set
                // up anew.
                (Some(spec), Some(nat)) if nat.spec() != spec => nat.change(spec.clone()),
                (Some(_), Some(_)) => {}
            }
            let asked = cable.prefixes.as_deref();
            if v6.as_ref().map(PrefixExchanger::pair).as_ref() != asked {
                *v6 = exchanger(asked);
            }
        });
    }
}

fn exchanger(pair: Option<&PrefixPair>) -> Option<PrefixExchanger> {
    pair.copied().map(PrefixExchanger::new)
}

/// Makes the NAT for an uplink, with the addresses that the plan has for its interface.
fn new_nat(cable: &CablePlan, interface: &InterfacePlan, spec: &NatSpec) -> Nat {
    let v4: Vec<Ipv4Addr> = interface.v4().collect();
    // The ports that a NAT draws depend on the seed of the trial, so that a failure can be
    // repeated.
    let trial = crate::trial::running::current().map_or(0, |current| current.seed);
    let seed = seed_for(trial, &format!("NAT of {}", cable.name));
    Nat::new(spec.clone(), &v4, cable.ends[Side::A].mac, seed)
}
