//! Two islands of nodes, joined by stock relays alone.

use nexus_daemon::api::{Done, Verb, Ways};
use nexus_stock::stock::{Carries, Interfaces, StockNode, free_port};

use crate::nodes::{Node, udp};
use crate::place::ask;
use crate::world::{at, in_clear};

#[test]
fn islands_joined_by_three_stock_relays_write_to_each_other() {
    let home = tempfile::tempdir().unwrap();
    let [first, last] = [free_port().unwrap(), free_port().unwrap()];
    let relay =
        |name, interfaces: &Interfaces| StockNode::start(home.path(), name, Carries::Others, interfaces);
    let coast = in_clear("sea", "") + &udp("land", &[], "price = 500\n");
    let (west_coast, east_coast) = ask(async { tokio::join!(Node::with(&coast), Node::with(&coast)) });
    let _west = relay("west", &Interfaces::none().calling(at(&west_coast, "sea"), &[]).listening(first, &[]));
    let _mid = relay("mid", &Interfaces::none().calling(first, &[]).listening(last, &[]));
    let _east = relay("east", &Interfaces::none().calling(last, &[]).calling(at(&east_coast, "sea"), &[]));
    ask(async {
        let west = Node::with(&udp("land", &[&west_coast.at("land")], "")).await;
        let east = Node::with(&udp("land", &[&east_coast.at("land")], "")).await;
        tokio::join!(west.until_linked(&west_coast), east.until_linked(&east_coast));
        for node in [&west, &west_coast, &east_coast, &east] {
            let Done {} = node.client().await.call(Verb::Announce).await.unwrap();
        }
        west_coast.until_linked(&east_coast).await;
        west.until_known(&[&east, &east_coast]).await;
        // What the far coast asks for carrying on is known here, over the sea: stock relays say nothing of it.
        let mut client = west_coast.client().await;
        let priced = |ways: &Ways| {
            ways.ways.iter().any(|way| {
                let price = way.total.unxs_per_kib.unwrap_or(0);
                way.interface == "crossing" && way.total.hops == 2 && price.abs_diff(500) < 30
            })
        };
        let ways = async {
            loop {
                let ways: Ways =
                    client.call(Verb::Path { to: east.me.node.clone(), policy: None }).await.unwrap();
                if priced(&ways) {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(crate::nodes::PATIENCE, ways)
            .await
            .expect("the way over the crossing has its price");
        for (from, to) in [(&west, &east), (&east, &west)] {
            for outcome in from.write(&to.me.node, &["over the sea".to_owned()], 30).await {
                outcome.unwrap();
            }
        }
    });
}
