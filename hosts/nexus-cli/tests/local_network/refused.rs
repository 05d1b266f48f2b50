//! What a node says where it cannot meet anybody.

use nexus_netns::Segment;

use crate::network::Network;

#[test]
fn where_a_stock_node_of_the_machine_has_the_ports_one_sentence_says_what_to_do() {
    let network = Network::of(3);
    let segment = Segment::lay(&network.lab, 2, "lan", &[0, 1]).unwrap();
    let stock = network.stock(0, "stock", &[]);
    let output = network.refused(0, "node", "[[auto]]\nname = \"lan\"\n");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let address = segment.address(&network.lab, 0).unwrap();
    let sentence = said.lines().find(|line| line.starts_with("nexus: ")).unwrap_or_else(|| panic!("{said}"));
    assert!(!output.status.success(), "{said}");
    for words in [&*format!("lan cannot use [{address}%"), "rnsd", "end it, or let it attach to this node"] {
        assert!(sentence.contains(words), "{words}: {sentence}");
    }
    drop(stock);
}

#[test]
fn where_a_system_has_no_ipv6_addresses_a_node_runs_and_says_so() {
    let network = Network::of(2);
    let write = "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6 && echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6";
    network.lab.place(0).run("sh", &["-c", write]).unwrap();
    Segment::lay(&network.lab, 1, "lan", &[0]).unwrap();
    let node = network.node(0, "node", "[[auto]]\nname = \"lan\"\n");
    assert!(node.log().contains("IPv6 link-local address"), "{}", node.log());
}
