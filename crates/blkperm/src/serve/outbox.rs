//! What is on its way to a client, in bounded memory.

use std::io::Write;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes on their way that keep a client's next command waiting.
const ROOM: usize = 1 << 20;

/// Bytes on their way after which a client is hung up on that does not read the events that others
/// cause.
const PATIENCE: usize = 64 << 20;

/// Bytes on their way to one client: what the client does not take at once, a thread of their own
/// writes, and the thread that reads the client's commands waits while they are many.
pub(super) struct Outbox {
    state: Mutex<State>,
    changed: Condvar,
    at_once: Box<AtOnce>,
    hang_up: Box<dyn Fn() + Send + Sync>,
}

/// Writes what the client takes without waiting, and gives how many bytes that are.
type AtOnce = dyn Fn(&[u8]) -> usize + Send + Sync;

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// How many are being written.
    in_flight: usize,
    /// Nothing more will come.
    is_finished: bool,
    /// Nobody is there to read any more.
    is_dead: bool,
}

impl State {
    fn backlog(&self) -> usize {
        self.waiting.len() + self.in_flight
    }
}

impl Outbox {
    /// An empty outbox; `at_once` writes what the client takes without waiting and gives how many
    /// bytes that are, `hang_up` ends the connection.
    pub(super) fn new(
        at_once: impl Fn(&[u8]) -> usize + Send + Sync + 'static,
        hang_up: impl Fn() + Send + Sync + 'static,
    ) -> Outbox {
        Outbox {
            state: Mutex::default(),
            changed: Condvar::new(),
            at_once: Box::new(at_once),
            hang_up: Box::new(hang_up),
        }
    }

    /// Sends bytes, without waiting.
    pub(super) fn push(&self, mut bytes: &[u8]) {
        let mut state = self.lock();
        if state.is_dead || bytes.is_empty() {
            return;
        }
        if state.backlog() == 0 {
            bytes = &bytes[(self.at_once)(bytes)..];
            if bytes.is_empty() {
                return;
            }
        }
        if state.backlog() > PATIENCE {
            state.is_dead = true;
            state.waiting = Vec::new();
            (self.hang_up)();
        } else {
            state.waiting.extend_from_slice(bytes);
        }
        self.changed.notify_all();
    }

    /// Waits until not much is on its way.
    pub(super) fn wait_for_room(&self) {
        drop(self.wait_while(|state| state.backlog() > ROOM && !state.is_dead));
    }

    /// Says that nothing more will come.
    pub(super) fn finish(&self) {
        self.lock().is_finished = true;
        self.changed.notify_all();
    }

    /// Waits until all is written, but not for a client that does not read.
    pub(super) fn flush(&self, deadline: Instant) {
        let mut state = self.lock();
        while state.backlog() > 0 && !state.is_dead {
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Writes all that comes until nothing more comes, or nobody reads it.
    pub(super) fn write_to(&self, mut client: impl Write) {
        loop {
            let mut state = self.wait_while(|state| {
                state.waiting.is_empty() && !state.is_finished && !state.is_dead
            });
            let bytes = std::mem::take(&mut state.waiting);
            state.in_flight = bytes.len();
            drop(state);
            let written = client.write_all(&bytes).and_then(|()| client.flush());
            let mut state = self.lock();
            state.in_flight = 0;
            state.is_dead |= written.is_err();
            self.changed.notify_all();
            if state.is_dead || state.is_finished && state.waiting.is_empty() {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while(&self, condition: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let waited = self.changed.wait_while(self.lock(), |state| condition(state));
        waited.unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::{Receiver, channel};

    /// A client that reads one piece for each permit.
    struct Slow(Receiver<()>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn all_is_written_before_the_end() {
        let outbox = Outbox::new(|_| 0, || ());
        outbox.push(b"a");
        outbox.push(b"b");
        outbox.finish();
        let mut written = Vec::new();
        outbox.write_to(&mut written);
        assert_eq!(written, b"ab");
    }

    #[test]
    fn nothing_overtakes_what_waits() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let taken = written.clone();
        let outbox = Outbox::new(
            move |bytes| {
                let mut written = taken.lock().unwrap();
                written.extend(bytes.first());
                1.min(bytes.len())
            },
            || (),
        );
        outbox.push(b"a");
        outbox.push(b"bcd");
        outbox.push(b"e");
        outbox.finish();
        let mut rest = Vec::new();
        outbox.write_to(&mut rest);
        assert_eq!(
            (written.lock().unwrap().as_slice(), rest.as_slice()),
            (&b"ab"[..], &b"cde"[..])
        );
    }

    #[test]
    fn who_does_not_read_is_hung_up_on() {
        let hung_up = Arc::new(AtomicBool::new(false));
        let flag = hung_up.clone();
        let outbox = Outbox::new(|_| 0, move || flag.store(true, Ordering::Relaxed));
        outbox.push(&vec![0; PATIENCE + 1]);
        assert!(!hung_up.load(Ordering::Relaxed), "one reply may be as large as it is");
        outbox.push(b"x");
        assert!(hung_up.load(Ordering::Relaxed));
        assert_eq!(outbox.lock().backlog(), 0);
        outbox.wait_for_room();
    }

    #[test]
    fn a_writer_that_fails_lets_nobody_wait() {
        let (permits, client) = channel();
        let outbox = Arc::new(Outbox::new(|_| 0, || ()));
        outbox.push(&vec![0; ROOM + 1]);
        let writer = std::thread::spawn({
            let outbox = outbox.clone();
            move || outbox.write_to(Slow(client))
        });
        drop(permits);
        outbox.wait_for_room();
        writer.join().unwrap();
        outbox.push(b"x");
        assert_eq!(outbox.lock().backlog(), 0);
    }
}
