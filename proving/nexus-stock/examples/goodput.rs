//! How fast a resource of 5 MB crosses a link over the loopback: between stock nodes, and between the machines of `nexus-endpoint` and one.
//!
//! ```text
//! NEXUS_STOCK_PYTHON=… cargo run --release -p nexus-stock --example goodput
//! ```

#[allow(dead_code, clippy::unwrap_used, reason = "it is of the tests, which do more with it")]
#[path = "../tests/against_stock/driven.rs"]
mod driven;

use std::time::Instant;

use driven::{Driven, measures};
use nexus_endpoint::resource::Event;
use nexus_machine::Seed;
use nexus_stock::endpoint::{self, Endpoint, Ratchets};
use nexus_stock::live::{Listening, Live};
use nexus_stock::stock::{Carries, Interfaces, StockNode, free_port};
use nexus_wire::reticulum::{LinkId, LinkMtu};
use serde_json::json;

const LEN: u32 = 5_000_000;
const ROUNDS: usize = 5;
/// What a stock TCP interface of 1.5.7 carries.
const MTU: u32 = 16_384;

fn main() -> std::io::Result<()> {
    let home = tempfile::tempdir()?;
    println!("5 MB that do not become shorter, MTU {MTU}, best and median of {ROUNDS}, in MB/s:");
    tell("stock to stock", &mut stock_to_stock(home.path())?);
    let (mut live, mut stock, link) = linked(home.path())?;
    assert_eq!(measures(MTU).part_len, MTU - 36);
    let mut seconds: Vec<_> = (0..ROUNDS)
        .map(|_| {
            stock.tell(&json!({ "do": "resource", "len": LEN }));
            let end = Driven::on(&mut live, link, MTU).until_end();
            assert!(matches!(end, Event::Arrived(_)), "{end:?}");
            stock.wait("transferred")["seconds"].as_f64().expect("a number")
        })
        .collect();
    tell("stock to nexus", &mut seconds);
    let mut data = vec![0; LEN.try_into().expect("it fits")];
    Seed::new([9; 32]).fork("noise").fill(&mut data);
    let mut seconds: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let data = data.clone();
            let began = Instant::now();
            let end = Driven::on(&mut live, link, MTU).send(data, None);
            assert!(matches!(end, Event::Sent(_)), "{end:?}");
            began.elapsed().as_secs_f64()
        })
        .collect();
    tell("nexus to stock", &mut seconds);
    Ok(())
}

fn stock_to_stock(home: &std::path::Path) -> std::io::Result<Vec<f64>> {
    let at = free_port()?;
    let mut to = StockNode::start(home, "to", Carries::Itself, &Interfaces::none().listening(at, &[]));
    let mut from = StockNode::start(home, "from", Carries::Itself, &Interfaces::none().calling(at, &[]));
    to.tell(&json!({ "do": "announce", "of": "plain", "app_data": "" }));
    from.wait_announce(&to.plain.clone());
    from.tell(&json!({ "do": "link", "to": to.plain }));
    println!("  (link of MTU {})", from.wait("linked")["mtu"]);
    let round = |_| {
        from.tell(&json!({ "do": "resource", "len": LEN }));
        from.wait("transferred")["seconds"].as_f64().expect("a number")
    };
    Ok((0..ROUNDS).map(round).collect())
}

/// An endpoint with a link to a stock node.
fn linked(home: &std::path::Path) -> std::io::Result<(Live, StockNode, LinkId)> {
    let listening = Listening::open()?;
    let at = listening.address()?;
    let endpoint =
        Endpoint::new(&Seed::new([7; 32]), "nexus.stock.endpoint", Ratchets::None, LinkMtu::new(MTU));
    let accepting = std::thread::spawn(move || listening.accept(endpoint, None));
    let mut stock = StockNode::start(home, "stock", Carries::Itself, &Interfaces::none().calling(at, &[]));
    let mut live = accepting.join().expect("nothing there panics")?;
    stock.tell(&json!({ "do": "announce", "of": "plain", "app_data": "" }));
    let to = live.wait("an announce", |event| match event {
        endpoint::Event::Announced(heard) => Some(heard.destination),
        _ => None,
    });
    live.with(|endpoint, _| endpoint.link(to, Instant::now()));
    let (link, mtu) = live.wait("a link", |event| match event {
        endpoint::Event::LinkUp(link, _, mtu) => Some((*link, *mtu)),
        _ => None,
    });
    println!("  (link of MTU {})", mtu.bytes());
    Ok((live, stock, link))
}

fn tell(what: &str, seconds: &mut [f64]) {
    seconds.sort_by(f64::total_cmp);
    let speed = |seconds: f64| f64::from(LEN) / 1e6 / seconds;
    println!("{what:>16}  {:.1}  {:.1}", speed(seconds[0]), speed(seconds[ROUNDS / 2]));
}
