//! Captures: the frames of links and of nodes' interfaces, in one pcapng file for the whole trial.
//!
//! When a network test fails, the first question is what was on the wire, and by then the network
//! is gone. So a capture writes while the test runs, on one clock for all links, whole blocks at a
//! time: the file can be read after any end of the trial, a crash and a time-out included.
//!
//! | file | role |
//! |---|---|
//! | `capture_guard` | what a test holds of a capture |
//! | `interface` | an interface of the file: makes a block of each frame that it is told of |
//! | `labels` | how a link or a node's interface is named in the file |
//! | `write_queue` | packets that wait to be written, and the wake-up of the thread that writes |
//! | `packet_batch` | packets that are written together, sorted by time |
//! | `session` | all captures of the trial: the thread that writes, and what becomes of the file |
//! | `capture_file` | the file, as it grows and when it is put in order |
//! | `pcapng` | the blocks of the format |
//! | `location` | where the file lies, and its name |
//! | `policy` | what `SNOWGLOBE_CAPTURE` asks for |
//! | `tls_keys` | keys that TLS libraries log, by which Wireshark decrypts |
//!
//! Frames come from a wire or from a [`Sniffer`](super::Sniffer), on their threads. These threads
//! only append to the queue: a wire that waited for a disk would delay packets.

mod capture_file;
mod capture_guard;
mod interface;
mod labels;
mod location;
mod packet_batch;
mod pcapng;
mod policy;
mod session;
#[cfg(test)]
mod tests;
mod tls_keys;
mod write_queue;

pub use capture_guard::CaptureGuard;

pub(crate) use capture_guard::CapturedInterfaces;
pub(crate) use labels::InterfaceLabels;
pub(crate) use location::name_directory as name_capture_directory;
#[cfg(feature = "toml")]
pub(crate) use location::{directory_of, file_stem};
pub(crate) use policy::CapturePolicy;
pub(crate) use session::CaptureSession;
pub(crate) use tls_keys::{KEY_LOG, KEY_LOG_VARIABLE, log_keys_of_this_process, open_key_log};
