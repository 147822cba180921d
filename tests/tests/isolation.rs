//! placeholder
snowglobe::main!();
