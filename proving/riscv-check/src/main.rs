//! Computes the digests of `nexus-selfcheck` on a bare riscv32 and prints them: one line each, `name hex`.
//!
//! Runs on QEMU's `virt` in machine mode, without firmware; `README.md` beside it has the commands. The
//! program ends QEMU: exit code 0 after the digests, 1 after a panic. Comparing them with
//! `spec/vectors/path_cost.json` is the caller's part.
#![no_std]
#![no_main]

use core::alloc::{GlobalAlloc, Layout};
use core::arch::global_asm;
use core::fmt::{self, Write as _};
use core::panic::PanicInfo;

// The processor starts here, with nothing set up: a stack, a zeroed .bss, then Rust.
global_asm!(
    ".section .text.start, \"ax\"",
    ".globl _start",
    "_start:",
    "la sp, _stack_top",
    "la t0, _bss_start",
    "la t1, _bss_end",
    "1: bgeu t0, t1, 2f",
    "sw zero, 0(t0)",
    "addi t0, t0, 4",
    "j 1b",
    "2: call main",
);

/// The NS16550A of `virt`: its transmit register. QEMU takes a byte at any time.
const UART: *mut u8 = 0x1000_0000 as *mut u8;
/// The `sifive_test` device of `virt`: a write ends QEMU.
const POWER: *mut u32 = 0x10_0000 as *mut u32;
/// Ends QEMU with exit code 0.
const PASS: u32 = 0x5555;
/// Ends QEMU with exit code 1.
const FAIL: u32 = 0x1_3333;

struct Uart;

impl fmt::Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            // SAFETY: on `virt` this address is the transmit register, written by nobody else.
            unsafe { UART.write_volatile(byte) };
        }
        Ok(())
    }
}

fn end(code: u32) -> ! {
    // SAFETY: on `virt` this address is the test device; the write does not return.
    unsafe { POWER.write_volatile(code) };
    loop {
        core::hint::spin_loop();
    }
}

fn print(name: &str, digest: &[u8; 32]) -> fmt::Result {
    write!(Uart, "{name} ")?;
    digest.iter().try_for_each(|byte| write!(Uart, "{byte:02x}"))?;
    writeln!(Uart)
}

// SAFETY: the only symbol of this name; the entry code above jumps to it with a valid stack.
#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let printed = print("hash", &nexus_selfcheck::hash_digest()).and_then(|()| {
        print("path-cost", &nexus_selfcheck::path_cost_digest(nexus_selfcheck::UPDATES))
    });
    end(if printed.is_ok() { PASS } else { FAIL })
}

/// No heap: path costs and hashes allocate nothing, and this shows it.
struct NoHeap;

#[global_allocator]
static HEAP: NoHeap = NoHeap;

// SAFETY: it hands out no memory, so none of what the trait promises about memory can be broken.
unsafe impl GlobalAlloc for NoHeap {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // A UART that cannot print has nobody to tell.
    let _ = writeln!(Uart, "{info}");
    end(FAIL)
}
