//! A libp2p node that can do exactly one stack.

use std::{convert::Infallible, error::Error, iter, net::IpAddr, time::Duration};

use futures::{AsyncRead, AsyncWrite, StreamExt};
use libp2p::{
    Multiaddr, PeerId, Swarm, Transport as _,
    core::{
        ConnectedPoint,
        muxing::StreamMuxerBox,
        transport::{Boxed, upgrade::Authenticated},
        upgrade::Version,
    },
    identify,
    identity::Keypair,
    multiaddr::Protocol,
    noise, ping, quic,
    swarm::{self, NetworkBehaviour, SwarmEvent},
    tcp, tls, websocket, yamux,
};
use libp2p_webrtc::tokio as webrtc;

use crate::{
    Result,
    contract::{Muxer, Security, Stack, Transport},
    proof::Negotiations,
};

pub struct Node {
    swarm: Swarm<Behaviour>,
    asked: Stack,
    negotiations: Negotiations,
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    ping: ping::Behaviour,
    identify: identify::Behaviour,
}

impl Node {
    pub fn new(asked: Stack, timeout: Duration) -> Result<Self> {
        let key = Keypair::generate_ed25519();
        let negotiations = Negotiations::default();
        let transport = transport(asked, &key, &negotiations)?;
        let behaviour = Behaviour {
            // One ping, as soon as a connection is up. The case's deadline is the only time limit.
            ping: ping::Behaviour::new(
                ping::Config::new()
                    .with_interval(timeout)
                    .with_timeout(timeout),
            ),
            identify: identify::Behaviour::new(identify::Config::new(
                "/interop/1.0.0".to_owned(),
                key.public(),
            )),
        };
        let swarm = Swarm::new(
            transport,
            behaviour,
            key.public().to_peer_id(),
            // Ping does not keep a connection alive, and a slow peer may take its time.
            swarm::Config::with_tokio_executor().with_idle_connection_timeout(timeout),
        );
        Ok(Self {
            swarm,
            asked,
            negotiations,
        })
    }

    /// Listens, and gives the first of our addresses that `choose` takes, with our peer id.
    pub async fn listen(
        &mut self,
        ip: IpAddr,
        choose: impl Fn(&Multiaddr) -> Option<Multiaddr>,
    ) -> Result<Multiaddr> {
        self.swarm
            .listen_on(listen_addr(self.asked.transport, ip))?;
        loop {
            match self.swarm.select_next_some().await {
                SwarmEvent::NewListenAddr { address, .. } => {
                    if let Some(address) = choose(&address) {
                        let id = *self.swarm.local_peer_id();
                        return Ok(address.with_p2p(id).unwrap_or_else(|address| address));
                    }
                }
                event => listener_fault(event)?,
            }
        }
    }

    /// Serves for ever: only a fault ends it.
    pub async fn serve(&mut self) -> Result<Infallible> {
        loop {
            match self.swarm.select_next_some().await {
                SwarmEvent::ConnectionEstablished {
                    peer_id, endpoint, ..
                } => self.prove(&peer_id, &endpoint)?,
                SwarmEvent::ConnectionClosed {
                    cause: Some(cause), ..
                } => eprintln!("connection closed: {cause}"),
                SwarmEvent::IncomingConnectionError { error, .. } => {
                    eprintln!("incoming connection failed: {}", chain(&error));
                }
                event => listener_fault(event)?,
            }
        }
    }

    /// Dials `addr` and gives the round trip of the first ping.
    pub async fn ping(&mut self, addr: Multiaddr) -> Result<Duration> {
        self.swarm.dial(addr)?;
        let mut unproven = None;
        loop {
            let event = self.swarm.select_next_some().await;
            // Like every SwarmBuilder node we negotiate lazily: a dialer takes the muxer for granted
            // until it reads something. So the proof waits for the first sign of the other peer.
            if matches!(
                event,
                SwarmEvent::Behaviour(
                    BehaviourEvent::Identify(identify::Event::Received { .. })
                        | BehaviourEvent::Ping(ping::Event { result: Ok(_), .. })
                )
            ) && let Some((peer, endpoint)) = unproven.take()
            {
                self.prove(&peer, &endpoint)?;
            }
            match event {
                SwarmEvent::ConnectionEstablished {
                    peer_id, endpoint, ..
                } => unproven = Some((peer_id, endpoint)),
                SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event { result, .. })) => {
                    return result.map_err(|error| format!("ping failed: {error}").into());
                }
                SwarmEvent::OutgoingConnectionError { error, .. } => {
                    return Err(format!("dial failed: {}", chain(&error)).into());
                }
                SwarmEvent::ConnectionClosed { cause, .. } => {
                    let cause = cause.map_or("by the other peer".to_owned(), |c| c.to_string());
                    return Err(format!("connection closed before the ping: {cause}").into());
                }
                _ => {}
            }
        }
    }

    /// Shows what the connection negotiated, and insists on what was asked for.
    fn prove(&self, peer: &PeerId, endpoint: &ConnectedPoint) -> Result<()> {
        let negotiated = self.negotiations.stack(peer, endpoint);
        eprintln!("negotiated: {negotiated}");
        if negotiated == self.asked.to_string() {
            Ok(())
        } else {
            Err(format!("asked: {}, negotiated: {negotiated}", self.asked).into())
        }
    }
}

fn listen_addr(transport: Transport, ip: IpAddr) -> Multiaddr {
    let addr = Multiaddr::from(ip);
    match transport {
        Transport::Tcp => addr.with(Protocol::Tcp(0)),
        Transport::Ws => addr.with(Protocol::Tcp(0)).with(Protocol::Ws("/".into())),
        Transport::QuicV1 => addr.with(Protocol::Udp(0)).with(Protocol::QuicV1),
        Transport::WebrtcDirect => addr.with(Protocol::Udp(0)).with(Protocol::WebRTCDirect),
    }
}

type BoxedTransport = Boxed<(PeerId, StreamMuxerBox)>;

fn transport(asked: Stack, key: &Keypair, negotiations: &Negotiations) -> Result<BoxedTransport> {
    let tcp = || tcp::tokio::Transport::new(tcp::Config::default().nodelay(true));
    match (asked.transport, asked.upgrades) {
        (Transport::Tcp, Some(upgrades)) => secure(tcp(), upgrades, key, negotiations),
        (Transport::Ws, Some(upgrades)) => {
            secure(websocket::Config::new(tcp()), upgrades, key, negotiations)
        }
        (Transport::QuicV1, None) => Ok(quic::tokio::Transport::new(quic::Config::new(key))
            .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
            .boxed()),
        (Transport::WebrtcDirect, None) => {
            // `ThreadRng::default()` is what all releases of rand have in common.
            let certificate = webrtc::Certificate::generate(&mut rand::rngs::ThreadRng::default())?;
            Ok(webrtc::Transport::new(key.clone(), certificate)
                .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
                .boxed())
        }
        _ => unreachable!("layered transports have upgrades, standalone ones have none"),
    }
}

/// Offers only the protocols asked for, so that nothing else can be negotiated.
fn secure<T>(
    transport: T,
    (security, muxer): (Security, Muxer),
    key: &Keypair,
    negotiations: &Negotiations,
) -> Result<BoxedTransport>
where
    T: libp2p::Transport + Send + Unpin + 'static,
    T::Output: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    T::Error: Send + Sync + 'static,
    T::ListenerUpgrade: Send,
    T::Dial: Send,
{
    let builder = transport.upgrade(Version::V1Lazy);
    Ok(match security {
        Security::Noise => {
            let upgrade = negotiations.note_security(noise::Config::new(key)?);
            multiplex(builder.authenticate(upgrade), muxer, negotiations)
        }
        Security::Tls => {
            let upgrade = negotiations.note_security(tls::Config::new(key)?);
            multiplex(builder.authenticate(upgrade), muxer, negotiations)
        }
    })
}

fn multiplex<T, S>(
    transport: Authenticated<T>,
    muxer: Muxer,
    negotiations: &Negotiations,
) -> BoxedTransport
where
    T: libp2p::Transport<Output = (PeerId, S)> + Send + Unpin + 'static,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    T::Error: Send + Sync + 'static,
    T::ListenerUpgrade: Send,
    T::Dial: Send,
{
    let negotiations = negotiations.clone();
    match muxer {
        Muxer::Yamux => transport
            .multiplex_ext(move |peer, _| negotiations.note_muxer(*peer, yamux::Config::default()))
            .boxed(),
        Muxer::Mplex => transport
            .multiplex_ext(move |peer, _| {
                negotiations.note_muxer(*peer, libp2p_mplex::Config::default())
            })
            .boxed(),
    }
}

/// The swarm goes on without its listener, but we have nothing left to do then.
fn listener_fault<E>(event: SwarmEvent<E>) -> Result<()> {
    match event {
        SwarmEvent::ListenerError { error, .. } => Err(format!("listener failed: {error}").into()),
        SwarmEvent::ListenerClosed { reason, .. } => {
            Err(format!("listener closed: {reason:?}").into())
        }
        _ => Ok(()),
    }
}

/// An error with its causes, which most errors of libp2p leave out of their own text.
fn chain(error: &(dyn Error + 'static)) -> String {
    iter::successors(Some(error), |&error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
