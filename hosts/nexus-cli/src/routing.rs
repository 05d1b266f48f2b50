//! `nexus path` and `nexus trace`: which ways lead to a node, why one is taken, and what the other end says of it.

pub(crate) mod path;
mod reasons;
pub(crate) mod trace;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use nexus_daemon::api::{Code, Failure, PacketClass, PathPolicy, Quote, Verb, Way, Ways};
use nexus_daemon::client::{Client, ClientError};

use crate::address_book::AddressBook;
use crate::daemon::Named;
use crate::ending::Refusal;
use crate::quantities::{price, rate};

/// Reads a policy, and says which there are.
pub(crate) fn policies() -> impl TypedValueParser<Value = PathPolicy> {
    let names = PathPolicy::ALL.map(PathPolicy::name);
    PossibleValuesParser::new(names).map(|name| name.parse().expect("only names of policies are possible"))
}

/// Reads a class of packets, and says which there are.
pub(crate) fn classes() -> impl TypedValueParser<Value = PacketClass> {
    let names = PacketClass::ALL.map(PacketClass::name);
    PossibleValuesParser::new(names).map(|name| name.parse().expect("only names of classes are possible"))
}

/// All ways to a node; none if nothing is known of it, which is then said in a sentence.
async fn ways(
    client: &mut Client,
    to: &Named,
    policy: Option<PathPolicy>,
) -> Result<Result<Ways, String>, Refusal> {
    match client.call::<Ways>(Verb::Path { to: to.node.clone(), policy }).await {
        Ok(ways) => Ok(Ok(ways)),
        Err(ClientError::Refused(Failure { code: Code::NotFound, sentence })) => Ok(Err(format!(
            "{}: {sentence}; if it runs and is linked with others, it is known within seconds: \
             `nexus status links` shows whether this node is; `nexus path --wait` lets others be asked",
            to.name
        ))),
        Err(refusal) => Err(refusal.into()),
    }
}

/// What a neighbour is called: its contact's name, else the first digits of its id.
fn called(via: Option<&str>, book: &AddressBook) -> String {
    let Some(via) = via else { return "an unknown neighbour".to_owned() };
    match book.name_of(via) {
        Some(name) => name.to_owned(),
        None => via.get(..8).map_or_else(|| via.to_owned(), |digits| format!("{digits}…")),
    }
}

/// How a way begins.
fn beginning(way: &Way, book: &AddressBook) -> String {
    let neighbour = called(way.via.as_deref(), book);
    if way.last {
        format!("straight, on {}", way.interface)
    } else {
        format!("over {neighbour} on {}", way.interface)
    }
}

/// What a way costs and how good it is.
fn described(quote: &Quote) -> String {
    let hops = if quote.hops == 1 { "1 hop".to_owned() } else { format!("{} hops", quote.hops) };
    let bottleneck = match quote.bottleneck_bps {
        0 => String::new(),
        bps => format!(", at least {}", rate(bps)),
    };
    format!("{hops}, {}, at most {} ms a hop{bottleneck}", price(quote.unxs_per_kib), quote.worst_latency_ms)
}
