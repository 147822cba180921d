//! Ten thousand tests of the standard harness, to be listed.

macro_rules! leaf {
    ($name:ident) => {
        #[test]
        fn $name() {}
    };
}

include!("shared/shapes.rs");

ten!(thousand);
