//! Computes the digests of `nexus-selfcheck` on a bare riscv32 and prints one line each: name, digest in hexadecimal,
//! and the most heap that it held, in bytes.
//!
//! Runs on QEMU's `virt` in machine mode, without firmware; `README.md` beside it has the commands. The program ends
//! QEMU: exit code 0 after the digests, 1 after a panic or a trap. Comparing the digests with those of another
//! machine is the caller's part.
#![no_std]
#![no_main]

mod heap;
mod machine;

use core::fmt::{self, Write as _};

use nexus_selfcheck::{CHECKS, Check};

use crate::heap::Heap;
use crate::machine::{FAIL, PASS, Uart, end};

#[global_allocator]
static HEAP: Heap<{ 64 * 1024 }> = Heap::new();

fn run(check: &Check) -> fmt::Result {
    HEAP.restart_peak();
    let digest = (check.digest)();
    write!(Uart, "{} ", check.name)?;
    digest.iter().try_for_each(|byte| write!(Uart, "{byte:02x}"))?;
    writeln!(Uart, " {}", HEAP.peak())
}

// SAFETY: the only symbol of this name; the entry code above jumps to it with a valid stack.
#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    end(if CHECKS.iter().try_for_each(run).is_ok() { PASS } else { FAIL })
}
