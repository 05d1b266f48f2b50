#![no_main]
use nexus_testkit::formats::stream;
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (stream("hdlc-stream").fuzz_one)(bytes));
