//! The host's side of the lines to the guest: the console, the two candidates for the channel, QEMU's control.

use super::state::{CommandState, End, Hello, Shared, State};
use crate::channel::frame::{Decoder, Frame, Kind};
use crate::channel::link::{Delivered, Link};
use crate::channel::message::{Chunk, CommandId, FromGuest, FromHost, PROTOCOL};
use rustix::time::ClockId;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

/// How often acknowledgements are looked after.
const TICK: Duration = Duration::from_millis(200);

/// The writing end of a line: a thread of its own, because a guest that stalls would block the writer.
#[derive(Clone)]
pub(super) struct Writer {
    queue: Sender<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
}

impl Writer {
    pub(super) fn new(stream: UnixStream) -> Self {
        let (queue, receiver) = std::sync::mpsc::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&waiting);
        std::thread::spawn(move || write_all(stream, &receiver, &counter));
        Self { queue, waiting }
    }

    /// Queues bytes. A line whose other end is gone takes them without effect.
    pub(super) fn send(&self, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            // The thread ends only with the line, and then nobody waits for these bytes.
            drop(self.queue.send(bytes));
        }
    }

    fn is_idle(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) == 0
    }
}

fn write_all(mut stream: UnixStream, queue: &Receiver<Vec<u8>>, waiting: &AtomicUsize) {
    for bytes in queue {
        if stream.write_all(&bytes).is_err() {
            return;
        }
        waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Reads the console until it closes; `sink` gets each piece as it comes.
pub(super) fn read_console(mut stream: UnixStream, shared: &Shared, mut sink: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count) = stream.read(&mut buffer)
        && count > 0
    {
        let bytes = buffer.get(..count).unwrap_or_default();
        sink(bytes);
        shared.alive(|state| {
            state.console.push(bytes);
            state.console_moved = state.moved;
        });
    }
    shared.change(|state| state.console_closed = true);
}

/// Notes why the machine stops, as QEMU reports it.
pub(super) fn read_control(stream: UnixStream, shared: &Shared) {
    let mut writer = match stream.try_clone() {
        Ok(writer) => writer,
        Err(_) => return,
    };
    // Without this first command QEMU sends no events.
    if writer.write_all(b"{\"execute\":\"qmp_capabilities\"}\n").is_err() {
        return;
    }
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { return };
        let Ok(message) = serde_json::from_str::<serde_json::Value>(&line) else {
            continue;
        };
        if message.get("event").and_then(|event| event.as_str()) == Some("SHUTDOWN") {
            let reason = message.pointer("/data/reason").and_then(|reason| reason.as_str());
            shared.change(|state| state.stopped = Some(reason.unwrap_or("unknown").to_owned()));
        }
    }
}

/// The channel, over whichever of its lines the agent greets.
#[derive(Clone)]
pub(super) struct Channel {
    shared: Arc<Shared>,
    writers: Vec<Writer>,
}

impl Channel {
    /// Starts reading all lines, and the clock for acknowledgements.
    pub(super) fn start(shared: &Arc<Shared>, lines: Vec<(UnixStream, UnixStream)>) -> Self {
        let (readers, writers): (Vec<_>, Vec<_>) = lines.into_iter().unzip();
        let writers = writers.into_iter().map(Writer::new).collect();
        let channel = Self {
            shared: Arc::clone(shared),
            writers,
        };
        for (line, reader) in readers.into_iter().enumerate() {
            let channel = channel.clone();
            std::thread::spawn(move || channel.read(line, reader));
        }
        let ticker = channel.clone();
        std::thread::spawn(move || {
            while ticker.shared.lock().exit.is_none() {
                ticker.tick();
                std::thread::sleep(TICK);
            }
        });
        channel
    }

    /// Sends a message to the agent; dropped if none has greeted yet, so wait for it first.
    pub(super) fn send(&self, message: &FromHost) {
        if let Ok(payload) = serde_json::to_vec(message) {
            self.send_payload(Kind::Json, payload);
        }
    }

    /// Sends a piece of input.
    pub(super) fn send_chunk(&self, chunk: &Chunk) {
        self.send_payload(Kind::Raw, chunk.encode());
    }

    fn send_payload(&self, kind: Kind, payload: Vec<u8>) {
        self.shared.change(|state| {
            if let Some((link, _)) = &mut state.link {
                // Messages are made below the limit: chunks by their type, command lines by the kernel's own.
                drop(link.send(kind, payload, now()));
            }
            self.flush(state);
        });
    }

    fn flush(&self, state: &mut State) {
        if let Some((link, line)) = &mut state.link
            && let Some(writer) = self.writers.get(*line)
        {
            writer.send(link.take_output());
        }
    }

    fn tick(&self) {
        self.shared.change(|state| {
            if let Some((link, line)) = &mut state.link
                && self.writers.get(*line).is_some_and(Writer::is_idle)
            {
                link.tick(now());
            }
            self.flush(state);
        });
    }

    fn read(&self, line: usize, mut stream: UnixStream) {
        let mut decoder = Decoder::default();
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count) = stream.read(&mut buffer)
            && count > 0
        {
            decoder.push(buffer.get(..count).unwrap_or_default());
            for frame in decoder.by_ref() {
                self.shared.alive(|state| {
                    accept(state, line, frame);
                    self.flush(state);
                });
            }
        }
    }
}

/// Takes one frame: a greeting opens a session, all else belongs to the open one.
fn accept(state: &mut State, line: usize, frame: Frame) {
    let current = state.link.as_ref().map(|(link, _)| link.session());
    let greets = frame.kind == Kind::Json && frame.seq == 0 && current != Some(frame.session);
    if greets
        && matches!(
            serde_json::from_slice(&frame.payload),
            Ok(FromGuest::Hello { .. })
        )
    {
        // The commands of a former agent died with it, or nobody can tell how they ended.
        for command in state.commands.values_mut() {
            command.end.get_or_insert(End::Lost);
        }
        state.link = Some((Link::new(frame.session), line));
    }
    let Some((link, at)) = &mut state.link else { return };
    if *at == line
        && let Some(message) = link.accept(frame, now())
    {
        deliver(state, message);
    }
}

fn deliver(state: &mut State, message: Delivered) {
    if message.kind == Kind::Raw {
        if let Some(Chunk { id, stream, bytes }) = Chunk::decode(&message.payload) {
            command(state, id).output.push_back((stream, bytes));
        }
        return;
    }
    match serde_json::from_slice(&message.payload) {
        Ok(FromGuest::Hello {
            protocol,
            kernel,
            boot_id,
            transport,
            pid,
        }) => {
            if protocol != PROTOCOL {
                let text =
                    format!("speaks protocol {protocol}, this host {PROTOCOL}: build the initrd again");
                state.protocol_error = Some(text);
            }
            state.hello = Some(Hello {
                kernel,
                boot_id,
                transport,
                pid,
            });
        }
        Ok(FromGuest::Ready) => state.ready += 1,
        Ok(FromGuest::Exit { id, status }) => command(state, id).end = Some(End::Exit(status)),
        Ok(FromGuest::Refused { id, reason, code }) => {
            command(state, id).end = Some(End::Refused { reason, code });
        }
        Ok(FromGuest::Event { value }) => {
            state.events.push_back(super::Event {
                stamp: message.stamp,
                value,
            });
        }
        Err(error) => state.protocol_error = Some(format!("sent what this host cannot read: {error}")),
    }
}

fn command(state: &mut State, id: CommandId) -> &mut CommandState {
    state.commands.entry(id).or_default()
}

/// The host's CLOCK_MONOTONIC.
pub(super) fn now() -> Duration {
    let time = rustix::time::clock_gettime(ClockId::Monotonic);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), nanos)
}
