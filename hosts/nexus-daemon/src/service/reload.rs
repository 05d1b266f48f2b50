//! Taking over a changed configuration, and copying what is durable, while the node runs.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nexus_network::{Endpoint, Weight};
use nexus_node::Command;
use nexus_node::economy::layer::Policy;
use tokio::task::JoinHandle;

use super::{Service, media, sight};
use crate::api::{Code, Done, Reloaded};
use crate::backup;
use crate::config::access::Access;
use crate::config::{Config, Interface, Medium, Peer};
use crate::control::Replier;
use crate::driver::HostGone;
use crate::drivers::udp;
use crate::host::HostHandle;

/// How often the names of peers are looked up again: they may have moved.
const LOOK_UP_AGAIN: Duration = Duration::from_mins(5);
/// The same after a failure.
const LOOK_UP_SOON: Duration = Duration::from_secs(15);

/// Who looks up the peers of one interface.
#[derive(Debug)]
pub(super) struct Dialling {
    task: JoinHandle<()>,
    dialled: Arc<Mutex<BTreeSet<Endpoint>>>,
}

impl Dialling {
    pub(super) fn abort(&self) {
        self.task.abort();
    }
}

impl Service {
    pub(super) async fn answer_reload(&mut self, replier: &Replier) {
        match self.reload().await {
            Ok(reloaded) => replier.ok(&reloaded),
            Err(sentence) => replier.fail(Code::BadConfiguration, sentence),
        }
    }

    pub(super) async fn reload_on_signal(&mut self) {
        if let Err(sentence) = self.reload().await {
            tracing::error!("the configuration stays as it was: {sentence}");
        }
    }

    /// Reads the configuration again. On an error everything is as it was.
    async fn reload(&mut self) -> Result<Reloaded, String> {
        let config = Config::load(&self.options.state, self.options.config.as_deref())
            .map_err(|refusal| refusal.to_string())?;
        let mut changes = self.change_interfaces(&config).await?;
        if config.policy != self.config.policy {
            let policy = config.policy.clone();
            self.ask(move |view| view.command(Command::Policy(policy))).await?;
            changes.push("the policy is another".to_owned());
        }
        if config.path_policy != self.config.path_policy {
            let policy = sight::policy_of(config.path_policy);
            self.ask(move |view| view.command(Command::Prefer(policy))).await?;
            changes.push(format!("the ways of this node's own packets are chosen by {}", config.path_policy));
        }
        changes.extend(self.change_terms(&config).await?);
        if let Some(lxmf) = &config.lxmf
            && self.config.lxmf.is_some()
            && config.lxmf != self.config.lxmf
        {
            let command = Self::presence(lxmf);
            self.ask(move |view| view.command(command)).await?;
            changes.push("the LXMF address is announced anew".to_owned());
        }
        if config.log_level != self.config.log_level {
            self.logs.set_level(config.log_level);
            changes.push("the log says more or less".to_owned());
        }
        if config.privacy != self.config.privacy {
            self.logs.set_privacy(config.privacy);
            changes.push("the log names more or less".to_owned());
        }
        let after_restart = self.after_restart(&config);
        // What waits for a restart stays what it is: a later reload says so again.
        let has_lxmf = config.lxmf.is_some() == self.config.lxmf.is_some();
        let lxmf = if has_lxmf { config.lxmf.clone() } else { self.config.lxmf.clone() };
        let Config {
            identity,
            passphrase,
            relaying,
            crossings,
            label,
            pcap_opened,
            traces,
            metrics,
            rpc,
            ..
        } = self.config.clone();
        self.config = Config {
            identity,
            passphrase,
            relaying,
            crossings,
            label,
            pcap_opened,
            traces,
            metrics,
            rpc,
            lxmf,
            ..config
        };
        for change in &changes {
            tracing::info!("reloaded: {change}");
        }
        Ok(Reloaded { changes, after_restart })
    }

    /// Gives neighbours other shares, carries others for nothing, asks and lends other sums.
    async fn change_terms(&self, config: &Config) -> Result<Vec<String>, String> {
        let mut changes = Vec::new();
        if config.weights != self.config.weights {
            let (before, after) = (self.config.weights.clone(), config.weights.clone());
            self.ask(move |view| {
                // Whoever is not named any more is as everybody is.
                for node in before.keys().filter(|node| !after.contains_key(node)) {
                    view.command(Command::Weigh { node: *node, weight: Weight::ONE });
                }
                for (node, weight) in after {
                    view.command(Command::Weigh { node, weight });
                }
            })
            .await?;
            changes.push("neighbours have other shares of interfaces".to_owned());
        }
        if config.trusted != self.config.trusted {
            let trust = self.people.trust(&config.trusted);
            self.ask(move |view| view.command(Command::Trust(trust))).await?;
            changes.push("others are carried for nothing".to_owned());
        }
        if config.line != self.config.line || config.dearest() != self.config.dearest() {
            let Policy { price, line, .. } = config.economy();
            self.ask(move |view| view.command(Command::Terms { price, line })).await?;
        }
        if config.line != self.config.line {
            changes
                .push("neighbours are lent another sum in channels that are opened from here on".to_owned());
        }
        Ok(changes)
    }

    fn after_restart(&self, config: &Config) -> Vec<String> {
        let differs = [
            (config.identity != self.config.identity, "the identity"),
            (config.passphrase != self.config.passphrase, "the source of the passphrase"),
            (config.label != self.config.label, "the label"),
            (config.pcap_opened != self.config.pcap_opened, "whether what links carry is recorded in clear"),
            (config.relaying != self.config.relaying, "whether others' packets are carried"),
            (config.crosses() != self.config.crosses(), "whether links are made across stock relays"),
            (config.traces != self.config.traces, "whether traces are answered"),
            (config.metrics != self.config.metrics, "where metrics are told"),
            (config.lxmf.is_some() != self.config.lxmf.is_some(), "whether there is an LXMF address"),
            (config.rpc != self.config.rpc, "where programs ask, or with which key"),
        ];
        let sentence = |what| format!("{what} is written differently, which takes effect after a restart");
        differs.into_iter().filter(|(differs, _)| *differs).map(|(_, what)| sentence(what)).collect()
    }

    /// Closes and opens what is different; undoes that if something cannot be opened.
    async fn change_interfaces(&mut self, config: &Config) -> Result<Vec<String>, String> {
        let before = self.config.interfaces.clone();
        let stays = |one: &Interface, among: &[Interface]| among.iter().any(|other| other.stays_open_as(one));
        let closing: Vec<_> =
            before.iter().filter(|interface| !stays(interface, &config.interfaces)).cloned().collect();
        let opening: Vec<_> =
            config.interfaces.iter().filter(|interface| !stays(interface, &before)).cloned().collect();
        for interface in &closing {
            self.close(&interface.name).await?;
        }
        let mut opened: Vec<&Interface> = Vec::new();
        for interface in &opening {
            if let Err(sentence) = self.open(interface).await {
                for interface in opened {
                    self.close(&interface.name).await?;
                }
                for interface in &closing {
                    self.open(interface).await?;
                    self.dial_for(interface);
                }
                return Err(sentence);
            }
            opened.push(interface);
        }
        let mut changes: Vec<String> =
            closing.iter().map(|interface| format!("closed {interface}")).collect();
        changes.extend(opening.iter().map(|interface| format!("opened {interface}")));
        changes.extend(self.change_prices(&before, config).await?);
        for interface in &config.interfaces {
            let peers_stay = before.iter().any(|one| one.is_same_but_for_its_price(interface));
            if !peers_stay {
                self.stop_dialling(&interface.name).await?;
                self.dial_for(interface);
            }
            if !peers_stay && stays(interface, &before) {
                changes.push(format!("{} keeps links with others", interface.name));
            }
        }
        Ok(changes)
    }

    /// Asks other prices on interfaces that stay open.
    async fn change_prices(&self, before: &[Interface], config: &Config) -> Result<Vec<String>, String> {
        let mut changes = Vec::new();
        for interface in &config.interfaces {
            let is_another = |one: &&Interface| one.stays_open_as(interface) && one.price != interface.price;
            if before.iter().any(|one| is_another(&one)) {
                let (name, price) = (interface.name.clone(), interface.price);
                self.ask(move |view| view.set_price(&name, price)).await?;
                changes.push(format!("{} asks {price} µNXS for 1,024 bytes", interface.name));
            }
        }
        Ok(changes)
    }

    async fn open(&self, interface: &Interface) -> Result<(), String> {
        let medium = media::medium(interface).map_err(|cause| cause.to_string())?;
        let (name, decorations) = (interface.name.clone(), interface.decorations.clone());
        let (price, role, gravity) = (interface.price, interface.role, interface.gravity);
        let (calls, names_last) = (interface.medium.calls(), interface.medium.names_last());
        let codes =
            interface.access.as_ref().map(Access::codes).transpose().map_err(|cause| cause.to_string())?;
        let opened = self.ask(move |view| {
            view.set_price(&name, price);
            view.set_standing(&name, role, gravity);
            if calls {
                view.set_caller(&name);
            }
            if names_last {
                view.set_lasting(&name);
            }
            if let Some(codes) = codes {
                view.set_access_codes(&name, codes);
            }
            view.open(&name, medium.as_ref(), &decorations)
        });
        let opened = opened.await?;
        opened.map(|_| ()).map_err(|cause| cause.to_string())
    }

    async fn close(&mut self, name: &str) -> Result<(), String> {
        self.stop_dialling(name).await?;
        self.handle.close(name).await.map_err(|cause| cause.to_string())
    }

    /// Keeps links with the peers of every interface.
    pub(super) fn dial_all(&mut self) {
        for interface in self.config.interfaces.clone() {
            self.dial_for(&interface);
        }
    }

    fn dial_for(&mut self, interface: &Interface) {
        let Medium::Udp { peers, .. } = &interface.medium else { return };
        if peers.is_empty() || interface.mode == nexus_network::Mode::Reticulum {
            return;
        }
        let dialled = Arc::default();
        let task = look_up(self.handle.clone(), interface.name.clone(), peers.clone(), Arc::clone(&dialled));
        self.dialling.insert(interface.name.clone(), Dialling { task: tokio::spawn(task), dialled });
    }

    async fn stop_dialling(&mut self, name: &str) -> Result<(), String> {
        let Some(Dialling { task, dialled }) = self.dialling.remove(name) else { return Ok(()) };
        task.abort();
        let name = name.to_owned();
        let dialled = std::mem::take(&mut *dialled.lock().unwrap_or_else(PoisonError::into_inner));
        self.ask(move |view| dialled.into_iter().for_each(|to| view.undial(&name, to))).await
    }

    async fn ask<R: Send + 'static>(
        &self,
        question: impl FnOnce(&mut crate::HostView<'_>) -> R + Send + 'static,
    ) -> Result<R, String> {
        self.handle.ask(question).await.map_err(|gone| gone.to_string())
    }

    /// Writes a backup, on a thread of its own: the disk may be slow.
    pub(super) async fn answer_backup(&mut self, replier: &Replier, file: PathBuf) {
        if !file.is_absolute() {
            return replier.fail(Code::BadValue, "the file of a backup is an absolute path");
        }
        let (reader, key) = (self.store.clone(), self.config.identity.clone());
        let written = tokio::task::spawn_blocking(move || backup::write(&file, &key, &reader.snapshot()?));
        match written.await {
            Ok(Ok(())) => replier.ok(&Done {}),
            Ok(Err(cause)) => replier.fail(Code::System, cause.to_string()),
            Err(_panicked) => replier.fail(Code::System, "the backup was not written"),
        }
    }
}

/// Looks up peers for as long as it runs, and keeps links with where they are.
async fn look_up(
    handle: HostHandle,
    name: String,
    peers: Vec<Peer>,
    dialled: Arc<Mutex<BTreeSet<Endpoint>>>,
) {
    let mut last: Vec<Option<Endpoint>> = vec![None; peers.len()];
    loop {
        let mut wait = LOOK_UP_AGAIN;
        for (peer, last) in peers.iter().zip(&mut last) {
            let found =
                udp::resolve(&peer.at.to_string()).await.ok().and_then(|found| found.first().copied());
            let Some(to) = found else {
                tracing::warn!("a peer of {name} cannot be looked up");
                wait = LOOK_UP_SOON;
                continue;
            };
            if *last != Some(to) && move_dial(&handle, &name, peer, *last, to, &dialled).await.is_err() {
                return;
            }
            *last = Some(to);
        }
        tokio::time::sleep(wait).await;
    }
}

async fn move_dial(
    handle: &HostHandle,
    name: &str,
    peer: &Peer,
    from: Option<Endpoint>,
    to: Endpoint,
    dialled: &Mutex<BTreeSet<Endpoint>>,
) -> Result<(), HostGone> {
    let (name, expected) = (name.to_owned(), peer.expected);
    {
        let mut dialled = dialled.lock().unwrap_or_else(PoisonError::into_inner);
        dialled.insert(to);
        from.map(|from| dialled.remove(&from));
    }
    handle
        .ask(move |view| {
            if let Some(from) = from {
                view.undial(&name, from);
            }
            view.dial(&name, to, expected);
        })
        .await
}
