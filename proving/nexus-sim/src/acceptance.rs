//! The roadmap's acceptance criteria, each with what was measured.
//!
//! The texts are the roadmap's, split into statements that can be true or false on their own. A criterion without a way to
//! measure it says so: it is neither met nor missed.

mod announces;
mod books;
mod congestion;
mod links;
mod overhead;
mod payment;
mod radio;
mod routing;

use serde::Serialize;

/// Milestones with their acceptance criteria.
pub const MILESTONES: [Milestone; 6] = [
    Milestone {
        number: "1.1",
        title: "Transport + Identity",
        criteria: &[
            Planned {
                id: "link",
                text: "Two nodes on different transports establish an encrypted link",
                required: "a link in each direction",
                measure: Some(links::established),
            },
            Planned {
                id: "announces",
                text: "Two nodes on different transports exchange announces",
                required: "every pair of nodes, over at least two kinds of medium",
                measure: Some(announces::exchanged_across_media),
            },
            Planned {
                id: "forwarded-announces",
                text: "Announces are forwarded, with Ed25519 signature verification, across several nodes",
                required: "every node of a line hears of every other, over more than one hop",
                measure: Some(announces::forwarded_along_a_line),
            },
            Planned {
                id: "packets",
                text: "Two nodes on different transports forward packets to each other",
                required: "in both directions",
                measure: Some(links::forwarded),
            },
            Planned {
                id: "encrypted",
                text: "Packet contents are encrypted",
                required: "no content readable on any medium",
                measure: Some(links::unreadable),
            },
            Planned {
                id: "forged-announces",
                text: "Announces that their sender did not sign are rejected",
                required: "none of those heard is believed or passed on",
                measure: Some(announces::forgeries_rejected),
            },
            Planned {
                id: "unauthenticated",
                text: "Unauthenticated nodes are rejected by links",
                required: "no link to any of them",
                measure: Some(links::strangers_rejected),
            },
            Planned {
                id: "radio-link",
                text: "A (LoRa), B (LoRa and a local network), C (the local network): A and B, B and C establish encrypted links",
                required: "each in both directions",
                measure: Some(radio::established),
            },
            Planned {
                id: "radio-announces",
                text: "A, B and C exchange announces over LoRa and the local network",
                required: "every pair, A and C through B",
                measure: Some(radio::announced),
            },
            Planned {
                id: "radio-packets",
                text: "A and C forward packets to each other through B",
                required: "all, in both directions",
                measure: Some(radio::forwarded),
            },
            Planned {
                id: "radio-encrypted",
                text: "What A and C write is readable neither on the air nor on the local network",
                required: "nothing",
                measure: Some(radio::unreadable),
            },
            Planned {
                id: "radio-unauthenticated",
                text: "Unauthenticated nodes are rejected on the air as on the local network",
                required: "no link to any of them",
                measure: Some(radio::strangers_rejected),
            },
            Planned {
                id: "radio-forged-announces",
                text: "Announces spoilt after the radio's checksum, or on the local network, are rejected",
                required: "none of those heard is believed or passed on",
                measure: Some(radio::forgeries_rejected),
            },
            Planned {
                id: "radio-spoilt",
                text: "A modem that flips bits of one frame in five after the checksum keeps its links and loses no message",
                required: "all links, all messages",
                measure: Some(radio::spoilt),
            },
            Planned {
                id: "radio-twenty",
                text: "Twenty nodes that start at once on one LoRa channel link, with nothing else to say and with all that nodes say",
                required: "each two within what the airtime budget allows, at most 10 ‰ of an hour's airtime of each for links",
                measure: Some(radio::twenty),
            },
            planned(
                "processes",
                "Daemons as processes link, hear of each other and carry messages",
                "every test of nexus-cli's `mesh`; measured by `cargo xtask acceptance`",
            ),
        ],
    },
    Milestone {
        number: "1.2",
        title: "Routing + Gossip",
        criteria: &[
            Planned {
                id: "converges",
                text: "A 5-node mesh (mixed LoRa + WiFi) converges routing tables",
                required: "within 3 gossip rounds of 60 s, from the start and from a change of cost",
                measure: Some(routing::converges),
            },
            Planned {
                id: "optimal",
                text: "Packets are forwarded via cost-optimal paths",
                required: "no next hop whose way costs more than 1.5 of the cheapest, no path more than 1.25 × 1.045^hops of it",
                measure: Some(routing::optimal),
            },
            Planned {
                id: "reroutes",
                text: "Removing a node causes re-routing",
                required: "what was on its way arrives, within 3 minutes; so when it returns; then no path changes more than twice in ten rounds",
                measure: Some(routing::reroutes),
            },
            Planned {
                id: "overhead",
                text: "Gossip overhead stays within its budget",
                required: "announces and gossip together at most 10 % of each link's capacity in any ten rounds and any hour",
                measure: Some(overhead::within_a_tenth),
            },
        ],
    },
    Milestone {
        number: "1.3",
        title: "Congestion Control",
        criteria: &[
            Planned {
                id: "voice",
                text: "Under synthetic load of three times what a link carries, P0 packets (voice) within their share keep their latency",
                required: "99 % of what is offered below 500 ms over one hop of SF7/250 kHz, and of 1 Mbit/s",
                measure: Some(congestion::voice),
            },
            Planned {
                id: "beyond",
                text: "Under the same load, P0 packets beyond their share are dropped at their deadline",
                required: "none leaves a node that it came to 500 ms before",
                measure: Some(congestion::beyond),
            },
            Planned {
                id: "bulk",
                text: "Under the same load, P3 (bulk) is throttled",
                required: "it yields before all others, and has 10 % of what is carried",
                measure: Some(congestion::bulk),
            },
            Planned {
                id: "budget",
                text: "No link exceeds its bandwidth budget",
                required: "packets take at most 90 % of any 10 s, beside a tenth of a second that was saved up and the rest of a frame",
                measure: Some(congestion::budget),
            },
            Planned {
                id: "fair",
                text: "Equal neighbours that all offer more than their share have the same",
                required: "Jain's index at least 0.95",
                measure: Some(congestion::fair),
            },
            Planned {
                id: "weighted",
                text: "Neighbours of one, two and three times the weight that offer the same have as much",
                required: "Jain's index of what each has by its weight at least 0.95",
                measure: Some(congestion::weighted),
            },
            Planned {
                id: "reroutes",
                text: "Congestion on one link causes traffic to reroute via cost increase",
                required: "the base and its share of (depth / capacity)², within a tenth; over another link within two rounds; back once the price fell, within thirty",
                measure: Some(congestion::reroutes),
            },
            Planned {
                id: "steady",
                text: "Paths do not oscillate at steady load",
                required: "at most one flip in ten rounds: of packets and of the choice where others crowd the way, of the choice where the \
                           flow itself does, of which 99 % arrive",
                measure: Some(congestion::steady),
            },
            Planned {
                id: "edge",
                text: "Backpressure keeps loss at the edge at twice what a link carries",
                required: "at most 1 % of what left its origin is lost",
                measure: Some(congestion::edge),
            },
            Planned {
                id: "deaf",
                text: "A neighbour that ignores every signal harms only itself",
                required: "99 % of the others' packets arrive",
                measure: Some(congestion::deaf),
            },
            Planned {
                id: "crowd",
                text: "Fifty nodes on one channel, many hidden from each other: goodput does not collapse beyond saturation",
                required: "at ten times the channel at least 80 % of the most that it carries",
                measure: Some(congestion::crowd),
            },
        ],
    },
    Milestone {
        number: "1.4",
        title: "Payment Channels",
        criteria: &[
            Planned {
                id: "wins",
                text: "Of 1,000 relayed packets the relay wins 1000 × win_probability",
                required: "within 2 σ, packet by packet and by windows of value",
                measure: Some(payment::wins),
            },
            Planned {
                id: "updates",
                text: "Channel updates occur only on wins",
                required: "as many updates as wins",
                measure: Some(payment::updates),
            },
            Planned {
                id: "settlement",
                text: "Settlement produces a valid dual-signed record",
                required: "both signatures verify",
                measure: Some(payment::settlement),
            },
            Planned {
                id: "dispute",
                text: "Dispute resolution rejects old states",
                required: "all of them",
                measure: Some(payment::dispute),
            },
        ],
    },
    Milestone {
        number: "1.5",
        title: "CRDT Ledger",
        criteria: &[
            Planned {
                id: "converges",
                text: "Three nodes settle channels pairwise and all balances converge",
                required: "within O(log N) rounds: a round of 60 s for each doubling, in meshes of 3 to 300 nodes",
                measure: Some(books::converges),
            },
            Planned {
                id: "duplicates",
                text: "Duplicate settlements are rejected",
                required: "all of them",
                measure: Some(books::duplicates),
            },
            Planned {
                id: "forged",
                text: "A forged settlement is silently dropped",
                required: "by all nodes, and passed on by none",
                measure: Some(books::forged),
            },
            Planned {
                id: "heals",
                text: "2 and 5 parts that settled apart agree once they meet again",
                required: "within a round of 60 s for each doubling; nothing lost, nothing twice",
                measure: Some(books::heals),
            },
            Planned {
                id: "sparse",
                text: "Nodes with little memory follow their own accounts where everybody settles",
                required: "all their balances right, and none of others",
                measure: Some(books::sparse),
            },
        ],
    },
    Milestone {
        number: "1.6",
        title: "Hardware Targets",
        criteria: &[
            planned("esp32", "An ESP32 node relays packets and earns VRF lottery wins", "both"),
            planned("bridge", "A Raspberry Pi bridges LoRa to WiFi", "in both directions"),
            planned(
                "tools",
                "CLI tools show correct routing table, channel states, and balances",
                "all three",
            ),
            planned("flash", "ESP32 firmware fits in flash", "the partition's size"),
            planned("memory", "ESP32 firmware runs within its memory", "520 KB"),
        ],
    },
];

/// A milestone and what it takes.
#[derive(Clone, Copy, Debug)]
pub struct Milestone {
    /// Its number in the roadmap.
    pub number: &'static str,
    /// Its title there.
    pub title: &'static str,
    /// What must be true.
    pub criteria: &'static [Planned],
}

/// A criterion and how it is measured.
#[derive(Clone, Copy, Debug)]
pub struct Planned {
    /// Its name, unique within the milestone.
    pub id: &'static str,
    /// What must be true.
    pub text: &'static str,
    /// The bound.
    pub required: &'static str,
    /// How it is measured; `None` if nothing can measure it.
    pub measure: Option<fn() -> Measurement>,
}

const fn planned(id: &'static str, text: &'static str, required: &'static str) -> Planned {
    Planned { id, text, required, measure: None }
}

/// What was measured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Measurement {
    /// The figures.
    pub measured: String,
    /// Whether they are within the bound.
    pub verdict: CriterionVerdict,
}

/// Whether a criterion holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CriterionVerdict {
    /// It does.
    Met,
    /// It does not.
    Missed,
    /// Nobody knows.
    Unmeasured,
}

/// Whether a milestone is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MilestoneVerdict {
    /// All criteria are met.
    Met,
    /// At least one is missed.
    Missed,
    /// None is missed, but not all are measured.
    Incomplete,
}

/// A milestone, measured.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Report {
    /// Its number.
    pub milestone: &'static str,
    /// Its criteria.
    pub criteria: Vec<Criterion>,
    /// What follows from them.
    pub verdict: MilestoneVerdict,
}

/// A criterion, measured.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Criterion {
    /// Its name.
    pub id: &'static str,
    /// What must be true.
    pub text: &'static str,
    /// The bound.
    pub required: &'static str,
    /// The figures, if there are any.
    pub measured: Option<String>,
    /// Whether it holds.
    pub verdict: CriterionVerdict,
}

impl Milestone {
    /// The milestone of this number.
    #[must_use]
    pub fn find(number: &str) -> Option<&'static Self> {
        MILESTONES.iter().find(|milestone| milestone.number == number)
    }

    /// Measures every criterion that can be measured.
    #[must_use]
    pub fn measure(&self) -> Report {
        let criteria: Vec<Criterion> = self.criteria.iter().map(Planned::measured).collect();
        let verdict = overall(criteria.iter().map(|criterion| criterion.verdict));
        Report { milestone: self.number, criteria, verdict }
    }
}

impl Planned {
    fn measured(&self) -> Criterion {
        let measurement = self.measure.map(|measure| measure());
        let verdict = measurement.as_ref().map_or(CriterionVerdict::Unmeasured, |m| m.verdict);
        let measured = measurement.map(|measurement| measurement.measured);
        Criterion { id: self.id, text: self.text, required: self.required, measured, verdict }
    }
}

fn verdict(measured: String, met: bool) -> Measurement {
    Measurement { measured, verdict: if met { CriterionVerdict::Met } else { CriterionVerdict::Missed } }
}

fn overall(verdicts: impl Iterator<Item = CriterionVerdict>) -> MilestoneVerdict {
    verdicts.fold(MilestoneVerdict::Met, |so_far, verdict| match (so_far, verdict) {
        (MilestoneVerdict::Missed, _) | (_, CriterionVerdict::Missed) => MilestoneVerdict::Missed,
        (_, CriterionVerdict::Unmeasured) => MilestoneVerdict::Incomplete,
        (so_far, CriterionVerdict::Met) => so_far,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use CriterionVerdict::{Met, Missed, Unmeasured};

    #[test]
    fn one_missed_criterion_misses_the_milestone_and_an_unmeasured_one_leaves_it_open() {
        let of = |verdicts: &[CriterionVerdict]| overall(verdicts.iter().copied());
        assert_eq!(of(&[Met, Met]), MilestoneVerdict::Met);
        assert_eq!(of(&[Met, Unmeasured, Met]), MilestoneVerdict::Incomplete);
        assert_eq!(of(&[Missed, Unmeasured]), MilestoneVerdict::Missed);
        assert_eq!(of(&[Unmeasured, Missed, Met]), MilestoneVerdict::Missed);
    }

    #[test]
    fn the_names_of_criteria_are_unique_within_a_milestone() {
        for milestone in &MILESTONES {
            let mut names: Vec<&str> = milestone.criteria.iter().map(|criterion| criterion.id).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), milestone.criteria.len(), "milestone {}", milestone.number);
        }
    }

    #[test]
    fn a_milestone_without_measurements_is_incomplete_and_says_so() {
        let report = Milestone::find("1.6").unwrap().measure();
        assert_eq!(report.verdict, MilestoneVerdict::Incomplete);
        assert!(report.criteria.iter().all(|c| c.measured.is_none() && c.verdict == Unmeasured));
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["criteria"][0]["measured"], serde_json::Value::Null);
        assert_eq!(json["verdict"], "incomplete");
        assert_eq!(Milestone::find("9.9").map(|milestone| milestone.number), None);
    }
}
