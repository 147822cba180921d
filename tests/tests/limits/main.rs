//! Limits and settings of the host, which must not decide on the verdict of a test.

mod budgets;
mod descriptors;
mod settings;
mod starts;

snowglobe::main!(budgets::trials);
