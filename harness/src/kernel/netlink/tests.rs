//! The layer against the kernel.
