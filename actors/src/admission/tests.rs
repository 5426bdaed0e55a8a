use std::future::pending;
use std::net::Ipv4Addr;

use futures_util::FutureExt;
use tokio::task::LocalSet;

use super::*;

const LIMITS: AdmissionLimits = AdmissionLimits { places: 4, of_address: 2, idle: Duration::ZERO };

fn address(last: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, last).into()
}

/// A connection that waits for its client until it gives way or something is received.
fn waits_for_client(place: Place) -> (tokio::task::JoinHandle<bool>, oneshot::Sender<()>) {
    let (client, says) = oneshot::channel::<()>();
    let held = tokio::task::spawn_local(async move { place.hold(says).await.is_none() });
    (held, client)
}

async fn settle() {
    for _ in 0..8 {
        yield_now().await;
    }
}

#[tokio::test]
async fn who_is_idle_longest_gives_way() {
    let test = async {
        let admission = Admission::new(LIMITS);
        let mut held = Vec::new();
        for last in 0..4 {
            held.push(waits_for_client(admission.enter(address(last)).await));
            settle().await;
        }
        let fifth = admission.enter(address(4)).await;
        assert!(held.remove(0).0.await.unwrap(), "the first one gave way");
        settle().await;
        assert!(held.iter().all(|(held, _)| !held.is_finished()));
        drop(fifth);
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn an_address_with_its_share_displaces_itself() {
    let test = async {
        let admission = Admission::new(LIMITS);
        let (other, _client) = waits_for_client(admission.enter(address(9)).await);
        settle().await;
        let (first, _first_client) = waits_for_client(admission.enter(address(1)).await);
        settle().await;
        let (second, _second_client) = waits_for_client(admission.enter(address(1)).await);
        settle().await;
        let _third = admission.enter(address(1)).await;
        assert!(first.await.unwrap());
        assert!(!second.is_finished() && !other.is_finished());
        // Places that are left are for others.
        assert!(admission.enter(address(2)).now_or_never().is_some());
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn who_hears_from_the_client_or_is_busy_does_not_give_way() {
    let test = async {
        let admission = Admission::new(AdmissionLimits { places: 3, of_address: 3, ..LIMITS });
        let (heard, client) = waits_for_client(admission.enter(address(0)).await);
        let busy = Arc::new(admission.enter(address(1)).await);
        let held_busy = tokio::task::spawn_local({
            let place = Arc::clone(&busy);
            async move {
                place
                    .hold(async {
                        let _busy = place.busy();
                        pending::<()>().await;
                    })
                    .await
            }
        });
        settle().await;
        let (idle, _client) = waits_for_client(admission.enter(address(2)).await);
        settle().await;
        let entering = admission.enter(address(3));
        let mut entering = std::pin::pin!(entering);
        // The oldest is asked, and has heard from its client before it could answer.
        assert!(entering.as_mut().now_or_never().is_none());
        client.send(()).unwrap();
        assert!(!heard.await.unwrap(), "its client said something");
        let _place = entering.await;
        assert!(!idle.is_finished() && !held_busy.is_finished());
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn those_who_wait_come_in_turn_and_may_give_up() {
    let admission = Admission::new(AdmissionLimits { places: 1, of_address: 1, idle: Duration::from_secs(3600) });
    let first = admission.enter(address(0)).await;
    let given_up = admission.enter(address(1)).now_or_never();
    assert!(given_up.is_none());
    let mut second = std::pin::pin!(admission.enter(address(2)));
    assert!(second.as_mut().now_or_never().is_none());
    drop(first);
    drop(second.await);
    assert!(admission.enter(address(3)).now_or_never().is_some());
}

#[test]
fn a_network_of_ipv6_is_one_origin() {
    let origin = |text: &str| Origin::of(text.parse().unwrap());
    assert_eq!(origin("2001:db8::1"), origin("2001:db8::2:3"));
    assert_ne!(origin("2001:db8::1"), origin("2001:db8:0:1::1"));
    assert_eq!(origin("::ffff:192.0.2.1"), origin("192.0.2.1"));
    assert_ne!(origin("192.0.2.1"), origin("192.0.2.2"));
}
