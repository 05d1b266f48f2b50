//! `nexus genesis`: the file in which books begin. Made as a draft, signed by its witnesses one after another, checked by anybody.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use nexus_crypto::{NodePublic, SigningKey, VerifyingKey};
use nexus_daemon::config::node_id;
use nexus_daemon::key_store;
use nexus_economy::ledger::rules::Rules;
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::genesis::{Genesis, Terms};
use nexus_wire::nexus::ledger::{Certificate, WitnessIndex};

use crate::ending::{Ending, Outcome, Refusal};
use crate::passphrase_entry::PassphraseOptions;
use crate::place::Place;
use crate::terminal::{harmless, print_line};

/// The command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  nexus genesis new net.genesis --name mynet --witness KEY --witness KEY \\
        --witness KEY --witness KEY --account NODE=1000000
  nexus genesis sign net.genesis     each witness, on its own machine
  nexus genesis check net.genesis    who has what, and who has signed

A KEY is a node's Ed25519 key, as `nexus keygen show` prints it; amounts are
µNXS. Whoever keeps the books names the file in `[ledger]`.")]
pub(crate) struct GenesisCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a draft that nobody has signed
    New(New),
    /// Sign it, as one of its witnesses
    Sign(Sign),
    /// Print what it says, and whether it is signed
    Check(Check),
}

#[derive(Debug, Args)]
struct New {
    /// The file to be made
    file: PathBuf,
    /// What people call the network
    #[arg(long)]
    name: String,
    /// A witness's Ed25519 key: 64 digits; once for each of them
    #[arg(long = "witness", required = true)]
    witnesses: Vec<String>,
    /// Who has how much at first: NODE=µNXS; once for each of them
    #[arg(long = "account")]
    accounts: Vec<String>,
    /// How many witnesses make a certificate; if not said, the fewest
    #[arg(long)]
    quorum: Option<u8>,
    /// The least that a channel is opened with, in µNXS
    #[arg(long, default_value_t = 1_000)]
    minimum_deposit: u64,
    /// How many channels may be opened in a day
    #[arg(long, default_value_t = 1_440)]
    opens_per_day: u32,
}

#[derive(Debug, Args)]
struct Sign {
    /// The file
    file: PathBuf,
    /// The witness's key file; the node's own, if not said
    #[arg(long)]
    identity: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    passphrase: PassphraseOptions,
}

#[derive(Debug, Args)]
struct Check {
    /// The file
    file: PathBuf,
}

impl GenesisCommand {
    pub(crate) fn run(self) -> Ending {
        match self.action {
            Action::New(new) => new.run(),
            Action::Sign(sign) => sign.run(),
            Action::Check(check) => check.run(),
        }
    }
}

impl New {
    fn run(self) -> Ending {
        let mut witnesses = self.witnesses.iter().map(|text| witness(text)).collect::<Result<Vec<_>, _>>()?;
        witnesses.sort_unstable();
        let mut accounts = self.accounts.iter().map(|text| account(text)).collect::<Result<Vec<_>, _>>()?;
        accounts.sort_unstable();
        let least = (1..=witnesses.len()).find(|quorum| Terms::is_quorum(*quorum, witnesses.len()));
        let least = least.and_then(|least| u8::try_from(least).ok()).unwrap_or(u8::MAX);
        let terms = Terms {
            name: &self.name,
            minimum_deposit: self.minimum_deposit,
            opens_per_day: self.opens_per_day,
            quorum: self.quorum.unwrap_or(least),
            witnesses: &witnesses,
            accounts: &accounts,
        };
        let genesis = Genesis::new(terms, &[]).ok_or_else(|| {
            Refusal::Cannot(format!(
                "these terms break a rule: a name has 1 to 32 bytes, there are 1 to 10 witnesses and each once, a quorum of {least} of them at \
                 least, each account once, amounts above 0"
            ))
        })?;
        let mut file = fs::File::create_new(&self.file).map_err(|cause| refused(&self.file, &cause))?;
        std::io::Write::write_all(&mut file, &bytes(&genesis))
            .map_err(|cause| refused(&self.file, &cause))?;
        print_line(&format!(
            "made {}, a draft: its witnesses sign it with `nexus genesis sign`",
            self.file.display()
        ));
        print_line(&format!("genesis {}", genesis.id()));
        Ok(Outcome::Done)
    }
}

impl Sign {
    fn run(self) -> Ending {
        let read = read(&self.file)?;
        let genesis = decoded(&self.file, &read)?;
        let path = match &self.identity {
            Some(path) => path.clone(),
            None => self.place.state()?.key(),
        };
        let source = self.passphrase.source_or_terminal().map_err(Refusal::cannot)?;
        let seed = key_store::open(&path, &source).map_err(Refusal::cannot)?;
        let key = SigningKey::from_seed(seed.expose());
        let place = genesis.terms().witnesses.iter().position(|witness| *witness == key.public().0);
        let Some(index) = place.and_then(|place| u8::try_from(place).ok()) else {
            return Err(Refusal::Cannot(format!("{} names no witness with this key", self.file.display())));
        };
        let signature = Genesis::signed(&genesis.id(), |message| key.sign(message));
        let line = Certificate::line(WitnessIndex(index), &signature);
        let mut lines: Vec<_> = genesis
            .signatures()
            .filter(|(by, _)| by.0 != index)
            .map(|(by, signature)| Certificate::line(by, &signature))
            .collect();
        lines.push(line);
        lines.sort_unstable();
        let signed = Genesis::new(*genesis.terms(), &lines).expect("the same terms, with one signature more");
        let beside = self.file.with_extension("signing");
        fs::write(&beside, bytes(&signed)).map_err(|cause| refused(&beside, &cause))?;
        fs::rename(&beside, &self.file).map_err(|cause| refused(&self.file, &cause))?;
        print_line(&format!(
            "witness {index} signed; {} of {} that are needed",
            lines.len(),
            genesis.terms().quorum
        ));
        Ok(Outcome::Done)
    }
}

impl Check {
    fn run(self) -> Ending {
        let read = read(&self.file)?;
        let genesis = decoded(&self.file, &read)?;
        let terms = genesis.terms();
        print_line(&format!("name             {}", harmless(terms.name)));
        print_line(&format!("genesis          {}", genesis.id()));
        print_line(&format!("quorum           {} of {} witnesses", terms.quorum, terms.witnesses.len()));
        print_line(&format!("minimum deposit  {} µNXS", terms.minimum_deposit));
        print_line(&format!("opens            {} in a day", terms.opens_per_day));
        let signed: Vec<u8> = genesis.signatures().map(|(index, _)| index.0).collect();
        for (index, key) in (0_u8..).zip(terms.witnesses) {
            let node =
                NodePublic::of_verifying(VerifyingKey(*key)).map(|public| public.node_id().to_string());
            let has = if signed.contains(&index) { "signed" } else { "has not signed" };
            print_line(&format!(
                "witness {index}        {} {has}",
                node.unwrap_or_else(|_| "not a node".to_owned())
            ));
        }
        let mut sum = 0_u64;
        for (node, amount) in genesis.accounts() {
            sum = sum.saturating_add(amount);
            print_line(&format!("account          {node} {amount} µNXS"));
        }
        print_line(&format!("together         {sum} µNXS"));
        match Rules::of(&genesis) {
            Ok(_) => {
                print_line("It is signed: nodes follow it.");
                Ok(Outcome::Done)
            }
            Err(cause) => {
                print_line(&format!("It is a draft: {cause}."));
                Ok(Outcome::NotDone)
            }
        }
    }
}

fn witness(text: &str) -> Result<[u8; 32], Refusal> {
    let wrong = || Refusal::Cannot(format!("{text:?} is no Ed25519 key of a node: 64 hexadecimal digits"));
    let digits = text.as_bytes();
    let mut key = [0; 32];
    if digits.len() != 64 || !text.is_ascii() {
        return Err(wrong());
    }
    for (byte, pair) in key.iter_mut().zip(digits.chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
    }
    NodePublic::of_verifying(VerifyingKey(key)).map_err(|_| wrong())?;
    Ok(key)
}

fn account(text: &str) -> Result<[u8; 24], Refusal> {
    let wrong = || Refusal::Cannot(format!("{text:?} is no account: say NODE=AMOUNT, in µNXS"));
    let (node, amount) = text.split_once('=').ok_or_else(wrong)?;
    let (node, amount) = (node_id(node).map_err(|_| wrong())?, amount.parse::<u64>().map_err(|_| wrong())?);
    let mut line = [0; 24];
    line.iter_mut().zip(node.0.into_iter().chain(amount.to_le_bytes())).for_each(|(to, from)| *to = from);
    Ok(line)
}

/// The bytes of a genesis file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Refusal> {
    fs::read(path).map_err(|cause| refused(path, &cause))
}

/// What they say.
pub(crate) fn decoded<'a>(path: &Path, bytes: &'a [u8]) -> Result<Genesis<'a>, Refusal> {
    Genesis::decode(bytes)
        .map_err(|cause| Refusal::Cannot(format!("{} is no genesis: {cause}", path.display())))
}

fn bytes(genesis: &Genesis<'_>) -> Vec<u8> {
    let mut bytes = vec![0; genesis.encoded_len()];
    genesis.encode(&mut bytes).expect("a genesis is as long as it says");
    bytes
}

fn refused(path: &Path, cause: &std::io::Error) -> Refusal {
    Refusal::Cannot(format!("{}: {cause}", path.display()))
}
