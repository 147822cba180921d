//! Which ports of one external address are taken, for one protocol.

/// A set of ports, as one bit each.
#[derive(Clone, Debug)]
pub(super) struct PortSet {
    words: Box<[u64; 1024]>,
    /// First and last port that may be given out.
    range: [u16; 2],
    taken: u32,
}

/// The ports that may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parity {
    Any,
    Even,
    Odd,
}

impl Parity {
    pub(super) fn of(port: u16) -> Parity {
        if port & 1 == 0 {
            Parity::Even
        } else {
            Parity::Odd
        }
    }

    fn mask(self) -> u64 {
        match self {
            Parity::Any => u64::MAX,
            Parity::Even => 0x5555_5555_5555_5555,
            Parity::Odd => 0xaaaa_aaaa_aaaa_aaaa,
        }
    }
}

impl PortSet {
    pub(super) fn new(range: [u16; 2]) -> PortSet {
        PortSet {
            words: Box::new([0; 1024]),
            range,
            taken: 0,
        }
    }

    pub(super) fn range(&self) -> [u16; 2] {
        self.range
    }

    pub(super) fn is_in_range(&self, port: u16) -> bool {
        (self.range[0]..=self.range[1]).contains(&port)
    }

    pub(super) fn is_free(&self, port: u16) -> bool {
        self.words[usize::from(port / 64)] & (1 << (port % 64)) == 0
    }

    /// Takes a port. Returns whether it was free.
    pub(super) fn take(&mut self, port: u16) -> bool {
        let was_free = self.is_free(port);
        self.words[usize::from(port / 64)] |= 1 << (port % 64);
        self.taken += u32::from(was_free);
        was_free
    }

    pub(super) fn release(&mut self, port: u16) {
        self.taken -= u32::from(!self.is_free(port));
        self.words[usize::from(port / 64)] &= !(1 << (port % 64));
    }

    /// Returns the first free port from `start` on, within `range`, and from its beginning after
    /// its end.
    pub(super) fn next_free(&self, start: u16, range: [u16; 2], parity: Parity) -> Option<u16> {
        let [first, last] = range;
        let start = if (first..=last).contains(&start) {
            start
        } else {
            first
        };
        let after = self.first_free(start, last, parity);
        after.or_else(|| self.first_free(first, start, parity))
    }

    fn first_free(&self, first: u16, last: u16, parity: Parity) -> Option<u16> {
        let mut at = u32::from(first);
        while at <= u32::from(last) {
            let word = self.words[(at / 64) as usize];
            let free = (!word & parity.mask()) >> (at % 64);
            if free != 0 {
                let port = at + free.trailing_zeros();
                return u16::try_from(port).ok().filter(|port| *port <= last);
            }
            at = (at / 64 + 1) * 64;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_free_port_is_found_around_the_end() {
        let mut ports = PortSet::new([1000, 1003]);
        let next = |ports: &PortSet, from, parity| ports.next_free(from, [1000, 1003], parity);
        assert_eq!(next(&ports, 1002, Parity::Any), Some(1002));
        assert_eq!(next(&ports, 7, Parity::Odd), Some(1001));
        for port in [1002, 1003, 1000] {
            assert!(ports.take(port));
        }
        assert!(!ports.take(1000));
        assert_eq!(next(&ports, 1002, Parity::Any), Some(1001));
        assert_eq!(next(&ports, 1002, Parity::Even), None);
        ports.take(1001);
        assert_eq!(next(&ports, 1000, Parity::Any), None);
        ports.release(1003);
        assert_eq!(next(&ports, 1000, Parity::Odd), Some(1003));
    }

    #[test]
    fn the_highest_port_is_a_port() {
        let mut ports = PortSet::new([65_535, 65_535]);
        assert_eq!(
            ports.next_free(65_535, ports.range(), Parity::Any),
            Some(65_535)
        );
        ports.take(65_535);
        assert_eq!(ports.next_free(65_535, ports.range(), Parity::Any), None);
    }
}
