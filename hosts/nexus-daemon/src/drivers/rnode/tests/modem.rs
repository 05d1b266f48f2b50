//! A modem that does what a script says.

use nexus_wire::reticulum::kiss::Deframer;
use nexus_wire::reticulum::rnode::{Firmware, FromDevice, Rssi, Setting, ToDevice};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::drivers::port::pty;
use crate::rig::PATIENCE;

/// How a modem behaves.
#[derive(Clone, Copy)]
pub(super) struct Script {
    pub(super) firmware: Firmware,
}

impl Default for Script {
    fn default() -> Self {
        Self { firmware: Firmware { major: 1, minor: 78 } }
    }
}

/// What a modem was told, questions left out.
#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    Set(Setting),
    Data(Vec<u8>),
    Leave,
}

/// A modem in use.
pub(super) struct Modem {
    heard: mpsc::UnboundedReceiver<Heard>,
    air: mpsc::UnboundedSender<Vec<u8>>,
    task: JoinHandle<Vec<u8>>,
}

impl Modem {
    pub(super) fn run_plugged(plugged: pty::Plugged, script: Script) -> Self {
        let (heard_by, heard) = mpsc::unbounded_channel();
        let (air, from_air) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let mut plugged = plugged;
            serve(&mut plugged.modem, script, heard_by, from_air).await
        });
        Self { heard, air, task }
    }

    pub(super) fn run(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, script: Script) -> Self {
        let (heard_by, heard) = mpsc::unbounded_channel();
        let (air, from_air) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let mut stream = stream;
            serve(&mut stream, script, heard_by, from_air).await
        });
        Self { heard, air, task }
    }

    /// The next frame that it is to transmit.
    pub(super) async fn frame(&mut self) -> Vec<u8> {
        loop {
            if let Heard::Data(frame) = self.next().await.expect("the host is there") {
                return frame;
            }
        }
    }

    /// What it hears over the air.
    pub(super) fn receives(&self, frame: &[u8], strength: Rssi) {
        let mut bytes = says(&FromDevice::Rssi(strength));
        bytes.extend(says(&FromDevice::Data(frame)));
        self.air.send(bytes).unwrap();
    }

    /// What the host said last, once it is gone.
    pub(super) async fn last_words(mut self) -> Vec<Heard> {
        let mut words = Vec::new();
        while let Some(heard) = self.next().await {
            words.push(heard);
        }
        words
    }

    /// Pulls the plug; every byte that the host wrote.
    pub(super) async fn pull(self) -> Vec<u8> {
        drop(self.air);
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap()
    }

    async fn next(&mut self) -> Option<Heard> {
        tokio::time::timeout(PATIENCE, self.heard.recv()).await.expect("the host speaks in time")
    }
}

/// Answers until the plug is pulled or the host is gone; every byte that it wrote.
async fn serve(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    script: Script,
    heard: mpsc::UnboundedSender<Heard>,
    mut air: mpsc::UnboundedReceiver<Vec<u8>>,
) -> Vec<u8> {
    let (mut deframer, mut all, mut buffer) = (Deframer::new(600), Vec::new(), vec![0; 4_096]);
    loop {
        let answer = tokio::select! {
            // What the host wrote before the plug is pulled is seen.
            biased;
            read = stream.read(&mut buffer) => {
                let Ok(length @ 1..) = read else { return all };
                all.extend_from_slice(&buffer[..length]);
                let (mut rest, mut answer) = (&buffer[..length], Vec::new());
                while let Some(frame) = deframer.next_frame(&mut rest) {
                    answer.extend(hear(ToDevice::decode(frame).unwrap(), script, &heard));
                }
                answer
            }
            from_air = air.recv() => match from_air {
                Some(bytes) => bytes,
                None => return all,
            },
        };
        if stream.write_all(&answer).await.is_err() {
            return all;
        }
    }
}

fn hear(message: ToDevice<'_>, script: Script, heard: &mpsc::UnboundedSender<Heard>) -> Vec<u8> {
    let (said, answer) = match message {
        ToDevice::Detect => (None, says(&FromDevice::Detected)),
        ToDevice::AskFirmware => (None, says(&FromDevice::Firmware(script.firmware))),
        ToDevice::AskPlatform => (None, says(&FromDevice::Platform(0x80))),
        ToDevice::AskMcu => (None, says(&FromDevice::Mcu(0x81))),
        ToDevice::Set(setting) => (Some(Heard::Set(setting)), says(&FromDevice::Echo(setting))),
        ToDevice::Data(frame) => (Some(Heard::Data(frame.to_vec())), says(&FromDevice::Ready(&[]))),
        ToDevice::Leave => (Some(Heard::Leave), Vec::new()),
        ToDevice::Reset | ToDevice::Other(_) => panic!("the host says nothing of the kind: {message:?}"),
    };
    if let Some(said) = said {
        // A test that looks at bytes alone does not listen.
        let _nobody_listens = heard.send(said);
    }
    answer
}

fn says(message: &FromDevice<'_>) -> Vec<u8> {
    let mut buffer = vec![0; 1_100];
    message.encode(&mut buffer).unwrap().to_vec()
}
