//! Turns, looked at step by step.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;

const SLOW: Pace = Pace(100);
const QUICK: Pace = Pace(10 << 20);
const MINE: Flow = (SpaceId::from_bytes([1; 16]), None);

fn target(number: u8) -> TargetId {
    TargetId::from_bytes([number; 16])
}

/// What a future is when it is looked at once.
fn look<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn a_target_has_its_turns_and_no_more() {
    let (turns, one, other) = (Turns::new(64), target(1), target(2));
    let mut taken = Vec::new();
    for _ in 0..PULLS_OF_TARGET {
        taken.push(turns.take(MINE, one).await.expect("a turn"));
    }
    assert!(turns.take(MINE, one).await.is_none());
    assert!(turns.take(MINE, other).await.is_some(), "what one target takes is not another's");
    taken.pop();
    assert!(turns.take(MINE, one).await.is_some(), "a turn that is over can be taken again");
    drop(taken);
    assert!(turns.of_target.lock().is_empty(), "nothing is kept of who has gone");
}

#[tokio::test]
async fn a_slow_pull_gives_its_turn_back_when_somebody_waits_and_goes_on() {
    let turns = Turns::new(1);
    let slow = turns.take(MINE, target(1)).await.expect("a turn");
    slow.measured(SLOW);
    assert!(slow.give_way());
    let mut next = pin!(turns.take(MINE, target(2)));
    assert!(look(next.as_mut()).is_pending(), "nobody waited, so the turn was kept");
    assert!(slow.give_way(), "it goes on");
    let Poll::Ready(Some(next)) = look(next) else { panic!("the turn was not given back") };
    assert!(slow.give_way() && next.give_way());
}

#[tokio::test]
async fn a_quick_pull_and_one_that_was_not_measured_keep_their_turns() {
    let turns = Turns::new(2);
    let unmeasured = turns.take(MINE, target(1)).await.expect("a turn");
    let quick = turns.take(MINE, target(2)).await.expect("a turn");
    quick.measured(SLOW);
    quick.measured(QUICK);
    let mut next = pin!(turns.take(MINE, target(3)));
    assert!(look(next.as_mut()).is_pending());
    assert!(unmeasured.give_way() && quick.give_way());
    assert!(look(next.as_mut()).is_pending());
    drop(quick);
    assert!(look(next).is_ready());
}

#[tokio::test]
async fn where_there_is_no_room_aside_the_slowest_ends() {
    let turns = Turns::new(1);
    let first = turns.take(MINE, target(1)).await.expect("a turn");
    first.measured(SLOW);
    let mut second = pin!(turns.take(MINE, target(2)));
    assert!(look(second.as_mut()).is_pending() && first.give_way());
    let Poll::Ready(Some(second)) = look(second) else { panic!("the turn was not given back") };
    second.measured(Pace(SLOW.0 + 1));
    let mut third = pin!(turns.take(MINE, target(3)));
    assert!(look(third.as_mut()).is_pending());
    assert!(second.give_way(), "it is slow, but not the slowest");
    assert!(!first.give_way());
    let Poll::Ready(Some(third)) = look(third) else { panic!("the turn was not given back") };
    second.measured(Pace(2));
    third.measured(Pace(1));
    let mut fourth = pin!(turns.take(MINE, target(4)));
    assert!(look(fourth.as_mut()).is_pending());
    assert!(!third.give_way(), "the newest may be the slowest");
    assert!(second.give_way() && look(fourth).is_ready());
    drop((first, second, third));
    assert!(turns.aside.lock().is_empty(), "nothing is kept of who has gone");
}

#[tokio::test]
async fn who_stops_waiting_keeps_nobody_out() {
    let turns = Turns::new(1);
    let slow = turns.take(MINE, target(1)).await.expect("a turn");
    slow.measured(SLOW);
    {
        let mut gone = pin!(turns.take(MINE, target(2)));
        assert!(look(gone.as_mut()).is_pending());
    }
    assert!(slow.give_way());
    assert!(turns.aside.lock().is_empty(), "it kept its turn");
}

/// A tenant of a space; 0 is none.
fn flow(space: u8, tenant: u8) -> Flow {
    (SpaceId::from_bytes([space; 16]), (tenant > 0).then(|| TenantId::from_bytes([tenant; 16])))
}

#[tokio::test]
async fn whoever_waits_gets_a_turn_in_its_round_however_many_others_wait() {
    let turns = Turns::new(1);
    let first = turns.take(flow(1, 1), target(1)).await.expect("a turn");
    // Hundreds of machines of one tenant, then one each of another tenant, of none, and of another space.
    let crowd = (0..300u16).map(|number| (flow(1, 1), number));
    let others = [(flow(1, 2), 300), (flow(1, 0), 301), (flow(2, 1), 302)];
    let mut waiting: Vec<_> = crowd
        .chain(others)
        .map(|(flow, number)| {
            let mut bytes = [0; 16];
            bytes[..2].copy_from_slice(&number.to_be_bytes());
            (flow, Box::pin(turns.take(flow, TargetId::from_bytes(bytes))))
        })
        .collect();
    let mut served = Vec::new();
    let mut turn = Some(first);
    waiting.iter_mut().for_each(|(_, waits)| assert!(look(waits.as_mut()).is_pending()));
    while served.len() < 6 {
        drop(turn.take());
        let next = waiting.iter_mut().position(|(_, waits)| match look(waits.as_mut()) {
            Poll::Ready(granted) => {
                turn = granted;
                true
            }
            Poll::Pending => false,
        });
        served.push(waiting.remove(next.expect("the turn is another's")).0);
    }
    let crowd = flow(1, 1);
    assert_eq!(served, [flow(2, 1), flow(1, 0), crowd, flow(1, 2), crowd, crowd]);
}

#[tokio::test]
async fn who_has_several_turns_lets_who_has_none_pass_and_goes_on() {
    // Who waits, and whether a quick pull of the tenant that has both turns steps aside for it.
    let cases = [(flow(1, 1), false), (flow(1, 2), true), (flow(1, 0), true), (flow(2, 1), true)];
    for (waits, aside) in cases {
        let turns = Turns::new(2);
        let mut both = Vec::new();
        for number in [1, 2] {
            let turn = turns.take(flow(1, 1), target(number)).await.expect("a turn");
            turn.measured(QUICK);
            both.push(turn);
        }
        let mut next = pin!(turns.take(waits, target(3)));
        assert!(look(next.as_mut()).is_pending());
        assert!(both.iter().all(Turn::give_way), "they go on");
        assert_eq!(look(next).is_ready(), aside, "{waits:?}");
        assert_eq!(turns.aside.lock().len(), usize::from(aside), "one is enough");
    }
}

#[tokio::test]
async fn who_stops_waiting_at_the_moment_that_it_is_granted_a_turn_passes_it_on() {
    let turns = Turns::new(1);
    let first = turns.take(MINE, target(1)).await.expect("a turn");
    let mut next = pin!(turns.take(MINE, target(3)));
    {
        let mut gone = pin!(turns.take(MINE, target(2)));
        assert!(look(gone.as_mut()).is_pending() && look(next.as_mut()).is_pending());
        drop(first);
    }
    assert!(look(next).is_ready());
    let queue = turns.queue.inner.lock();
    assert_eq!((queue.free, queue.taken.len()), (1, 0), "nothing is kept of who has gone");
}
