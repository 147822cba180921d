//! The answers of a server (RFC 8415, section 18.3).

use std::net::Ipv6Addr;
use std::time::Duration;

use crate::dhcp6::codec::{DNS, DOMAINS};
use crate::dhcp6::message::{
    Association, AssociationKind, Dhcp6Kind, Dhcp6Message, Dhcp6Status, LeasedRange, first,
};
use crate::dhcp6::server::{Dhcp6Server, LeaseKey};
use crate::topology::Subnet;

/// A message that has come from a client.
struct HeardMessage<'m> {
    message: &'m Dhcp6Message,
    client: &'m [u8],
    network: usize,
    from: Ipv6Addr,
    now: Duration,
}

impl HeardMessage<'_> {
    fn key(&self, own: &Association) -> LeaseKey {
        LeaseKey {
            network: self.network,
            client: self.client.to_vec(),
            kind: own.kind,
            id: own.id,
        }
    }
}

impl Dhcp6Server {
    /// Returns the answer to a message that has come from a link-local address on the network with
    /// a number, if there is an answer.
    pub fn hear(
        &mut self,
        message: &Dhcp6Message,
        network: usize,
        from: Ipv6Addr,
        now: Duration,
    ) -> Option<Dhcp6Message> {
        self.expire(now);
        let mine = message.server.as_ref().map(|it| *it == self.duid);
        // Section 16 says which messages name a server, and which do not.
        let (named, kind) = match message.kind {
            Dhcp6Kind::Solicit => (mine.is_none(), Dhcp6Kind::Advertise),
            Dhcp6Kind::Confirm | Dhcp6Kind::Rebind => (mine.is_none(), Dhcp6Kind::Reply),
            Dhcp6Kind::Request | Dhcp6Kind::Renew | Dhcp6Kind::Release | Dhcp6Kind::Decline => {
                (mine == Some(true), Dhcp6Kind::Reply)
            }
            Dhcp6Kind::InformationRequest => {
                let plain = message.associations.is_empty();
                (mine != Some(false) && plain, Dhcp6Kind::Reply)
            }
            Dhcp6Kind::Advertise | Dhcp6Kind::Reply | Dhcp6Kind::Reconfigure => return None,
        };
        if !named || network >= self.networks.len() {
            return None;
        }
        let mut answer = Dhcp6Message::new(kind, message.xid);
        answer.client.clone_from(&message.client);
        answer.server = Some(self.duid.clone());
        if message.kind == Dhcp6Kind::InformationRequest {
            self.tell_rest(message, network, &mut answer);
            return Some(answer);
        }
        let heard = HeardMessage {
            message,
            client: message.client.as_deref()?,
            network,
            from,
            now,
        };
        self.answer(&heard, &mut answer)?;
        Some(answer)
    }

    fn answer(&mut self, heard: &HeardMessage<'_>, answer: &mut Dhcp6Message) -> Option<()> {
        let HeardMessage {
            message, network, ..
        } = *heard;
        let associations = message.associations.iter();
        let asks = [
            Dhcp6Kind::Solicit,
            Dhcp6Kind::Request,
            Dhcp6Kind::Renew,
            Dhcp6Kind::Rebind,
        ];
        if asks.contains(&message.kind) {
            // Section 18.3.2: there are none, and the client is told so.
            answer.temporary.clone_from(&message.temporary);
        }
        match message.kind {
            Dhcp6Kind::Solicit | Dhcp6Kind::Request => {
                let rapid = message.rapid_commit && self.rapid_commit;
                let taken = rapid || message.kind == Dhcp6Kind::Request;
                if message.kind == Dhcp6Kind::Solicit && rapid {
                    answer.kind = Dhcp6Kind::Reply;
                    answer.rapid_commit = true;
                }
                answer.associations = associations
                    .map(|it| self.assign(heard, it, taken))
                    .collect();
                self.tell_rest(message, network, answer);
            }
            Dhcp6Kind::Renew | Dhcp6Kind::Rebind => {
                answer.associations = associations.map(|it| self.extend(heard, it)).collect();
                self.tell_rest(message, network, answer);
            }
            Dhcp6Kind::Confirm => {
                let all = associations.flat_map(|it| &it.leased).map(|it| it.range);
                let all: Vec<Subnet> = all.collect();
                let subnet = self.networks[network].subnet;
                let fits = |it: &Subnet| subnet.is_some_and(|own| own.contains(first(*it).into()));
                // Section 18.3.3: without an address there is nothing to be said.
                all.first()?;
                answer.status = Some(if all.iter().all(fits) {
                    Dhcp6Status::Success
                } else {
                    Dhcp6Status::NotOnLink
                });
            }
            Dhcp6Kind::Release | Dhcp6Kind::Decline => {
                let declined = message.kind == Dhcp6Kind::Decline;
                for own in associations {
                    if self
                        .take_back(&heard.key(own), declined, heard.now)
                        .is_none()
                    {
                        let mut unknown = Association::new(own.kind, own.id);
                        unknown.status = Some(Dhcp6Status::NoBinding);
                        answer.associations.push(unknown);
                    }
                }
                answer.status = Some(Dhcp6Status::Success);
            }
            // `hear` does not pass these kinds on.
            Dhcp6Kind::InformationRequest
            | Dhcp6Kind::Advertise
            | Dhcp6Kind::Reply
            | Dhcp6Kind::Reconfigure => return None,
        }
        Some(())
    }

    /// Gives a client what it asks for under one number, or offers it.
    fn assign(&mut self, heard: &HeardMessage<'_>, own: &Association, taken: bool) -> Association {
        let mut answer = Association::new(own.kind, own.id);
        let key = heard.key(own);
        let wanted = own.leased.iter().map(|it| it.range);
        match self.choose(&key, wanted) {
            Some(range) => {
                self.give(key, range, heard.from, heard.now, taken);
                self.fill(&mut answer, range);
            }
            None => {
                answer.status = Some(match own.kind {
                    AssociationKind::Addresses => Dhcp6Status::NoAddrsAvail,
                    AssociationKind::Prefixes => Dhcp6Status::NoPrefixAvail,
                });
            }
        }
        answer
    }

    /// Gives a client more time for what it has under one number. What is given no more ends at
    /// once, and the client gets something else with it (section 18.3.4).
    fn extend(&mut self, heard: &HeardMessage<'_>, own: &Association) -> Association {
        let mut answer = Association::new(own.kind, own.id);
        let key = heard.key(own);
        let has = own.leased.iter().map(|it| it.range);
        let unknown = self.of_client(&key).is_none();
        if unknown && heard.message.kind == Dhcp6Kind::Renew {
            answer.status = Some(Dhcp6Status::NoBinding);
            return answer;
        }
        if let Some(range) = self.choose(&key, has.clone()) {
            self.give(key, range, heard.from, heard.now, true);
            self.fill(&mut answer, range);
        } else {
            // There is nothing to give in its place: the client hears that it has nothing.
            let _ = self.take_back(&key, false, heard.now);
        }
        let given = answer.leased.first().map(|it| it.range);
        answer.leased.extend(
            has.filter(|it| Some(*it) != given)
                .map(|range| LeasedRange {
                    range,
                    preferred: 0,
                    valid: 0,
                }),
        );
        answer
    }

    fn fill(&self, answer: &mut Association, range: Subnet) {
        let seconds = self.seconds;
        answer.leased.push(LeasedRange {
            range,
            preferred: seconds,
            valid: seconds,
        });
        // Section 21.4 recommends half of the shortest preferred time, and eight tenths.
        let rebind = u32::try_from(u64::from(seconds) * 8 / 10).unwrap_or(seconds);
        answer.times = [self.renew_after, rebind.max(self.renew_after)];
    }

    /// Tells what a client wants to know besides.
    fn tell_rest(&self, message: &Dhcp6Message, network: usize, answer: &mut Dhcp6Message) {
        let network = &self.networks[network];
        if message.wanted.contains(&DNS) {
            answer.dns.clone_from(&network.dns);
        }
        if message.wanted.contains(&DOMAINS) && !network.domain.is_empty() {
            answer.domains = vec![network.domain.clone()];
        }
    }
}
