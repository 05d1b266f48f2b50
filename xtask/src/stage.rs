//! The stages of `cargo xtask test` that are more than one command.

pub(crate) mod bare_metal;
pub(crate) mod dependencies;
pub(crate) mod examples;
pub(crate) mod licences;
pub(crate) mod lints;
pub(crate) mod packages;
pub(crate) mod riscv32;
pub(crate) mod simulator;
pub(crate) mod stock_python;
