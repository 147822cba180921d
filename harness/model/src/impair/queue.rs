//! The limit of the packets in a link, with which tests cause bufferbloat and tail drops.

use std::fmt;
use std::str::FromStr;

use snowglobe_text::counted;

use super::error::ImpairmentError;
use super::problem::{Notation, TextProblem};
use super::text::{self, serde_text};

/// The limit of the packets that one direction of a link holds. A packet that comes when the link
/// is full is dropped.
///
/// As in netem, all packets in the link count: those that wait for the rate and those under way. A
/// link of rate r and delay d is only filled if it may hold r × d: 1 Gbit/s over 40 ms are 3,300
/// packets of 1,514 bytes.
///
/// ```
/// use snowglobe_model::impair::QueueLimit;
///
/// assert_eq!("64 KiB".parse::<QueueLimit>()?, QueueLimit::bytes(65_536));
/// let both = QueueLimit::packets(100).and_bytes(150_000);
/// assert_eq!("100 packets, 150 kB".parse::<QueueLimit>()?, both);
/// assert_eq!(QueueLimit::default().to_string(), "1000 packets");
/// assert_eq!(QueueLimit::packets(1).to_string(), "1 packet");
/// assert_eq!("1 packet".parse::<QueueLimit>()?, QueueLimit::packets(1));
/// # Ok::<(), snowglobe_model::impair::ImpairmentError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QueueLimit {
    /// Largest number of packets in the queue, or `None` for no such limit.
    pub packets: Option<u32>,
    /// Largest number of bytes of Ethernet frames in the queue, or `None` for no such limit.
    pub bytes: Option<u64>,
}

impl QueueLimit {
    /// The limit of netem as tc(8) sets it: 1,000 packets.
    pub const DEFAULT: QueueLimit = QueueLimit::packets(1000);

    /// Largest number of packets in a link without a set limit, so that memory stays bounded.
    pub const MOST_PACKETS: u32 = 1 << 18;

    /// Largest number of bytes in a link without a set limit.
    pub const MOST_BYTES: u64 = 256 << 20;

    /// No limit but the one that keeps memory bounded: 262,144 packets and 256 MiB.
    pub const UNLIMITED: QueueLimit = QueueLimit {
        packets: None,
        bytes: None,
    };

    /// Returns a limit of `n` packets.
    pub const fn packets(n: u32) -> Self {
        QueueLimit {
            packets: Some(n),
            bytes: None,
        }
    }

    /// Returns a limit of `n` bytes.
    pub const fn bytes(n: u64) -> Self {
        QueueLimit {
            packets: None,
            bytes: Some(n),
        }
    }

    /// Adds a limit of `n` bytes.
    pub const fn and_bytes(self, n: u64) -> Self {
        QueueLimit {
            bytes: Some(n),
            ..self
        }
    }
}

impl Default for QueueLimit {
    fn default() -> Self {
        QueueLimit::DEFAULT
    }
}

impl fmt::Display for QueueLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.packets, self.bytes) {
            (Some(packets), Some(bytes)) => {
                write!(f, "{}, {bytes} B", counted(packets, "packet"))
            }
            (Some(packets), None) => f.write_str(&counted(packets, "packet")),
            (None, Some(bytes)) => write!(f, "{bytes} B"),
            (None, None) => f.write_str("unlimited"),
        }
    }
}

impl FromStr for QueueLimit {
    type Err = ImpairmentError;

    fn from_str(text: &str) -> Result<Self, ImpairmentError> {
        let wrong =
            || ImpairmentError::from(TextProblem::NotA(Notation::QueueLimit, text.to_owned()));
        if text.trim() == "unlimited" {
            return Ok(QueueLimit::UNLIMITED);
        }
        let mut limit = QueueLimit::UNLIMITED;
        for part in text.split(',') {
            let part = part.trim();
            let packets = part.strip_suffix("packets");
            let packets = packets.or_else(|| part.strip_suffix("packet"));
            let twice = match packets {
                Some(number) => {
                    let number = number.trim().parse().map_err(|_| wrong())?;
                    limit.packets.replace(number).is_some()
                }
                None => {
                    let number = text::bytes(part).map_err(|_| wrong())?;
                    limit.bytes.replace(number).is_some()
                }
            };
            if twice {
                return Err(wrong());
            }
        }
        Ok(limit)
    }
}

serde_text!(
    QueueLimit,
    "a queue limit with its unit, like `1000 packets` or `64 KiB`"
);
