#![no_main]
use nexus_testkit::heap::held;
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nexus_sim::fuzz::drive("payment", bytes, held));
