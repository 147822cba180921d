//! Ten thousand tests of the standard harness, to be listed.

macro_rules! leaf {
    ($name:ident) => {
        #[test]
        fn $name() {}
    };
}

#[macro_use]
#[path = "shared/shapes.rs"]
mod shapes;

ten!(thousand);
