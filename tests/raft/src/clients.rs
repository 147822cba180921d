//! The lines of clients, each answered by one line.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use crate::member::Input;

const PORT: u16 = 7000;

/// A request of a client.
pub(crate) struct Request {
    pub(crate) wanted: Wanted,
    /// The channel to the thread that writes the answer. Dropped, there is no answer.
    pub(crate) answer: Sender<String>,
}

/// The thing that a client asks for.
pub(crate) enum Wanted {
    Get { key: String },
    Set { key: String, value: String },
}

/// Starts the thread that takes connections.
///
/// # Errors
/// The port is taken.
pub(crate) fn listen(inputs: Sender<Input>) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT))?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let inputs = inputs.clone();
            // A client that is gone leaves an error, and nobody waits for it.
            thread::spawn(move || serve(stream, &inputs));
        }
    });
    Ok(())
}

fn serve(mut stream: TcpStream, inputs: &Sender<Input>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let lines = BufReader::new(stream.try_clone()?).lines();
    for line in lines {
        let Some(wanted) = Wanted::parse(&line?) else {
            stream.write_all(b"no such request\n")?;
            continue;
        };
        let (answer, answered) = channel();
        if inputs
            .send(Input::Client(Request { wanted, answer }))
            .is_err()
        {
            break;
        }
        // No answer: the member does not know what becomes of the request, nor may the client.
        let Ok(answer) = answered.recv() else {
            break;
        };
        stream.write_all(format!("{answer}\n").as_bytes())?;
    }
    Ok(())
}

impl Wanted {
    fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["get", key] => Some(Self::Get {
                key: key.to_owned(),
            }),
            ["set", key, value] => Some(Self::Set {
                key: key.to_owned(),
                value: value.to_owned(),
            }),
            _ => None,
        }
    }
}
