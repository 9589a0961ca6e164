//! Any bytes, through every way of decoding there is.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| resp::check(bytes));
