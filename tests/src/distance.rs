//! A far network on one machine: datagrams between an agent and its coordinator that come later, and are counted.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it looks whether something is due.
const LOOK: Duration = Duration::from_millis(1);

/// A way to a coordinator on which each datagram takes a while. It goes with its test.
pub struct Distance {
    /// Where the agent connects instead.
    pub address: String,
    there: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    carrier: Option<JoinHandle<()>>,
}

impl Distance {
    /// Puts a distance in front of `coordinator` that takes `one_way` in each direction.
    pub fn before(coordinator: &str, one_way: Duration) -> Self {
        let near = socket();
        let address = near.local_addr().expect("it is bound").to_string();
        let coordinator: SocketAddr = coordinator.parse().expect("an address");
        let (there, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, ended) = (Arc::clone(&there), Arc::clone(&over));
        let carry = move || {
            let mut way = Way { near, ends: Vec::new(), coordinator, one_way };
            while !ended.load(Ordering::Relaxed) {
                counted.fetch_add(way.carry(), Ordering::Relaxed);
                std::thread::sleep(LOOK);
            }
        };
        Self { address, there, over, carrier: Some(std::thread::spawn(carry)) }
    }

    /// Bytes of all datagrams that were sent towards the coordinator.
    pub fn sent(&self) -> u64 {
        self.there.load(Ordering::Relaxed)
    }
}

impl Drop for Distance {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(carrier) = self.carrier.take() {
            let _ = carrier.join();
        }
    }
}

struct Way {
    near: UdpSocket,
    ends: Vec<End>,
    coordinator: SocketAddr,
    one_way: Duration,
}

/// One socket of an agent, and the socket that stands for it on the coordinator's side.
struct End {
    agent: SocketAddr,
    far: UdpSocket,
    there: Queue,
    back: Queue,
}

type Queue = VecDeque<(Instant, Vec<u8>)>;

impl Way {
    /// Takes up what came and sets down what is due; how many bytes came from agents.
    fn carry(&mut self) -> u64 {
        let (mut came, mut buffer) = (0, [0; 65_536]);
        while let Some((length, agent)) = received(&self.near, &mut buffer) {
            came += length as u64;
            let due = Instant::now() + self.one_way;
            let end = match self.ends.iter().position(|end| end.agent == agent) {
                Some(known) => &mut self.ends[known],
                None => {
                    let far = socket();
                    far.connect(self.coordinator).expect("it is here");
                    self.ends.push(End { agent, far, there: Queue::new(), back: Queue::new() });
                    self.ends.last_mut().expect("it was added")
                }
            };
            end.there.push_back((due, buffer[..length].to_vec()));
        }
        for end in &mut self.ends {
            while let Some((length, _)) = received(&end.far, &mut buffer) {
                end.back.push_back((Instant::now() + self.one_way, buffer[..length].to_vec()));
            }
            while let Some(bytes) = due(&mut end.there) {
                // What is lost is sent again, as on any network.
                let _ = end.far.send(&bytes);
            }
            while let Some(bytes) = due(&mut end.back) {
                let _ = self.near.send_to(&bytes, end.agent);
            }
        }
        came
    }
}

fn due(queue: &mut Queue) -> Option<Vec<u8>> {
    let (_, bytes) = queue.pop_front_if(|(due, _)| *due <= Instant::now())?;
    Some(bytes)
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_nonblocking(true).expect("any socket can");
    socket
}

/// What came, if something did. (A coordinator that is gone is an error of the socket, and nothing came.)
fn received(socket: &UdpSocket, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
    match socket.recv_from(buffer) {
        Ok(came) => Some(came),
        Err(why) if why.kind() == ErrorKind::WouldBlock => None,
        Err(_) => None,
    }
}
