//! The two streams that the program writes to, and what becomes of a report that standard output does not take.
//!
//! Every write to standard output is checked, and so is its end. The first that fails is kept: nothing is written after
//! it, because a stream with a hole would look whole. The job goes on, since it may be half done, and [`conclude`] turns
//! success into [`Exit::ReportLost`]. A reader that has gone away (`| head`) has lost output like any other.
//!
//! A reader that takes nothing is waited for, but no longer than until somebody asks the program to stop.
//!
//! Standard error is for people who watch. Losing it changes no exit code: what it says is that code in words, or how
//! far the job is.

use super::exit::Exit;
use crate::printable;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, AsRawFd, IntoRawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// How long a stop that was asked for can stay unnoticed while a reader takes nothing, in milliseconds.
const LOOK_MS: libc::c_int = 50;

/// Standard output, as far as it was used.
enum Stream {
    Unused,
    Open(File),
    Lost(io::Error),
}

static STANDARD_OUTPUT: Mutex<Stream> = Mutex::new(Stream::Unused);

static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on, a reader that takes nothing is not waited for once the flag is set.
pub fn give_up_when(stop: Arc<AtomicBool>) {
    // There is one job in a program, and so one flag.
    let _ = STOP.set(stop);
}

fn is_stopped() -> bool {
    STOP.get().is_some_and(|stop| stop.load(Ordering::Relaxed))
}

fn standard_output() -> MutexGuard<'static, Stream> {
    // What a panicking thread left behind is still a stream.
    STANDARD_OUTPUT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Prints text to standard output, without anything that a terminal would obey.
pub fn print(text: &str) {
    standard_output().write(&printable::lines(text));
}

/// Prints one message of JSON on one line.
pub fn print_json(message: &str) {
    standard_output().write(&format!("{}\n", printable::json(message.trim_end())));
}

/// Prints text to standard error, without anything that a terminal would obey.
pub fn complain(text: &str) {
    let _ = write_whole(&mut io::stderr().lock(), printable::lines(text).as_bytes(), is_stopped);
}

/// What a job leaves besides its report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaves {
    /// Nothing: the report is what it was for.
    Nothing,
    /// Something that it wrote, which is there whether the report is or not.
    Something,
}

/// Ends the output; how the program ends where the job has ended with `exit`.
pub fn conclude(exit: Exit, leaves: Leaves) -> Exit {
    let Err(cause) = standard_output().close() else { return exit };
    complain(&format!("whimbrel: write to standard output: {cause}; what should stand there is lost\n"));
    match exit {
        // Its report is all that such a job is for, and it was stopped in the middle of it.
        Exit::Success if leaves == Leaves::Nothing && cause.kind() == io::ErrorKind::Interrupted => Exit::Interrupted,
        Exit::Success => {
            complain(match leaves {
                Leaves::Something => "  hint: the job itself is done; do not repeat it for its report alone\n",
                Leaves::Nothing => "  hint: run it again with somewhere to write to\n",
            });
            Exit::ReportLost
        }
        other => other,
    }
}

impl Stream {
    fn write(&mut self, text: &str) {
        if let Stream::Unused = self {
            *self = open().map_or_else(Stream::Lost, Stream::Open);
        }
        if let Stream::Open(file) = self
            && let Err(error) = write_whole(file, text.as_bytes(), is_stopped)
        {
            *self = Stream::Lost(error);
        }
    }

    /// Some file systems say only at the end that there was no room.
    fn close(&mut self) -> io::Result<()> {
        match std::mem::replace(self, Stream::Unused) {
            Stream::Unused => Ok(()),
            Stream::Lost(error) => Err(error),
            Stream::Open(file) => {
                // SAFETY: the descriptor was owned by `file`, which has let go of it; nobody else knows it.
                match unsafe { libc::close(file.into_raw_fd()) } {
                    0 => Ok(()),
                    _ => Err(io::Error::last_os_error()),
                }
            }
        }
    }
}

/// A descriptor of our own: the library's handle takes a write to a closed or unwritable one for a success.
fn open() -> io::Result<File> {
    if !at_start::was_open() {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

/// Writes everything, waiting for the reader also where whoever made the pipe wants nobody to wait. Where the reader
/// takes nothing and the program is to stop, an error of the kind `Interrupted`.
fn write_whole(file: &mut (impl Write + AsRawFd), mut bytes: &[u8], stopped: fn() -> bool) -> io::Result<()> {
    while !bytes.is_empty() {
        let mut descriptor = libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
        // SAFETY: one descriptor, in a structure that lives as long as the call. Where there is something wrong with it,
        // the write says what.
        let ready = unsafe { libc::poll(&mut descriptor, 1, LOOK_MS) };
        let is_waiting = ready == 0 || ready == -1 && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted;
        if is_waiting {
            if stopped() {
                return Err(io::Error::new(io::ErrorKind::Interrupted, "interrupted, and nobody took it"));
            }
            continue;
        }
        // So much a pipe that is ready takes at once.
        match file.write(&bytes[..bytes.len().min(libc::PIPE_BUF)]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if [io::ErrorKind::Interrupted, io::ErrorKind::WouldBlock].contains(&error.kind()) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether standard error is a terminal.
pub fn errors_go_to_a_terminal() -> bool {
    io::stderr().is_terminal()
}

/// The Rust runtime puts `/dev/null` in the place of a closed standard output before `main`, and what is written there
/// succeeds. So a look is taken before that, where the system calls functions at a program's start.
mod at_start {
    use std::sync::atomic::{AtomicBool, Ordering};

    static OPEN: AtomicBool = AtomicBool::new(true);

    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    extern "C" fn look() {
        // SAFETY: a question about a descriptor, which changes nothing. Nothing of the runtime is used: it is not there yet.
        let answer = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) };
        OPEN.store(answer != -1, Ordering::Relaxed);
    }

    // SAFETY: both systems call each function in that section once, before `main`, in a process with one thread.
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    #[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
    #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
    #[used]
    static LOOK: extern "C" fn() = look;

    pub(super) fn was_open() -> bool {
        // Named here, so that no linker leaves it out of the program.
        #[cfg(any(target_os = "linux", target_vendor = "apple"))]
        std::hint::black_box(&LOOK);
        OPEN.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::OwnedFd;

    #[test]
    fn the_first_failure_is_kept_and_nothing_is_written_after_it() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut stream = Stream::Open(full);
        stream.write("lost");
        assert!(matches!(&stream, Stream::Lost(error) if error.raw_os_error() == Some(libc::ENOSPC)));
        stream.write("not written");
        assert_eq!(stream.close().unwrap_err().raw_os_error(), Some(libc::ENOSPC));
    }

    #[test]
    fn a_pipe_that_does_not_wait_is_waited_for() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut file = File::from(OwnedFd::from(writer));
        // SAFETY: the descriptor is open, and the flag is one of its own.
        assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) }, 0);
        let sent = vec![b'x'; 1 << 20];
        let length = sent.len();
        let thread = std::thread::spawn(move || write_whole(&mut file, &sent, || false));
        let mut received = Vec::new();
        std::thread::sleep(std::time::Duration::from_millis(50));
        reader.read_to_end(&mut received).unwrap();
        thread.join().unwrap().unwrap();
        assert_eq!(received.len(), length);
    }

    #[test]
    fn a_reader_that_takes_nothing_is_not_waited_for_after_a_stop() {
        let (_reader, writer) = io::pipe().unwrap();
        let mut file = File::from(OwnedFd::from(writer));
        let error = write_whole(&mut file, &[b'x'; 1 << 20], || true).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    }

    #[test]
    fn what_was_never_used_was_not_lost() {
        assert!(Stream::Unused.close().is_ok());
    }
}
