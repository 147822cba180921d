//! Translation of IPv6: prefixes and masquerade, NAT64 with DNS64, 464XLAT.

mod nat64;
mod pages;
mod path_mtu;
mod prefixes;
mod text;
mod traffic;
mod xlat;

snowglobe::main!();
