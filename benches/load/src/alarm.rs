//! Waiting until a moment, to microseconds. Used by `open`.
//!
//! On Linux this is a timer of the kernel that the event loop waits for like
//! for a socket. Elsewhere it is tokio's, with a grain of a millisecond.

#[cfg(target_os = "linux")]
pub(crate) use precise::Alarm;

#[cfg(not(target_os = "linux"))]
pub(crate) use coarse::Alarm;

#[cfg(target_os = "linux")]
mod precise {
    use std::{io, time::Instant};

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::{io::AsyncReadExt, net::unix::pipe::Receiver};

    /// One timer. It is read like a pipe: eight bytes when it goes off.
    pub(crate) struct Alarm(Receiver);

    impl Alarm {
        pub(crate) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            Ok(Self(Receiver::from_owned_fd_unchecked(timer)?))
        }

        /// Waits until a moment; one that is over does not wait.
        pub(crate) async fn until(&mut self, moment: Instant) -> io::Result<()> {
            let left = moment.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let once = Itimerspec {
                it_interval: Timespec::default(),
                it_value: Timespec::try_from(left).map_err(io::Error::other)?,
            };
            timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
            self.0.read_exact(&mut [0; 8]).await?;
            Ok(())
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod coarse {
    use std::{io, time::Instant};

    /// No state: the runtime's timer is always there.
    pub(crate) struct Alarm;

    impl Alarm {
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        /// Waits until a moment; one that is over does not wait.
        pub(crate) async fn until(&mut self, moment: Instant) -> io::Result<()> {
            tokio::time::sleep_until(moment.into()).await;
            Ok(())
        }
    }
}
