//! The bare machine: where it starts, where text goes, how it ends.

use core::arch::global_asm;
use core::fmt::{self, Write as _};
use core::panic::PanicInfo;

// The processor starts here, with nothing set up: a trap handler, a stack, a zeroed .bss, then Rust.
global_asm!(
    ".section .text.start, \"ax\"",
    ".globl _start",
    "_start:",
    "la t0, trapped",
    "csrw mtvec, t0",
    "la sp, _stack_top",
    "la t0, _bss_start",
    "la t1, _bss_end",
    "1: bgeu t0, t1, 2f",
    "sw zero, 0(t0)",
    "addi t0, t0, 4",
    "j 1b",
    "2: call main",
    // Nothing is resumed after a trap, so nothing of what ran before it is saved.
    ".balign 4",
    "trapped:",
    "la sp, _stack_top",
    "csrr a0, mcause",
    "csrr a1, mepc",
    "call trap",
);

/// The NS16550A of `virt`: its transmit register. QEMU takes a byte at any time.
const UART: *mut u8 = 0x1000_0000 as *mut u8;
/// The `sifive_test` device of `virt`: a write ends QEMU.
const POWER: *mut u32 = 0x10_0000 as *mut u32;
/// Ends QEMU with exit code 0.
pub const PASS: u32 = 0x5555;
/// Ends QEMU with exit code 1.
pub const FAIL: u32 = 0x1_3333;

/// Where text goes.
pub struct Uart;

impl fmt::Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            // SAFETY: on `virt` this address is the transmit register, written by nobody else.
            unsafe { UART.write_volatile(byte) };
        }
        Ok(())
    }
}

/// Ends QEMU.
pub fn end(code: u32) -> ! {
    // SAFETY: on `virt` this address is the test device; the write does not return.
    unsafe { POWER.write_volatile(code) };
    loop {
        core::hint::spin_loop();
    }
}

// SAFETY: the only symbol of this name; the entry code above jumps to it with a valid stack.
#[unsafe(no_mangle)]
extern "C" fn trap(cause: usize, at: usize) -> ! {
    // A UART that cannot print has nobody to tell.
    let _ = writeln!(Uart, "trap of cause {cause} at {at:#x}");
    end(FAIL)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // A UART that cannot print has nobody to tell.
    let _ = writeln!(Uart, "{info}");
    end(FAIL)
}
