//! The encoding of links, and of what is sent from end to end.

use std::collections::BTreeSet;

use nexus_crypto::NodeId;
use nexus_network::links::Traffic;
use nexus_network::{Class, Down, LinkStatus, PathPolicy, Policy, Weights};
use nexus_secure::contract::Authorship;
use nexus_secure::{Attempt, Content, Message, Outgoing, Sender, Traced, Undelivered};

use super::Encoder;

impl Encoder {
    pub(super) fn tagged_handle(&mut self, tag: u8, handle: u64) {
        self.u8(tag);
        self.u64(handle);
    }

    pub(super) fn link(&mut self, link: &LinkStatus) {
        self.u32(link.id.0.slot.into());
        self.u32(link.id.0.generation.into());
        self.u8(link.iface.0);
        self.endpoint(link.endpoint.as_ref());
        self.blob(link.peer.node_id().as_bytes());
        self.instant(link.up_at);
        self.instant(link.heard_at);
        self.u8(link.rtt.is_some().into());
        self.u64(link.rtt.unwrap_or_default().as_micros());
        self.u32(link.rekeys);
        for Traffic { frames, bytes } in [link.sent, link.received] {
            self.u64(frames);
            self.u64(bytes);
        }
    }

    pub(super) fn down(&mut self, why: Down) {
        self.u8(match why {
            Down::Interface => 1,
            Down::Silent => 2,
            Down::Replaced => 3,
            Down::Policy => 4,
            Down::KeyExpired => 5,
            Down::ClocksParted => 6,
            // 7 was given once and means nothing.
            Down::Exhausted => 8,
        });
    }

    pub(super) fn policy(&mut self, policy: &Policy) {
        match policy {
            Policy::Anyone => self.u8(1),
            Policy::Only(these) => self.nodes(2, these),
            Policy::AllBut(these) => self.nodes(3, these),
        }
    }

    fn nodes(&mut self, tag: u8, these: &BTreeSet<NodeId>) {
        self.u8(tag);
        self.count(these.len());
        for node in these {
            self.blob(node.as_bytes());
        }
    }

    pub(super) fn outgoing(&mut self, outgoing: &Outgoing) {
        self.u64(outgoing.handle);
        self.blob(outgoing.to.as_bytes());
        self.u64(outgoing.lifetime.as_micros());
        self.u8(outgoing.policy.is_some().into());
        if let Some(policy) = outgoing.policy {
            self.path_policy(policy);
        }
        if let Some(class) = outgoing.class {
            // Apart from the numbers of contents, which follow.
            self.u8(match class {
                Class::RealTime => 16,
                Class::Interactive => 17,
                Class::Standard => 18,
                Class::Bulk => 19,
            });
        }
        match &outgoing.content {
            Content::Ping { padding: 0 } => self.u8(1),
            Content::Ping { padding } => {
                self.u8(5);
                self.u64((*padding).into());
            }
            Content::Trace => self.u8(3),
            Content::Probe { len, patience } => {
                self.u8(4);
                self.u64((*len).into());
                self.u64(patience.as_micros());
            }
            Content::Message { text, authorship } => {
                self.u8(2);
                self.blob(text);
                self.u8(match authorship {
                    Authorship::Signed => 1,
                    Authorship::Anonymous => 2,
                });
            }
        }
    }

    pub(super) fn path_policy(&mut self, policy: PathPolicy) {
        match policy {
            PathPolicy::Cheapest => self.u8(1),
            PathPolicy::Fastest => self.u8(2),
            PathPolicy::MostReliable => self.u8(3),
            PathPolicy::Balanced(Weights { ring, cost, latency, unreliability }) => {
                self.u8(4);
                for weight in [ring, cost, latency, unreliability] {
                    self.u32(weight.into());
                }
            }
        }
    }

    pub(super) fn traced(&mut self, traced: &Traced) {
        self.u8(traced.there.0);
        self.u8(traced.back.0);
        self.u64(traced.clock_ms.unwrap_or(0));
        self.u8(traced.way_back.is_some().into());
        if let Some(cost) = traced.way_back {
            self.u32(cost.cumulative_cost.to_wire().into());
            self.u32(cost.worst_latency.0.into());
            self.u8(cost.bottleneck.0);
            self.u8(cost.hops.0);
        }
    }

    pub(super) fn message(&mut self, message: &Message) {
        self.u64(message.number);
        match message.sender {
            Sender::Verified(node) => {
                self.u8(1);
                self.blob(node.as_bytes());
            }
            Sender::Claimed(node) => {
                self.u8(2);
                self.blob(node.as_bytes());
            }
            Sender::Anonymous => self.u8(3),
            Sender::Foreign(address) => {
                self.u8(4);
                self.blob(address.as_bytes());
            }
            Sender::ForeignClaimed(address) => {
                self.u8(5);
                self.blob(address.as_bytes());
            }
        }
        self.u64(message.unix_s);
        self.blob(&message.text);
    }

    pub(super) fn attempt(&mut self, attempt: Attempt) {
        self.u8(match attempt {
            Attempt::Sent => 1,
            Attempt::NoPath => 2,
        });
    }

    pub(super) fn undelivered(&mut self, why: Undelivered) {
        match why {
            Undelivered::NoPath => self.u8(1),
            Undelivered::NoReceipt { attempts } => {
                self.u8(2);
                self.u32(attempts);
            }
            Undelivered::TooLong => self.u8(3),
            Undelivered::Busy => self.u8(4),
        }
    }
}
