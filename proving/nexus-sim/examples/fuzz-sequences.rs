//! Writes the seeds of the fuzz targets that drive machines by sequences of inputs. Run after a step changed its meaning:
//!
//! ```text
//! cargo run -p nexus-sim --example fuzz-sequences
//! ```

use std::fs;
use std::path::Path;

use nexus_sim::fuzz::DRIVERS;

fn main() -> std::io::Result<()> {
    for driver in &DRIVERS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(driver.name);
        fs::create_dir_all(&folder)?;
        for (name, script) in (driver.seeds)() {
            fs::write(folder.join(name), script)?;
        }
    }
    Ok(())
}
