//! A thousand trials, each of which binds port 80, connects and exchanges bytes.
//!
//! The variable `TRIALS` adds so many more, which are made at run time.

use snowglobe::Trial;

#[path = "shared/exchange.rs"]
mod exchange;

macro_rules! leaf {
    ($name:ident) => {
        #[snowglobe::test]
        fn $name() -> std::io::Result<()> {
            crate::exchange::exchange(80)
        }
    };
}

#[macro_use]
#[path = "shared/shapes.rs"]
mod shapes;

thousand!();

fn more() -> Vec<Trial> {
    let count = std::env::var("TRIALS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    (0..count)
        .map(|i: u32| Trial::test(format!("more::t{i}"), || exchange::exchange(80)))
        .collect()
}

snowglobe::main!(more);
