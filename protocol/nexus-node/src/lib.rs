//! Placeholder line replaced by the crate's own page in its first commit.
#![no_std]
#![forbid(unsafe_code)]
