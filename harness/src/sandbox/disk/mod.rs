//! The process that serves a disk with faults: a filesystem of a node whose state is a value.
//!
//! The process is no thread of the test: a thread of the test that waits for a file would keep the
//! device open in which the answer should come, and the process could not even be killed
//! (fs/fuse/dev.c, `request_wait_answer`). It is forked by the trial's init, as nodes are, has no
//! namespaces of its own, and ends with its lab.
//!
//! | file | role |
//! |---|---|
//! | `server` | the process, and the commands of the lab |
//! | `session` | one mount of the disk, with the threads that answer the kernel |
//! | `node_ids` | the numbers by which the kernel knows inodes, and when an inode gets another |
//! | `operations` | what each request of the kernel means to the disk |
//! | `sync` | tells the servers of programs that make disks durable |

mod node_ids;
mod operations;
mod server;
mod session;
pub(super) mod sync;

pub(super) use server::live;
