//! Ten thousand trials, to be listed.

macro_rules! leaf {
    ($name:ident) => {
        #[snowglobe::test]
        fn $name() {}
    };
}

include!("shared/shapes.rs");

ten!(thousand);

snowglobe::main!();
