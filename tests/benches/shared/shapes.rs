//! A benchmark needs many test functions without many lines. Each program of the benchmarks defines
//! `leaf!`, of which these macros make tens, hundreds and thousands.

/// Makes ten modules, each with what `$inner!` makes.
macro_rules! ten {
    ($inner:ident) => { ten!(@ $inner a b c d e f g h i j); };
    (@ $inner:ident $($name:ident)*) => { $(mod $name { $inner!(); })* };
}

macro_rules! ten_leaves {
    () => { ten_leaves!(@ a b c d e f g h i j); };
    (@ $($name:ident)*) => { $(leaf!($name);)* };
}

macro_rules! hundred {
    () => {
        ten!(ten_leaves);
    };
}

macro_rules! thousand {
    () => {
        ten!(hundred);
    };
}
