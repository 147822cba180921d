//! Real distributed systems under fire: clients are recorded while a nemesis is at work, and their
//! histories are checked.

mod etcd;
mod etcd_stale;
mod membership;
mod nats;
mod postgres;
mod redis;
mod registers;

snowglobe::main!();
