//! A link of a running lab: its two ends, and what is between them.
//!
//! A test calls methods of `Link` (`link`, `impair`, `observe`). These lock the `LinkState`
//! (`state`), which compares what is asked for with what the present carrier can do. Where that is
//! not enough, `carrier::change` replaces the carrier; the front page of `carrier/` has the order
//! of the steps.
//!
//! A *carrier* is the mechanism that carries the packets of a link. The kernel uses the word for
//! something else: whether an interface sees a cable. Code calls that `lower_up`, as the flag
//! IFF_LOWER_UP of netdevice(7), and comments say that an interface has, gets or loses its carrier.
//! The flag changes when a link goes down or up (`state`, `take_down` and `bring_up`), by whatever
//! carries the link.
//!
//! | file | role |
//! |---|---|
//! | `link` | `Link`: name, carrier, up and down |
//! | `impair` | impairments and counters of a link |
//! | `observe` | captures, recordings, rules and expectations |
//! | `state` | what was asked for, and what is in force |
//! | `carrier/` | what carries the packets, and how carriers change |
//! | `carried_link` | the ends with the carrier, and the access to the carrier |
//! | `ends` | the two ends, and the settings of their interfaces |
//! | `refusals` | errors of requests, which name the link |
//! | `announce` | what switches and neighbours are told of a node |
//! | `cuts` | cuts, whatever carries the link |
//! | `counters` | counts, from wherever the carrier counts |
//! | `nat_place` | where the NAT of snowglobe works on an uplink |
//! | `power` | what a power cut of a node does to its links |
//! | `services` | the wire namespace, shared by all links of a lab |

pub(crate) mod announce;
pub(crate) mod carried_link;
pub(crate) mod carrier;
pub(crate) mod counters;
pub(crate) mod cuts;
pub(crate) mod ends;
pub(crate) mod impair;
pub(crate) mod link;
pub(crate) mod nat_place;
pub(crate) mod observe;
pub(crate) mod power;
mod refusals;
pub(crate) mod services;
pub(crate) mod state;
