#![no_main]
use nexus_testkit::formats::named;
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nexus_testkit::format::fuzz_one(named("course"), bytes));
