//! A register on Raft: an example of a service that snowglobe tests.
//!
//! ```text
//! raft-register --name n1 --members n1,n2,n3 --data /run/data --seed 7 [--bug NAME]
//! ```
//!
//! Members exchange messages of Raft as datagrams on port 7001. Clients connect to port 7000, and
//! send lines: `set KEY VALUE` and `get KEY`. The answer is one line: `done`, `value VALUE`,
//! `nothing`, or `no REASON`, after which the request has not happened and never will. A request
//! without an answer may have happened.
//!
//! | file | role |
//! |---|---|
//! | `options` | the command line |
//! | `journal` | what a member must not forget, in a file |
//! | `peers` | messages of Raft, as datagrams |
//! | `clients` | the lines of clients |
//! | `member` | the member: Raft, the journal and the register together |

mod clients;
mod journal;
mod member;
mod options;
mod peers;

use std::error::Error;
use std::sync::mpsc::channel;

use member::Member;
use options::Options;

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::from_args(std::env::args().skip(1))?;
    let (sender, inputs) = channel();
    let peers = peers::open(&options, sender.clone())?;
    let member = Member::restore(&options, peers)?;
    // Last: the port says that the member is ready.
    clients::listen(sender)?;
    member.run(&inputs)
}
