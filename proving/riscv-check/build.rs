//! Hands the memory map to the linker.
fn main() {
    let here = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    println!("cargo::rustc-link-arg-bins=-T{here}/virt.ld");
    println!("cargo::rerun-if-changed=virt.ld");
}
