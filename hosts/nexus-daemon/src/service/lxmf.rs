//! Messages to and from LXMF addresses. Spec: spec/node.md#lxmf.

use nexus_crypto::DestinationHash;
use nexus_endpoint::lxmf::{Command as Letters, Outgoing, Presence, TEXT_MAX, Undelivered, Way};
use nexus_node::{Command, LxmfEvent};

use super::Service;
use super::sight::LXMF_PREFIX;
use crate::api::{Code, Delivered, LeftAt};
use crate::config::{Lxmf, node_id};
use crate::control::Replier;

impl Service {
    /// What the configuration says of this node's own address.
    pub(super) fn presence(lxmf: &Lxmf) -> Command {
        let Lxmf { display_name: name, stamp_cost, propagation_node: node } = lxmf.clone();
        Command::Lxmf(Letters::Serve(Presence { name, stamp_cost, node }))
    }

    pub(super) async fn send_lxmf(
        &mut self,
        replier: Replier,
        to: &str,
        (title, text): (String, String),
        for_s: u64,
    ) {
        if self.config.lxmf.is_none() {
            let sentence = "this node has no LXMF address: put `[lxmf]` into its configuration";
            return replier.fail(Code::BadValue, sentence);
        }
        let digits = to.strip_prefix(LXMF_PREFIX).unwrap_or(to);
        let Ok(address) = node_id(digits) else {
            let sentence = format!("{to} is no LXMF address: {LXMF_PREFIX} and 32 hexadecimal digits");
            return replier.fail(Code::BadValue, sentence);
        };
        let to = DestinationHash(address.0);
        let lifetime = nexus_machine::Duration::from_secs(for_s);
        let (title, content) = (title.into_bytes(), text.into_bytes());
        let Some(handle) = self.expect_end(replier) else { return };
        let outgoing = Outgoing { handle, to, title, content, lifetime };
        let command = Command::Lxmf(Letters::Send(outgoing));
        self.command_for(handle, command).await;
    }

    pub(super) fn hear_lxmf(&mut self, event: LxmfEvent) {
        match event {
            LxmfEvent::Delivered { handle, way, attempts, after } => {
                let left_at = match way {
                    Way::Packet | Way::Link => None,
                    Way::Node => Some(LeftAt::PropagationNode),
                };
                if let Some(replier) = self.sending.remove(&handle) {
                    replier.ok(&Delivered { attempts, round_trip_us: after.as_micros(), left_at });
                }
            }
            LxmfEvent::Undelivered { handle, why } => {
                if let Some(replier) = self.sending.remove(&handle) {
                    let (code, sentence) = undelivered(why);
                    replier.fail(code, sentence);
                }
            }
        }
    }
}

fn undelivered(why: Undelivered) -> (Code, String) {
    match why {
        Undelivered::NoPath => (Code::NoPath, "nobody answered who knows a way to the address".to_owned()),
        Undelivered::NoProof { attempts } => {
            (Code::NoReceipt, format!("it was sent {attempts} times, and no proof came"))
        }
        Undelivered::TooLong => {
            let sentence = format!(
                "it is too long: a message has at most {TEXT_MAX} bytes, or what a link to its recipient carries"
            );
            (Code::BadValue, sentence)
        }
        Undelivered::Busy => (Code::Busy, "as much as may be on its way is on its way already".to_owned()),
        Undelivered::BadKey => (
            Code::NotFound,
            "the address was announced with a key that nothing can be encrypted to".to_owned(),
        ),
        Undelivered::Own => (Code::BadValue, "the address is this node's own".to_owned()),
    }
}
