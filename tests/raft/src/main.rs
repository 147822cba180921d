//! A register on Raft: an example of a service that snowglobe tests.
//!
//! ```text
//! raft-register --name n1 --members n1,n2,n3 --data /run/data --seed 7 [--bug NAME]
//! ```
//!
//! The member has no clock of its own. Whoever connects to port 7000 drives it, in rounds
//! (`driver`): all members do a round, and then each of them gathers what the others have sent to
//! it meanwhile. So a run of the service is the same each time, however busy the machine is.
//! Members exchange messages of Raft as datagrams on port 7001.
//!
//! | file | role |
//! |---|---|
//! | `options` | the command line |
//! | `journal` | what a member must not forget, in a file |
//! | `peers` | messages of Raft, as datagrams |
//! | `driver` | the connection over which a member is driven, and asked for values |
//! | `member` | the member: Raft, the journal and the register together |

mod driver;
mod journal;
mod member;
mod options;
mod peers;

use std::error::Error;
use std::net::{Ipv4Addr, TcpListener};

use member::Member;
use options::Options;
use peers::Peers;

/// Port of the driver.
const PORT: u16 = 7000;

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::from_args(std::env::args().skip(1))?;
    let mut peers = Peers::open(&options)?;
    let mut member = Member::restore(&options)?;
    // The port is opened last: it says that the member is ready.
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT))?;
    loop {
        let (stream, _) = listener.accept()?;
        driver::serve(stream, &mut member, &mut peers)?;
    }
}
