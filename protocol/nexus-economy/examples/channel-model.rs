//! The channel's model within wider bounds than a test run affords: `cargo run --release -p nexus-economy --example channel-model`.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "how many states there are and how long it takes is printed, and never judged"
)]

#[path = "../tests/channel_model/model.rs"]
mod model;

use std::time::Instant;

use model::{Bounds, Certified, Channel};
use nexus_economy::channels::keys::Both;
use stateright::{Checker, Model};

fn main() {
    let least = Bounds {
        wins: Both { a: 2, b: 1 },
        letters: 2,
        crashes: 0,
        refusals: 0,
        settlements: 0,
        fallen_back: 0,
        certified: Certified::AtFirst,
    };
    let wider = [
        Bounds { crashes: 2, ..least },
        Bounds { crashes: 1, refusals: 1, ..least },
        Bounds { wins: Both { a: 1, b: 1 }, crashes: 1, settlements: 2, ..least },
        Bounds { wins: Both { a: 1, b: 1 }, crashes: 1, fallen_back: 1, letters: 1, ..least },
        Bounds { crashes: 1, letters: 1, certified: Certified::ByAndBy, ..least },
    ];
    for bounds in wider {
        let begun = Instant::now();
        let checker = Channel(bounds).checker().threads(2).spawn_bfs().join();
        println!("{bounds:?}");
        println!(
            "  {} states, {} unique, depth {}, {:?}",
            checker.state_count(),
            checker.unique_state_count(),
            checker.max_depth(),
            begun.elapsed()
        );
        checker.assert_properties();
    }
}
