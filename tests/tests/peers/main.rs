//! Published crates for peers, as their users have them: nodes of libp2p that meet by a relay and
//! then punch a hole, and the resolver of hickory. They take a while to compile, so the suite has
//! a feature: `cargo test -p snowglobe-tests --features peers --test peers`.

mod holes;
mod resolver;
mod swarm;

snowglobe::main!();
