//! QUIC connections of quinn, behind routers that forget them and on phones that change their way:
//! they survive by migration (RFC 9000, section 9), and die where the server forbids that.

mod handover;
mod parties;
mod rebinding;

snowglobe::main!();
