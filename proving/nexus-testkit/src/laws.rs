//! The five laws of a machine.
