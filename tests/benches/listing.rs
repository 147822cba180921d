//! Ten thousand trials, to be listed.

macro_rules! leaf {
    ($name:ident) => {
        #[snowglobe::test]
        fn $name() {}
    };
}

#[macro_use]
#[path = "shared/shapes.rs"]
mod shapes;

ten!(thousand);

snowglobe::main!();
