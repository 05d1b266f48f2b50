//! Radio channels of a world: what nodes ask of their radios, and what radios say.

use nexus_air::{Hearing, Transmission};
use nexus_machine::Seed;
use nexus_network::rnode::Settings;
use nexus_network::{Access, Profile};
use nexus_node::Input;

use super::{Event, World};
use crate::actor::Actor;
use crate::clock::WorldTime;
use crate::medium::Medium;
use crate::modems::{Modems, Said, damage};
use crate::observation::{Damage, Landing, MediumIndex, NodeIndex, What};
use crate::radios::Radios;
use crate::schedule::Direction;
use crate::transceivers::Transceivers;

/// The radios of a channel, and when they want to be woken.
#[derive(Debug)]
pub(super) struct Channel {
    radios: Box<dyn Radios>,
    alarm: Option<WorldTime>,
}

impl Channel {
    /// That of a medium, if radios carry it.
    pub(super) fn of(medium: &Medium, seed: &Seed) -> Option<Self> {
        let channel = medium.plan.modems?;
        let (plan, ports) = (&medium.plan, medium.ports.len());
        let (channels, hearing) = match &plan.terrain {
            None => (vec![channel; ports], everybody(ports)),
            Some(terrain) => (terrain.channels(), terrain.hearing(&plan.routes, seed)),
        };
        // Where radios have places they have crystals of their own.
        let in_a_landscape = plan.terrain.is_some();
        let radios: Box<dyn Radios> = match plan.profile.access {
            Access::Direct => {
                let settings = |channel| Settings { mode: plan.profile.mode, channel: Some(channel) };
                let settings = channels.into_iter().map(settings).collect();
                let mut modems = Modems::new(settings, hearing, seed);
                if in_a_landscape {
                    modems.set_clocks(seed);
                }
                Box::new(modems)
            }
            Access::ListenBeforeTalk { .. } => {
                let mut transceivers = Transceivers::new(plan.profile, &channels, hearing, seed);
                if in_a_landscape {
                    transceivers.set_clocks(seed);
                }
                Box::new(transceivers)
            }
        };
        Some(Self { radios, alarm: None })
    }
}

fn everybody(ports: usize) -> Hearing {
    Hearing::everybody(u16::try_from(ports).expect("a channel has fewer than 2¹⁶ radios"))
}

impl<A: Actor> World<'_, '_, '_, A> {
    /// Whether radios carry a medium; if so, does something to that of a node.
    pub(super) fn with_radio(
        &mut self,
        medium: MediumIndex,
        node: NodeIndex,
        act: impl FnOnce(&mut dyn Radios, WorldTime, usize),
    ) -> bool {
        let Some(channel) = &mut self.channels[medium.place()] else { return false };
        if let Some(port) = self.media[medium.place()].port_of(node) {
            act(&mut *channel.radios, self.now, port);
            self.attend(medium);
        }
        true
    }

    /// A medium's radios do what is due.
    pub(super) fn radios_due(&mut self, medium: MediumIndex) {
        let now = self.now;
        if let Some(channel) =
            self.channels[medium.place()].as_mut().filter(|channel| channel.alarm == Some(now))
        {
            channel.alarm = None;
            channel.radios.advance(now);
            self.attend(medium);
        }
    }

    /// Faults of a medium became others.
    pub(super) fn disturb_radios(&mut self, medium: MediumIndex) {
        let faults = self.media[medium.place()].faults;
        if let Some(channel) = &mut self.channels[medium.place()] {
            channel.radios.set_faults(faults);
        }
    }

    /// Partitions or cuts became others.
    pub(super) fn rehear(&mut self) {
        for index in (0..).map(MediumIndex).take(self.media.len()) {
            let Some(channel) = &mut self.channels[index.place()] else { continue };
            let ports = &self.media[index.place()].ports;
            let obstacle = |from: usize, to: usize| {
                obstacle(&self.groups, &self.cuts, index, ports[from].0, ports[to].0)
            };
            channel.radios.set_hearing(self.now, &|from, to| obstacle(from, to).is_none());
            self.attend(index);
        }
    }

    /// Takes what radios say and what was on the air, and sets the alarm.
    fn attend(&mut self, medium: MediumIndex) {
        let Some(channel) = &mut self.channels[medium.place()] else { return };
        let said = channel.radios.take_said();
        let transmissions = channel.radios.take_transmissions();
        let due = channel.radios.next_due().map(|due| due.max(self.now));
        if due != channel.alarm {
            channel.alarm = due;
            if let Some(due) = due {
                self.queue.push(due, Event::RadiosDue(medium));
            }
        }
        for transmission in &transmissions {
            self.aired(medium, transmission);
        }
        for (port, said) in said {
            let (node, _) = self.media[medium.place()].ports[port];
            let incarnation = self.node(node).incarnation;
            self.queue.push(self.now, Event::RadioSaid { medium, port, incarnation, said });
        }
    }

    fn aired(&mut self, index: MediumIndex, transmission: &Transmission) {
        let (sender, _) = self.media[index.place()].ports[usize::from(transmission.sender.0)];
        let airtime = transmission.end.since(transmission.start);
        let bytes = &transmission.bytes;
        let channel = transmission.channel;
        self.watch.saw(self.now, What::Aired { medium: index, sender, channel, airtime, bytes });
        let nodes = &self.media[index.place()].plan.nodes;
        let landing = Landing { at: self.now, medium: index, nodes, transmission };
        self.watch.observers.iter_mut().for_each(|observer| observer.landed(&landing));
        for reception in &transmission.receptions {
            let (receiver, _) = self.media[index.place()].ports[usize::from(reception.radio.0)];
            if let Some(damage) = damage(reception.outcome) {
                self.mar(index, receiver, damage);
            }
        }
        // In a landscape most are out of reach of most, and nobody wants to know.
        if self.media[index.place()].plan.terrain.is_none() {
            self.missed(index, sender, transmission);
        }
    }

    /// Those whom nothing of a transmission reached: on the other side of a partition or a cut, or with their modem off.
    fn missed(&mut self, index: MediumIndex, sender: NodeIndex, transmission: &Transmission) {
        let mut receptions = transmission.receptions.iter().peekable();
        for (port, (receiver, _)) in self.media[index.place()].ports.clone().into_iter().enumerate() {
            let reached = receptions.next_if(|reception| usize::from(reception.radio.0) == port).is_some();
            if !reached && receiver != sender {
                let obstacle = obstacle(&self.groups, &self.cuts, index, sender, receiver);
                self.mar(index, receiver, obstacle.unwrap_or(Damage::Unheard));
            }
        }
    }

    /// A radio's driver says something to the host's incarnation to which the radio belongs.
    pub(super) fn radio_said(&mut self, medium: MediumIndex, port: usize, incarnation: u32, said: Said) {
        let (node, iface) = self.media[medium.place()].ports[port];
        let alive = self.is_alive(node, incarnation);
        match said {
            Said::Marred(damage) => self.mar(medium, node, damage),
            Said::Heard(bytes) => {
                let passage = self.media[medium.place()].hand_over(self.now, port, &bytes);
                for damage in passage.damage {
                    self.mar(medium, node, damage);
                }
                for (arrival, bytes) in passage.copies {
                    let event = Event::Arrives { medium, receiver: node, iface, from: None, bytes };
                    self.queue.push(arrival, event);
                }
            }
            Said::Up(profile) if alive => {
                let price = self.media[medium.place()].plan.price_at(port);
                self.give(node, Input::Up { iface, profile: Profile { price, ..profile } });
            }
            Said::Down if alive => {
                self.node(node).forget_transmission(iface);
                self.give(node, Input::Down { iface });
            }
            Said::Ready if alive && self.node(node).forget_transmission(iface) => {
                self.give(node, Input::TxReady { iface });
            }
            Said::Up(_) | Said::Down | Said::Ready => {}
        }
    }
}

/// Why the second of two nodes hears nothing of the first.
pub(super) fn obstacle(
    groups: &[u8],
    cuts: &std::collections::BTreeSet<Direction>,
    medium: MediumIndex,
    from: NodeIndex,
    to: NodeIndex,
) -> Option<Damage> {
    if groups[from.place()] != groups[to.place()] {
        return Some(Damage::Partitioned);
    }
    cuts.contains(&Direction { medium, from, to }).then_some(Damage::Cut)
}
