//! The same thousand bodies under the standard harness, without isolation: each uses a free port.
//! If `UNSHARED` is set, they run in a namespace whose `lo` is down, and only bind.

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

#[macro_use]
#[path = "shared/shapes.rs"]
mod shapes;

thousand!();
