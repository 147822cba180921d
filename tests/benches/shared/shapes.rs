// Many test functions without many lines; included by the benchmarks' programs, each of which
// says what a `leaf!` is.

/// Ten modules, each with what `$inner!` makes.
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
