//! People with keys, witnesses, a genesis: what tests of the ledger need.

use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::{NodeId, NodePublic, SigningKey};
use nexus_wire::nexus::Layout;
use nexus_wire::nexus::channel::{ChannelId, SettlementBody, SettlementRecord};
use nexus_wire::nexus::genesis::{Genesis, Terms};
use nexus_wire::nexus::ledger::{
    Certificate, CloseOrder, ClosedBy, GenesisId, OpenBody, OpenOrder, Order, WitnessIndex, attested,
};

use super::rules::Rules;
use super::witness::Seat;

/// Somebody with a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Person(pub(crate) u8);

impl Person {
    pub(crate) fn key(self) -> SigningKey {
        SigningKey::from_seed(&[self.0; 32])
    }

    pub(crate) fn id(self) -> NodeId {
        self.public().node_id()
    }

    pub(crate) fn public(self) -> NodePublic {
        NodePublic::of_verifying(self.key().public()).expect("an honest key")
    }
}

/// A network with its witnesses' keys.
pub(crate) struct Net {
    pub(crate) rules: Rules,
    witnesses: Vec<SigningKey>,
}

impl Net {
    /// A network of so many witnesses, in which each of `rich` has a million at first.
    pub(crate) fn new(name: &str, witnesses: u8, rich: &[Person]) -> Self {
        Self::with_opens(name, witnesses, rich, 144_000)
    }

    /// The same, with so many channels that may be opened in a day.
    pub(crate) fn with_opens(name: &str, witnesses: u8, rich: &[Person], opens_per_day: u32) -> Self {
        let mut keys: Vec<SigningKey> =
            (0..witnesses).map(|number| SigningKey::from_seed(&[200 + number; 32])).collect();
        keys.sort_by_key(|key| key.public().0);
        let public: Vec<[u8; 32]> = keys.iter().map(|key| key.public().0).collect();
        let mut accounts: Vec<[u8; 24]> = rich.iter().map(|person| account(person.id(), 1_000_000)).collect();
        accounts.sort_unstable();
        let quorum = (1..=public.len()).find(|quorum| Terms::is_quorum(*quorum, public.len()));
        let terms = Terms {
            name,
            minimum_deposit: 100,
            opens_per_day,
            quorum: u8::try_from(quorum.expect("few witnesses")).expect("small"),
            witnesses: &public,
            accounts: &accounts,
        };
        let id = Genesis::new(terms, &[]).expect("good terms").id();
        let sign = |index: u8| {
            let key = &keys[usize::from(index)];
            Certificate::line(WitnessIndex(index), &Genesis::signed(&id, |message| key.sign(message)))
        };
        let signatures: Vec<_> = (0..witnesses).map(sign).collect();
        let rules = Rules::of(&Genesis::new(terms, &signatures).expect("good terms")).expect("signed");
        Self { rules, witnesses: keys }
    }

    pub(crate) fn id(&self) -> &GenesisId {
        &self.rules.id
    }

    /// Who holds a witness's key.
    pub(crate) fn witness_person(&self, index: u8) -> Person {
        let key = self.witness(index).public();
        (200..=u8::MAX).map(Person).find(|person| person.key().public() == key).expect("made from one")
    }

    /// A witness's seat.
    pub(crate) fn seat(&self, index: u8) -> Seat {
        Seat { index: WitnessIndex(index), key: SigningKey::from_seed(&[self.witness_person(index).0; 32]) }
    }

    pub(crate) fn witness(&self, index: u8) -> &SigningKey {
        &self.witnesses[usize::from(index)]
    }

    pub(crate) fn open(&self, owner: Person, order: u32, deposit: u64, channel: u8, peer: Person) -> Order {
        let channel = ChannelId([channel; 16]);
        let body = OpenBody { owner: owner.id(), order, deposit, channel, peer: peer.id() };
        let signature = body.signed(self.id(), |message| owner.key().sign(message));
        Order::Open(OpenOrder { body, signature })
    }

    /// The certificate of an order by the first quorum of witnesses, as an item.
    pub(crate) fn certificate(&self, order: &Order) -> Vec<u8> {
        self.certificate_by(order, 0)
    }

    /// The same by another quorum, from witness `first` on.
    pub(crate) fn certificate_by(&self, order: &Order, first: u8) -> Vec<u8> {
        let hash = order.hash(self.id());
        let quorum = u8::try_from(self.rules.quorum).expect("small");
        let lines: Vec<_> = (first..first + quorum)
            .map(|index| {
                let signature = attested(self.id(), &hash, |message| self.witness(index).sign(message));
                Certificate::line(WitnessIndex(index), &signature)
            })
            .collect();
        item(&Certificate::new(self.id(), hash, &lines).expect("ascending"))
    }
}

fn account(node: NodeId, micros: u64) -> [u8; 24] {
    let mut line = [0; 24];
    line[..16].copy_from_slice(&node.0);
    line[16..].copy_from_slice(&micros.to_le_bytes());
    line
}

/// What two have paid each other, each as said of itself.
fn body((one, paid_one): (Person, u64), (other, paid_other): (Person, u64), channel: u8) -> SettlementBody {
    let turned = one.id() > other.id();
    let (a, b) = if turned { (other, one) } else { (one, other) };
    let (paid_a, paid_b) = if turned { (paid_other, paid_one) } else { (paid_one, paid_other) };
    SettlementBody {
        channel: ChannelId([channel; 16]),
        party_a: a.id(),
        party_b: b.id(),
        paid_a,
        paid_b,
        final_sequence: 4,
    }
}

fn in_order(one: Person, other: Person) -> [Person; 2] {
    if one.id() > other.id() { [other, one] } else { [one, other] }
}

pub(crate) fn settlement(one: (Person, u64), other: (Person, u64), channel: u8) -> SettlementRecord {
    let body = body(one, other, channel);
    let [sig_a, sig_b] =
        in_order(one.0, other.0).map(|person| body.signed(|message| person.key().sign(message)));
    SettlementRecord { body, sig_a, sig_b }
}

pub(crate) fn close(one: (Person, u64), other: (Person, u64), channel: u8) -> Order {
    let body = body(one, other, channel);
    let [a, b] =
        in_order(one.0, other.0).map(|person| body.signed_as_close(|message| person.key().sign(message)));
    Order::Close(CloseOrder { body, signatures: ClosedBy::Both(a, b) })
}

/// The bytes of an item.
pub(crate) fn item<'a>(value: &impl Layout<'a>) -> Vec<u8> {
    let mut bytes = vec![0; value.encoded_len()];
    value.encode(&mut bytes).expect("a value is as long as it says");
    bytes
}
