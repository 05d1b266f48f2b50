//! How long messages between two stock LXMF peers take over whatever relay listens at an address: until their sender holds the proof, and until an
//! answer is there.
//!
//! ```text
//! NEXUS_STOCK_PYTHON=… cargo run --release -p nexus-stock --example lxmf_round_trip -- 127.0.0.1:4242
//! ```

use std::error::Error;
use std::time::Instant;

use nexus_stock::StockLxmf;
use nexus_stock::lxmf::{Method, Stamps};
use nexus_stock::stock::Interfaces;

/// How many messages of each kind.
const ROUNDS: usize = 20;
/// As long as a few lines of text: it fits one packet.
const TEXT_LEN: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let at = std::env::args().nth(1).ok_or("say where a relay listens: ADDRESS:PORT")?.parse()?;
    let home = tempfile::tempdir()?;
    let call = Interfaces::none().calling(at, &[]);
    let peer = |name| StockLxmf::start(home.path(), name, Stamps::Unasked, &call);
    let (mut one, mut other) = (peer("one"), peer("other"));
    one.announce();
    other.wait_announce(&one.address);
    other.announce();
    one.wait_announce(&other.address);
    let ways = [("in a packet", Method::Opportunistic), ("on a link", Method::Direct)];
    for (name, method) in ways {
        // The first makes what there is to make: a link, files.
        for round in 0..=ROUNDS {
            let text = |what: &str| format!("{what} {name} {round} {}", "x".repeat(TEXT_LEN));
            let (there, back) = (text("there"), text("back"));
            let began = Instant::now();
            one.send(&other.address, &there, method);
            one.wait_delivered(&there);
            let proved = began.elapsed();
            other.wait_text(&there);
            let began = Instant::now();
            one.send(&other.address, &text("asked"), method);
            other.wait_text(&text("asked"));
            other.send(&one.address, &back, method);
            one.wait_text(&back);
            let answered = began.elapsed();
            one.wait_delivered(&text("asked"));
            other.wait_delivered(&back);
            if round > 0 {
                println!("{name}, until the proof: {} us", proved.as_micros());
                println!("{name}, until the answer: {} us", answered.as_micros());
            }
        }
    }
    Ok(())
}
