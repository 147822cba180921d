//! The connection over which a member is driven, and asked for values.
//!
//! | line of the driver | what the member does |
//! |---|---|
//! | `ask NUMBER get KEY` | takes a request, which a later round answers |
//! | `ask NUMBER set KEY VALUE` | takes a request as well |
//! | `round NUMBER` | lets its clock tick once, and reacts to what it has gathered |
//! | `gather FROM,FROM MS` | takes in what these members have sent in the round |
//!
//! Members that are not heard within the milliseconds of `gather` are given up; the answer names
//! those that were: `heard FROM,FROM`.
//! A round is answered by lines `says WHAT`, for what the member has written to its log, and
//! `answer NUMBER TEXT`. The text is `done`, `value VALUE`, `nothing`, or `no REASON`, after which
//! the request has not happened and never will. A request without an answer may have happened.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::member::{Member, Wanted};
use crate::peers::Peers;

/// Does what the driver wants, until the driver is gone.
///
/// # Errors
/// The journal cannot be written, or the driver sends what makes no sense.
pub(crate) fn serve(
    mut stream: TcpStream,
    member: &mut Member<'_>,
    peers: &mut Peers,
) -> Result<(), Box<dyn Error>> {
    stream.set_nodelay(true)?;
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match words[..] {
            ["ask", number, "get", key] => {
                member.take(number.parse()?, Wanted::Get(key.to_owned()));
                continue;
            }
            ["ask", number, "set", key, value] => {
                let set = Wanted::Set(key.to_owned(), value.to_owned());
                member.take(number.parse()?, set);
                continue;
            }
            ["round", number] => {
                peers.begin(number.parse()?);
                member.do_round(peers)?;
                peers.end();
                member.take_lines() + "done\n"
            }
            ["gather", from, ms] => {
                let from = ids(from)?;
                let heard = peers.gather(&from, Duration::from_millis(ms.parse()?))?;
                let heard: Vec<String> = heard.iter().map(u64::to_string).collect();
                format!("heard {}\n", heard.join(","))
            }
            _ => return Err(format!("the driver sent {line:?}").into()),
        };
        // The answer is one write, so that the driver reads it as one segment.
        stream.write_all(answer.as_bytes())?;
    }
    Ok(())
}

fn ids(list: &str) -> Result<Vec<u64>, std::num::ParseIntError> {
    let ids = list.split(',').filter(|id| !id.is_empty());
    ids.map(str::parse).collect()
}
