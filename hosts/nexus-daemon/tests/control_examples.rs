//! Every example in the control protocol's chapter is what the program reads and writes, and nothing is without one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use nexus_daemon::api::{
    Answer, Balances, Budget, Channels, Code, Delivered, Done, Dropped, Event, Exported, Found, Inbox,
    Income, Interfaces, Ledger, Links, Paths, Peers, Queues, Reloaded, Reply, Request, RnsAnswer, RnsSent,
    RnsStatus, Status, Traced, Verb, Ways, Witness,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

#[test]
fn every_example_of_the_chapter_is_read_and_written_back_as_it_stands() {
    let mut verbs: BTreeMap<u64, Verb> = BTreeMap::new();
    let (mut asked, mut kinds) = (BTreeSet::new(), BTreeSet::new());
    for line in examples() {
        let value: Value = serde_json::from_str(&line).unwrap();
        if value.get("do").is_some() {
            let request: Request = back_and_forth(&value);
            asked.insert(name(&request.verb));
            verbs.insert(request.id, request.verb);
            continue;
        }
        let reply: Reply = back_and_forth(&value);
        match reply.answer {
            Answer::Ok(ok) => answered(&verbs[&reply.id], &ok),
            Answer::Error(failure) => assert_ne!(failure.code, Code::Unknown, "{line}"),
            Answer::Event(event) => {
                assert_ne!(event, Event::Unknown, "{line}");
                kinds.insert(value["event"]["kind"].as_str().unwrap().to_owned());
            }
        }
    }
    let every_verb = "announce backup balances budget channel_close channel_deposit channel_export channel_open channel_settle channels dial drop_paths events find_path inbox income interfaces ledger ledger_export links listen log_level lxmf_send path paths peer_add peer_price peer_remove peers ping queues reload rns_probe rns_receive rns_request rns_send_file rns_status send status stop trace undial witness";
    assert_eq!(asked.into_iter().collect::<Vec<_>>().join(" "), every_verb);
    let every_kind = "announced channel_jammed clocks_parted file_arrived interface_down interface_up link_down link_up message missed path_back path_changed path_learnt path_lost progress reached receiving";
    assert_eq!(kinds.into_iter().collect::<Vec<_>>().join(" "), every_kind);
}

#[test]
fn every_code_of_the_chapter_is_one_of_the_programs() {
    let chapter = chapter();
    let table = chapter.split("## Errors").nth(1).unwrap().split("## Verbs").next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let codes: Vec<String> =
        rows.flat_map(|cell| cell.split("`, `")).map(|code| code.trim_matches('`').to_owned()).collect();
    assert_eq!(codes.len(), 12, "{codes:?}");
    for code in codes {
        let known: Code = serde_json::from_value(Value::String(code.clone())).unwrap();
        assert_ne!(known, Code::Unknown, "{code}");
    }
}

#[cfg(test)]
fn chapter() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/control.md")).unwrap()
}

#[cfg(test)]
fn examples() -> Vec<String> {
    let chapter = chapter();
    let blocks = chapter.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.flat_map(str::lines).map(str::to_owned).collect()
}

/// The value of a type, which is written as it was read.
#[cfg(test)]
fn back_and_forth<T: DeserializeOwned + Serialize>(value: &Value) -> T {
    let read: T = serde_json::from_value(value.clone()).unwrap_or_else(|cause| panic!("{value}: {cause}"));
    assert_eq!(serde_json::to_value(&read).unwrap(), *value);
    read
}

#[cfg(test)]
fn answered(verb: &Verb, ok: &Value) {
    match verb {
        Verb::Status => drop(back_and_forth::<Status>(ok)),
        Verb::Interfaces => drop(back_and_forth::<Interfaces>(ok)),
        Verb::Queues => drop(back_and_forth::<Queues>(ok)),
        Verb::Balances { .. } => drop(back_and_forth::<Balances>(ok)),
        Verb::Ledger { .. } => drop(back_and_forth::<Ledger>(ok)),
        Verb::Witness => drop(back_and_forth::<Witness>(ok)),
        Verb::Links => drop(back_and_forth::<Links>(ok)),
        Verb::Budget => drop(back_and_forth::<Budget>(ok)),
        Verb::Paths { .. } => drop(back_and_forth::<Paths>(ok)),
        Verb::Path { .. } => drop(back_and_forth::<Ways>(ok)),
        Verb::DropPaths { .. } => {
            back_and_forth::<Dropped>(ok);
        }
        Verb::FindPath { .. } => {
            back_and_forth::<Found>(ok);
        }
        Verb::Trace { .. } => {
            back_and_forth::<Traced>(ok);
        }
        Verb::RnsRequest { .. } => drop(back_and_forth::<RnsAnswer>(ok)),
        Verb::RnsSendFile { .. } => {
            back_and_forth::<RnsSent>(ok);
        }
        Verb::RnsStatus => drop(back_and_forth::<RnsStatus>(ok)),
        Verb::Ping { .. } | Verb::Send { .. } | Verb::LxmfSend { .. } | Verb::RnsProbe { .. } => {
            back_and_forth::<Delivered>(ok);
        }
        Verb::Inbox { .. } => drop(back_and_forth::<Inbox>(ok)),
        Verb::Reload => drop(back_and_forth::<Reloaded>(ok)),
        Verb::Peers => drop(back_and_forth::<Peers>(ok)),
        Verb::Income => drop(back_and_forth::<Income>(ok)),
        Verb::Channels => drop(back_and_forth::<Channels>(ok)),
        Verb::ChannelExport { .. } => drop(back_and_forth::<Exported>(ok)),
        Verb::Announce
        | Verb::PeerAdd { .. }
        | Verb::PeerRemove { .. }
        | Verb::PeerPrice { .. }
        | Verb::ChannelOpen { .. }
        | Verb::ChannelDeposit { .. }
        | Verb::ChannelSettle { .. }
        | Verb::ChannelClose { .. }
        | Verb::Dial { .. }
        | Verb::Undial { .. }
        | Verb::LogLevel { .. }
        | Verb::Backup { .. }
        | Verb::LedgerExport { .. }
        | Verb::Stop => {
            back_and_forth::<Done>(ok);
        }
        Verb::Listen { .. } | Verb::RnsReceive { .. } | Verb::Events => panic!("it has no end: {ok}"),
    }
}

#[cfg(test)]
fn name(verb: &Verb) -> &'static str {
    match verb {
        Verb::Status => "status",
        Verb::Interfaces => "interfaces",
        Verb::Links => "links",
        Verb::Budget => "budget",
        Verb::Paths { .. } => "paths",
        Verb::Path { .. } => "path",
        Verb::DropPaths { .. } => "drop_paths",
        Verb::FindPath { .. } => "find_path",
        Verb::Trace { .. } => "trace",
        Verb::Ping { .. } => "ping",
        Verb::Queues => "queues",
        Verb::Balances { .. } => "balances",
        Verb::Ledger { .. } => "ledger",
        Verb::Witness => "witness",
        Verb::LedgerExport { .. } => "ledger_export",
        Verb::RnsStatus => "rns_status",
        Verb::RnsProbe { .. } => "rns_probe",
        Verb::RnsRequest { .. } => "rns_request",
        Verb::RnsSendFile { .. } => "rns_send_file",
        Verb::RnsReceive { .. } => "rns_receive",
        Verb::Send { .. } => "send",
        Verb::LxmfSend { .. } => "lxmf_send",
        Verb::Inbox { .. } => "inbox",
        Verb::Listen { .. } => "listen",
        Verb::Events => "events",
        Verb::Announce => "announce",
        Verb::Dial { .. } => "dial",
        Verb::Undial { .. } => "undial",
        Verb::Reload => "reload",
        Verb::LogLevel { .. } => "log_level",
        Verb::Backup { .. } => "backup",
        Verb::Peers => "peers",
        Verb::PeerAdd { .. } => "peer_add",
        Verb::PeerRemove { .. } => "peer_remove",
        Verb::PeerPrice { .. } => "peer_price",
        Verb::Income => "income",
        Verb::Channels => "channels",
        Verb::ChannelOpen { .. } => "channel_open",
        Verb::ChannelDeposit { .. } => "channel_deposit",
        Verb::ChannelSettle { .. } => "channel_settle",
        Verb::ChannelClose { .. } => "channel_close",
        Verb::ChannelExport { .. } => "channel_export",
        Verb::Stop => "stop",
    }
}
