//! The published Reticulum package and this program's nodes on one channel, each with a modem of its own.
//!
//! `cargo xtask test` installs the package and names its interpreter in `NEXUS_STOCK_PYTHON`.

use nexus_air::{Outcome, RadioId, Transmission};
use nexus_daemon::api::{Done, Paths, Status, Verb};

use crate::air::{A, ANOTHER, Air, B, OTHER};
use crate::nodes::{Node, arrived_once, texts};
use crate::place::ask;
use crate::stock_node::{FlowControl, StockNode, Tuned};

/// How often each stock node announces something.
const ANNOUNCES: u64 = 6;

/// A stock node on the nodes' channel.
fn stock(home: &tempfile::TempDir, name: &str, air: &Air, radio: RadioId) -> StockNode {
    StockNode::start(home.path(), name, air.house.address(radio), Tuned::FAST, FlowControl::Off)
}

/// Whether the node has its radio on.
fn on(status: &Status) -> bool {
    status.interfaces.iter().any(|interface| interface.name == "radio" && interface.up)
}

async fn destinations(of: &Node) -> Vec<String> {
    let Paths { paths, .. } = of.client().await.call(Verb::Paths { after: None }).await.unwrap();
    paths.into_iter().map(|path| path.destination).collect()
}

/// Announces a new destination of `from`; its hash.
fn announced(from: &mut StockNode) -> String {
    from.tell("announce");
    from.wait_for("own")["own"].as_str().unwrap().to_owned()
}

#[test]
fn a_node_that_speaks_in_clear_and_a_stock_node_hear_each_other_over_the_air() {
    ask(async {
        let (home, air) = (tempfile::tempdir().unwrap(), Air::of(2));
        let mut stock = stock(&home, "stock", &air, B);
        stock.wait_for("ready");
        let node = Node::with(&air.rnode(A, "mode = \"reticulum\"\n")).await;
        node.until("its radio is on", on).await;
        let Done {} = node.client().await.call(Verb::Announce).await.unwrap();
        assert_eq!(stock.wait_for("announced")["announced"], node.me.node);

        let destination = announced(&mut stock);
        let known = |status: &Status| status.paths > 0;
        node.until("the stock node's announce was verified", known).await;
        assert_eq!(destinations(&node).await, [destination]);
        assert_eq!(stock.complaints(), 0);
    });
}

#[test]
fn sealed_links_and_stock_nodes_share_a_channel_and_neither_disturbs_the_other() {
    ask(async {
        let (home, air) = (tempfile::tempdir().unwrap(), Air::of(4));
        let mut left = stock(&home, "left", &air, OTHER);
        let mut right = stock(&home, "right", &air, ANOTHER);
        left.wait_for("ready");
        right.wait_for("ready");
        let (a, b) = (Node::with(&air.rnode(A, "")).await, Node::with(&air.rnode(B, "")).await);
        let mut told = [Vec::new(), Vec::new()];
        tokio::join!(a.until_linked(&b), b.until_linked(&a));
        a.until_known(&[&b]).await;
        b.until_known(&[&a]).await;
        let (from_a, from_b) = (texts("Anna", 4), texts("Ben", 4));
        let writing =
            async { tokio::join!(a.write(&b.me.node, &from_a, 60), b.write(&a.me.node, &from_b, 60)) };
        let announcing = async {
            for count in 1..=ANNOUNCES {
                told[0].push(announced(&mut left));
                told[1].push(announced(&mut right));
                let sent =
                    |_: &Status| [OTHER, ANOTHER].iter().all(|radio| air.house.meter(*radio).sent >= count);
                a.until("both announces were sent", sent).await;
            }
        };
        let ((by_a, by_b), ()) = tokio::join!(writing, announcing);
        assert!(by_a.iter().chain(&by_b).all(Result::is_ok), "{by_a:?} {by_b:?}");
        arrived_once(&b.inbox().await, &a, &from_a);
        arrived_once(&a.inbox().await, &b, &from_b);

        let on_air = air.house.transmissions();
        // Each stock node heard the other as often as its modem did, and nobody else.
        for (listener, at, from, told) in
            [(&mut right, ANOTHER, OTHER, &told[0]), (&mut left, OTHER, ANOTHER, &told[1])]
        {
            let received = received(&on_air, from, at);
            println!("{received} of {ANNOUNCES} announces were received at {at:?}");
            assert!(received > 0);
            for _ in 0..received {
                let heard = listener.wait_for("announced");
                assert!(told.iter().any(|destination| heard["announced"] == **destination), "{heard}");
            }
            assert_eq!(listener.said("announced"), Vec::<serde_json::Value>::new());
            assert_eq!(listener.complaints(), 0, "lines of the stock node's log");
        }
        // Each of ours knows the other alone, and counted each announce in clear as nothing that it speaks.
        for (node, at, other) in [(&a, A, &b), (&b, B, &a)] {
            assert_eq!(destinations(node).await, std::slice::from_ref(&other.me.node));
            let received = received(&on_air, OTHER, at) + received(&on_air, ANOTHER, at);
            let refused = |status: &Status| {
                status.refusals.get("link_malformed").is_some_and(|count| *count == received)
            };
            let status = node.until(&format!("{received} announces were refused"), refused).await;
            assert_eq!(status.links.len(), 1);
        }
    });
}

/// How many of the transmissions of one radio another received.
fn received(on_air: &[Transmission], from: RadioId, at: RadioId) -> u64 {
    let receptions = on_air.iter().filter(|one| one.sender == from).flat_map(|one| &one.receptions);
    let received = receptions.filter(|one| one.radio == at && one.outcome == Outcome::Received);
    received.count().try_into().unwrap()
}
