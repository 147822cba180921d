//! A client of NATS and of its JetStream, over one connection.

use std::io::{self, BufReader, Error, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use snowglobe::history::Completion;
use snowglobe::lab::Node;

use crate::connection::{connect, line};

/// Port of clients.
pub const PORT: u16 = 4222;

/// A connection to the server of one node, from within the node.
#[derive(Debug)]
pub struct NatsConnection {
    stream: BufReader<TcpStream>,
    /// First part of the subjects of answers, which no other connection has.
    inbox: String,
    /// Number of the last request, which is the last part of the subject of its answer.
    requests: u64,
}

impl NatsConnection {
    /// Connects, and waits for answers so long from then on.
    ///
    /// # Errors
    /// The node is down, or its server does not answer.
    pub fn open(node: &Node, limit: Duration) -> io::Result<Self> {
        let to = (Ipv4Addr::LOCALHOST, PORT).into();
        static OPENED: AtomicU64 = AtomicU64::new(0);
        let inbox = format!("answers.{}", OPENED.fetch_add(1, Ordering::Relaxed));
        let mut connection = Self {
            stream: connect(node, to, limit)?,
            requests: 0,
            inbox,
        };
        // The protocol is described at
        // https://docs.nats.io/reference/reference-protocols/nats-protocol
        let hello = r#"CONNECT {"verbose":false,"pedantic":false}"#;
        let hello = format!("{hello}\r\nSUB {}.* 1\r\nPING\r\n", connection.inbox);
        connection.send(hello.as_bytes())?;
        while line(&mut connection.stream)? != "PONG" {}
        Ok(connection)
    }

    /// Publishes to a subject, and returns what the first one answers who listens.
    ///
    /// # Errors
    /// Nobody answers in time, or the connection has ended. The connection is of no further use.
    pub fn request(&mut self, subject: &str, payload: &str) -> io::Result<Value> {
        self.requests += 1;
        let inbox = format!("{}.{}", self.inbox, self.requests);
        let count = payload.len();
        self.send(format!("PUB {subject} {inbox} {count}\r\n{payload}\r\n").as_bytes())?;
        loop {
            let line = line(&mut self.stream)?;
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["PING"] => self.send(b"PONG\r\n")?,
                ["MSG", to, .., count] => {
                    let count: usize = count.parse().map_err(|_| ErrorKind::InvalidData)?;
                    let mut bytes = vec![0; count + 2];
                    self.stream.read_exact(&mut bytes)?;
                    if to == inbox {
                        return Ok(serde_json::from_slice(&bytes[..count])?);
                    }
                }
                ["-ERR", ..] => return Err(Error::other(line)),
                _ => {}
            }
        }
    }

    /// Asks JetStream's own interface.
    ///
    /// # Errors
    /// Nobody answers in time, or the answer is an error.
    pub fn jetstream(&mut self, what: &str, question: &Value) -> io::Result<Value> {
        let answer = self.request(&format!("$JS.API.{what}"), &question.to_string())?;
        match &answer["error"] {
            Value::Null => Ok(answer),
            error => Err(Error::other(error.to_string())),
        }
    }

    /// Makes a stream of what is published to the subject of the same name, kept in files on three
    /// servers.
    ///
    /// # Errors
    /// As [`jetstream`](Self::jetstream).
    pub fn make_stream(&mut self, name: &str) -> io::Result<()> {
        let stream = json!({
            "name": name, "subjects": [name], "storage": "file", "num_replicas": 3,
            "retention": "limits", "discard": "old", "max_consumers": -1, "max_msgs": -1,
            "max_bytes": -1, "max_age": 0,
        });
        self.jetstream(&format!("STREAM.CREATE.{name}"), &stream)?;
        Ok(())
    }

    /// Publishes a message to a stream. An error is no proof that the message is not stored.
    pub fn publish(&mut self, stream: &str, message: &str) -> Completion<()> {
        match self.request(stream, message) {
            Ok(answer) if answer["seq"].is_u64() => Completion::Ok(()),
            Ok(answer) => Completion::Unknown(answer.to_string()),
            Err(error) => Completion::Unknown(error.to_string()),
        }
    }

    /// Returns the first message at or after a place, with its place; `None` behind the last one.
    ///
    /// # Errors
    /// As [`jetstream`](Self::jetstream).
    pub fn message(&mut self, stream: &str, place: u64) -> io::Result<Option<(u64, String)>> {
        let what = format!("STREAM.MSG.GET.{stream}");
        let question = json!({"seq": place, "next_by_subj": stream});
        let answer = self.request(&format!("$JS.API.{what}"), &question.to_string())?;
        match (&answer["message"]["data"], &answer["error"]["code"]) {
            (Value::String(data), _) => {
                let bytes = BASE64_STANDARD.decode(data).map_err(Error::other)?;
                let place = answer["message"]["seq"].as_u64();
                let place = place.ok_or(ErrorKind::InvalidData)?;
                Ok(Some((place, String::from_utf8_lossy(&bytes).into_owned())))
            }
            (_, code) if code == 404 => Ok(None),
            _ => Err(Error::other(answer.to_string())),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }
}
