//! The same thousand bodies under the standard harness, with no isolation: each on a port that is
//! free. In a namespace whose `lo` is down (`UNSHARED` is set) they only bind.

#[path = "shared/exchange.rs"]
mod exchange;

fn body() -> std::io::Result<()> {
    match std::env::var_os("UNSHARED") {
        Some(_) => std::net::TcpListener::bind("0.0.0.0:80").map(drop),
        None => exchange::exchange(0),
    }
}

macro_rules! leaf {
    ($name:ident) => {
        #[test]
        fn $name() -> std::io::Result<()> {
            crate::body()
        }
    };
}

include!("shared/shapes.rs");

thousand!();
