//! How long somebody may let wait who has to move next.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// How long somebody may let wait, and until when in all. Costs nothing while
/// nobody has to; the timer is made when it is first needed, and set back only when
/// it goes off. None at all by default.
#[derive(Debug, Default)]
pub struct Patience {
    limit: Duration,
    end: Option<Instant>,
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// So much of it.
    pub fn new(limit: Duration) -> Self {
        Self {
            limit,
            end: None,
            since: None,
            timer: None,
        }
    }

    /// However often somebody moves, it is over at this time.
    pub fn until(mut self, end: Instant) -> Self {
        self.end = Some(end);
        self
    }

    /// True if it is over, and was for good.
    pub fn is_spent(&self) -> bool {
        let deadline = self.timer.as_ref().map(|timer| timer.deadline());
        self.end.is_some() && deadline >= self.end
    }

    /// Whoever had to move has.
    pub fn moved(&mut self) {
        self.since = None;
    }

    /// Waits on, since when it was first called after `moved`. Ready when it took
    /// too long.
    pub fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let over = *self.since.get_or_insert_with(Instant::now) + self.limit;
        let over = self.end.map_or(over, |end| over.min(end));
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(over)));
        loop {
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= over {
                return Poll::Ready(());
            }
            timer.as_mut().reset(over);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[test]
    fn it_is_over_after_so_long_without_a_move() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            const LIMIT: Duration = Duration::from_millis(80);
            let mut patience = Patience::new(LIMIT);
            let early = poll_fn(|cx| Poll::Ready(patience.poll_over(cx).is_ready())).await;
            assert!(!early);
            // The timer goes off at its first time, when there was a move since.
            tokio::time::sleep(LIMIT / 2).await;
            patience.moved();
            let moved = Instant::now();
            poll_fn(|cx| patience.poll_over(cx)).await;
            assert!(moved.elapsed() >= LIMIT, "{:?}", moved.elapsed());
            assert!(!patience.is_spent());
        });
    }

    #[test]
    fn it_is_over_for_good_however_often_somebody_moves() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            const LIMIT: Duration = Duration::from_millis(40);
            let begun = Instant::now();
            let mut patience = Patience::new(LIMIT).until(begun + LIMIT * 3);
            while !patience.is_spent() {
                patience.moved();
                poll_fn(|cx| patience.poll_over(cx)).await;
            }
            assert!(begun.elapsed() >= LIMIT * 3, "{:?}", begun.elapsed());
            patience.moved();
            let again = poll_fn(|cx| Poll::Ready(patience.poll_over(cx).is_ready())).await;
            assert!(again);
        });
    }
}
